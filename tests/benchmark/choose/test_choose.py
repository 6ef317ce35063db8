"""`mirbench choose`: what it names, what it leaves, and what does not end it."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mirbench.api.asking import with_source
from mirbench.choose import choosing
from mirbench.choose.as_good import Behind
from mirbench.choose.choosing import best_of
from mirbench.choose.race import rungs
from mirbench.choose.systems import CHEAP, HEAVY, Candidate, field_of, request_of
from mirbench.leaderboard.best import Standing
from mirbench.registry import Catalogue
from mirbench.runs import runner
from mirbench.runs.plan import Request
from mirbench.runs.store import RunStore

if TYPE_CHECKING:
    from tests.conftest import Answer

Mirbench = Callable[..., "Answer"]

CLASSES = ("cello", "flute", "guitar", "oboe")


def write_songs(folder: Path, n: int = 80, told: float = 3.0, folds: str = "+folds3") -> list[object]:
    """A list of clips without audio, and two embeddings of them: one tells the class, one nothing; what to type."""
    rng = np.random.default_rng(0)
    ids = [f"clip{number:03}" for number in range(n)]
    label = np.arange(n) % len(CLASSES)
    with (folder / "songs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("id", "label"), *((i, CLASSES[k]) for i, k in zip(ids, label, strict=True))])
    noise = rng.normal(size=(2, n, 8)).astype(np.float32)
    np.savez(folder / "good.npz", id=np.array(ids), rows=noise[0] + told * np.eye(8, dtype=np.float32)[label])
    np.savez(folder / "bad.npz", id=np.array(ids), rows=noise[1])
    sources = f"features:{folder / 'good.npz'},features:{folder / 'bad.npz'}"
    words = ["choose", f"csv:{folder / 'songs.csv'}{folds}", "--sources", sources, "--runs", folder / "runs", "--quiet"]
    return [*words, "--budget", "5h", "--methods", "probe-linear"]


def told(text: str, label: str) -> str:
    """What a line that begins with a word says, in one line."""
    found = re.search(rf"^{label} (.*(?:\n .*)*)", text, re.MULTILINE)
    assert found, text
    return re.sub(r"\s+", " ", found[1]).strip()


def records(folder: Path) -> dict[str, list[str]]:
    """Runs on record: method and source of each, and when it was written."""
    found: dict[str, list[str]] = {}
    for path, record in RunStore(folder / "runs").records():
        found.setdefault(f"{record.spec.task} {record.spec.method}+{record.spec.source}", []).append(
            f"{record.spec.fold} {(path / 'record.json').stat().st_mtime_ns}"
        )
    return {name: sorted(held) for name, held in found.items()}


@pytest.mark.slow
def test_choose_names_the_source_that_tells_the_classes_and_leaves_ordinary_records(
    tmp_path: Path, typed: Mirbench
) -> None:
    words = write_songs(tmp_path, folds="")
    answer = typed(*words)
    assert answer.code == 0, answer
    assert "features:good" in told(answer.out, "Best")
    assert "accuracy" in told(answer.out, "Best")
    assert "2 systems are surely worse" in told(answer.out, "Dropped")
    assert "5 folds drawn" in answer.out
    assert "csv:songs+folds5" in answer.out
    assert "not listened to" in told(answer.out, "Data")
    assert re.search(r"\d+: 0\.\d+, \d+: 0\.\d+, \d+: 0\.\d+", told(answer.out, "More clips"))
    wide = [line for line in answer.out.splitlines() if len(line) > 80]
    assert all(len(line.split()) == 1 for line in wide), wide  # a path that is long itself
    page = answer.out[answer.out.index("\nPage ") + 5 :].replace("\\\n", "")
    assert shlex.split(page)[:4] == ["mirbench", "leaderboard", "--format", "html"]  # it can be pasted
    assert len(answer.out.splitlines()) <= 24
    board = typed("leaderboard", "--runs", tmp_path / "runs", "--format", "csv")
    assert "probe-linear + features:good" in board.out
    assert typed("verify", tmp_path / "runs").code == 0

    before = records(tmp_path)
    again = typed(*words)
    assert records(tmp_path) == before
    assert told(again.out, "Best") == told(answer.out, "Best")


@pytest.mark.slow
def test_choose_tells_of_results_of_others_and_does_not_choose_them(tmp_path: Path, typed: Mirbench) -> None:
    songs = tmp_path / "songs.csv"
    words = write_songs(tmp_path, told=1.0)
    theirs = ["--method", "knn", "--source", f"features:{tmp_path / 'good.npz'}", "--runs", tmp_path / "theirs"]
    assert typed("run", "--task", f"csv:{songs}+folds3", *theirs).code == 0
    assert typed("results", "pack", tmp_path / "lab.tar.xz", "--runs", tmp_path / "theirs").code == 0
    alone = typed(*words)
    assert "Elsewhere" not in alone.out
    assert typed("results", "add", tmp_path / "lab.tar.xz", "--allow-own").code == 0
    beside = typed(*words)
    assert re.match(
        r"knn \+ features:good.npz \[lab\]: accuracy 0\.\d{3} on the same test clips, 1 system that was not run here",
        told(beside.out, "Elsewhere"),
    )
    assert told(beside.out, "Best") == told(alone.out, "Best")
    assert "Elsewhere" not in typed(*words, "--no-reference").out


@pytest.mark.slow
def test_choose_with_several_runs_at_once_names_the_same_of_the_same_records(tmp_path: Path, typed: Mirbench) -> None:
    words = write_songs(tmp_path)
    words[words.index("probe-linear")] = "probe-linear,probe-mlp"
    one = typed(*words)
    keys = {path.name for path, _ in RunStore(tmp_path / "runs").records()}
    words[words.index("--runs") + 1] = tmp_path / "others"
    two = typed(*words, "--jobs", "2")
    assert two.code == 0, two
    assert {path.name for path, _ in RunStore(tmp_path / "others").records()} == keys
    for label in ("Best", "Not told", "Dropped"):
        assert (f"\n{label} " in one.out) == (f"\n{label} " in two.out)
        assert f"\n{label} " not in one.out or told(one.out, label) == told(two.out, label)


@pytest.mark.slow
def test_choose_of_noise_warns_that_guessing_is_as_good(tmp_path: Path, typed: Mirbench) -> None:
    answer = typed(*write_songs(tmp_path, told=0.0))
    assert answer.code == 0, answer
    assert "guessing (prior) cannot be told from it" in told(answer.out, "Best")


@pytest.mark.slow
def test_choose_that_is_interrupted_says_what_is_known_and_goes_on_later(
    tmp_path: Path, typed: Mirbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = write_songs(tmp_path)
    attempted, do = [], runner.attempt

    def attempt(spec: object, *rest: object) -> object:
        attempted.append(spec)
        if len(attempted) == 5:
            raise KeyboardInterrupt
        return do(spec, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(runner, "attempt", attempt)
    answer = typed(*words)
    assert answer.code == 130
    assert "interrupted" in answer.out
    assert "features:good" in told(answer.out, "Best")
    assert "the same command goes on" in answer.err
    before = records(tmp_path)
    assert typed(*words).code == 0
    after = records(tmp_path)
    assert all(set(held) <= set(after[name]) for name, held in before.items())
    assert after != before


FAILS = """
from dataclasses import dataclass
import numpy as np
from mirbench import Fitted

@dataclass(frozen=True)
class Fails:
    name, version, needs = "fails", "1", ("pooled",)
    uses_seed = False

    def fit(self, train, valid, context, *, seed):
        raise RuntimeError("no luck")

    def restore(self, state, split, context):
        return lambda split: np.zeros((len(split), len(split.classes)))
"""


@pytest.mark.slow
def test_choose_goes_on_where_a_method_fails(tmp_path: Path, typed: Mirbench) -> None:
    (tmp_path / "fails.py").write_text(FAILS)
    words = write_songs(tmp_path)
    answer = typed(*words[:-1], "fails,probe-linear", "--plugin", tmp_path / "fails.py")
    assert answer.code == 0, answer
    assert "features:good" in told(answer.out, "Best")
    assert "no luck" in told(answer.out, "Left out")


@pytest.mark.slow
def test_choose_begins_nothing_that_cannot_end(tmp_path: Path, typed: Mirbench) -> None:
    answer = typed(*write_songs(tmp_path), "--budget", "1s")
    assert answer.code == 1
    assert "no time was left" in told(answer.out, "Nothing") or "lack of time" in told(answer.out, "Nothing")
    assert not [name for name in records(tmp_path) if "features" in name]


@pytest.mark.slow
def test_choose_keeps_a_split_that_is_asked_for(tmp_path: Path, typed: Mirbench) -> None:
    answer = typed(*write_songs(tmp_path, folds="+resplit"))
    assert answer.code == 0, answer
    assert "csv:songs+resplit, train, valid and test" in answer.out.replace("\n", " ")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--budget", "soon"), "--budget soon: a time from the start"),
        (("--cost", "euros"), "--cost euros: one of trainable, clips-per-second, energy"),
        (("--methods", "probe-linaer"), "Did you mean 'probe-linear'?"),
        (("--methods", "ids-nmr"), "no method of ids-nmr can use a source of"),
    ],
)
def test_choose_refuses_in_one_line(tmp_path: Path, typed: Mirbench, more: tuple[str, ...], says: str) -> None:
    answer = typed(*write_songs(tmp_path), *more)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "runs").exists() or not records(tmp_path)


def test_field_holds_sources_that_are_here_and_names_the_others(tmp_path: Path) -> None:
    catalogue = Catalogue()
    found = field_of(catalogue.task("gtzan-mini"), [], [], catalogue, None, tmp_path)
    assert {candidate.source for candidate in found.first} == {"", "nano"}  # none is here: the one that ships
    assert {candidate.method for candidate in found.first} == {"prior", *CHEAP}
    assert {candidate.method for candidate in found.later} == set(HEAVY)
    assert "ast" in found.absent
    assert "nano" not in found.absent


class Fake:
    """An entrant and a race of three: a probe, another method that is better by chance, and one that is surely."""

    def __init__(self, name: str, flattered: bool) -> None:
        self.name, self.flattered = name, flattered


def test_runs_of_a_race_are_those_of_the_command_run() -> None:
    catalogue, asked = Catalogue(), Request("gtzan-mini", "", "")
    for one in (Candidate("probe-linear", "coral-mobilenetv2"), Candidate("marsyas-forest")):
        typed = with_source(replace(asked, method=one.method, source=one.source), catalogue, [])
        assert request_of(one, asked, catalogue) == typed
    assert request_of(Candidate("probe-linear", "coral-mobilenetv2"), asked, catalogue).source_params


def standing_with(p_of_second: float) -> Standing:
    p = np.ones((2, 2))
    p[0, 1] = p_of_second
    return Standing(np.array([0.90, 0.92]), p)


@pytest.mark.parametrize(
    ("flattered", "p", "named"), [(False, 0.4, "second"), (True, 0.4, "first"), (True, 0.001, "second")]
)
def test_best_is_one_that_chose_on_the_same_clips_only_where_that_is_sure(
    flattered: bool, p: float, named: str
) -> None:
    race = SimpleNamespace(compared=lambda some, folds: standing_with(p), folds=range(1))
    some = [Fake("first", False), Fake("second", flattered)]
    assert best_of(race, some).name == named  # type: ignore[arg-type]


def test_beaten_keeps_what_may_not_be_dropped_by_another() -> None:
    found = standing_with(1e-6)
    assert found.beaten(0.05) == [1, None]
    assert found.beaten(0.05, may_beat=np.array([[True, False], [True, True]])) == [None, None]
    assert standing_with(0.01).beaten(0.05, n_systems=16) == [None, None]


def settled_choice(monkeypatch: pytest.MonkeyPatch, costs: dict[str, float | None], as_good: set[str]) -> Any:
    entrants = [SimpleNamespace(name=name) for name in costs]
    race: Any = SimpleNamespace(settled=entrants)

    def beside(race: Any, best: Any, cheaper: Any) -> list[Behind]:
        return [Behind(each, None, each.name in as_good) for each in cheaper]

    monkeypatch.setattr(choosing, "best_of", lambda race, settled: next(e for e in settled if e.name == "best"))
    monkeypatch.setattr(choosing, "cost_of", lambda entrant, cost: costs[entrant.name])
    monkeypatch.setattr(choosing, "behind", beside)
    none: Any = None
    choice = choosing.Choice("gtzan-demo", Catalogue().task("gtzan-demo"), "5 folds", "trainable", none, race)
    choice.settle()
    return choice


@pytest.mark.parametrize(
    ("costs", "as_good", "named", "cheaper"),
    [
        ({"one": 7.0, "best": 7.0}, {"one"}, "best", []),
        ({"one": 3.0, "best": 7.0}, {"one"}, "one", ["one"]),
        ({"one": 3.0, "best": 7.0}, set(), "best", ["one"]),
        ({"one": 3.0, "two": 2.0, "best": 7.0}, {"one"}, "one", ["two", "one"]),
        ({"one": 3.0, "dear": 9.0, "best": 7.0}, {"one", "dear"}, "one", ["one"]),
        ({"one": 3.0, "best": None}, {"one"}, "one", ["one"]),
        ({"one": 3.0, "best": None}, set(), None, ["one"]),
        ({"one": None, "best": 7.0}, {"one"}, "best", []),
    ],
)
def test_cheapest_is_one_that_is_shown_to_be_as_good(
    costs: dict[str, float | None], as_good: set[str], named: str | None, cheaper: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    choice = settled_choice(monkeypatch, costs, as_good)
    assert (choice.cheapest.name if choice.cheapest else None) == named
    assert [each.entrant.name for each in choice.cheaper] == cheaper


def test_rungs_double_and_end_with_all_folds() -> None:
    assert [rungs(n) for n in (1, 2, 3, 5, 8, 10)] == [
        [1], [1, 2], [1, 2, 3], [1, 2, 4, 5], [1, 2, 4, 8], [1, 2, 4, 8, 10],
    ]  # fmt: skip


@pytest.mark.real
@pytest.mark.slow
def test_choose_names_a_probe_on_mn04_of_the_sources_here_on_gtzan_mini(
    shared: Path, tmp_path: Path, typed: Mirbench
) -> None:
    """Beside the one that ships, a network of AudioSet and a tagger are here."""
    here = tmp_path / "weights"
    here.mkdir()
    for name in ("mn04_as_mAP_432.pt", "tagger_mtat_musicnn.pth"):
        (here / name).symlink_to(shared / "weights" / name)
    words = ("--data", shared / "data", "--weights", here, "--budget", "1h", "--quiet")
    answer = typed("choose", "gtzan-mini", "--methods", "probe-linear,probe-svm", *words)
    assert answer.code == 0, answer
    assert re.match(r"probe-\w+ \+ efficientat-mn04: accuracy 0\.9", told(answer.out, "Best"))
