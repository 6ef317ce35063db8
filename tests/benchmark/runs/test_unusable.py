"""Settings that can do nothing with a source or a task: refused before any work, skipped among the rows of a suite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mirbench.errors import BadInput, NotApplicable
from mirbench.plugin_file import Plugin
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, draft_plan
from mirbench.source import SourceCard

if TYPE_CHECKING:
    from tests.conftest import Answer

Mirbench = Callable[..., "Answer"]

DEAF = SourceCard(
    "deaf",
    "",
    "network",
    ("body", "layers", "pooled"),
    "x:y",
    sample_rate=16_000,
    seconds=1.0,
    n_features=4,
    n_layers=1,
)
SPOKEN = replace(
    DEAF, name="spoken", offers=("frontend", "body", "layers", "pooled", "head"), n_outputs=3, n_layers=4,
    options={"layer": -1}, offered_at={"head": ("layer", -1)},
)  # fmt: skip


def draft(method: str, source: str = "", task: str = "gtzan", **asked: Any) -> None:
    catalogue = Catalogue([Plugin("test", "0" * 64, {}, {}, {"deaf": DEAF, "spoken": SPOKEN})])
    draft_plan(Request(task, method, source, **asked), catalogue)


@pytest.mark.parametrize(
    ("method", "params", "source", "said"),
    [
        ("probe-mlp", {"augment": "masks"}, "ast", "augment=masks cannot act where probe-mlp learns"),
        ("layer-mix", {"augment": "levels"}, "ast", "augment=levels cannot act"),
        ("finetune", {"augment": "levels"}, "ast", "here masks and mixup can"),
        ("finetune", {"augment": "masks"}, "deaf", "here levels and mixup can"),
        ("finetune", {"augment": "masks", "specaug": True}, "ast", "here mixup can"),
        ("mean-teacher", {"augment": "mixup"}, "ast", "here none can"),
        ("sample-level", {"augment": "masks"}, "", "here levels and mixup can"),
        ("frame-level", {"augment": "masks"}, "", "here levels and mixup can"),
        ("ids-nmr", {"mapping": "names"}, "nano", "mapping=names: nano has no names of its classes"),
        ("cnnrp", {"mapping": "names"}, "nano", "nano has no names of its classes"),
        ("black-box-rp", {"mapping": "names"}, "nano", "nano has no names of its classes"),
        ("ids-nmr", {"mapping": "names"}, "speechatt-port", "speechatt-port has no names of its classes"),
        ("zero-shot", {}, "nano", "nano names no sounds"),
        ("ids-nmr", {"outputs_per_class": 9}, "nano", "9 outputs of nano for each of 10 classes are 90; it has 50"),
        ("ii-nmr", {}, "spoken", "spoken has 3 classes, fewer than the 10 of the task"),
        ("black-box-rp", {}, "spoken", "spoken has 3 classes, fewer than the 10 of the task"),
        ("finetune", {"head": "mapped"}, "spoken", "spoken has 3 classes, fewer than the 10 of the task"),
        ("finetune", {"head": "mapped"}, "vggish", "vggish has no classes of its own to map; take head=new"),
        ("cnnrp", {"mapping": "fc527"}, "vggish", "vggish has no classes of its own to map"),
        ("ast-bs", {"mapping": "flm"}, "ast", "there is nothing to learn"),
        ("unet-rp", {"mapping": "blm", "unet_trainable": False}, "ast", "there is nothing to learn"),
        ("ast-bs", {"specaug": True}, "deaf", "specaug masks spectrograms, and deaf has none"),
        ("finetune", {"specaug": True}, "deaf", "specaug masks spectrograms, and deaf has none"),
        ("finetune", {"tuned": "lora"}, "deaf", "deaf has no list of blocks to choose from"),
        ("lora", {}, "deaf", "deaf has no list of blocks to choose from"),
        ("probe-linear", {"layers": "0+12"}, "ast", "ast has hidden layers 0 to 11"),
        ("probe-mlp", {"layers": "12"}, "ast", "ast has hidden layers 0 to 11"),
        ("attentive-pooling", {"layer": 12}, "ast", "ast has layers 0 to 11"),
        ("ids-nmr", {"layer": 12}, "ast", "ast has layers 0 to 11"),
    ],
    ids=str,
)
def test_setting_that_cannot_act_is_refused_by_the_cards(
    method: str, params: dict[str, Any], source: str, said: str
) -> None:
    with pytest.raises(NotApplicable, match=said.replace("+", r"\+")) as caught:
        draft(method, source, params=params)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "params", "source"),
    [
        ("probe-mlp", {"augment": "mixup"}, "ast"),
        ("finetune", {"augment": "masks"}, "ast"),
        ("finetune", {"augment": "levels"}, "deaf"),
        ("frame-level", {"augment": "masks", "hears": "spectrogram"}, ""),
        ("musicnn", {"augment": "masks+levels+mixup"}, ""),
        ("ids-nmr", {"mapping": "names"}, "ast"),
        ("cnnrp", {"mapping": "names"}, "ast"),
        ("ast-bs", {"mapping": "fc527"}, "ast"),
        ("unet-rp", {"mapping": "blm"}, "ast"),
        ("zero-shot", {}, "ast"),
        ("bitfit", {}, "deaf"),
        ("ids-nmr", {"layer": 11}, "ast"),
    ],
    ids=str,
)
def test_setting_that_can_act_is_let_through(method: str, params: dict[str, Any], source: str) -> None:
    draft(method, source, params=params)


def test_every_point_of_a_search_is_looked_at() -> None:
    with pytest.raises(NotApplicable, match="augment=masks cannot act"):
        draft("probe-mlp", "ast", search={"augment": ["none", "mixup", "masks"]})


def test_option_at_which_the_source_offers_less_is_refused_for_methods_that_need_it() -> None:
    with pytest.raises(NotApplicable, match="layer=2: spoken offers its head, which ids-nmr needs, at layer=-1 alone"):
        draft("ids-nmr", "spoken", source_params={"layer": 2})
    draft("probe-linear", "spoken", source_params={"layer": 2})
    with pytest.raises(NotApplicable, match="postprocess=pca: vggish offers its body, which finetune needs"):
        draft("finetune", "vggish", source_params={"postprocess": "pca"})
    draft("probe-linear", "vggish", source_params={"postprocess": "pca"})


def test_file_that_belongs_to_trained_weights_is_refused_beside_random_ones() -> None:
    with pytest.raises(NotApplicable, match="postprocess=pca belongs to the trained weights"):
        draft("probe-linear", "vggish", source_params={"postprocess": "pca", "weights": "random"})


@pytest.mark.parametrize(("method", "source"), [("musicnn", ""), ("marsyas-forest", ""), ("ii-nmr", "nano")])
def test_method_that_hears_is_refused_on_pictures(method: str, source: str) -> None:
    with pytest.raises(NotApplicable, match="gtzan-pictures: its clips are pictures, and"):
        draft(method, source, task="gtzan-pictures")


def test_batches_by_class_are_refused_where_a_clip_has_several() -> None:
    with pytest.raises(NotApplicable, match="tf-retrain draws batches by the class of a clip; openmic is multi-label"):
        draft("tf-retrain", "ast", task="openmic")


def test_method_whose_own_look_fails_is_bad_input() -> None:
    class Broken:
        name, version, needs = "broken", "1", ()

        def require_usable(self, card: Any, task: Any) -> None:
            raise RuntimeError("it looked too closely")

    from mirbench.runs.chosen_source import require_usable

    with pytest.raises(BadInput, match="broken: its `require_usable` fails: it looked too closely"):
        require_usable(Broken(), None, Catalogue().task("gtzan"))  # type: ignore[arg-type]


def test_network_that_its_card_calls_nameless_has_no_names() -> None:
    from mirbench.features.networks import load_network
    from mirbench.methods.sources import nano
    from mirbench.methods.sources.cards import AST, NANO

    assert NANO.nameless
    assert not AST.nameless
    weights = Path(nano.__file__).with_name("nano.safetensors")
    assert not getattr(load_network(NANO, (weights,), dict(NANO.options)), "labels", ())


# The command line


def test_run_of_a_setting_that_cannot_act_is_one_line_exit_code_2_and_no_record(typed: Mirbench) -> None:
    answer = typed(
        "run", "--task", "gtzan-demo", "--method", "probe-mlp", "--source", "nano", "--set", "augment=masks", "--quiet"
    )
    assert answer.code == 2
    (line,) = answer.err.strip().splitlines()
    assert line.startswith("mirbench: augment=masks cannot act where probe-mlp learns")
    assert not Path("runs").exists()


@pytest.mark.slow
def test_row_of_a_suite_that_cannot_act_is_skipped_and_the_others_go_on(typed: Mirbench) -> None:
    Path("suite.toml").write_text(
        'title = "t"\n[[run]]\nseeds = 1\ntask = "gtzan-demo"\nmethod = "probe-mlp"\nsource = "nano"\n'
        'set = {epochs = 1}\neach = {augment = ["none", "masks"]}\n'
    )
    answer = typed("sweep", "suite.toml", "--quiet")
    assert answer.code == 1
    assert "skipped: augment=masks cannot act where probe-mlp learns" in " ".join((answer.out + answer.err).split())
    assert len(list(Path("runs").glob("*/*/*/record.json"))) == 1
