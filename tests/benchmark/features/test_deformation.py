from __future__ import annotations

import importlib.util
import json
import random
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, get_args

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file, save_file

from mirbench.cli import options
from mirbench.errors import BadInput, MissingExtra, NotApplicable, UnknownName
from mirbench.features import audio
from mirbench.features.deformation import area_under
from mirbench.features.effects import EFFECTS, parse_deform, require_packages
from mirbench.method import Fitted
from mirbench.methods.forest_probe import ForestProbe
from mirbench.methods.probes import MlpProbe
from mirbench.plugin_file import Plugin
from mirbench.progress import Progress
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.report import report
from mirbench.runs.robustness import require_heard
from mirbench.runs.runner import Outcome, run
from mirbench.runs.store import RunStore
from mirbench.trust import checks
from mirbench.types import Excerpt
from tests.conftest import Answer

QUIET = Progress(quiet=True)
RATE = 22_050


def here(name: str) -> bool:
    """Whether the packages of a deformation are installed."""
    return all(importlib.util.find_spec(package.replace("-", "_")) for package in EFFECTS[name].packages)


def installed(*names: str) -> list[object]:
    """The deformations, each skipped where its packages are not here."""
    reason = "needs the extra effects"
    return [pytest.param(name, marks=pytest.mark.skipif(not here(name), reason=reason)) for name in names]


def levels(name: str) -> list[object]:
    """Every severity of a deformation."""
    mark = pytest.mark.skipif(not here(name), reason="needs the extra effects")
    return [pytest.param(severity, marks=mark) for severity in EFFECTS[name].severities]


def decibels(ratio: float) -> float:
    return float(20 * np.log10(ratio))


def rms(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))


def tone(frequency: float, rate: int = RATE, seconds: float = 2.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def hiss(rate: int = RATE, seconds: float = 2.0) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(int(seconds * rate))).astype(np.float32)


def plucks(rate: int = RATE, seconds: float = 2.0) -> np.ndarray:
    """Four decaying chords a second."""
    time = np.arange(int(seconds * rate)) / rate
    chord = sum(np.sin(2 * np.pi * f * time) / n for n, f in enumerate((220, 277, 330, 660, 1320, 2640), 1))
    return (0.1 * chord * np.exp(-8 * (time % 0.25))).astype(np.float32)


def frequency_of(sound: np.ndarray, rate: int = RATE) -> float:
    """Frequency of the largest peak of the spectrum, in its middle half, zero-padded."""
    middle = sound[len(sound) // 4 : -len(sound) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 2**20))
    return float(np.argmax(spectrum) * rate / 2**20)


# What each deformation does


@pytest.mark.parametrize("severity", levels("gain"))
def test_gain_takes_its_decibels(severity: float) -> None:
    sound = hiss()
    assert decibels(rms(EFFECTS["gain"].at(severity).apply(sound, RATE, 0)) / rms(sound)) == pytest.approx(-severity)


def test_gain_is_undone_where_a_task_brings_its_clips_to_a_level(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "clip.wav", hiss(), RATE)
    gain = EFFECTS["gain"].at(20)
    for peaks, left in (((), -20), ((-12.0,), 0)):
        place = Excerpt(tmp_path / "clip.wav", peaks=peaks)
        deformed = audio.read(place, RATE, lambda heard, rate: gain.apply(heard, rate, 0))
        assert decibels(rms(deformed) / rms(audio.read(place, RATE))) == pytest.approx(left, abs=1e-3)


@pytest.mark.parametrize("severity", levels("noise"))
def test_noise_has_its_ratio_of_signal_to_noise(severity: float) -> None:
    sound = tone(440)
    noise = EFFECTS["noise"].at(severity).apply(sound, RATE, 3) - sound
    assert decibels(rms(sound) / rms(noise)) == pytest.approx(severity, abs=0.15)


def test_noise_is_white() -> None:
    sound = tone(440)
    power = np.abs(np.fft.rfft(EFFECTS["noise"].at(0).apply(sound, RATE, 3) - sound)) ** 2
    eighths = [part.mean() for part in np.array_split(power, 8)]
    assert max(eighths) < 1.15 * min(eighths)


def test_noise_differs_between_clips_and_grows_alike_in_one() -> None:
    sound = tone(440)

    def noise(seed: int, severity: float) -> np.ndarray:
        return EFFECTS["noise"].at(severity).apply(sound, RATE, seed) - sound

    assert abs(np.corrcoef(noise(0, 10), noise(1, 10))[0, 1]) < 0.05
    assert np.corrcoef(noise(0, 10), noise(0, 0))[0, 1] > 0.999


@pytest.mark.parametrize("severity", levels("lowpass"))
def test_lowpass_takes_3_db_at_its_cutoff_and_24_an_octave_above(severity: float) -> None:
    rate = 192_000

    def loss(frequency: float) -> float:
        sound = tone(frequency, rate, 0.5)
        return decibels(rms(EFFECTS["lowpass"].at(severity).apply(sound, rate, 0)[rate // 4 :]) / rms(sound))

    assert loss(severity / 4) == pytest.approx(0, abs=0.05)
    assert loss(severity) == pytest.approx(-3.01, abs=0.05)
    assert loss(4 * severity) - loss(2 * severity) == pytest.approx(-24, abs=3)  # the bilinear transform bends it


@pytest.mark.parametrize("severity", levels("lowpass"))
def test_lowpass_is_that_of_audiomentations(severity: float) -> None:
    LowPassFilter = pytest.importorskip("audiomentations").LowPassFilter
    theirs = LowPassFilter(severity, severity, min_rolloff=24, max_rolloff=24, p=1.0)
    sound = hiss()
    sound[:10] = 0  # theirs begins as if the first sample had always been there
    assert np.allclose(EFFECTS["lowpass"].at(severity).apply(sound, RATE, 0), theirs(sound, RATE), atol=1e-6)


def test_lowpass_leaves_a_file_that_ends_below_its_cutoff() -> None:
    sound = hiss(16_000)
    assert np.array_equal(EFFECTS["lowpass"].at(8000).apply(sound, 16_000, 0), sound)


def residue(before: np.ndarray, after: np.ndarray) -> float:
    """Decibels of what is in one sound and not, up to a factor, in the other; relative to the first."""
    factor = float(before @ after) / float(after @ after)
    return decibels(rms(before - factor * after) / rms(before))


@pytest.mark.parametrize("name", installed("mp3"))
def test_mp3_of_a_high_bit_rate_changes_little_and_of_a_low_one_more(name: str) -> None:
    sound = plucks() + 0.05 * hiss()
    left = [residue(sound, EFFECTS[name].at(severity).apply(sound, RATE, 0)) for severity in EFFECTS[name].severities]
    assert left[0] < -20
    assert left == sorted(left)
    assert left[-1] > -15


@pytest.mark.parametrize("rate", [6_000, 8_000, 11_025, 16_000, 37_800, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("name", installed("mp3"))
def test_mp3_keeps_length_and_time_at_every_rate(name: str, rate: int) -> None:
    sound = plucks(rate, 1.01)
    for severity in EFFECTS[name].severities:
        after = EFFECTS[name].at(severity).apply(sound, rate, 0)
        lag = np.argmax(np.correlate(after, sound[200:-200], "valid")) - 200
        assert (len(after), abs(int(lag))) == (len(sound), 0)


@pytest.mark.parametrize("name", installed("mp3"))
def test_mp3_of_a_low_bit_rate_is_coded_at_a_rate_that_has_it(name: str) -> None:
    # at 44.1 kHz LAME writes 32 kbps when 8 are asked for, with the low-pass of 8, which leaves this sound as it is
    sound = plucks(44_100)
    left = [residue(sound, EFFECTS[name].at(severity).apply(sound, 44_100, 0)) for severity in (32, 16, 8)]
    assert left[0] + 3 < left[1] < left[2] - 3


@pytest.mark.parametrize("severity", levels("stretch"))
def test_stretch_moves_events_and_keeps_pitch(severity: float) -> None:
    deformation = EFFECTS["stretch"].at(severity)
    sound = tone(440, seconds=4)
    slow = deformation.apply(sound, RATE, 0)
    assert len(slow) == pytest.approx(len(sound) / (1 - severity / 100), abs=2)
    assert frequency_of(slow) == pytest.approx(440, rel=0.003)
    click = np.zeros(4 * RATE, dtype=np.float32)
    click[2 * RATE] = 1
    assert np.argmax(np.abs(deformation.apply(click, RATE, 0))) / RATE == pytest.approx(
        2 / (1 - severity / 100), abs=0.01
    )


@pytest.mark.parametrize("severity", levels("pitch"))
def test_pitch_moves_a_tone_by_its_semitones(severity: float) -> None:
    sound = tone(440, seconds=4)
    high = EFFECTS["pitch"].at(severity).apply(sound, RATE, 0)
    assert len(high) == len(sound)
    assert 12 * np.log2(frequency_of(high) / 440) == pytest.approx(severity, abs=0.06)


@pytest.mark.parametrize("name", installed(*EFFECTS))
def test_length_is_as_announced(name: str) -> None:
    sound = plucks()
    for severity in EFFECTS[name].severities:
        deformation = EFFECTS[name].at(severity)
        assert len(deformation.apply(sound, RATE, 0)) == pytest.approx(len(sound) * deformation.length_ratio, abs=2)


@pytest.mark.parametrize("name", installed(*EFFECTS))
def test_shortest_clip_can_be_deformed(name: str) -> None:
    sound = hiss(seconds=0.101)
    for severity in EFFECTS[name].severities:
        assert np.isfinite(EFFECTS[name].at(severity).apply(sound, RATE, 0)).all()


@pytest.mark.parametrize("name", installed(*EFFECTS))
def test_deformation_is_the_same_in_every_thread_and_leaves_global_draws_alone(name: str) -> None:
    sounds = [plucks(), hiss(), tone(300), tone(3000)]
    jobs = [(s, seed) for s in EFFECTS[name].severities for seed in range(len(sounds))]

    def do(job: tuple[float, int]) -> np.ndarray:
        severity, seed = job
        return EFFECTS[name].at(severity).apply(sounds[seed], RATE, seed)

    def drawn() -> tuple[object, bytes]:
        return random.getstate(), np.random.get_state()[1].tobytes()  # noqa: NPY002

    before = drawn()
    alone = [do(job) for job in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(do, jobs))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
    assert drawn() == before


@pytest.mark.parametrize("name", installed(*EFFECTS))
def test_deformation_leaves_what_it_was_given(name: str) -> None:
    sound = plucks()
    kept = sound.copy()
    EFFECTS[name].at(EFFECTS[name].severities[-1]).apply(sound, RATE, 0)
    assert np.array_equal(sound, kept)


@pytest.mark.parametrize("name", installed(*EFFECTS))
def test_identity_tells_severities_and_libraries_apart(name: str) -> None:
    identities = {EFFECTS[name].at(severity).identity for severity in EFFECTS[name].severities}
    assert len(identities) == 5
    for package in EFFECTS[name].packages:
        assert all(f"{package} {importlib.metadata.version(package)}" in identity for identity in identities)


# Names


def test_all_is_every_deformation() -> None:
    assert parse_deform("all") == tuple(EFFECTS) == ("gain", "noise", "mp3", "lowpass", "stretch", "pitch")


@pytest.mark.parametrize(("text", "names"), [("", ()), ("noise", ("noise",)), ("pitch, gain,pitch", ("pitch", "gain"))])
def test_names_are_read_as(text: str, names: tuple[str, ...]) -> None:
    assert parse_deform(text) == names


@pytest.mark.parametrize("text", ["echo", "gain,", "all,gain", "Gain"])
def test_unknown_name_is_refused(text: str) -> None:
    with pytest.raises(UnknownName, match="No deformation is called"):
        parse_deform(text)


def without(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a package be not installed."""
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == missing else real(name, *rest))


@pytest.mark.parametrize(
    ("name", "module", "package"),
    [("stretch", "audiomentations", "audiomentations"), ("pitch", "python_stretch", "python-stretch"),
     ("mp3", "audiomentations", "audiomentations")],
)  # fmt: skip
def test_missing_package_is_named_with_its_extra(
    name: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if module != "audiomentations":
        pytest.importorskip("audiomentations")  # which is looked for first
    without(module, monkeypatch)
    with pytest.raises(MissingExtra) as caught:
        require_packages(("gain", name))
    assert str(caught.value) == f"--deform {name} needs {package}: pip install 'mirbench[effects]'"
    require_packages(("gain", "noise", "lowpass"))


# Area


@pytest.mark.parametrize(
    ("values", "area"),
    [
        ([0.8, 0.8, 0.8], 0.8),
        ([1.0, 0.0], 0.5),
        ([1.0, 0.9, 0.7, 0.5, 0.3, 0.1], (0.5 + 0.9 + 0.7 + 0.5 + 0.3 + 0.05) / 5),
        ([0.0, 0.0], 0.0),
    ],
)
def test_area_by_hand(values: list[float], area: float) -> None:
    assert area_under(values) == pytest.approx(area)


def test_area_of_an_undefined_value_is_undefined() -> None:
    assert area_under([1.0, None, 0.5]) is None


# Runs


@dataclass(frozen=True)
class Ear:
    """Knows every clip that is loud enough, and takes the others for the first class; may be wrong on purpose."""

    right: bool = False

    name, version, needs = "ear", "1", ()
    fits: ClassVar[list[bool]] = []

    def fit(self, train, valid, context, *, seed):
        Ear.fits.append(self.right)
        answers = valid.class_index() if self.right else (valid.class_index() + 1) % 3  # valid and test: one order

        def predict(split):
            heard = np.abs(np.asarray(context.audio(split, 16_000, 2.0).values)).max(axis=1)
            scores = np.zeros((len(split), len(split.classes)), dtype=np.float32)
            scores[np.arange(len(split)), np.where(heard > 0.03, answers[: len(split)], 0)] = 1
            return scores

        return Fitted(predict, n_trainable=None)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    Ear.fits.clear()
    data = tmp_path / "data" / "tiny"
    data.mkdir(parents=True)
    train, _, _ = checks.tiny_task(data)
    return Catalogue([Plugin("test", "0" * 64, {"tiny": train.task}, {"ear": Ear}, {})])


def do(tmp_path: Path, catalogue: Catalogue, *deform: str, **changes: object) -> Outcome:
    request = Request("tiny", "ear", params={"right": True}, data=tmp_path / "data", runs=tmp_path / "runs", seeds=(0,))
    (outcome,) = run(replace(request, **changes), catalogue, QUIET, deform)
    assert outcome.record.status == "done", outcome.record.reason
    return outcome


def test_curve_and_area_by_hand(tmp_path: Path, catalogue: Catalogue) -> None:
    # clips peak at 0.5: 20 dB down at 0.05, which is heard, 30 dB down at 0.016, which is not
    outcome = do(tmp_path, catalogue, "gain")
    curve = outcome.robustness.curves["gain"]
    assert curve.metrics["accuracy"] == pytest.approx([1, 1, 1, 1 / 3, 1 / 3])
    assert curve.area == curve.relative_area == pytest.approx((0.5 + 1 + 1 + 1 + 1 / 3 + 1 / 6) / 5)
    assert (curve.unit, tuple(curve.severities)) == ("dB down", (6, 12, 20, 30, 40))


def test_relative_area_is_of_the_clean_score(tmp_path: Path, catalogue: Catalogue) -> None:
    outcome = do(tmp_path, catalogue, "gain", params={"right": False})  # nothing right until all are the first class
    curve = outcome.robustness.curves["gain"]
    assert outcome.robustness.clean["accuracy"] == 0
    assert curve.area == pytest.approx((1 / 3 + 1 / 6) / 5)
    assert curve.relative_area is None


def test_file_is_strict_json_beside_the_record(tmp_path: Path, catalogue: Catalogue) -> None:
    outcome = do(tmp_path, catalogue, "gain", "lowpass")
    assert {path.name for path in outcome.folder.iterdir()} == {"record.json", "scores.npz", "deform.json"}

    def refuse(word: str) -> None:
        raise AssertionError(word)

    held = json.loads((outcome.folder / "deform.json").read_text(), parse_constant=refuse)
    assert (held["schema_version"], held["metric"], set(held["curves"])) == (1, "accuracy", {"gain", "lowpass"})
    assert set(held["clean"]) == set(catalogue.task("tiny").metrics)
    assert held["curves"]["lowpass"]["library"] == EFFECTS["lowpass"].library


def test_curves_are_no_part_of_what_was_asked(tmp_path: Path, catalogue: Catalogue) -> None:
    plain = do(tmp_path, catalogue)
    deformed = do(tmp_path, catalogue, "gain")
    assert (deformed.folder, deformed.record.spec, deformed.read_back) == (plain.folder, plain.record.spec, True)


def test_curves_are_read_back_and_missing_ones_added(tmp_path: Path, catalogue: Catalogue) -> None:
    first = do(tmp_path, catalogue, "gain")
    path = first.folder / "deform.json"
    before = path.read_bytes()
    again = do(tmp_path, catalogue, "gain")
    assert (again.robustness, path.read_bytes(), len(Ear.fits)) == (
        RunStore(tmp_path / "runs").robustness(first.folder), before, 1,
    )  # fmt: skip
    more = do(tmp_path, catalogue, "lowpass")
    assert (list(more.robustness.curves), len(Ear.fits)) == (["lowpass"], 2)
    held = json.loads(path.read_text())["curves"]
    assert held["gain"] == json.loads(before)["curves"]["gain"]
    assert set(held) == {"gain", "lowpass"}


def test_curve_of_an_earlier_definition_is_measured_again(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    do(tmp_path, catalogue, "gain")
    monkeypatch.setitem(EFFECTS, "gain", replace(EFFECTS["gain"], version="2", severities=(0, 0, 0, 0, 0)))
    assert do(tmp_path, catalogue, "gain").robustness.curves["gain"].area == 1


def test_interrupt_keeps_the_curves_that_are_done(
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(audio, rate, seed, severity):
        raise KeyboardInterrupt

    monkeypatch.setitem(EFFECTS, "noise", replace(EFFECTS["noise"], change=interrupt))
    with pytest.raises(KeyboardInterrupt):
        do(tmp_path, catalogue, "gain", "noise")
    outcome = do(tmp_path, catalogue)
    assert set(RunStore(tmp_path / "runs").robustness(outcome.folder).curves) == {"gain"}
    assert not list(outcome.folder.glob(".*"))


@pytest.mark.parametrize(
    ("method", "kind", "params", "fits"),
    [("probe-mlp", MlpProbe, {"epochs": 3, "hidden": 8}, 0), ("probe-forest", ForestProbe, {"n_trees": 10}, 0)],
)
@pytest.mark.slow
def test_model_on_record_gives_the_curves_of_the_fresh_one(
    method: str, kind: type, params: dict[str, int], fits: int,
    tmp_path: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    asked = {"method": method, "source": "nano", "params": params}
    fresh = do(tmp_path, catalogue, "noise", "lowpass", **asked)
    path = fresh.folder / "deform.json"
    before = path.read_bytes()
    path.unlink()
    count = []
    honest = kind.fit
    monkeypatch.setattr(kind, "fit", lambda *a, **k: count.append(1) or honest(*a, **k))
    later = do(tmp_path, catalogue, "noise", "lowpass", **asked)
    assert not later.refused
    assert (later.read_back, len(count), path.read_bytes()) == (True, fits, before)
    accuracies = [value for curve in later.robustness.curves.values() for value in curve.metrics["accuracy"]]
    assert len(set(accuracies)) > 1  # the deformations were heard


def test_chosen_hyperparameters_are_fitted_again(tmp_path: Path, catalogue: Catalogue) -> None:
    asked = {"params": {}, "search": {"right": [False, True]}}
    do(tmp_path, catalogue, **asked)
    outcome = do(tmp_path, catalogue, "gain", **asked)
    assert (outcome.refused, Ear.fits) == ("", [False, True, True])


def test_other_model_than_the_one_on_record_is_refused_and_the_record_kept(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    asked = {"method": "probe-mlp", "source": "nano", "params": {"epochs": 3, "hidden": 8}}
    folder = do(tmp_path, catalogue, **asked).folder
    path = folder / "model.safetensors"
    save_file({name: -value if name.startswith("3.") else value for name, value in load_file(path).items()}, path)
    record = json.loads((folder / "record.json").read_text())
    del record["files"]  # as of an earlier version, which kept no hashes
    (folder / "record.json").write_text(json.dumps(record))
    before = (folder / "record.json").read_bytes()
    outcome = do(tmp_path, catalogue, "gain", **asked)
    assert outcome.robustness is None
    assert "clean scores predicted again are up to" in outcome.refused
    assert "\n" not in outcome.refused
    assert (folder / "record.json").read_bytes() == before
    assert not (folder / "deform.json").exists()


def test_model_file_that_is_broken_is_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    asked = {"method": "probe-mlp", "source": "nano", "params": {"epochs": 1, "hidden": 8}}
    folder = do(tmp_path, catalogue, **asked).folder
    (folder / "model.safetensors").write_bytes(b"no model")
    assert "model.safetensors: is damaged" in do(tmp_path, catalogue, "gain", **asked).refused


@pytest.mark.parametrize(
    ("text", "said"),
    [("{}", "not curves"), ('{"schema_version": 9}', "schema version 9; this mirbench reads version 1"),
     ('{"schema_version": 1, "curves": {"gain": {"area": NaN}}}', "NaN is not JSON"), ("[1]", "not curves")],
)  # fmt: skip
def test_curves_that_cannot_be_read_are_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "deform.json").write_text(text)
    with pytest.raises(BadInput, match=f"deform.json: .*{said}"):
        RunStore(tmp_path).robustness(tmp_path)


def test_what_is_not_heard_cannot_be_deformed(tmp_path: Path, catalogue: Catalogue) -> None:
    request = Request("tiny", "probe-linear", "nano", seeds=(0,), data=tmp_path / "data", runs=tmp_path / "runs")
    plan = make_plan(request, catalogue, QUIET)
    require_heard(plan)
    with pytest.raises(NotApplicable, match="clips of tiny are pictures"):
        require_heard(replace(plan, task=replace(plan.task, medium="picture")))
    with pytest.raises(NotApplicable, match="nano was computed elsewhere"):
        require_heard(replace(plan, card=replace(plan.card, kind="precomputed")))
    with pytest.raises(NotApplicable, match="prior hears no audio"):
        run(replace(request, method="prior", source=""), catalogue, QUIET, ("gain",))
    assert not (tmp_path / "runs").exists()


def test_report_prints_scores_and_areas(
    tmp_path: Path, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report([do(tmp_path, catalogue, "gain")], tmp_path / "runs", demo=False)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "dB down" in line]
    assert re.split(r"\s{2,}", line.strip()) == [
        "gain, dB down", "1.000", "6: 1.000", "12: 1.000", "20: 1.000", "30: 0.333", "40: 0.333", "0.800", "0.800",
    ]  # fmt: skip


def test_report_says_why_there_is_no_curve(
    tmp_path: Path, catalogue: Catalogue, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = replace(do(tmp_path, catalogue), refused="the moon is full")
    assert not report([outcome], tmp_path / "runs", demo=False)
    assert capsys.readouterr().err == "1 of 1 runs have no curve: the moon is full\n"


# The command line


Typed = Callable[..., Answer]


def refused(answer: Answer) -> str:
    """What a command said when it refused, in one line."""
    assert (answer.code, answer.out) == (2, "")
    return answer.err


def test_help_of_the_flag_names_every_deformation() -> None:
    assert get_args(options.Deform)[1].help.endswith(f"all, or some of {','.join(EFFECTS)}.")


def test_command_refuses_an_unknown_deformation(typed: Typed) -> None:
    words = ("run", "--task", "gtzan", "--method", "probe-linear", "--deform")
    assert refused(typed(*words, "noize")) == "mirbench: No deformation is called 'noize'. Did you mean 'noise'?\n"


def test_command_refuses_a_missing_extra_before_any_run(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    without("audiomentations", monkeypatch)
    answer = typed("run", "--task", "gtzan", "--method", "probe-linear", "--source", "nano", "--demo", "--deform",
                   "gain,stretch")  # fmt: skip
    assert answer.err == "mirbench: --deform stretch needs audiomentations: pip install 'mirbench[effects]'\n"
    assert (answer.code, Path("runs").exists()) == (2, False)
