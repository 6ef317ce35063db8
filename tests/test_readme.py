"""README's commands set mirbench up; the examples of the pages on plugins are programs that run."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from mirbench.plugin_file import Plugin, load_plugin
from mirbench.progress import Progress
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.trust import checks, plugin_checks
from mirbench.trust.tiny_task import tiny_context
from tests.conftest import ROOT
from tests.pages import fences

README = (ROOT / "README.md").read_text(encoding="utf-8")
PLUGINS = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
QUIET = Progress(quiet=True)


PAGES = {"method": "writing-a-method.md", "source": "writing-a-source.md", "task": "plugins.md"}


def programs(kind: str) -> list[str]:
    """The programs of the page about a method, a task or a source of yours."""
    return fences((ROOT / "docs" / PAGES[kind]).read_text(encoding="utf-8"), "python")


def example(kind: str) -> str:
    """The first of them, which is a whole one."""
    return programs(kind)[0]


def plugin(kind: str, folder: Path) -> Plugin:
    path = folder / f"my_{kind}.py"
    path.write_text(example(kind))
    return load_plugin(path)


def result(request: Request, *plugins: Plugin) -> RunRecord:
    (outcome,) = run(request, Catalogue(plugins), QUIET)
    assert outcome.record.reason == ""
    return outcome.record


@pytest.mark.parametrize(
    ("kind", "number", "name"),
    [("method", 1, "method window-linear"), ("method", 2, "method brightness"), ("source", 1, "source two-layers")],
)
@pytest.mark.slow
def test_further_example_conforms(kind: str, number: int, name: str, tmp_path: Path) -> None:
    path = tmp_path / f"my_{kind}{number}.py"
    path.write_text(programs(kind)[number])
    assert plugin_checks.check_plugin(load_plugin(path), QUIET) == {name: []}


def test_pages_have_no_program_that_is_not_tried() -> None:
    assert {kind: len(programs(kind)) for kind in PAGES} == {"method": 3, "source": 2, "task": 1}


@pytest.mark.slow
def test_example_that_trains_many_trains_each_as_it_would_alone(tmp_path: Path) -> None:
    path = tmp_path / "my_method.py"
    path.write_text(programs("method")[1])
    kind = load_plugin(path).methods["window-linear"]
    splits = train, valid, test = checks.tiny_task(tmp_path)
    context = tiny_context(Catalogue().source("nano"), splits, tmp_path, QUIET)
    jobs = [(kind(), 0), (kind(epochs=20), 1), (kind(lr=0.1), 0)]
    together = list(kind.fit_many(jobs, train, valid, context))
    for (method, seed), fitted in zip(jobs, together, strict=True):
        alone = method.fit(train, valid, context, seed=seed)
        assert (fitted.together, len(fitted.history)) == (3, method.epochs)
        np.testing.assert_allclose(fitted.predict(test.blind()), alone.predict(test.blind()), atol=1e-5)


def tiny(folder: Path) -> tuple[Plugin, Path]:
    """A plugin with a task of three easy classes, and its data root."""
    data = folder / "tiny"
    data.mkdir()
    train, _, _ = checks.tiny_task(data)
    return Plugin("test", "0" * 64, {"tiny": train.task}, {}, {}), data


def test_example_of_a_method_is_at_most_25_lines() -> None:
    assert len(example("method").strip().splitlines()) <= 25


@pytest.mark.parametrize(
    ("kind", "name"),
    [("method", "method nearest-centroid"), ("task", "task my-songs"), ("source", "source my-encoder")],
)
def test_example_conforms(kind: str, name: str, tmp_path: Path) -> None:
    assert plugin_checks.check_plugin(plugin(kind, tmp_path), QUIET) == {name: []}


def test_example_of_a_method_runs_and_beats_chance(tmp_path: Path) -> None:
    task, data = tiny(tmp_path)
    request = Request("tiny", "nearest-centroid", "nano", seeds=(0,), data=data, runs=tmp_path / "runs")
    record = result(request, task, plugin("method", tmp_path))
    assert record.metrics["accuracy"] > 0.5  # chance is 0.33


def test_example_of_a_task_is_read_and_run(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "valid", "test"):
        for label, level in (("loud", 0.5), ("quiet", 0.01)):
            folder = tmp_path / "data" / "my_songs" / split / label
            folder.mkdir(parents=True)
            for n in range(2):
                soundfile.write(folder / f"{n}.wav", level * rng.uniform(-1, 1, 32_000), 16_000)
    request = Request("my-songs", "prior", seeds=(0,), data=tmp_path / "data", runs=tmp_path / "runs")
    record = result(request, plugin("task", tmp_path))
    assert (record.metrics["accuracy"], record.n_clips) == (0.5, {"train": 4, "valid": 4, "test": 4})


def test_example_of_a_source_runs_with_its_weights(tmp_path: Path) -> None:
    task, data = tiny(tmp_path)
    mine = plugin("source", tmp_path)
    weights = tmp_path / "weights"
    weights.mkdir()
    torch.save(checks.built(mine.sources["my-encoder"]).state_dict(), weights / "my_encoder.pt")
    request = Request(
        "tiny", "probe-linear", "my-encoder", seeds=(0,), data=data, weights=weights, runs=tmp_path / "runs"
    )
    assert result(request, task, mine).n_total == 8_256 + 33 * 3


def test_example_of_entry_points_names_the_groups_and_the_examples() -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PLUGINS, flags=re.DOTALL)
    groups = tomllib.loads(block)["project"]["entry-points"]
    assert set(groups) == {"mirbench.methods", "mirbench.tasks", "mirbench.sources"}
    for kind in ("method", "task", "source"):
        for name, target in groups[f"mirbench.{kind}s"].items():
            assert f'"{name}"' in example(kind)
            assert re.search(rf"\b{target.partition(':')[2]}\b", example(kind))


def test_readme_has_exactly_two_set_up_commands() -> None:
    assert len(re.findall(r"^pip install ", README, flags=re.MULTILINE)) == 2


def test_readme_has_each_set_up_command_in_a_block_of_its_own() -> None:
    assert len(re.findall(r"^```sh\npip install [^\n]+\n```$", README, flags=re.MULTILINE)) == 2


def test_set_up_commands_install_under_constraints_that_are_there() -> None:
    files = re.findall(r"^pip install -c (\S+) ", README, flags=re.MULTILINE)
    assert [(ROOT / file).is_file() for file in files] == [True, True]


def test_set_up_commands_ask_for_extras_that_are_declared() -> None:
    extras = re.findall(r"^pip install .*\.\[([\w,]+)\]", README, flags=re.MULTILINE)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert extras == ["test"]
    assert "test" in declared


def test_readme_is_at_most_90_lines() -> None:
    assert len(README.splitlines()) <= 90


def test_table_of_readme_has_as_many_rows_as_its_marker_asks_for() -> None:
    (found,) = re.findall(r"mirbench:begin [^>]*rows=(\d+)[^>]*-->(.*?)<!-- mirbench:end", README, flags=re.DOTALL)
    wanted, block = int(found[0]), found[1]
    assert len(re.findall(r"^\| +\d", block, flags=re.MULTILINE)) == wanted
    assert f"The first {wanted} of " in block
