"""The head of rommel2023: three linear layers, AdamW, fixed minibatches, selection by score or by loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mirbench.errors import BadInput, NotApplicable
from mirbench.methods.picture_mlp import PictureMlp
from mirbench.methods.training import seeded
from mirbench.methods.training.loop import reached
from mirbench.metrics import METRICS
from mirbench.plugin_file import Plugin
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.record_file import read_record
from mirbench.runs.runner import Outcome, run
from mirbench.runs.store import RunStore
from tests.toys import QUIET, Splits, gaussian, hand_trained, recorded, splits_of, table_context

if TYPE_CHECKING:
    from tests.conftest import Answer

CPU = torch.device("cpu")


def easy(n_train: int = 20, n_classes: int = 2) -> Splits:
    classes = [f"c{k}" for k in range(n_classes)]
    labels = {"train": n_train, "valid": 10, "test": 10}
    return splits_of(
        {split: [classes[n % n_classes] for n in range(count)] for split, count in labels.items()}, classes
    )


def test_trainable_parameters_are_the_papers(tmp_path: Path) -> None:
    splits = easy(10, 10)
    context = table_context(gaussian(splits, 768, 0.1), tmp_path)
    fitted = PictureMlp(epochs=1).fit(*splits[:2], context, seed=0)
    assert fitted.n_trainable == 1_847_306
    assert sum(np.asarray(value).size for value in fitted.state.values()) == 1_847_306


def test_nothing_stands_between_the_first_two_layers(tmp_path: Path) -> None:
    splits = easy()
    context = table_context(gaussian(splits, 768, 0.1), tmp_path)
    layers = list(PictureMlp().module(context, splits[0]))
    assert [type(layer) for layer in layers] == [nn.Linear, nn.Linear, nn.ReLU, nn.Linear]
    assert [(x.in_features, x.out_features) for x in layers if isinstance(x, nn.Linear)] == [
        (768, 1024), (1024, 1024), (1024, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(("hidden", "depth"), [(8, 0), (8, 1), (5, 3)])
def test_hidden_and_depth_reach_the_network(hidden: int, depth: int, tmp_path: Path) -> None:
    splits = easy()
    context = table_context(gaussian(splits, 6, 0.1), tmp_path)
    fitted = PictureMlp(epochs=1, hidden=hidden, depth=depth).fit(*splits[:2], context, seed=0)
    assert fitted.n_trainable == 7 * hidden + depth * (hidden + 1) * hidden + (hidden + 1) * 2


@pytest.mark.parametrize("wrong", [{"hidden": 0}, {"depth": -1}, {"epochs": 0}, {"lr": 0.0}, {"batch_size": 0}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="picture-mlp"):
        PictureMlp(**wrong)  # type: ignore[arg-type]


def test_training_is_that_of_a_plain_loop_with_adamw(tmp_path: Path) -> None:
    splits = easy(24)
    context = table_context(gaussian(splits, 6, 0.3), tmp_path)
    method, seen = recorded(PictureMlp(epochs=1, lr=0.01, weight_decay=0.3, batch_size=8, hidden=5, starts="alike"))
    fitted = method.fit(*splits[:2], context, seed=3)
    with seeded(3, CPU):
        module = method.module(context, splits[0])
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.01, weight_decay=0.3)
    expected = hand_trained(module, optimizer, [(batch.x, batch.target) for batch in seen])
    assert len(seen) == 3
    for name, value in expected.items():
        assert np.allclose(fitted.state[name], value.numpy(), atol=1e-6), name


def epochs_of(method: PictureMlp, splits: Splits, folder: Path, seed: int = 0) -> list[list[bytes]]:
    """What each minibatch of each epoch held."""
    context = table_context(gaussian(splits, 6, 0.3), folder)
    noted, seen = recorded(method)
    noted.fit(*splits[:2], context, seed=seed)
    per_epoch = len(seen) // method.epochs
    held = [batch.x.numpy().tobytes() for batch in seen]
    return [held[k : k + per_epoch] for k in range(0, len(held), per_epoch)]


def test_fixed_minibatches_come_again_in_every_epoch_and_every_configuration(tmp_path: Path) -> None:
    splits, base = easy(24), PictureMlp(epochs=3, batch_size=8, hidden=4)
    first, *others = epochs_of(base, splits, tmp_path)
    assert len(first) == len(set(first)) == 3
    assert others == [first, first]
    for change in ({"lr": 0.005}, {"weight_decay": 0.015}, {"hidden": 7}, {"select": "loss"}):
        assert epochs_of(replace(base, **change), splits, tmp_path)[0] == first


def test_fixed_minibatches_are_drawn_by_the_seed(tmp_path: Path) -> None:
    splits, base = easy(24), PictureMlp(epochs=1, batch_size=8, hidden=4)
    assert epochs_of(base, splits, tmp_path, 0) != epochs_of(base, splits, tmp_path, 1)


def test_minibatches_that_are_not_fixed_are_drawn_anew(tmp_path: Path) -> None:
    method = PictureMlp(epochs=3, batch_size=8, hidden=4, fixed_minibatches=False)
    epochs = epochs_of(method, easy(24), tmp_path)
    assert len({tuple(epoch) for epoch in epochs}) == 3


@pytest.mark.parametrize(("n_train", "batch_size"), [(24, 8), (25, 8), (9, 1), (1, 8)])
def test_every_clip_is_trained_on_in_every_epoch(n_train: int, batch_size: int, tmp_path: Path) -> None:
    splits = easy(n_train)
    noted, seen = recorded(PictureMlp(epochs=2, batch_size=batch_size, hidden=4))
    noted.fit(*splits[:2], table_context(gaussian(splits, 6, 0.3), tmp_path), seed=0)
    assert sum(len(batch.x) for batch in seen) == 2 * n_train
    assert len(np.unique(np.concatenate([batch.x for batch in seen]), axis=0)) == n_train


def hard() -> Splits:
    """Few clips of much noise: the loss on valid rises while the accuracy still gains."""
    classes = ("a", "b", "c")
    return splits_of({split: [classes[n % 3] for n in range(30)] for split in ("train", "valid", "test")}, classes)


def test_selection_by_score_and_by_loss_keep_what_they_say(tmp_path: Path) -> None:
    train, valid, _ = splits = hard()
    context = table_context(gaussian(splits, 8, 0.8), tmp_path)
    kept = {}
    for select in ("score", "loss"):
        method = PictureMlp(epochs=15, lr=0.003, batch_size=10, hidden=32, select=select)
        fitted = method.fit(train, valid, context, seed=0)
        probabilities, truth = fitted.predict(valid.blind()), valid.class_index()
        loss = -np.log(probabilities[np.arange(len(valid)), truth]).mean()
        kept[select] = (METRICS["accuracy"].function(probabilities, valid.targets()), loss)
        history = fitted.history
        best = max(row["valid_score"] for row in history)
        lowest = min(row["valid_loss"] for row in history)
        if select == "score":
            assert kept[select][0] == pytest.approx(best)
            assert fitted.valid_score is None or fitted.valid_score == pytest.approx(best)
        else:
            assert kept[select][1] == pytest.approx(lowest, rel=1e-5)
            assert fitted.valid_score == pytest.approx(-lowest)
    assert kept["score"][0] > kept["loss"][0]
    assert kept["score"][1] > kept["loss"][1]


def searched(select: str, folder: Path) -> Outcome:
    splits = hard()
    rows = gaussian(splits, 8, 0.8, seed=2)
    path = folder / "features.npz"
    np.savez(path, id=np.array(list(rows)), x=np.stack(list(rows.values())).astype(np.float32))
    catalogue = Catalogue([Plugin("test", "0" * 64, {"toy": splits[0].task}, {}, {})])
    request = Request(
        "toy", "picture-mlp", f"features:{path}", seeds=(0,), runs=folder / "runs", cache=folder / "cache",
        params={"epochs": 15, "batch_size": 10, "hidden": 32, "select": select, "starts": "alike"},
        source_params={"array": "x"}, search={"lr": [0.0003, 0.001, 0.003]},
    )  # fmt: skip
    (outcome,) = run(request, catalogue, QUIET)
    assert outcome.record.status == "done", outcome.record.reason
    return outcome


@pytest.mark.slow
def test_search_selects_by_the_loss_where_the_epochs_are(tmp_path: Path) -> None:
    by_score, by_loss = (searched(select, tmp_path).record for select in ("score", "loss"))

    def scores(record: RunRecord) -> list[float]:
        return [trial["valid_score"] for trial in record.trials]

    assert all(0 <= score <= 1 for score in scores(by_score))
    assert all(score < 0 for score in scores(by_loss))
    for record in (by_score, by_loss):
        best = int(np.argmax(scores(record)))
        assert record.chosen == record.trials[best]["params"]
    assert by_loss.chosen != by_score.chosen
    assert max(scores(by_loss)) == pytest.approx(-min(row["valid_loss"] for row in by_loss.history))


# On pictures, with an image network at random weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with timm's smallest network, as its repository on the hub holds it."""
    import timm
    from timm.models import save_for_hf

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    save_for_hf(timm.create_model("test_vit"), folder / "test_vit.r160_in1k", safe_serialization=True)
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Catalogue]:
    """A data root with a task of red and blue pictures of 48 x 32 pixels, and that network under a shorter name."""
    root = tmp_path_factory.mktemp("pictures")
    labels = {split: ["red", "blue"] * 3 for split in ("train", "valid", "test")}
    splits = splits_of(labels, ("red", "blue"), root / "toy", medium="picture")
    (root / "toy").mkdir()
    clips = []
    for number, clip in enumerate(clip for split in splits for clip in split.clips):
        path = root / "toy" / f"{clip.id}.png"
        Image.new("RGB", (48, 32), (150 + number, 0, 0) if clip.labels == ("red",) else (0, 0, 150 + number)).save(path)
        clips.append(replace(clip, path=path))
    task = replace(splits[0].task, read_clips=lambda base, fold: clips)
    card = replace(Catalogue().source("timm:test_vit"), name="look")
    return root, Catalogue([Plugin("test", "0" * 64, {"toy": task}, {}, {"look": card})])


def on_pictures(
    method: str, pictures: tuple[Path, Catalogue], weights: Path, folder: Path, source: str = "look", **params: Any
) -> RunRecord:
    root, catalogue = pictures
    options = {**catalogue.source(source).options} if source else {}
    request = Request(
        "toy", method, source, seeds=(0,), data=root, weights=weights, runs=folder / "runs", cache=folder / "cache",
        params=params, source_params=options,
    )  # fmt: skip
    (outcome,) = run(request, catalogue, QUIET)
    return outcome.record


@pytest.mark.slow
@pytest.mark.parametrize("method", ["picture-mlp", "probe-linear"])
def test_pictures_are_predicted_alike_in_a_sealed_process(
    method: str, pictures: tuple[Path, Catalogue], weights: Path, tmp_path: Path
) -> None:
    root, catalogue = pictures
    request = Request(
        "toy", method, "look", seeds=(0,), data=root, weights=weights, cache=tmp_path / "cache",
        source_params={**catalogue.source("look").options},
    )  # fmt: skip
    outcomes = [
        run(replace(request, runs=tmp_path / name, sealed=name == "sealed"), catalogue, QUIET)[0]
        for name in ("sealed", "open")
    ]
    assert [outcome.record.reason for outcome in outcomes] == ["", ""]
    one, other = (RunStore(tmp_path).scores(outcome.folder).scores for outcome in outcomes)
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("picture-mlp", {}), ("probe-linear", {}), ("layer-mix", {"epochs": 20}),
        ("finetune", {"epochs": 2, "lr": 1e-3}),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_method_learns_pictures_through_an_image_network(
    method: str, params: dict[str, Any], pictures: tuple[Path, Catalogue], weights: Path, tmp_path: Path
) -> None:
    record = on_pictures(method, pictures, weights, tmp_path, **params)
    assert record.status == "done", record.reason
    assert record.metrics["accuracy"] == 1.0
    assert record.flops is not None
    assert record.flops > 10**6


@pytest.mark.parametrize(
    "method", ["musicnn", "fcn4", "bl-cnn", "cnn-bs", "mfcc-codebook", "sparse-coding", "marsyas-forest"]
)
def test_method_that_hears_is_refused_on_pictures_in_one_line(
    method: str, pictures: tuple[Path, Catalogue], weights: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotApplicable, match=f"its clips are pictures, and {method} hears audio"):
        on_pictures(method, pictures, weights, tmp_path, "")


@pytest.mark.parametrize("method", ["nrp", "id-nmr", "zero-shot"])
def test_method_that_cannot_use_pictures_is_skipped_in_one_line(
    method: str, pictures: tuple[Path, Catalogue], weights: Path, tmp_path: Path
) -> None:
    record = on_pictures(method, pictures, weights, tmp_path)
    assert record.status == "skipped", record.reason
    assert "\n" not in record.reason


def test_source_that_hears_cannot_look(pictures: tuple[Path, Catalogue], weights: Path, tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="its clips are pictures, and vggish takes audio"):
        on_pictures("picture-mlp", pictures, weights, tmp_path, "vggish")


@pytest.mark.slow
def test_picture_mlp_runs_from_the_command_line_with_a_card_of_a_plugin(
    typed: Callable[..., Answer], weights: Path
) -> None:
    plugin = Path("card.py")
    plugin.write_text(
        "from dataclasses import replace\n"
        "from mirbench.methods.sources.image_cards import timm_card\n"
        "MINE = replace(timm_card('test_vit'), name='mine', hub='', file="
        f"{str(weights / 'test_vit.r160_in1k')!r})\n"
    )
    words = ("--task", "gtzan-pictures-demo", "--source", "mine", "--plugin", plugin, "--seeds", "1", "--quiet")
    answer = typed("run", "--method", "picture-mlp", *words)
    assert (answer.code, answer.err) == (0, "")
    assert "gtzan-pictures-demo: picture-mlp + mine" in answer.out


def start_of(method: PictureMlp, splits: Splits, folder: Path, seed: int = 0) -> torch.Tensor:
    context = table_context(gaussian(splits, 6, 0.3), folder)
    return next(method.fresh(splits[0], context, seed)[0].parameters()).detach()


def test_every_model_of_a_sweep_starts_from_weights_of_its_own(tmp_path: Path) -> None:
    splits, method = easy(), PictureMlp(hidden=5)
    jobs = [
        (replace(method, lr=lr, weight_decay=decay), seed)
        for lr in (1e-3, 2e-3)
        for decay in (0.0, 0.1)
        for seed in (0, 1)
    ]
    starts = [start_of(model, splits, tmp_path / "a", seed) for model, seed in jobs]
    assert len({start.numpy().tobytes() for start in starts}) == len(jobs)
    for start, (model, seed) in zip(starts, jobs, strict=True):
        assert torch.equal(start, start_of(replace(model, epochs=3), splits, tmp_path / "a", seed))
    alike = [start_of(replace(model, starts="alike"), splits, tmp_path / "a", seed) for model, seed in jobs]
    assert len({start.numpy().tobytes() for start in alike}) == 2  # one a seed


@pytest.mark.parametrize(("ties", "kept"), [("lower-loss", 3), ("first", 2)])
def test_of_equal_scores_the_epoch_is_kept_that_ties_names(ties: Any, kept: int, tmp_path: Path) -> None:
    splits = easy()
    context = table_context(gaussian(splits, 6, 0.3), tmp_path)
    _, recipe = PictureMlp(hidden=5, ties=ties).fresh(splits[0], context, 0)
    rows = [(0.5, 0.1), (0.75, 0.4), (0.75, 0.3), (0.25, 0.0)]  # score and loss on valid
    ranks = [reached(recipe.select, n, *row) for n, row in enumerate(rows, 1)]
    assert ranks.index(max(ranks)) + 1 == kept


def test_a_search_keeps_score_and_loss_of_every_epoch_of_every_model(tmp_path: Path) -> None:
    outcome = searched("score", tmp_path)
    record = read_record(outcome.folder / "record.json")
    assert len(record.trials) == 3
    for trial in record.trials:
        assert trial["valid_score"] == pytest.approx(max(trial["valid_scores"]), rel=1e-4)  # chosen by its best epoch
        assert len(trial["valid_losses"]) == len(trial["valid_scores"]) == record.spec.params["epochs"]
        if trial["params"] == record.chosen:
            kept = [row["valid_loss"] for row in record.history]
            assert trial["valid_losses"] == pytest.approx(kept, rel=1e-4)
