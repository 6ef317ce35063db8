"""The trained model of a run on files of one's own."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from mirbench.cli.predict import _table
from mirbench.errors import BadInput
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.ensemble import combine
from mirbench.runs.models import Places
from mirbench.runs.plan import Request
from mirbench.runs.predict import Predictions, predict
from mirbench.runs.runner import run
from mirbench.runs.store import RunStore
from mirbench.trust import checks
from mirbench.types import Split
from tests.conftest import Answer
from tests.methods.test_picture_mlp import on_pictures, pictures, weights  # noqa: F401  (two are fixtures)

QUIET = Progress(quiet=True)
Typed = Callable[..., Answer]

PLUGIN = """
import numpy as np
from dataclasses import dataclass
from mirbench import Fitted

@dataclass(frozen=True)
class Loud:
    name, version, needs = "loud", "1", ()

    def fit(self, train, valid, context, *, seed):
        state = {"limit": np.array([0.1], np.float32)}
        return Fitted(RESTORE(state, valid.blind(), context), n_trainable=None, state=state)
"""
RESTORES = """
    def restore(self, state, split, context):
        def predict(split):
            heard = np.abs(np.asarray(context.audio(split, 16_000, 1.0).clip_means())).max(axis=1)
            if (heard > 0.9).any():
                raise ValueError("too loud for me\\nby far")
            loud = (heard > state["limit"][0]).astype(np.float32)
            return np.stack([loud, 1 - loud, 0 * loud], axis=1)
        return predict
"""
LOUD = PLUGIN.replace("RESTORE", "self.restore") + RESTORES
NO_RESTORE = PLUGIN.replace("RESTORE(state, valid.blind(), context)", "lambda s: np.zeros((len(s), 3), np.float32)")


@dataclass(frozen=True)
class Made:
    """A folder with the tiny task, and what was run on it."""

    root: Path
    splits: tuple[Split, Split, Split]

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def files(self) -> list[str]:
        return [str(clip.path) for clip in self.splits[2].clips]

    def run(
        self, method: str, params: dict[str, Any] | None = None, task: str = "tiny", plugins: Sequence[Plugin] = (),
        **changes: Any,
    ) -> list[Path]:  # fmt: skip
        held = Plugin("test", "0" * 64, {"tiny": self.splits[0].task}, {}, {})
        catalogue = Catalogue([held, *plugins])
        request = Request(
            task, method, "nano" if catalogue.method(method).needs else "", (0,), params=params or {},
            data=self.root / "data", runs=self.runs, cache=self.root / "cache",
        )  # fmt: skip
        outcomes = run(replace(request, **changes), catalogue, QUIET)
        assert [outcome.record.status for outcome in outcomes] == ["done"] * len(outcomes), outcomes[0].record.reason
        return [outcome.folder for outcome in outcomes]

    def predict(self, name: object, files: Sequence[object] = (), cache: Path | None = None, **how: Any) -> Predictions:
        places = Places(cache=cache or self.root / "cache", device="cpu")
        return predict(self.runs, str(name), [str(file) for file in files] or self.files, QUIET, places, **how)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root = tmp_path_factory.mktemp("made")
    (root / "data" / "tiny").mkdir(parents=True)
    return Made(root, checks.tiny_task(root / "data" / "tiny"))


@pytest.fixture(scope="module")
def probe(made: Made) -> list[Path]:
    """Two seeds of a small network."""
    return made.run("probe-mlp", {"hidden": 4, "epochs": 2}, seeds=(0, 1))


def recorded(made: Made, folder: Path) -> np.ndarray:
    held = RunStore(made.runs).scores(folder)
    assert list(held.clip_ids) == [clip.id for clip in made.splits[2].clips]
    return held.scores


METHODS: dict[str, dict[str, Any]] = {
    "probe-linear": {}, "probe-svm": {}, "probe-forest": {"n_trees": 10}, "knn": {}, "probe-mlp": {"epochs": 2},
    "prior": {}, "marsyas-forest": {"n_trees": 10}, "mfcc-codebook": {"n_words": 8}, "sparse-coding": {"n_words": 8},
    "finetune": {"epochs": 1}, "ids-nmr": {"epochs": 1}, "mean-teacher": {"epochs": 1},
}  # fmt: skip


HEAVY = ("finetune", "mean-teacher", "sparse-coding", "marsyas-forest", "ids-nmr")


@pytest.mark.parametrize(
    "method", [pytest.param(name, marks=pytest.mark.slow if name in HEAVY else ()) for name in METHODS]
)
def test_clips_of_test_as_files_get_the_scores_on_record(method: str, made: Made, tmp_path: Path) -> None:
    (folder,) = made.run(method, METHODS[method])
    found = made.predict(folder, cache=tmp_path / "another")
    np.testing.assert_allclose(found.probabilities, recorded(made, folder), rtol=0, atol=1e-6)
    assert (found.classes, found.faults, found.runs) == (made.splits[2].classes, (), "")
    assert [str(file) for file in found.files] == made.files


@pytest.mark.slow
def test_no_data_set_is_needed(made: Made, probe: list[Path], tmp_path: Path) -> None:
    shutil.copytree(made.runs, tmp_path / "runs")
    shutil.copy(made.files[0], tmp_path / "mine.wav")
    places = Places(data=tmp_path / "nowhere", cache=tmp_path / "cache")
    found = predict(tmp_path / "runs", probe[0].name, [str(tmp_path / "mine.wav")], QUIET, places)
    np.testing.assert_allclose(found.probabilities, recorded(made, probe[0])[:1], atol=1e-6)


@pytest.mark.slow
def test_score_of_a_file_does_not_depend_on_the_others(made: Made, probe: list[Path], tmp_path: Path) -> None:
    together = made.predict(probe[0])
    for n, file in enumerate(made.files):
        alone = made.predict(probe[0], [file], tmp_path / str(n))
        np.testing.assert_allclose(alone.probabilities[0], together.probabilities[n], atol=1e-6)


def test_hyperparameters_that_were_chosen_are_those_of_the_model(made: Made) -> None:
    (folder,) = made.run("probe-mlp", {"epochs": 2}, search={"hidden": [3, 5]})
    np.testing.assert_allclose(made.predict(folder).probabilities, recorded(made, folder), atol=1e-6)


@pytest.mark.slow
def test_windowing_of_the_run_is_kept(made: Made) -> None:
    from mirbench.types import Windowing

    for windowing in (Windowing("hopped16", "logit"), Windowing("nonoverlap-plus-tail")):
        (folder,) = made.run("tf-retrain", {"epochs": 1}, windowing=windowing)
        np.testing.assert_allclose(made.predict(folder).probabilities, recorded(made, folder), atol=1e-6)


# Several runs


def test_seeds_are_averaged_and_said(made: Made, probe: list[Path]) -> None:
    found = made.predict(f"tiny/probe-mlp+nano@{probe[0].name}")
    assert (found.title, found.runs) == ("tiny: probe-mlp + nano (epochs=2, hidden=4)", "mean of 2 seeds")
    mean = np.mean([recorded(made, folder) for folder in probe], axis=0)
    np.testing.assert_allclose(found.probabilities, mean, atol=1e-6)


def test_one_seed_can_be_chosen(made: Made, probe: list[Path]) -> None:
    found = made.predict(f"tiny/probe-mlp+nano@{probe[1].name}", seed=1)
    assert found.runs == ""
    np.testing.assert_allclose(found.probabilities, recorded(made, probe[1]), atol=1e-6)
    with pytest.raises(BadInput, match=r"--seed 7: .* has no run of it; it has 0, 1"):
        made.predict(probe[0].parent, seed=7)


@pytest.mark.slow
def test_folds_are_averaged_with_their_seeds(made: Made) -> None:
    folders = made.run("tf-retrain", {"epochs": 1}, task="tiny+folds3", seeds=(0, 1), folds=(0, 1, 2))
    found = made.predict("tiny+folds3/tf-retrain+nano")
    assert found.runs == "mean of 3 folds × 2 seeds"
    each = [made.predict(folder).probabilities for folder in folders]
    np.testing.assert_allclose(found.probabilities, np.mean(each, axis=0), atol=1e-6)
    one = made.predict("tiny+folds3/tf-retrain+nano", fold=1)
    assert one.runs == "mean of 2 seeds"
    np.testing.assert_allclose(one.probabilities, np.mean(each[2:4], axis=0), atol=1e-6)
    shutil.rmtree(folders[5])
    assert made.predict("tiny+folds3/tf-retrain+nano").runs == "mean of 5 runs"


@pytest.mark.slow
def test_runs_of_different_settings_are_not_mixed(made: Made) -> None:
    for n_trees in (3, 4):
        made.run("probe-forest", {"n_trees": n_trees})
    with pytest.raises(BadInput, match=r"(?s)holds runs of \d settings; name one of\n.*probe-forest\+nano@.*n_trees=3"):
        made.predict("probe-forest+nano")


@pytest.mark.slow
def test_ensemble_predicts_the_mean_of_its_members(made: Made, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    linear, knn = (made.run(method, runs=runs)[0] for method in ("probe-linear", "knn"))
    ensemble = combine(RunStore(runs), [str(linear), str(knn)], weights=(3, 1)).outcomes[0].folder
    there = replace_runs(made, runs)
    found = there.predict(ensemble)
    np.testing.assert_allclose(found.probabilities, recorded(there, ensemble), atol=1e-6)
    expected = 0.75 * recorded(there, linear) + 0.25 * recorded(there, knn)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    shutil.rmtree(knn)
    with pytest.raises(BadInput, match=rf"its member knn \+ nano, run {knn.name}, is not below"):
        there.predict(ensemble)


@pytest.mark.slow
def test_ensemble_of_ranks_has_none_for_a_file(made: Made, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    folders = [str(made.run(method, runs=runs)[0]) for method in ("probe-linear", "knn")]
    ensemble = combine(RunStore(runs), folders, "rank").outcomes[0].folder
    with pytest.raises(BadInput, match="averages ranks"):
        replace_runs(made, runs).predict(ensemble)


def replace_runs(made: Made, runs: Path) -> Made:
    """The same data with another folder of runs."""

    @dataclass(frozen=True)
    class Elsewhere(Made):
        @property
        def runs(self) -> Path:
            return runs

    return Elsewhere(made.root, made.splits)


# Files


def test_what_cannot_be_read_gets_a_line_and_the_others_go_on(made: Made, probe: list[Path], tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("broken.wav", "short.wav", "silent.wav", "empty.mp3", "none.wav")}
    files["broken.wav"].write_bytes(b"RIFF but no more")
    files["empty.mp3"].touch()
    soundfile.write(files["short.wav"], np.ones(100), 16_000)
    soundfile.write(files["silent.wav"], np.zeros(16_000), 16_000)
    found = made.predict(probe[0], [made.files[0], *files.values(), made.files[1]])
    assert [str(file) for file in found.files] == made.files[:2]
    np.testing.assert_allclose(found.probabilities, recorded(made, probe[0])[:2], atol=1e-6)
    says = {"broken.wav": "broken", "short.wav": "too short", "silent.wav": "silent", "empty.mp3": "empty",
            "none.wav": "no such file"}  # fmt: skip
    assert len(found.faults) == len(files)
    for (name, path), line in zip(files.items(), found.faults, strict=True):
        assert line.startswith(f"{path}: {says[name]}")
    with pytest.raises(BadInput, match=r"no file can be used:\n  .*broken\.wav"):
        made.predict(probe[0], files.values())


def test_folders_are_walked_for_audio(made: Made, probe: list[Path], tmp_path: Path) -> None:
    for name in ("b.WAV", "a/deep/x.flac", ".hidden.wav", ".trash/y.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / name, *soundfile.read(made.files[0]), format="FLAC" if "flac" in name else "WAV")
    (tmp_path / "notes.txt").write_text("no audio")
    found = made.predict(probe[0], [tmp_path, tmp_path / "b.WAV"])
    assert found.files == (tmp_path / "a/deep/x.flac", tmp_path / "b.WAV")  # each once
    np.testing.assert_allclose(found.probabilities[0], found.probabilities[1], atol=1e-6)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"empty: holds no file that ends in \.wav"):
        made.predict(probe[0], [tmp_path / "empty"])


def test_file_whose_channels_cancel_is_predicted_and_said(
    made: Made, probe: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound, rate = soundfile.read(made.files[0])
    soundfile.write(tmp_path / "inverted.wav", np.stack([sound, -0.99 * sound], axis=1), rate)
    assert len(made.predict(probe[0], [tmp_path / "inverted.wav"]).files) == 1
    assert "inverted.wav: its channels cancel" in capsys.readouterr().err


@pytest.mark.slow
def test_file_is_heard_whole(made: Made, tmp_path: Path) -> None:
    """Noise and then a tone, each as long as nano's window: the mean of what each is alone."""
    (folder,) = made.run("tf-retrain", {"epochs": 1})
    window = round(Catalogue().source("nano").seconds * 16_000)
    parts = [np.resize(soundfile.read(made.files[k])[0], window) for k in (2, 4)]
    for name, sound in {"both": np.concatenate(parts), "noise": parts[0], "tone": parts[1]}.items():
        soundfile.write(tmp_path / f"{name}.wav", sound, 16_000)
    both, *each = made.predict(folder, sorted(tmp_path.glob("*.wav"))).probabilities
    np.testing.assert_allclose(both, np.mean(each, axis=0), atol=1e-5)
    assert np.abs(each[0] - each[1]).max() > 0.01


def test_many_files_are_predicted_a_few_at_a_time(
    made: Made, probe: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirbench.runs.predict._CHUNK", 4)
    np.testing.assert_allclose(made.predict(probe[0]).probabilities, recorded(made, probe[0]), atol=1e-6)


def quieter(file: str, folder: Path) -> Path:
    sound, rate = soundfile.read(file)
    soundfile.write(folder / "quiet.wav", 0.03 * sound, rate, subtype="FLOAT")
    soundfile.write(folder / "loud.wav", sound, rate, subtype="FLOAT")
    return folder / "quiet.wav"


@pytest.mark.slow
@pytest.mark.parametrize("modifier", ["", "+normalized", "+levels8"])
def test_file_is_brought_to_the_levels_of_the_runs_task(modifier: str, made: Made, tmp_path: Path) -> None:
    (folder,) = made.run("mfcc-codebook", {"n_words": 8}, task=f"tiny{modifier}+shots3")
    np.testing.assert_allclose(made.predict(folder).probabilities, recorded(made, folder), atol=1e-6)
    quiet = quieter(made.files[0], tmp_path)
    found = made.predict(folder, [quiet, tmp_path / "loud.wav"]).probabilities
    apart = np.abs(found[0] - found[1]).max()
    assert apart < 1e-4 if modifier else apart > 1e-3


@pytest.mark.slow
def test_pictures_are_files_too(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    held, images = (request.getfixturevalue(name) for name in ("pictures", "weights"))
    record = on_pictures("finetune", held, images, tmp_path, epochs=1)
    root, catalogue = held
    plugin = Plugin("test", "0" * 64, {"toy": catalogue.task("toy")}, {}, {"look": catalogue.source("look")})
    store = RunStore(tmp_path / "runs")
    files = [str(root / "toy" / f"{name}.png") for name in store.scores(store.folder(record.spec)).clip_ids]
    Image.new("RGB", (40, 40)).save(tmp_path / "other.png")
    soundfile.write(tmp_path / "sound.wav", np.ones(16_000), 16_000)
    places = Places(weights=images, cache=tmp_path / "files")
    asked = [files[0], str(tmp_path / "sound.wav"), *files[1:]]
    found = predict(tmp_path / "runs", record.spec.key, asked, QUIET, places, plugins=[plugin])
    scores = store.scores(store.folder(record.spec)).scores
    np.testing.assert_allclose(found.probabilities, scores, atol=1e-6)
    assert [line.partition(" (")[0] for line in found.faults] == [f"{tmp_path / 'sound.wav'}: broken, or not a picture"]
    walked = predict(tmp_path / "runs", record.spec.key, [str(root)], QUIET, places, plugins=[plugin])
    assert len(walked.files) == 18
    # of another size, which cannot be looked at together with the others
    asked[1] = str(tmp_path / "other.png")
    mixed = predict(tmp_path / "runs", record.spec.key, asked, QUIET, places, plugins=[plugin])
    assert not mixed.faults
    np.testing.assert_allclose(np.delete(mixed.probabilities, 1, axis=0), scores, atol=1e-6)


# What is refused


@pytest.fixture(scope="module")
def linear(made: Made) -> Path:
    """A run that tests copy before they spoil it."""
    return made.run("probe-linear")[0]


@pytest.fixture
def copied(linear: Path, tmp_path: Path) -> Path:
    return shutil.copytree(linear, tmp_path / "runs" / "tiny" / "probe-linear+nano" / linear.name)


def edited(folder: Path, **changes: Any) -> None:
    path = folder / "record.json"
    record = json.loads(path.read_text())
    for name, value in changes.items():
        (record["spec"] if name in record["spec"] else record)[name] = value
    path.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"source_sha256": "ab" * 32}, r"nano: the weights here \(sha256 \w{12}…\) are not those of the run \(abab"),
        ({"method_version": "0"}, "probe-linear: the run is of its version 0, here is 1; run it again"),
        ({"source_version": "0"}, "nano: the run is of its version 0"),
        ({"classes": []}, "without the names of its classes; run it again"),
        ({"source": "features:f.npz"}, "features:f.npz was computed elsewhere"),
        ({"source": "shipped:vggish"}, "shipped:vggish was computed elsewhere"),
        ({"method": "gone"}, "No method is called 'gone'"),
        ({"method": "gone", "method_version": "1+abc"}, "was made with a plugin; give it as --plugin FILE"),
        ({"status": "failed", "reason": "it broke"}, r"has no result \(failed: it broke\)"),
    ],
    ids=str,
)  # fmt: skip
def test_run_that_is_not_here_as_it_was_is_refused(
    changes: dict[str, Any], says: str, made: Made, copied: Path
) -> None:
    edited(copied, **changes)
    with pytest.raises(BadInput, match=says) as caught:
        made.predict(copied)
    assert "\n" not in str(caught.value)


def test_run_without_its_model_is_refused(made: Made, copied: Path) -> None:
    path = copied / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(BadInput, match="damaged or another one"):
        made.predict(copied)
    path.unlink()
    with pytest.raises(BadInput, match="no longer there; remove the folder to run it again"):
        made.predict(copied)


def test_model_that_does_not_fit_is_refused_in_one_line(made: Made, tmp_path: Path) -> None:
    (folder,) = made.run("probe-mlp", {"epochs": 1, "hidden": 4}, runs=tmp_path / "runs")
    edited(folder, params={**json.loads((folder / "record.json").read_text())["spec"]["params"], "hidden": 5})
    with pytest.raises(BadInput, match=r"its model does not load \(.*\); remove it") as caught:
        made.predict(folder)
    assert "\n" not in str(caught.value)


# Plugins


def plugin_of(text: str, folder: Path) -> Plugin:
    from mirbench.plugin_file import load_plugin

    (folder / "mine.py").write_text(text)
    return load_plugin(folder / "mine.py")


def test_method_of_a_plugin_predicts_with_the_plugin(made: Made, tmp_path: Path) -> None:
    plugin = plugin_of(LOUD, tmp_path)
    (folder,) = made.run("loud", plugins=[plugin], runs=tmp_path / "runs")
    found = made.predict(folder, plugins=[plugin])
    assert np.array_equal(found.probabilities, recorded(made, folder))
    with pytest.raises(BadInput, match="give it as --plugin FILE"):
        made.predict(folder)
    changed = plugin_of(LOUD + "\n# changed\n", tmp_path)
    with pytest.raises(BadInput, match=r"loud: the run is of its version 1\+\w+, here is 1\+\w+; run it again"):
        made.predict(folder, plugins=[changed])


def test_file_that_a_model_cannot_take_gets_a_line(made: Made, tmp_path: Path) -> None:
    plugin = plugin_of(LOUD, tmp_path)
    (folder,) = made.run("loud", plugins=[plugin], runs=tmp_path / "runs")
    soundfile.write(tmp_path / "loud.wav", np.ones(32_000), 16_000, subtype="FLOAT")
    found = made.predict(folder, [*made.files, tmp_path / "loud.wav"], plugins=[plugin])
    assert found.faults == (f"{tmp_path / 'loud.wav'}: too loud for me",)
    assert np.array_equal(found.probabilities, recorded(made, folder))


def test_method_that_cannot_be_restored_says_what_to_do(made: Made, tmp_path: Path) -> None:
    plugin = plugin_of(NO_RESTORE, tmp_path)
    (folder,) = made.run("loud", plugins=[plugin], runs=tmp_path / "runs")
    with pytest.raises(BadInput, match="loud cannot be loaded again; give its class `restore`") as caught:
        made.predict(folder, plugins=[plugin])
    assert "\n" not in str(caught.value)


# The command


def say(typed: Typed, made: Made, name: object, *words: object) -> Answer:
    return typed("predict", name, *words, "--runs", made.runs, "--device", "cpu")


CLASSES = ["clicks", "noise", "tone"]


def test_csv_holds_a_row_a_file_and_probabilities_where_they_are_asked_for(
    typed: Typed, made: Made, probe: list[Path]
) -> None:
    scores = recorded(made, probe[0])
    answer = say(typed, made, probe[0], *made.files, "--format", "csv", "--top", "2", "--probabilities")
    assert answer.code == 0
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    head = ["file", "predicted", "confidence", "class 1", "probability 1", "class 2", "probability 2", *CLASSES]
    assert list(rows[0]) == head
    assert [row["file"] for row in rows] == made.files
    held = np.array([[row[name] for name in CLASSES] for row in rows], dtype=np.float32)
    np.testing.assert_allclose(held, scores, atol=1e-6)
    assert [row["predicted"] for row in rows] == [CLASSES[k] for k in scores.argmax(axis=1)]
    np.testing.assert_allclose([float(row["confidence"]) for row in rows], scores.max(axis=1), atol=1e-6)
    short = list(csv.reader(io.StringIO(say(typed, made, probe[0], made.files[0], "--format", "csv").out)))
    assert (short[0], short[1][:2]) == (head[:3], [rows[0]["file"], rows[0]["predicted"]])


def test_json_holds_probabilities_and_the_most_probable(typed: Typed, made: Made, probe: list[Path]) -> None:
    answer = say(typed, made, probe[0], *made.files, "--format", "json", "--top", "2", "--probabilities")
    scores = recorded(made, probe[0])
    for entry, file, row in zip(json.loads(answer.out), made.files, scores, strict=True):
        assert list(entry) == ["file", "predicted", "confidence", "top", "probabilities"]
        assert entry["file"] == file
        assert [best["class"] for best in entry["top"]] == [CLASSES[k] for k in np.argsort(-row, kind="stable")[:2]]
        assert entry["top"][0] == {"class": entry["predicted"], "probability": entry["confidence"]}
        assert list(entry["probabilities"].values()) == pytest.approx(row.tolist(), abs=1e-6)


def test_table_fits_its_width_and_shows_the_best(typed: Typed, made: Made, probe: list[Path], tmp_path: Path) -> None:
    long = tmp_path / f"{'long [red]name ' * 15}.wav"
    shutil.copy(made.files[0], long)
    answer = say(typed, made, probe[0], made.files[0], long, "--top", "9")
    assert max(map(len, answer.out.splitlines())) <= 120
    best = ["clicks", "noise", "tone"][recorded(made, probe[0])[0].argmax()]
    for word in (
        "tiny: probe-mlp + nano (epochs=2, hidden=4)",
        "clicks0.wav"[:6],
        f"{best} {recorded(made, probe[0])[0].max():.3f}",
    ):
        assert word in answer.out
    assert answer.out.count(best) >= 2


def test_table_of_many_classes_shows_all_of_them_and_the_file() -> None:
    classes = tuple(f"a class of some length {k}" for k in range(20))
    values = np.random.default_rng(0).dirichlet(np.ones(20), 2).astype(np.float32)
    found = Predictions("tiny: knn", "", classes, (Path("one.wav"), Path("two.wav")), values, ())
    text = _table(found, 99, probabilities=False)
    assert max(map(len, text.splitlines())) <= 120
    flat = re.sub(r"\s+", " ", text)
    assert all(word in flat for word in ("one.wav", "two.wav", "predicted", "1 to 20"))
    for row in values:
        assert f"{row.min():.3f}" in flat


def test_result_alone_is_on_standard_output(typed: Typed, made: Made, probe: list[Path], tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_bytes(b"x")
    name = f"probe-mlp+nano@{probe[0].name}"
    answer = say(typed, made, name, made.files[0], tmp_path / "bad.wav", "--format", "csv")
    assert answer.code == 1
    assert len(list(csv.reader(io.StringIO(answer.out)))) == 2
    assert "tiny: probe-mlp + nano (epochs=2, hidden=4), mean of 2 seeds" in answer.err
    assert f"{tmp_path / 'bad.wav'}: text" in answer.err
    quiet = say(typed, made, name, made.files[0], tmp_path / "bad.wav", "--format", "csv", "--quiet")
    assert quiet.out == answer.out
    assert quiet.err.splitlines() == [line for line in answer.err.splitlines() if "bad.wav" in line]


def test_output_goes_to_a_file(typed: Typed, made: Made, probe: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    answer = say(typed, made, probe[0], made.files[0], "--output", target)  # its suffix says the format
    assert (answer.code, answer.out) == (0, "")
    assert target.read_text("utf-8") == say(typed, made, probe[0], made.files[0], "--format", "csv").out


def test_labels_of_several_are_those_that_reach_the_threshold() -> None:
    scores = np.array([[0.2, 0.9, 0.5], [0.1, 0.2, 0.3]], dtype=np.float32)
    files = (Path("a.wav"), Path("b.wav"))
    found = Predictions("t", "", ("drums", "guitar", "piano"), files, scores, (), "multi-label")
    assert found.labels == [("guitar", "piano"), ()]
    assert found.predicted == ("guitar; piano", "")
    assert found.confidence == (0.5, None)
    assert replace(found, threshold=0.25).labels == [("guitar", "piano"), ("piano",)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("RUN", "nowhere.wav"), "no file can be used"),
        (("RUN", "FILE", "--format", "xml"), "--format xml: one of table, csv, json is needed"),
        (("RUN", "FILE", "--threshold", "2"), "--threshold 2.0: a probability is needed, 0 to 1"),
        (("RUN", "FILE", "--output", "no/where/x.csv"), "--output no/where/x.csv: no folder no/where"),
        (("nothing+like-it", "FILE"), "is called 'nothing+like-it'"),
        (("RUN", "FILE", "--device", "tpu"), "--device"),
    ],
    ids=str,
)
def test_command_refuses_in_one_message(
    words: tuple[str, ...], says: str, typed: Typed, made: Made, probe: list[Path]
) -> None:
    given = [{"RUN": probe[0], "FILE": made.files[0]}.get(word, word) for word in words]
    answer = typed("predict", *given, "--runs", made.runs)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err


def test_command_needs_a_folder_of_runs(typed: Typed) -> None:
    answer = typed("predict", "x", "y.wav")
    assert (answer.code, answer.err) == (2, "mirbench: --runs runs: no such folder; `mirbench run` makes one\n")


# Real audio


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of the runs, and another that knows nothing of them."""
    root = tmp_path_factory.mktemp("caches")
    return root / "runs", root / "files"


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("method", ["probe-linear", "probe-svm", "probe-forest", "probe-mlp"])
def test_clips_of_gtzan_mini_get_the_scores_on_record(
    method: str, shared: Path, caches: tuple[Path, Path], tmp_path: Path
) -> None:
    catalogue = Catalogue()
    request = Request(
        "gtzan-mini", method, "efficientat-mn04", (0,), (0,), data=shared / "data", weights=shared / "weights",
        runs=tmp_path / "runs", cache=caches[0],
    )  # fmt: skip
    (outcome,) = run(request, catalogue, QUIET)
    held = RunStore(request.runs).scores(outcome.folder)
    clips = {clip.id: clip for clip in catalogue.task("gtzan-mini").read_clips(shared / "data" / "gtzan_mini", 0)}
    files = [str(clips[name].path) for name in held.clip_ids]
    for cache in caches:
        places = Places(weights=shared / "weights", cache=cache)
        found = predict(request.runs, str(outcome.folder), files, QUIET, places)
        np.testing.assert_allclose(found.probabilities, held.scores, rtol=0, atol=1e-6)
