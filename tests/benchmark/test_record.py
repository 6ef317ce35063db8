"""The identity of a run: keys of records that were made before still name the same runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, draft_plan
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


@pytest.mark.parametrize(("request_", "key", "system"), KEPT, ids=[request.method for request, _, _ in KEPT])
def test_key_is_that_of_the_first_release(request_: Request, key: str, system: str) -> None:
    spec = draft_plan(request_, Catalogue()).specs[0]
    spec = replace(spec, source_sha256="a" * 64, audio_sha256="b" * 64)
    assert spec.method_version != RISEN.get(spec.method)
    spec = replace(spec, method_version=RISEN.get(spec.method, spec.method_version))
    assert (spec.key, spec.system) == (key, system)
