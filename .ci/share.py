"""A plugin of pytest that runs one share of the tests: SHARE is "K/N", the K-th of N, from 0 on; shares are by name."""

import os
import zlib

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Called when the tests are known, in each process that runs some."""
    share, n = map(int, os.environ["SHARE"].split("/"))
    mine = [zlib.crc32(item.nodeid.encode()) % n == share for item in items]
    config.hook.pytest_deselected(items=[item for item, chosen in zip(items, mine, strict=True) if not chosen])
    items[:] = [item for item, chosen in zip(items, mine, strict=True) if chosen]
