"""Mean Teacher: printed count, the student by hand, the moving average, ragged clips, who judges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mirbench import AnySplit, Context, Windows
from mirbench.errors import BadInput
from mirbench.methods.mean_teacher import MeanTeacher
from mirbench.methods.sources.precomputed import ShippedFeatures, shipped_card
from mirbench.methods.student import Student, StudentAndTeacher
from mirbench.methods.training import Batch, Inputs
from mirbench.source import SourceCard
from mirbench.types import ArrayRow, Clip, Split, Task, clips_of

CPU = torch.device("cpu")
WIDTH = 6


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def pair(dropout: float = 0.0, judged_by: str = "student", width: int = WIDTH) -> StudentAndTeacher:
    torch.manual_seed(0)
    return StudentAndTeacher(Student(width, 2, dropout), judged_by)


class Frames:
    """Features of clips with as many frames each as their ids say ("c3-7" has 7); those of odd numbers are up."""

    def pooled(self, clips: Sequence[Clip]) -> Windows:
        counts = [int(clip.id.split("-")[1]) for clip in clips]
        rows = []
        for clip, n in zip(clips, counts, strict=True):
            number = int(clip.id[1:].split("-")[0])
            level = 1.0 if number % 2 else -1.0
            rows.append(np.random.default_rng(number).normal(0.7 * level, 1.0, (n, WIDTH)))
        return Windows(np.concatenate(rows).astype(np.float32), np.repeat(np.arange(len(clips)), counts), len(clips))


def ragged(tmp_path: Path, precision: str = "float32") -> tuple[Context, tuple[Split, Split, Split]]:
    """A task of 48 clips of 1 to 5 frames, of tags of which a fifth are unknown."""
    rng = np.random.default_rng(0)
    clips = []
    for n in range(48):
        labels = ("up",) if n % 2 else ("down",)
        unknown = tuple(name for name in ("up", "down") if name not in labels and rng.random() < 0.4)
        split = ("train", "train", "train", "train", "valid", "valid", "test", "test")[n % 8]
        clips.append(Clip(f"c{n}-{1 + n % 5}", None, split, labels, unknown))
    task = Task("tags", "1", "", "multi-label", ("up", "down"), ("roc-auc",), lambda root, fold: clips, "tags", 48, 1.0)
    card = SourceCard("frames", "", "precomputed", ("pooled",), "", n_features=WIDTH)
    context = Context(facts={}, cache=tmp_path, device=CPU, precision=precision, card=card, load=Frames)
    train, valid, test = (Split(task, tuple(c for c in clips if c.split == s)) for s in ("train", "valid", "test"))
    return context, (train, valid, test)


QUICK: dict[str, Any] = {"epochs": 6, "lr": 3e-2, "batch_size": 8, "dropout": 0.2}


# Counts


def test_student_and_teacher_of_vggish_have_the_printed_parameters() -> None:
    module = StudentAndTeacher(Student(128, 20, 0.8), "student")
    student = sum(p.numel() for p in module.student.parameters())
    assert student == 55_336
    assert student + sum(p.numel() for p in module.teacher.parameters()) == 110_672
    assert round(110_672 / 1e6, 3) == 0.111


def test_what_is_counted_is_the_student(tmp_path: Path) -> None:
    """Nothing trains the teacher: student + teacher is the printed count, and a run records the student."""
    context, (train, valid, _) = ragged(tmp_path)
    fitted = MeanTeacher(epochs=1).fit(train, valid, context, seed=0)
    assert fitted.n_trainable == 2 * WIDTH + 3 * (WIDTH**2 + 2 * WIDTH) + 2 * (2 * WIDTH + 2)
    learnt = sum(v.size for name, v in fitted.state.items() if name.startswith("teacher") and "running" not in name)
    assert learnt - 4 == fitted.n_trainable  # four counters of batches


# The student


def test_student_attends_over_time_class_by_class() -> None:
    net, x = pair(width=4).student.eval(), drawn(3, 5, 4)
    with torch.no_grad():
        for name, value in net.named_buffers():  # as after some training
            if "running" in name:
                value.copy_(drawn(*value.shape, seed=len(name)).abs() + 0.5)
        found = net(x, torch.ones(3, 5))
        flat = x.reshape(15, 4)
        state = net.state_dict()

        def norm(name: str, values: Tensor) -> Tensor:
            mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
            return (values - mean) / (variance + 1e-5).sqrt() * state[f"{name}.weight"] + state[f"{name}.bias"]

        h = norm("norm", flat)
        for k in range(3):
            h = norm(f"layers.{k}.1", h @ state[f"layers.{k}.0.weight"].reshape(4, 4).T).relu()
        h = h + flat  # the residual is from the raw embedding

        def of(name: str) -> Tensor:
            weight = state[f"{name}.weight"].reshape(2, 4)
            return (h @ weight.T + state[f"{name}.bias"]).sigmoid().reshape(3, 5, 2)

        attention = of("attention").clamp(1e-7, 1 - 1e-7)
        expected = (attention * of("classes")).sum(dim=1) / attention.sum(dim=1)
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("mode", [False, True], ids=["eval", "train"])
def test_padded_frames_change_nothing(mode: bool) -> None:
    net, x = pair().student, drawn(4, 5, WIDTH)
    there = (torch.arange(5) < torch.tensor([[1], [3], [5], [2]])).float()
    results = []
    for filler, extra in ((0.0, 0), (1e3, 0), (-7.0, 4)):
        frames = torch.where(there[..., None] > 0, x, torch.tensor(filler))
        frames = torch.nn.functional.pad(frames, (0, 0, 0, extra), value=filler)
        with torch.no_grad():
            results.append(pair().student.train(mode)(frames, torch.nn.functional.pad(there, (0, extra))))
    assert torch.allclose(results[0], results[1], atol=1e-6)
    assert torch.allclose(results[0], results[2], atol=1e-6)
    with torch.no_grad():  # and outside training each clip is as if it were alone
        alone = [net.eval()(x[i : i + 1, : int(n)], torch.ones(1, int(n))) for i, n in enumerate(there.sum(dim=1))]
    if not mode:
        assert torch.allclose(torch.cat(alone), results[0], atol=1e-6)


def test_student_gives_probabilities_at_any_input() -> None:
    module = pair().eval()
    for scale in (0.0, 1e4):
        with torch.no_grad():
            logits = module(scale * drawn(3, 5, WIDTH), torch.ones(3, 5))
        assert torch.isfinite(logits).all()


# The teacher


def test_teacher_begins_as_the_student_and_is_not_trained() -> None:
    module = pair()
    assert all(
        torch.equal(value, module.teacher.state_dict()[name]) for name, value in module.student.state_dict().items()
    )
    assert not any(p.requires_grad for p in module.teacher.parameters())


def test_teacher_is_the_moving_average_of_the_student() -> None:
    """keep = min(1 - 1 / (step + 1), 0.999), step counted from 1: a plain mean until 0.999 is reached."""
    module, generator = pair(), np.random.default_rng(0)
    value, mean = module.student.classes.bias, module.teacher.classes.bias.detach().clone()
    for step in range(1, 6):
        with torch.no_grad():
            value.copy_(torch.from_numpy(generator.normal(size=2)))
        mean = (1 - 1 / (step + 1)) * mean + 1 / (step + 1) * value.detach()
        module.follow()
        assert torch.allclose(module.teacher.classes.bias, mean, atol=1e-6)
    module.n_steps = 5000
    module.follow()
    assert torch.allclose(module.teacher.classes.bias, 0.999 * mean + 0.001 * value.detach(), atol=1e-6)


def test_teacher_takes_one_step_after_each_of_the_student(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, (train, valid, _) = ragged(tmp_path)
    steps: list[int] = []
    follow = StudentAndTeacher.follow
    monkeypatch.setattr(StudentAndTeacher, "follow", lambda self: (follow(self), steps.append(self.n_steps))[0])
    MeanTeacher(epochs=3, batch_size=8).fit(train, valid, context, seed=0)
    assert steps == list(range(1, 3 * 3 + 1))  # 24 clips


def test_loss_is_supervised_and_thrice_the_squared_difference() -> None:
    module = pair()
    with torch.no_grad():
        for p in module.teacher.parameters():
            p.add_(0.3)
    target = torch.tensor([[0.4, 0.5], [0.9, 0.1], [0.2, 0.7]])
    known = torch.tensor([[True, True], [True, False], [False, False]])
    batch = Batch((drawn(3, 5, WIDTH), torch.ones(3, 5)), target, known)
    loss = MeanTeacher().recipe(module, "multi-label").loss
    module.train()
    with torch.no_grad():
        logits = module(*batch.inputs)
        value = loss(logits, batch)
        other = module.teacher(*batch.inputs)
    hard = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    p = logits.sigmoid()
    supervised = -(hard * p.log() + (1 - hard) * (1 - p).log())[known].mean()
    assert torch.allclose(value, supervised + 3 * ((p - other) ** 2).mean(), atol=1e-5)
    module.eval()
    with torch.no_grad():
        assert torch.allclose(loss(logits, batch), supervised, atol=1e-5)  # valid is judged without


def test_gradient_reaches_the_student_alone() -> None:
    module = pair().train()
    module(drawn(3, 5, WIDTH), torch.ones(3, 5))
    module.disagreement.backward()
    assert all(p.grad is None for p in module.teacher.parameters())


# Training


@pytest.mark.parametrize("judged_by", ["student", "teacher"])
def test_judge_is_the_one_that_was_asked_for(judged_by: str) -> None:
    module = pair(judged_by=judged_by).eval()
    with torch.no_grad():
        for p in module.teacher.parameters():
            p.add_(0.3)
        inputs = (drawn(3, 5, WIDTH), torch.ones(3, 5))
        judge, other = (module.teacher, module.student) if judged_by == "teacher" else (module.student, module.teacher)
        assert torch.allclose(module(*inputs).sigmoid(), judge(*inputs), atol=1e-6)
        assert not torch.allclose(module(*inputs).sigmoid(), other(*inputs), atol=1e-3)


@pytest.mark.parametrize("judged_by", ["student", "teacher"])
def test_mean_teacher_learns_what_the_frames_tell(judged_by: Any, tmp_path: Path) -> None:
    context, (train, valid, test) = ragged(tmp_path)
    method = MeanTeacher(epochs=25, lr=1e-2, batch_size=8, dropout=0.2, judged_by=judged_by)
    scores = method.fit(train, valid, context, seed=0).predict(test.blind())
    up = np.array(["up" in clip.labels for clip in test.clips])
    assert ((scores[:, 0] > scores[:, 1]) == up).mean() >= 0.75  # chance is a half


@pytest.mark.slow
@pytest.mark.parametrize("judged_by", ["student", "teacher"])
@pytest.mark.parametrize("select", ["loss", "score"])
def test_kept_epoch_is_the_one_that_was_best_on_valid(judged_by: Any, select: Any, tmp_path: Path) -> None:
    """Its predictions are those of a run that ends there: weights of student and teacher, and their statistics."""
    context, (train, valid, test) = ragged(tmp_path)
    options: dict[str, Any] = {**QUICK, "lr": 0.3, "judged_by": judged_by, "select": select}
    for seed in range(8):  # one whose best epoch is not the last
        fitted = MeanTeacher(**options).fit(train, valid, context, seed=seed)
        key = (lambda row: -row["valid_loss"]) if select == "loss" else (lambda r: (r["valid_score"], -r["valid_loss"]))
        best = max(range(QUICK["epochs"]), key=lambda k: (key(fitted.history[k]), -k))
        if best < QUICK["epochs"] - 1:
            break
    else:
        pytest.fail("every seed was best at its end: the test shows nothing")
    short = MeanTeacher(**{**options, "epochs": best + 1}).fit(train, valid, context, seed=seed)
    assert np.array_equal(fitted.predict(test.blind()), short.predict(test.blind()))
    assert all(np.array_equal(fitted.state[name], short.state[name]) for name in short.state)


def test_kept_epoch_is_chosen_by_loss_and_says_so(tmp_path: Path) -> None:
    context, (train, valid, _) = ragged(tmp_path)
    fitted = MeanTeacher(**QUICK).fit(train, valid, context, seed=0)
    assert fitted.valid_score == -min(row["valid_loss"] for row in fitted.history)
    assert MeanTeacher(**QUICK, select="score").fit(train, valid, context, seed=0).valid_score is None


@pytest.mark.parametrize("judged_by", ["student", "teacher"])
def test_restored_mean_teacher_equals_the_fitted(judged_by: Any, tmp_path: Path) -> None:
    context, (train, valid, test) = ragged(tmp_path)
    method, predictions = MeanTeacher(**QUICK, judged_by=judged_by), []
    for seed in (0, 1):
        fitted = method.fit(train, valid, context, seed=seed)
        state = {name: np.asarray(value) for name, value in fitted.state.items()}
        predictions.append(method.restore(state, test.blind(), context)(test.blind()))
        assert np.array_equal(predictions[-1], fitted.predict(test.blind()))
    assert not np.allclose(*predictions, atol=1e-4)


def test_score_of_a_clip_does_not_depend_on_the_longest_of_the_others(tmp_path: Path) -> None:
    context, (train, valid, test) = ragged(tmp_path)
    predict = MeanTeacher(**QUICK).fit(train, valid, context, seed=0).predict
    together = predict(test.blind())
    alone = np.concatenate([predict(Split(test.task, (clip,)).blind()) for clip in test.clips])
    assert np.allclose(together, alone, atol=1e-6)


def test_mean_teacher_learns_nothing_from_unjudged_labels(tmp_path: Path) -> None:
    from dataclasses import replace

    context, (train, valid, test) = ragged(tmp_path)
    method = MeanTeacher(**QUICK)
    plain = method.fit(train, valid, context, seed=0).predict(test.blind())
    clips = tuple(replace(clip, labels=(*clip.labels, *clip.unknown)) for clip in train.clips)

    class Same(Frames):
        def pooled(self, clips: Sequence[Clip]) -> Windows:
            return super().pooled([replace(clip, labels=clip.labels[:1]) for clip in clips])

    context.source._loaded = Same()
    claimed = method.fit(Split(train.task, clips), valid, context, seed=0).predict(test.blind())
    np.testing.assert_array_equal(plain, claimed)


def test_mean_teacher_learns_in_half_precision(tmp_path: Path) -> None:
    """Probabilities near 1 must not become infinite logits."""
    context, (train, valid, test) = ragged(tmp_path, precision="bfloat16")
    fitted = MeanTeacher(epochs=30, lr=0.1, batch_size=8, dropout=0.0).fit(train, valid, context, seed=0)
    assert np.isfinite([[row["loss"], row["valid_loss"]] for row in fitted.history]).all()
    assert np.isfinite(fitted.predict(test.blind())).all()


# Inputs


def inputs_of(values: np.ndarray, clip_index: list[int], shipped: str = "", **options: Any) -> Inputs:
    windows = Windows(values, np.array(clip_index), max(clip_index) + 1)
    source = SimpleNamespace(pooled=lambda split: windows, card=SimpleNamespace(shipped=shipped))
    split: AnySplit = None  # type: ignore[assignment]
    return MeanTeacher(**options).inputs(SimpleNamespace(source=source), split)  # type: ignore[arg-type]


def test_inputs_are_frames_of_clips_and_which_are_there() -> None:
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    frames, there = inputs_of(values, [0, 1, 1, 1]).arrays
    assert frames.tolist() == [[[0, 1], [0, 0], [0, 0]], [[2, 3], [4, 5], [6, 7]]]
    assert there.tolist() == [[1, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize(
    ("shipped", "scale", "divisor"), [("vggish", None, 255.0), ("vggish", 2.0, 2.0), ("", None, 1.0), ("", 4.0, 4.0)]
)
def test_inputs_are_divided_by_what_the_features_reach(shipped: str, scale: float | None, divisor: float) -> None:
    frames, _ = inputs_of(np.full((2, 3), 51, dtype=np.uint8), [0, 1], shipped, scale=scale).arrays
    assert np.allclose(frames, 51 / divisor)


def test_shipped_features_of_8_bits_are_read_between_0_and_1(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (2, 10, 128)).astype(np.uint8)
    np.savez(tmp_path / "f.npz", X=x)
    clips = tuple(
        Clip(f"c{n}", None, "train", ("a",), arrays=(ArrayRow("vggish", tmp_path / "f.npz", "X", n),)) for n in (1, 0)
    )
    task = Task("t", "1", "", "multi-label", ("a", "b"), ("roc-auc",), lambda root, fold: list(clips), "t", 2, 1.0)
    context = Context(
        facts={}, cache=tmp_path, device=CPU, card=shipped_card("vggish"), load=lambda: ShippedFeatures("vggish")
    )
    split = Split(task, clips)
    frames, there = MeanTeacher().inputs(context, split).arrays
    assert np.allclose(frames, x[[1, 0]] / 255.0)
    assert (there.shape, there.min()) == ((2, 10), 1.0)
    assert clips_of(split) == clips


# Hyperparameters


def test_rate_is_halved_every_thirty_epochs() -> None:
    (phase,) = MeanTeacher().phases()
    assert (phase.epochs, phase.lr, phase.weight_decay, phase.gamma, phase.milestones) == (
        100, 1e-3, 1e-5, 0.5, (30, 60, 90)
    )  # fmt: skip
    optimizer, schedule = phase.build([torch.nn.Parameter(torch.zeros(1))])
    seen = []
    for _ in range(100):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert seen == pytest.approx([1e-3] * 30 + [5e-4] * 30 + [2.5e-4] * 30 + [1.25e-4] * 10)


def module_on_vggish(method: MeanTeacher) -> Any:
    return method.module(
        SimpleNamespace(  # type: ignore[arg-type]
            source=SimpleNamespace(pooled=lambda s: Windows(np.zeros((1, 128)), np.zeros(1, dtype=np.int64), 1))
        ),
        SimpleNamespace(classes=tuple(range(20))),  # type: ignore[arg-type]
    )


def test_authors_start_is_he_uniform_with_biases_at_zero() -> None:
    """Attention.py: `init_layer` is uniform within √(2 / 128) · √3 = 0.2165."""
    layers = [
        m for m in module_on_vggish(MeanTeacher(initial="he-uniform")).modules() if isinstance(m, torch.nn.Linear)
    ]
    assert len(layers) == 10
    for layer in layers:
        assert 0.2 < float(layer.weight.detach().abs().max()) <= 0.2165064
        assert layer.bias is None or not layer.bias.detach().any()
    assert float(module_on_vggish(MeanTeacher()).student.classes.weight.detach().abs().max()) <= 1 / np.sqrt(128)


def test_teacher_begins_as_the_student_or_by_itself() -> None:
    for start, same in (("student", True), ("own", False)):
        module = module_on_vggish(MeanTeacher(teacher_start=start))  # type: ignore[arg-type]
        weights = zip(module.teacher.parameters(), module.student.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in weights) is same
        assert not any(p.requires_grad for p in module.teacher.parameters())


def test_defaults_are_those_of_the_authors_script() -> None:
    """Batch, rate, decay and epochs of `hparams` in run_mean_teacher.py, the same in every commit that has it."""
    method = MeanTeacher()
    assert (method.dropout, method.consistency, method.batch_size, method.select) == (0.8, 3.0, 64, "loss")
    assert (method.lr, method.weight_decay, method.epochs) == (1e-3, 1e-5, 100)
    module = module_on_vggish(method)
    assert [m.p for m in module.student.modules() if isinstance(m, torch.nn.Dropout)] == [0.8] * 3


@pytest.mark.parametrize("wrong", [{"dropout": 1.0}, {"dropout": -0.1}, {"consistency": -1.0}, {"scale": 0.0}])
def test_hyperparameters_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="mean-teacher"):
        MeanTeacher(**wrong)
