"""A plugin of pytest that writes the tests that are skipped, one a line, to the file that SKIPPED names."""

import os
from pathlib import Path

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Called for every test; by the process that workers of pytest-xdist report to, not by each of them."""
    if report.skipped and not hasattr(report, "wasxfail") and "PYTEST_XDIST_WORKER" not in os.environ:
        with Path(os.environ["SKIPPED"]).open("a", encoding="utf-8") as lines:
            lines.write(f"{report.nodeid}\n")
