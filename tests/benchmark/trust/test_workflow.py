"""The workflow that checks what is sent: its commands can be typed, and it may change nothing."""

from __future__ import annotations

import re
from typing import Any

import typer
import yaml

from mirbench import cli
from tests.conftest import ROOT


def workflow() -> dict[str, Any]:
    held: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "leaderboard.yml").read_text())
    return held


def steps() -> list[dict[str, Any]]:
    return [step for job in workflow()["jobs"].values() for step in job["steps"]]


def commands() -> list[list[str]]:
    lines = [line.split() for step in steps() for line in step.get("run", "").splitlines()]
    return [words[1:] for words in lines if words[0] == "mirbench"]


def test_workflow_has_commands_that_can_be_typed() -> None:
    group: Any = typer.main.get_command(cli.app)
    assert [words[0] for words in commands()] == ["verify", "verify", "leaderboard"]
    for name, *words in commands():
        group.commands[name].make_context(name, list(words))  # raises for an option that there is not


def test_workflow_pins_actions_and_may_only_read_what_is_sent() -> None:
    held = workflow()
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        uses = re.findall(r"uses: (.*)", path.read_text())
        assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", name) for name in uses), path
    assert held["permissions"] == {"contents": "read"}
    assert "permissions" not in held["jobs"]["verify"]
    assert "pull_request_target" not in held[True]  # YAML reads the word on so


def test_workflow_lets_a_pull_request_change_nothing_but_its_records() -> None:
    checks = [step for step in steps() if "verify --strict" in step.get("run", "")]
    (of_requests,) = [step for step in checks if "== 'pull_request'" in step["if"]]
    assert '--since "$BASE"' in of_requests["run"]
    assert of_requests["env"]["BASE"] == "${{ github.event.pull_request.base.sha }}"
