"""The identity of a run: keys of records that were made before still name the same runs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mirbench.record import RunSpec
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, draft_plan
from mirbench.runs.record_file import as_text
from mirbench.runs.store import RunStore
from mirbench.types import Windowing

KEPT: tuple[tuple[Request, str, str], ...] = (
    (Request("gtzan", "prior", seeds=(0,)), "0dbb266079fb8803", "7c9b4590"),
    (Request("gtzan", "ids-nmr", "ast", seeds=(3,), params={"lr": 1e-3}), "bf2b42273c77e0ce", "b1c27627"),
    (
        Request(
            "gtzan-mini",
            "ii-nmr",
            "speechatt",
            seeds=(1,),
            folds=(2,),
            windowing=Windowing("nonoverlap-plus-tail", "logit"),
        ),
        "828ac9914ebe9963",
        "001cfcf6",
    ),
    (Request("openmic+normalized", "probe-svm", "shipped:vggish", seeds=(0,)), "b10b43363fd709dc", "ce99cc9c"),
    (
        Request(
            "gtzan-mini+shots5", "probe-linear", "efficientat-mn04", seeds=(4,), folds=(0,), search={"C": [0.1, 1.0]}
        ),
        "06e8df283a319e76",
        "40db85dd",
    ),
    (
        Request(
            "nsynth-organ", "unet-rp", "ast", seeds=(0,), source_params={"input_norm": "none"}, precision="bfloat16"
        ),
        "5392106caf92734a",
        "f33b5238",
    ),
    (
        Request("magnatagatune", "short-chunk-res", seeds=(0,), windowing=Windowing("hopped16", "prob")),
        "9addfeafaa444f0f",
        "f72721cb",
    ),
    (Request("ballroom", "mfcc-codebook", seeds=(0,), folds=(0,)), "9a6971919883e7a9", "1b97f49b"),
    (
        Request("vocalist-magnatagatune", "finetune", "vit-b16", seeds=(2,), params={"tuned": "last"}),
        "e88c2d092cffe5f5",
        "b9444f7b",
    ),
)
"""What was asked, and the keys of its run and its system under mirbench 0.1.0; hashes of weights and audio made up."""

RISEN = {"ids-nmr": "2", "ii-nmr": "2", "short-chunk-res": "2"}
"""Versions that methods had there and have no more: their other results are other runs."""

GROWN = {"finetune": ("optimizer",)}
"""Hyperparameters that methods had not there; they are part of every key since."""


@pytest.mark.parametrize(("request_", "key", "system"), KEPT, ids=[request.method for request, _, _ in KEPT])
def test_key_is_that_of_the_first_release(request_: Request, key: str, system: str) -> None:
    spec = draft_plan(request_, Catalogue()).specs[0]
    spec = replace(spec, source_sha256="a" * 64, audio_sha256="b" * 64)
    assert spec.method_version != RISEN.get(spec.method)
    spec = replace(spec, method_version=RISEN.get(spec.method, spec.method_version))
    spec = replace(
        spec, params={name: spec.params[name] for name in spec.params if name not in GROWN.get(spec.method, ())}
    )
    assert (spec.key, spec.system) == (key, system)


STORED = """{"spec": {"task": "gtzan", "task_version": "1", "fold": 0,
 "windowing": {"windows": "nonoverlap", "average": "prob"}, "method": "prior", "method_version": "1", "params": {},
 "search": {}, "source": "", "source_version": "", "source_params": {}, "source_sha256": "", "audio_sha256": "",
 "precision": "float32", "seed": 0}, "status": "skipped", "reason": "for want of audio", "metrics": {}, "n_scored": {},
 "n_trainable": null, "n_total": null, "n_clips": {}, "seconds": {}, "memory": {}, "flops": null, "classes": [],
 "kind": "", "changed": {}, "energy": {}, "spent": {}, "trials": [], "chosen": {}, "history": [], "standing": "full",
 "n_folds": 1, "uses_seed": true, "contaminated": [], "environment": {}, "files": {}, "schema_version": 1}"""
"""A record as mirbench 0.5.0 wrote it."""


def test_record_of_an_earlier_version_is_the_run_that_is_asked_for_now(tmp_path: Path) -> None:
    held = json.loads(STORED)
    text = json.dumps(held["spec"], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]  # as 0.5.0 made it
    spec = draft_plan(Request("gtzan", "prior", seeds=(0,)), Catalogue()).specs[0]
    assert replace(spec, task_version=held["spec"]["task_version"]).key == key
    folder = tmp_path / "gtzan" / "prior" / key
    folder.mkdir(parents=True)
    (folder / "record.json").write_text(STORED)
    record = RunStore(tmp_path).read(RunSpec(**held["spec"] | {"windowing": Windowing()}))
    assert record is not None
    assert (record.spec.fit_on, record.spec.pad, record.spec.thresholds) == ("train", "zeros", "0.5")
    assert json.loads(as_text(record)) == held
