"""Own lists, folders and models of a run on record, found again by what is said of where they lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from mirbench.errors import BadInput, UnknownName
from mirbench.leaderboard.repeat import command, notes
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.models import Models, Places
from mirbench.runs.own_places import lacking, parse_places, refuse_of_none, said_in, source_here, task_here, task_of
from mirbench.runs.store import RunStore
from mirbench.spelling import of_files, on_record, source_of_files
from tests.benchmark.test_called import PLAIN, SPEC

if TYPE_CHECKING:
    from tests.conftest import Answer

BOTH = "csv:ours+shots5+on:csv:theirs::pairs+normalized"
PLACES = {"csv:ours": "csv:/a/ours.csv", "csv:theirs": "csv:/b/theirs.csv", "::pairs": "/c/pairs.csv"}


def test_what_a_name_has_of_files_is_told() -> None:
    assert of_files(BOTH) == ["csv:ours", "csv:theirs", "::pairs"]
    assert of_files("gtzan+on:folder:songs::a=b,c=d") == ["folder:songs"]
    assert of_files("gtzan+on:gtzan-kaggle+normalized") == []
    sources = ("features:rows.npz", "tokens:4:hf:mine", "hf:mine", "hf:m-a-p/MERT-v1-95M", "ast", "shipped:vggish")
    assert [source_of_files(name) for name in sources] == ["features:rows.npz", "hf:mine", "hf:mine", "", "", ""]


def test_every_list_of_a_name_gets_its_place_and_modifiers_stay() -> None:
    assert task_here(BOTH, PLACES) == "csv:/a/ours.csv+shots5+on:csv:/b/theirs.csv::/c/pairs.csv+normalized"
    assert on_record("task", task_here(BOTH, PLACES)) == BOTH
    assert task_here("csv:ours+folds3", {"csv:ours+folds3": "csv:/x.csv"}) == "csv:/x.csv"
    assert source_here("tokens:4:hf:mine", {"hf:mine": "hf:/models/mine"}) == "tokens:4:hf:/models/mine"
    assert source_here("ast", PLACES) == "ast"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("csv:a/ours.csv?value=v&range=1:9+shots5/knn+hf:m/n", "csv:a/ours.csv?value=v&range=1:9+shots5"),
        ("csv:a/ours.csv+shots05/knn@12ab", "csv:a/ours.csv+shots05"),
        ("csv:ours+shots5/knn", ""), ("csv_ours+shots5/knn", ""), ("csv:b/ours.csv+shots6/knn", ""), ("knn+hf:m/n", ""),
    ],
)  # fmt: skip
def test_place_of_a_task_is_taken_from_the_name_that_asks_for_a_run(name: str, place: str) -> None:
    spec = replace(SPEC, task="csv:ours+shots5", source="")
    said = said_in(name, spec)
    assert said == ({"csv:ours+shots5": place} if place else {})
    assert task_here(spec.task, said) == (place or spec.task)
    assert lacking(spec, said) == ("" if place else "say where it is: --as csv:ours=csv:PATH")


@pytest.mark.parametrize("named", ["csv:ours", "csv:ours+folds3", "data"])
def test_list_of_numbers_without_its_query_gets_that_of_the_record(named: str, tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    path.write_text("path,a&b,v\n" + "".join(f"{n}.wav,{n / 7},{n}\n" for n in range(30)))
    task = Catalogue().task(f"csv:{path}?value=v,a%26b&range=0:40,-0.1:5+folds3")
    spec, at_all = replace(SPEC, task=task.name), {name: None for name in task.metrics}
    record = replace(PLAIN, spec=spec, kind=task.kind, classes=task.classes, metrics=at_all, ranges=task.ranges)
    places = {} if named == "data" else {named: f"csv:{path}{named.removeprefix('csv:ours')}"}
    again = Catalogue().task(task_of(record, places, tmp_path))
    assert (again.name, again.version, again.ranges) == (task.name, task.version, task.ranges)
    assert task_of(replace(record, kind="single-label"), {"csv:ours": f"csv:{path}"}) == f"csv:{path}+folds3"


def test_lists_are_found_in_the_folder_of_the_data(tmp_path: Path) -> None:
    for name in ("ours.csv", "pairs.csv"):
        (tmp_path / name).touch()
    found = task_here(BOTH, {"csv:theirs": "csv:/b/theirs.csv"}, tmp_path)
    assert found == f"csv:{tmp_path}/ours.csv+shots5+on:csv:/b/theirs.csv::{tmp_path}/pairs.csv+normalized"


def test_what_lacks_is_said_as_one_types_it() -> None:
    spec = replace(SPEC, task=BOTH, source="hf:mine")
    assert lacking(spec, {}) == (
        "say where it is: --as csv:ours=csv:PATH --as csv:theirs=csv:PATH --as ::pairs=PATH --as hf:mine=hf:PATH"
    )
    assert lacking(spec, {**PLACES, "hf:mine": "hf:/m"}) == ""


def test_places_are_read_as_they_are_said() -> None:
    assert parse_places(["csv:a.csv=csv:/b/a.csv", "::pairs=c.csv", "hf:mine=hf:/m"]) == {
        "csv:a": "csv:/b/a.csv", "::pairs": "c.csv", "hf:mine": "hf:/m"
    }  # fmt: skip
    with pytest.raises(BadInput, match=r"a place of csv:a begins with csv:, as in --as csv:a=csv:/b/a\.csv"):
        parse_places(["csv:a=/b/a.csv"])
    with pytest.raises(BadInput, match=r"a name begins as its place does: --as csv:a=csv:/b/a\.csv"):
        parse_places(["a=csv:/b/a.csv"])


def test_place_of_what_no_run_has_is_refused_with_what_they_have() -> None:
    specs = [replace(SPEC, task=BOTH, source="hf:mine"), replace(SPEC, task="gtzan")]
    refuse_of_none({**PLACES, "hf:mine": "hf:/m", "csv:ours+shots5": "csv:/x.csv"}, specs)
    with pytest.raises(UnknownName, match=r"'csv:our'\. Did you mean 'csv:ours'"):
        refuse_of_none({"csv:our": "csv:/a.csv"}, specs)


def test_command_of_a_run_leaves_every_place_open() -> None:
    record = replace(PLAIN, spec=replace(SPEC, task=BOTH, source="hf:mine"), n_folds=1)
    again = command(record)
    assert "--task csv:PATH/ours.csv+shots5+on:csv:PATH/theirs.csv::PATH/pairs.csv+normalized" in again
    assert "--source hf:PATH/mine" in again
    assert any("PATH is, each time, the folder" in note for note in notes(record))


# A run of two lists


@pytest.fixture
def lists(typed: Callable[..., Answer]) -> list[str]:
    """Two lists in two folders, and a run of both; what says where they are."""
    rng, ids, rows = np.random.default_rng(0), [], []
    for folder, splits in (("a", ("train", "valid", "test")), ("b", ("test",))):
        Path(folder).mkdir()
        names = [f"{folder}{split}{label}{n}" for split in splits for label in "xy" for n in range(3)]
        lines = [f"{name},{name[-2]},{name[1:-2]}" for name in names]
        (Path(folder) / f"{folder}s.csv").write_text("\n".join(["id,label,split", *lines]) + "\n")
        ids += names
        rows += [rng.normal("xy".index(name[-2]), 0.1, 3) for name in names]
    np.savez("rows.npz", id=np.array(ids), x=np.array(rows, dtype=np.float32))
    Path("pairs.csv").write_text("x,x\ny,y\n")
    answer = typed(
        "run", "--task", "csv:a/as.csv", "--test-on", "csv:b/bs.csv", "--classes", "pairs.csv", "--quiet",
        "--method", "probe-linear", "--source", "features:rows.npz", "--seeds", "1",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    places = ("csv:as=csv:a/as.csv", "csv:bs=csv:b/bs.csv", "::pairs=pairs.csv", "features:rows.npz=features:rows.npz")
    return [word for place in places for word in ("--as", place)]


RUN = "probe-linear+features:rows.npz"


@pytest.mark.parametrize(
    "words",
    [
        ("predict", RUN, "x.wav", "--quiet"), ("export", "model", RUN, "out", "--quiet"),
        ("show", RUN, "--learnt", "out"), ("verify", "--rerun", "--quiet"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_place_that_nothing_is_made_of_is_refused_by_every_command(
    words: tuple[str, ...], lists: list[str], typed: Callable[..., Answer]
) -> None:
    answer = typed(*words, "--as", "csv:ass=csv:a/as.csv")
    assert answer.code == 2, answer
    assert "No list, folder or model of these runs is called 'csv:ass'. Did you mean 'csv:as'" in answer.err


@pytest.mark.slow
def test_run_of_two_lists_is_repeated_once_it_is_said_where_they_are(
    lists: list[str], typed: Callable[..., Answer]
) -> None:
    without = typed("verify", "--rerun", "--quiet")
    assert without.code == 1
    for word in lists[1::2]:
        name = word.partition("=")[0]
        assert f"--as {name}=" in without.out
    answer = typed("verify", "--rerun", "--quiet", *lists)
    assert answer.code == 0, answer.out
    assert "1 run to repeat: 1 within" in answer.out


def test_lists_of_a_name_on_record_are_looked_for_nowhere() -> None:
    with pytest.raises(BadInput, match="csv:ours"):
        Catalogue().task(task_here(BOTH, {}))


def test_option_that_nothing_is_made_of_is_refused(typed: Callable[..., Answer]) -> None:
    answer = typed("show", "gtzan", "--as", "csv:a=csv:/b/a.csv")
    assert (answer.code, "--as: is of --learnt" in answer.err) == (2, True)


def test_model_of_a_source_whose_folder_is_elsewhere_says_what_to_pass(tmp_path: Path) -> None:
    task = replace(Catalogue().task("gtzan"), name="tiny")
    record = replace(PLAIN, spec=replace(SPEC, method="probe-linear", params={}, source="hf:mine"))
    models = Models(RunStore(tmp_path), (), Places(), Progress(quiet=True))
    with pytest.raises(BadInput, match=r"hf:mine: neither a folder .*; say where it is: --as hf:mine=hf:PATH"):
        models._plan(record, SimpleNamespace(task=task, facts={}))  # type: ignore[arg-type]
    elsewhere = replace(models, places=Places(named={"hf:mine": f"hf:{tmp_path}/mine"}))
    with pytest.raises(BadInput, match=f"hf:{tmp_path}/mine: neither a folder"):
        elsewhere._plan(record, SimpleNamespace(task=task, facts={}))  # type: ignore[arg-type]
