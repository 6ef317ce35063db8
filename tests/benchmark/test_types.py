"""The words: splits and their labels, blind splits, the identity of a run."""

import dataclasses
import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirbench.errors import BadInput, MissingData
from mirbench.record import RunSpec
from mirbench.types import Clip, Excerpt, Split, Task, Windowing, excerpts

SPEC = RunSpec(
    task="tiny",
    task_version="1",
    fold=0,
    windowing=Windowing(),
    method="probe-linear",
    method_version="1",
    params={"C": 0.5, "norm": None},
    search={"C": [0.1, 1.0]},
    source="nano",
    source_version="1",
    source_params={"input_norm": "audioset"},
    source_sha256="ab" * 32,
    audio_sha256="cd" * 32,
    precision="float32",
    seed=3,
)
CHANGES = {
    "task": "other",
    "task_version": "2",
    "fold": 1,
    "windowing": Windowing(average="logit"),
    "method": "probe-svm",
    "method_version": "1+abc",
    "params": {"C": 0.25, "norm": None},
    "search": {},
    "source": "ast",
    "source_version": "2",
    "source_params": {},
    "source_sha256": "ef" * 32,
    "audio_sha256": "ef" * 32,
    "precision": "float16",
    "seed": 4,
    "fit_on": "refit",
    "pad": "center",
    "thresholds": "valid",
    "calibrate": "temperature",
}


def task_of(kind, classes=("jazz", "rock", "folk")):
    return Task("tiny", "1", "", kind, classes, ("macro-f1",), lambda root, fold: [], "tiny", 3, 1.0)


def clip(number, *labels, **more):
    return Clip(f"clip-{number}", Path(f"/music/{'-'.join(labels)}/{number}.wav"), "test", labels, **more)


TAGS = Split(task_of("multi-label"), (clip(1, "jazz", "folk"), clip(2), clip(3, "rock", unknown=("jazz",))))
GENRES = Split(task_of("single-label"), (clip(1, "folk"), clip(2, "jazz"), clip(3, "folk", start=2.0, duration=3.0)))


def test_targets_are_one_where_a_class_is_present():
    assert TAGS.targets().value.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


def test_targets_are_unknown_where_nobody_judged():
    assert TAGS.targets().known.tolist() == [[True] * 3, [True] * 3, [False, True, True]]


def test_targets_are_float32_and_bool():
    assert (TAGS.targets().value.dtype, TAGS.targets().known.dtype) == (np.float32, np.bool_)


def test_targets_of_many_clips_are_those_of_each_alone():
    rng, names = np.random.default_rng(3), ("jazz", "rock", "folk")
    many = []
    for number in range(50):
        kinds = rng.integers(0, 3, 3)  # of each class: absent, present, unknown
        present, unknown = ([name for name, kind in zip(names, kinds, strict=True) if kind == k] for k in (1, 2))
        strengths = tuple(rng.random(len(present))) if number % 2 else ()
        many.append(clip(number, *present, unknown=tuple(unknown), strengths=strengths))
    together = Split(TAGS.task, tuple(many)).targets()
    alone = [Split(TAGS.task, (one,)).targets() for one in many]
    assert together.value.tolist() == [own.value[0].tolist() for own in alone]
    assert together.known.tolist() == [own.known[0].tolist() for own in alone]
    strong = next(one for one in many if len(one.strengths) > 1)
    value = Split(TAGS.task, (strong,)).targets().value[0]
    assert value[[names.index(name) for name in strong.labels]].tolist() == np.float32(strong.strengths).tolist()


def test_targets_of_no_clips_have_the_columns_of_the_task():
    assert Split(TAGS.task, ()).targets().value.shape == (0, 3)


def test_class_index_follows_the_order_of_the_classes():
    assert GENRES.class_index().tolist() == [2, 0, 2]


def test_class_index_of_multi_label_is_refused():
    with pytest.raises(BadInput, match="tiny is multi-label"):
        TAGS.class_index()


def test_split_has_the_length_of_its_clips():
    assert len(GENRES) == 3


def test_blind_split_has_length_classes_and_kind():
    blind = GENRES.blind()
    assert (len(blind), blind.classes, blind.kind) == (3, ("jazz", "rock", "folk"), "single-label")


def test_blind_split_shows_nothing_else():
    assert set(vars(GENRES.blind())) == {"classes", "kind", "n_clips"}


@pytest.mark.parametrize("secret", ["clip-1", "/music", "wav"])
def test_blind_split_prints_no_id_or_path(secret):
    assert secret not in repr(GENRES.blind())


@pytest.mark.parametrize("name", ["clips", "targets", "class_index", "task"])
def test_blind_split_has_no_way_to_labels(name):
    assert not hasattr(GENRES.blind(), name)


def test_blind_splits_that_look_alike_keep_their_own_audio():
    other = Split(GENRES.task, tuple(reversed(GENRES.clips)))
    blind, blind_other = GENRES.blind(), other.blind()
    assert [e.path for e in excerpts(blind)] == [e.path for e in reversed(excerpts(blind_other))]


def test_excerpts_of_a_blind_split_are_those_of_its_split():
    assert excerpts(GENRES.blind()) == excerpts(GENRES)


def test_excerpts_hold_path_start_and_duration():
    assert excerpts(GENRES)[2] == Excerpt(Path("/music/folk/3.wav"), 2.0, 3.0)


def test_blind_split_that_is_gone_leaves_nothing_behind():
    from mirbench import types

    gc.collect()
    before = len(types._HIDDEN)
    blind = GENRES.blind()
    assert len(types._HIDDEN) == before + 1
    del blind
    gc.collect()
    assert len(types._HIDDEN) == before


def test_key_is_sixteen_hex_digits():
    assert len(SPEC.key) == 16
    assert set(SPEC.key) <= set("0123456789abcdef")


def test_key_is_the_same_in_another_process():
    code = """
import json, sys
from mirbench.record import RunSpec
from mirbench.types import Windowing
fields = json.loads(sys.argv[1])
print(RunSpec(windowing=Windowing(**fields.pop("windowing")), **fields).key)
"""
    fields = json.dumps(dataclasses.asdict(SPEC))
    given = {**os.environ, "PYTHONHASHSEED": "12345"}
    told = subprocess.run([sys.executable, "-c", code, fields], capture_output=True, text=True, check=True, env=given)
    assert told.stdout.strip() == SPEC.key


def test_changes_cover_every_field_of_a_spec():
    assert {field.name for field in dataclasses.fields(RunSpec)} == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_key_changes_with_each_field(name):
    assert dataclasses.replace(SPEC, **{name: CHANGES[name]}).key != SPEC.key


@settings(max_examples=50, deadline=None, database=None)
@given(params=st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(max_size=5)))
def test_key_does_not_depend_on_the_order_of_params(params):
    backwards = dict(reversed(params.items()))
    assert dataclasses.replace(SPEC, params=params).key == dataclasses.replace(SPEC, params=backwards).key


def test_key_does_not_depend_on_lists_or_tuples():
    assert dataclasses.replace(SPEC, search={"C": (0.1, 1.0)}).key == SPEC.key


def test_key_refuses_what_json_has_no_word_for():
    with pytest.raises(ValueError, match="JSON"):
        _ = dataclasses.replace(SPEC, params={"lr": float("nan")}).key


# Soft labels


def test_labels_without_strengths_are_all_present():
    assert clip(1, "jazz", "folk").present == ("jazz", "folk")


def test_labels_of_half_strength_or_more_are_present():
    assert clip(1, "jazz", "rock", "folk", strengths=(0.5, 0.49, 1.0)).present == ("jazz", "folk")


def test_labels_and_strengths_of_different_number_are_an_error():
    with pytest.raises(ValueError, match="zip"):
        _ = clip(1, "jazz", "rock", strengths=(0.5,)).present


def test_targets_of_soft_labels_are_their_strengths():
    soft = Split(TAGS.task, (clip(1, "folk", "jazz", strengths=(0.25, 0.75)), clip(2), clip(3, "rock")))
    assert soft.targets().value.tolist() == [[0.75, 0, 0.25], [0, 0, 0], [0, 1, 0]]


def test_targets_are_of_the_kind_of_their_task():
    assert (TAGS.targets().kind, GENRES.targets().kind) == ("multi-label", "single-label")


def test_excerpts_hold_the_levels_at_which_a_clip_is_heard():
    loud = Split(GENRES.task, (clip(1, "folk", peaks=(-20.0, 0.0)),))
    assert excerpts(loud)[0].peaks == (-20.0, 0.0)


def test_excerpts_of_clips_without_files_say_how_many():
    lists = Split(GENRES.task, tuple(dataclasses.replace(clip(n, "folk"), path=None) for n in range(5)))
    with pytest.raises(MissingData, match=r"5 of 5 clips have no audio on this machine \(clip-0, clip-1, clip-2 …\)"):
        excerpts(lists)
