"""README's example is a program that runs, and its commands are what it says."""

from __future__ import annotations

import re
from pathlib import Path

from mirbench.progress import Progress
from mirbench.registry import Catalogue, Plugin, load_plugin
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.trust import checks

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def example() -> str:
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    return block


def test_example_is_at_most_25_lines() -> None:
    assert len(example().strip().splitlines()) <= 25


def test_example_conforms(tmp_path: Path) -> None:
    path = tmp_path / "my_method.py"
    path.write_text(example())
    assert checks.check_plugin(load_plugin(path), Progress(quiet=True)) == {"method nearest-centroid": []}


def test_example_runs_and_beats_chance(tmp_path: Path) -> None:
    path = tmp_path / "my_method.py"
    path.write_text(example())
    data = tmp_path / "tiny"
    data.mkdir()
    train, _, _ = checks.tiny_task(data)
    task = Plugin("test", "0" * 64, {"tiny": train.task}, {}, {})
    request = Request("tiny", "nearest-centroid", "nano", seeds=(0,), data=data, runs=tmp_path / "runs")
    (outcome,) = run(request, Catalogue([task, load_plugin(path)]), Progress(quiet=True))
    assert outcome.record.metrics["accuracy"] > 0.5  # chance is 0.33


def test_readme_has_exactly_two_set_up_commands() -> None:
    assert len(re.findall(r"^pip install ", README, flags=re.MULTILINE)) == 2
