"""The exchange with the other process, with a stand-in for openl3: the real package cannot be installed for tests."""

from __future__ import annotations

import ast
import copy
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from mirbench.errors import BadInput, MirbenchError, MissingExtra
from mirbench.features.bound import fold_batch_norm
from mirbench.methods.sources import openl3
from mirbench.methods.sources.embedding_cards import OPENL3
from mirbench.plugin_file import Plugin
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.trust.checks import check_network
from tests.toys import QUIET, splits_of, write_levels

STAND_IN = '''
"""Embedding j of a window is its sample j, doubled for "env"; some first samples make it misbehave."""
import os, sys, time
import numpy
from openl3 import models

__version__ = "0.4.2"
os.write(1, b"loading from C\\n")

def get_audio_embedding(audio, sr, model=None, center=True, hop_size=0.1, batch_size=32, verbose=True):
    assert (sr, center, hop_size, verbose) == (48000, False, 1.0, False)
    print('{"n": "noise that looks like an answer"}')
    os.write(1, b"more noise\\n")
    rows = []
    for window in audio:
        assert window.shape == (48000,) and window.dtype == numpy.float32
        if window[0] == 10:
            print("out of memory", file=sys.stderr)
            os._exit(3)
        if window[0] == 11:
            raise ValueError("a bad\\nwindow")
        if window[0] == 12:
            time.sleep(60)
        if window[0] == 13:
            rows.append(window[None, :5])
            continue
        rows.append(window[None, : model["n"]] * model["factor"])
    return rows, [numpy.zeros(1)] * len(rows)
'''
MODELS = """
import os
def load_audio_embedding_model(input_repr, content_type, embedding_size):
    return {"n": embedding_size, "factor": 2 if content_type == "env" else 1}
def get_audio_embedding_model_path(input_repr, content_type):
    return os.path.join(os.path.dirname(__file__), "weights.h5")
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put the stand-in where this Python finds it, and end its processes afterwards."""
    monkeypatch.setenv("MIRBENCH_OPENL3_PYTHON", sys.executable)
    monkeypatch.setattr(openl3, "_workers", {})

    def write(stand_in: str = STAND_IN, weights: bytes = b"weights") -> None:
        package = tmp_path / "elsewhere" / "openl3"
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").write_text(stand_in)
        (package / "models.py").write_text(MODELS)
        (package / "weights.h5").write_bytes(weights)
        monkeypatch.setenv("PYTHONPATH", str(package.parent))

    yield write
    for worker in openl3._workers.values():
        worker.stop()


def sound(n: int) -> torch.Tensor:
    return 0.1 * torch.randn(n, 48_000, generator=torch.Generator().manual_seed(n))


def window_that_begins(value: float) -> torch.Tensor:
    window = sound(1)
    window[0, 0] = value
    return window


def process_of(network: openl3.OpenL3Network) -> subprocess.Popen[str]:
    return openl3._worker(network.python, network.options)._process


def test_openl3_gives_a_row_for_each_window_in_order(install: Install) -> None:
    install()
    windows = sound(3)
    assert torch.equal(openl3.build().body(windows).pooled, windows[:, :512])


def test_openl3_options_reach_the_model(install: Install) -> None:
    install()
    windows = sound(2)
    network = openl3.build(content_type="env", input_repr="linear", n_features=6144)
    assert torch.equal(network.body(windows).pooled, 2 * windows[:, :6144])


def test_openl3_takes_batches_larger_than_one_request(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install()
    monkeypatch.setattr(openl3, "CHUNK", 4)
    windows = sound(11)
    assert torch.equal(openl3.build().body(windows).pooled, windows[:, :512])


def test_openl3_is_one_process_for_all_copies_of_a_network(install: Install) -> None:
    install()
    network = openl3.build()
    frozen = fold_batch_norm(copy.deepcopy(network)).to("cpu").requires_grad_(False)
    frozen.body(sound(1))
    assert process_of(network).pid == process_of(frozen).pid
    assert len(openl3._workers) == 1


def test_openl3_conforms_to_its_card(install: Install) -> None:
    install()
    assert check_network(OPENL3, openl3.build(**OPENL3.options)) == []


def test_openl3_that_crashes_is_one_line_and_the_next_call_begins_anew(install: Install) -> None:
    install()
    network = openl3.build()
    with pytest.raises(MirbenchError) as raised:
        network.body(window_that_begins(10))
    assert "exit code 3; last words: out of memory" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert torch.equal(network.body(sound(1)).pooled, sound(1)[:, :512])


def test_openl3_that_raises_is_one_line(install: Install) -> None:
    install()
    with pytest.raises(MirbenchError, match=r"failed: ValueError: a bad window$"):
        openl3.build().body(window_that_begins(11))


def test_openl3_that_gives_no_answer_is_ended(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install()
    network = openl3.build()
    process = process_of(network)
    monkeypatch.setattr(openl3, "ANSWER_SECONDS", 0.3)
    with pytest.raises(MirbenchError, match=r"gave no answer in 0\.3 s"):
        network.body(window_that_begins(12))
    assert process.poll() is not None


def test_openl3_rows_of_another_width_are_refused(install: Install) -> None:
    install()
    with pytest.raises(MirbenchError, match=r"shape \(1, 5\); \(1, 512\) is needed"):
        openl3.build().body(window_that_begins(13))


def test_openl3_without_an_interpreter_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MIRBENCH_OPENL3_PYTHON", raising=False)
    with pytest.raises(MissingExtra, match=r"not set.*pip install .* openl3, and set MIRBENCH_OPENL3_PYTHON="):
        openl3.build()


def test_openl3_interpreter_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match=r"no-python is not a program"):
        openl3.build(tmp_path / "no-python")


def test_openl3_program_that_does_not_start_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("no program")
    broken.chmod(0o755)
    with pytest.raises(MissingExtra, match="does not start"):
        openl3.build(broken)


def test_openl3_interpreter_without_the_package_is_told_from_ours_of_the_same_name(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    # our own module is called openl3 too, and must not be found in its place
    monkeypatch.delenv("PYTHONPATH", raising=False)
    with pytest.raises(MissingExtra, match="No module named 'openl3'"):
        openl3.build()


def test_openl3_that_fails_to_load_is_told(install: Install) -> None:
    install("raise RuntimeError('no GPU')")
    with pytest.raises(MirbenchError, match="failed: RuntimeError: no GPU"):
        openl3.build()


@pytest.mark.parametrize(
    "options", [{"content_type": "speech"}, {"input_repr": "mel64"}, {"n_features": 128}], ids=lambda o: next(iter(o))
)
def test_openl3_refuses_an_unknown_option(install: Install, options: dict[str, object]) -> None:
    install()
    with pytest.raises(BadInput, match=f"--source-set {next(iter(options))}="):
        openl3.build(**options)


def test_identity_is_of_the_version_and_the_weights(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # stand-ins of one size, written within a second
    found = []
    for stand_in, weights in (
        (STAND_IN, b"weights"),
        (STAND_IN, b"weights"),
        (STAND_IN, b"others"),
        (STAND_IN.replace("0.4.2", "0.5.0"), b"weights"),
    ):
        monkeypatch.setattr(openl3, "_workers", {})
        install(stand_in, weights)
        found.append(openl3.identity())
        for worker in openl3._workers.values():
            worker.stop()
    assert found[0] == found[1]
    assert len(set(found)) == 3
    assert all(len(text) == 64 for text in found)


@pytest.mark.parametrize("method", ["probe-linear", "probe-mlp"])
def test_costs_of_a_network_in_another_process_are_unknown_and_not_those_of_the_head(
    method: str, install: Install, tmp_path: Path
) -> None:
    install()
    folder = tmp_path / "data" / "toy"
    folder.mkdir(parents=True)
    classes = ("low", "middle", "high")
    splits = write_levels(splits_of({s: list(classes) * 2 for s in ("train", "valid", "test")}, classes, folder))
    catalogue = Catalogue([Plugin("test", "0" * 64, {"toy": splits[0].task}, {}, {})])
    request = Request(
        "toy", method, "openl3", seeds=(0,), params={"epochs": 1} if method == "probe-mlp" else {},
        source_params=OPENL3.options, data=tmp_path / "data", runs=tmp_path / "runs", cache=tmp_path / "cache",
    )  # fmt: skip
    (outcome,) = run(request, catalogue, QUIET)
    record = outcome.record
    assert record.status == "done", record.reason
    assert (record.n_total, record.flops) == (None, None)
    assert record.n_trainable > 512
    assert record.seconds["clips_per_second"] > 0


@pytest.mark.slow  # two Pythons that load torch
@pytest.mark.parametrize("end", ["sys.exit()", "os.kill(os.getpid(), 9)"], ids=["end", "kill"])
@pytest.mark.skipif(os.name != "posix", reason="looks for the process by signal 0")
def test_openl3_process_ends_with_ours(install: Install, end: str) -> None:
    install()
    program = (
        "import os, sys\n"
        "from mirbench.methods.sources import openl3\n"
        "network = openl3.build()\n"
        "worker = openl3._worker(network.python, network.options)\n"
        "print(worker._process.pid, worker._folder, flush=True)\n"
        f"{end}\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    pid, folder = done.stdout.split()
    for _ in range(100):
        if not _runs(int(pid)):
            break
        time.sleep(0.05)
    assert not _runs(int(pid))
    assert end != "sys.exit()" or not Path(folder).exists()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:  # one that ended and that nobody has waited for is still listed
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not Path("/proc").exists()


def test_worker_is_in_the_grammar_of_older_pythons() -> None:
    text = (files("mirbench.methods.sources") / "openl3_worker.py").read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 7))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(text))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - set(sys.stdlib_module_names) == {"numpy", "openl3"}
