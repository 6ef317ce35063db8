"""A folder of records to export: two seeds, a stand-in with predictions of others, odd names, and a run that failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Answer
from tests.leaderboard.test_leaderboard import SPEC, write, write_failed

Typed = Callable[..., Answer]

ODD = "=cmd|' /C calc'!A1<script>alert(1)</script>"
"""A setting's name and value, as a stranger's record may have them."""


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    root = tmp_path / "records"
    made = {"versions": {"mirbench": "0.5.0"}, "finished": "2026-11-30T16:38:24+00:00", "processor": "a processor"}
    history = [{"loss": 2.0, "valid_score": 0.25}, {"loss": 1.0, "valid_score": 0.5}]
    for seed in (0, 1):
        write(root, replace(SPEC, seed=seed), draw=seed, environment=made, history=history, contaminated=("fma",))
    demo = replace(SPEC, task="tones-demo", method="theirs", method_version="claimed-" + "0" * 12, params={ODD: ODD})
    write(root, demo, draw=2, standing="synthesised", environment=made, changed={ODD: ODD})
    write_failed(root, "no memory", spec=replace(SPEC, seed=2))
    return root
