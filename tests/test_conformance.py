"""Every name of every registry goes through the checks that plugin authors run."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirbench import Context
from mirbench.features.datasets import dataset_folder, read_task
from mirbench.methods import METHODS
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.tasks import TASKS
from mirbench.trust import checks
from mirbench.types import Split
from tests.every_method import NAMED, in_few_steps

Tiny = tuple[Context, tuple[Split, Split, Split]]


@pytest.mark.parametrize("name", TASKS)
def test_every_task_card_conforms(name: str) -> None:
    assert checks.check_task(Catalogue().task(name)) == []


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_called_as_in_the_registry(name: str) -> None:
    assert Catalogue().task(name).name == name


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_stand_in_of_its_kind_and_classes(name: str) -> None:
    catalogue = Catalogue()
    task = catalogue.task(name)
    demo = catalogue.task(task.demo) if task.demo else task
    assert (demo.standing, demo.kind, demo.classes, demo.medium) == (
        "synthesised", task.kind, task.classes, task.medium
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TASKS if name.endswith("-demo")])
def test_every_stand_in_is_as_its_card_says(name: str, stand_ins: Path) -> None:
    task, quiet = Catalogue().task(name), Progress(quiet=True)
    folder = dataset_folder(task, None, stand_ins, quiet)  # those of one data set share its audio
    assert checks.check_data(task, folder, stand_ins, quiet) == []
    for clips in read_task(task, folder):
        for split in ("train", "test"):
            heard = {label for clip in clips if clip.split == split for label in clip.present}
            assert set(task.classes) - heard <= ({"synth_lead"} if split == "test" else set())


FROM_SCRATCH = tuple(name for name, entry in METHODS.items() if "taggers" in entry.target)
LIGHT = ("cnn1d", "sample-level", "short-chunk")  # of these; all share their code, and test_taggers.py trains each
LONG = ("cnn-bs",)  # whose other layout takes a tenth of the time


@pytest.mark.parametrize(
    "name",
    [n for n in METHODS if n not in (*FROM_SCRATCH, *NAMED, *LONG)]
    + [pytest.param(name, marks=pytest.mark.slow) for name in (*LIGHT, *LONG)],
)
def test_every_method_conforms(name: str, tiny: Tiny) -> None:
    context, splits = tiny
    method, few = in_few_steps(name)
    assert checks.check_method(method, context, splits, few) == []


@pytest.mark.slow
def test_small_cnn_in_the_layout_of_the_released_code_conforms(tiny: Tiny) -> None:
    context, splits = tiny
    assert checks.check_method(Catalogue().method("cnn-bs"), context, splits, {"epochs": 1, "layout": "code"}) == []


def test_check_method_finds_a_state_that_lacks_something(tiny: Tiny) -> None:
    from mirbench.methods.probes import MlpProbe

    class Forgets(MlpProbe):
        name = "forgets"

        def load(self, module, state) -> None:
            module.load_state_dict({key: value for key, value in state.items() if "weight" in key}, strict=False)

    problems = checks.check_method(Forgets, *tiny, {"epochs": 3})
    assert any("restored model predicts otherwise" in line for line in problems)


class Forgetful:
    """A method with every fault that a check should find; not a dataclass."""

    name, version, needs = "forgetful", "1", ("picture",)


def test_check_method_names_what_a_class_lacks(tiny: Tiny) -> None:
    problems = checks.check_method(Forgetful, *tiny)  # type: ignore[type-var]
    assert any("frozen dataclass" in line for line in problems)
    assert any("'picture'" in line for line in problems)


def faulty(predict, fit_also=lambda context: None):
    from dataclasses import dataclass

    from mirbench.method import Fitted

    @dataclass(frozen=True)
    class Faulty:
        name, version, needs = "faulty", "1", ("pooled",)

        def fit(self, train, valid, context, *, seed):
            fit_also(context)
            return Fitted(predict, None)

    return Faulty


def test_check_method_finds_unseeded_randomness(tiny: Tiny) -> None:
    import numpy as np

    generator = np.random.default_rng()
    problems = checks.check_method(faulty(lambda s: generator.random((len(s), 3), dtype=np.float32)), *tiny)
    assert any("same seed differ" in line for line in problems)


def test_check_method_finds_scores_that_depend_on_the_other_clips(tiny: Tiny) -> None:
    import numpy as np

    problems = checks.check_method(faulty(lambda s: np.full((len(s), 3), 1 / len(s), np.float32)), *tiny)
    assert any("which other clips" in line for line in problems)


def test_check_method_finds_logits(tiny: Tiny) -> None:
    import numpy as np

    problems = checks.check_method(faulty(lambda s: np.full((len(s), 3), -3.0, np.float32)), *tiny)
    assert any("did you return logits" in line for line in problems)


def test_check_method_finds_a_changed_source(tiny: Tiny) -> None:
    import numpy as np
    import torch

    context, splits = tiny

    def spoil(context):
        with torch.no_grad():
            next(context.source.network.parameters()).add_(1.0)

    before = {k: v.clone() for k, v in context.source.network.state_dict().items()}
    try:
        problems = checks.check_method(faulty(lambda s: np.full((len(s), 3), 0.5, np.float32), spoil), context, splits)
    finally:
        context.source.network.load_state_dict(before)
    assert any("changed the shared source" in line for line in problems)


def test_check_method_says_the_line_where_a_plugin_failed(tiny: Tiny) -> None:
    def broken(split):
        return split.clip_mean()

    (problem,) = checks.check_method(faulty(broken), *tiny)
    line = broken.__code__.co_firstlineno + 1
    assert (
        problem
        == f"AttributeError: 'BlindSplit' object has no attribute 'clip_mean' (line {line} of {Path(__file__).name})"
    )
