"""What a suite asks for, run by run, and its division: all of it, once, whatever the order."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirbench.registry import Catalogue
from mirbench.runs.pieces import Piece, divide, done_drafts, draft_key, pieces_of
from mirbench.runs.suite import Suite, read_suite

SUITE = """
[defaults]
task = ["gtzan-mini", "nsynth-instrument"]
seeds = 2
[[run]]
method = ["probe-linear", "prior", "finetune"]
source = ["nano", "efficientat-mn04"]
[[run]]
method = "probe-linear"
source = "nano"
seeds = 3
search = { C = [0.1, 1.0] }
[[run]]
method = "probe-linear"
source = "nano"
seeds = "1-3"
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    path = tmp_path_factory.mktemp("suite") / "suite.toml"
    path.write_text(SUITE)
    return read_suite(str(path), Catalogue(), {})


@pytest.fixture(scope="module")
def known(suite: Suite) -> list[Piece]:
    return pieces_of(suite, Catalogue())


def test_pieces_are_every_run_once_and_each_asks_for_one_fold_and_one_seed(suite: Suite, known: list[Piece]) -> None:
    asked = {
        (entry.request.task, entry.request.method, entry.request.source, str(entry.request.search), fold, seed)
        for entry in suite.entries
        for fold in range(Catalogue().task(entry.request.task).n_folds)
        for seed in entry.request.seeds[: None if entry.request.method == "finetune" else 1]  # nothing else is random
    }
    assert {
        (p.request.task, p.request.method, p.request.source, str(p.request.search), *p.request.folds, *p.request.seeds)
        for p in known
    } == asked
    assert len(known) == len(asked) == len({piece.key for piece in known})


def test_runs_of_the_same_rows_are_a_group(known: list[Piece]) -> None:
    groups = {(p.request.task, p.request.source or p.request.method) for p in known}
    assert len({piece.group for piece in known}) == len(groups)


def test_training_inside_a_network_is_heavier_than_a_probe_and_a_search_than_none(known: list[Piece]) -> None:
    of = {(p.request.method, p.request.source, bool(p.request.search)): p.weight for p in known}
    assert of["finetune", "efficientat-mn04", False] > 10 * of["probe-linear", "efficientat-mn04", False]
    assert of["probe-linear", "nano", True] >= of["probe-linear", "nano", False]


def test_done_runs_are_known_by_their_settings_whatever_audio_and_weights_they_had(known: list[Piece]) -> None:
    from mirbench.record import RunRecord

    specs = [replace(piece.spec, source_sha256="a" * 64, audio_sha256="b" * 64) for piece in known[:3]]
    records = [RunRecord(specs[0], "done"), RunRecord(specs[1], "failed"), RunRecord(specs[2], "done")]
    assert done_drafts(records) == {known[0].key, known[2].key}
    assert [draft_key(spec) for spec in specs] == [piece.key for piece in known[:3]]


def made(example: Piece, weights: list[tuple[int, float]]) -> list[Piece]:
    """Pieces of these groups and weights, each of another key."""
    return [
        replace(example, key=f"{n:016x}", group=f"group {group}", weight=weight)
        for n, (group, weight) in enumerate(weights)
    ]


PIECES = st.lists(
    st.tuples(st.integers(0, 5), st.floats(0.01, 1e6) | st.sampled_from([1.0, 3.0, 100.0])), max_size=60
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(weights=PIECES, n_parts=st.integers(1, 80), seed=st.integers(0, 99))
def test_every_piece_is_in_exactly_one_part_whatever_the_order(
    known: list[Piece], weights: list[tuple[int, float]], n_parts: int, seed: int
) -> None:
    pieces = made(known[0], weights)
    parts = divide(pieces, n_parts)
    assert len(parts) == n_parts
    assert sorted(piece.key for part in parts for piece in part) == sorted(piece.key for piece in pieces)
    assert divide(random.Random(seed).sample(pieces, len(pieces)), n_parts) == parts


@settings(max_examples=150, deadline=None)
@given(weights=PIECES, n_parts=st.integers(1, 80))
def test_parts_are_even_and_hold_few_groups(known: list[Piece], weights: list[tuple[int, float]], n_parts: int) -> None:
    pieces = made(known[0], weights)
    loads = [sum(piece.weight for piece in part) for part in divide(pieces, n_parts)]
    heaviest = max((piece.weight for piece in pieces), default=0.0)
    # no division can have a smaller maximum than this
    least = max(heaviest, sum(loads) / n_parts)
    assert max(loads) <= 2 * least * (1 + 1e-9)
    held = {(n, piece.group) for n, part in enumerate(divide(pieces, n_parts)) for piece in part}
    assert len(held) <= len({piece.group for piece in pieces}) + n_parts - 1


def test_piece_that_is_as_heavy_as_a_part_is_alone(known: list[Piece]) -> None:
    parts = divide(made(known[0], [(0, 1.0)] * 20 + [(0, 100.0), (1, 50.0)]), 5)
    assert [[piece.weight for piece in part] for part in parts[:2]] == [[100.0], [50.0]]
    assert [len(part) for part in parts[2:]] == [7, 6, 7]


def test_more_parts_than_pieces_leave_some_empty(known: list[Piece]) -> None:
    parts = divide(made(known[0], [(0, 1.0)] * 3), 16)
    assert sorted(map(len, parts)) == [0] * 13 + [1] * 3


def test_thousand_entries_are_divided_in_no_square_of_their_number(known: list[Piece]) -> None:
    pieces = made(known[0], [(n % 50, 1.0 + n % 7) for n in range(20_000)])
    calls = 0

    class Counted(float):
        def __lt__(self, other: object) -> bool:
            nonlocal calls
            calls += 1
            return float(self) < float(other)  # type: ignore[arg-type]

    divide([replace(piece, weight=Counted(piece.weight)) for piece in pieces], 16)
    assert calls < 40 * len(pieces)


def test_suite_that_ships_is_divided_without_data_or_weights(tmp_path: Path) -> None:
    catalogue = Catalogue(data=tmp_path, weights=tmp_path)
    pieces = pieces_of(read_suite("hung2022-table1", catalogue, {"cache": tmp_path}), catalogue)
    assert sum(map(len, divide(pieces, 16))) == len(pieces) > 16
