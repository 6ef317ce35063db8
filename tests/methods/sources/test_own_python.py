"""The exchange with an encoder in a Python of its own: what it answers, and what becomes of one that does not."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from torch import nn

from mirbench.errors import MirbenchError, MissingExtra
from mirbench.features.networks import load_network
from mirbench.features.weights import find_weights
from mirbench.methods.sources import own_python
from mirbench.plugin_file import Plugin, load_plugin
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request
from mirbench.runs.runner import run
from mirbench.trust.plugin_checks import check_plugin
from tests.toys import QUIET, splits_of, write_levels

WITHOUT_TORCH = '''
import os, sys, time
import numpy

class Ear:
    """Embedding j of a window is its sample j; some first samples make it misbehave."""
    name, sample_rate, seconds, takes, python = "ear", 8_000, 0.5, "numpy", "EAR_PYTHON"
    def __init__(self, width=6):
        print("loading " * 1000)
        os.write(1, b"from C\\n")
        self.width = width
    def embed(self, audio):
        assert audio.dtype == numpy.float32 and "mirbench" not in sys.modules
        os.write(1, b"more noise, which looks like an answer\\n")
        if audio[0, 0] == 10:
            print("one\\nout of memory", file=sys.stderr)
            os._exit(3)
        if audio[0, 0] == 11:
            raise ValueError("a bad\\nwindow")
        if audio[0, 0] == 12:
            time.sleep(60)
        if audio[0, 0] == 13:
            return audio[:, :5]
        if audio[0, 0] == 14:
            os.kill(os.getpid(), 11)
        return audio[:, : self.width]
'''
WITH_TORCH = '''
class Levels:
    """Mean levels of eighths of a window."""
    name, sample_rate, seconds, python = "levels", 8_000, 0.5, "EAR_PYTHON"
    def __init__(self):
        import torch
        self.linear = torch.nn.Linear(8, 4)
        torch.nn.init.ones_(self.linear.weight)
    def embed(self, audio):
        assert not self.linear.training and not audio.requires_grad
        return self.linear(audio.abs().unflatten(1, (8, -1)).mean(dim=2))
'''


@pytest.fixture(autouse=True)
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This Python as the other one, whose processes are ended afterwards."""
    monkeypatch.setenv("EAR_PYTHON", sys.executable)
    monkeypatch.setattr(own_python, "_workers", {})
    yield
    for worker in own_python._workers.values():
        worker.stop()


def plugin(folder: Path, text: str) -> Plugin:
    path = folder / "my_encoder.py"
    path.write_text(text)
    return load_plugin(path)


def network_of(folder: Path, text: str = WITHOUT_TORCH, **options: object) -> nn.Module:
    (card,) = plugin(folder, text).sources.values()
    return load_network(card, (), {**card.options, **options})


def window_that_begins(value: float) -> torch.Tensor:
    window = torch.rand(1, 4000)
    window[0, 0] = value
    return window


def process() -> subprocess.Popen[bytes]:
    (worker,) = own_python._workers.values()
    return worker._process


def test_embeddings_come_back_in_order_to_the_bit_and_options_reach_the_encoder(tmp_path: Path) -> None:
    windows = torch.rand(40, 4000)
    assert torch.equal(network_of(tmp_path).body(windows).pooled, windows[:, :6])
    assert torch.equal(network_of(tmp_path, width=9).body(windows).pooled, windows[:, :9])


@pytest.mark.parametrize(
    ("begins", "said"),
    [
        (10, r"ended with exit code 3 \(last words: out of memory\)$"),
        (11, r"failed: ValueError: a bad window$"),
        (13, r"came back with 5 features, and had 6 before$"),
        (14, r"was killed by SIGSEGV"),
    ],
    ids=["exit", "raise", "width", "signal"],
)
def test_encoder_that_fails_is_a_line_and_the_next_call_begins_anew(begins: int, said: str, tmp_path: Path) -> None:
    network = network_of(tmp_path)
    network.body(torch.rand(1, 4000))
    first = process()
    with pytest.raises(MirbenchError, match=f"^source ear: its process .*{said}") as raised:
        network.body(window_that_begins(begins))
    assert "\n" not in str(raised.value)
    assert first.poll() is not None
    windows = torch.rand(2, 4000)
    assert torch.equal(network.body(windows).pooled, windows[:, :6])
    assert process().pid != first.pid


def test_encoder_that_gives_no_answer_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(tmp_path)
    asked = process()
    monkeypatch.setattr(own_python, "ANSWER_SECONDS", 0.3)
    with pytest.raises(MirbenchError, match=r"gave no answer in 0\.3 s"):
        network.body(window_that_begins(12))
    assert asked.poll() is not None


def test_process_that_takes_no_audio_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = network_of(tmp_path)
    os.kill(process().pid, 19)  # SIGSTOP
    monkeypatch.setattr(own_python, "ANSWER_SECONDS", 0.3)
    with pytest.raises(MirbenchError, match=r"took no audio in 0\.3 s"):
        network.body(torch.rand(64, 4000))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ('{"shape": [1, 6000000]}', r"shape \[1, 6000000\] for 1 windows"),
        ('{"shape": [9, 6]}', r"shape \[9, 6\] for 1 windows"),
        ('{"shape": [1, true]}', r"shape \[1, True\]"),
        ('{"shape": "' + "9" * 200 + '"}', r"shape 9{80} for"),
        ("no json", "answered what is no answer"),
        ("x" * 100_000, "answered more than was asked"),
    ],
    ids=["wide", "more", "bool", "text", "words", "long"],
)
def test_answer_is_never_more_than_was_asked_for(
    words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = network_of(tmp_path)
    for worker in own_python._workers.values():
        told = iter([len(words).to_bytes(8, "big"), words.encode()])
        monkeypatch.setattr(worker, "_read", lambda *how, told=told: next(told))
    with pytest.raises(MirbenchError, match=said):
        network.body(torch.rand(1, 4000))


@pytest.mark.parametrize(
    ("python", "said"),
    [("", r"EAR_PYTHON is not set\): set EAR_PYTHON=DIR/bin/python"), ("no-python", "no-python is not a program")],
)
def test_python_that_is_not_there_is_a_missing_extra(
    python: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EAR_PYTHON", python)
    with pytest.raises(MissingExtra, match=said):
        network_of(tmp_path)


def test_program_that_does_not_start_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "python"
    broken.write_text("no program")
    broken.chmod(0o755)
    monkeypatch.setenv("EAR_PYTHON", str(broken))
    with pytest.raises(MissingExtra, match="does not start"):
        network_of(tmp_path)


def test_what_the_other_python_lacks_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingExtra, match="No module named 'nothing_of_the_kind'"):
        network_of(tmp_path, WITHOUT_TORCH.replace("self.width =", "import nothing_of_the_kind; self.width ="))


@pytest.mark.slow
def test_parameters_are_counted_and_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    hashes = []
    for text in (WITH_TORCH, WITH_TORCH, WITH_TORCH.replace("ones_", "zeros_"), WITHOUT_TORCH):
        (card,) = plugin(tmp_path, text).sources.values()
        weights = find_weights(card, None, tmp_path / "cache", QUIET, card.options)
        assert weights is not None
        hashes.append(weights.sha256)
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3
    assert [len(found) for found in hashes] == [64, 64, 64, 0]
    assert network_of(tmp_path, WITH_TORCH).elsewhere == 36


@pytest.mark.slow
def test_run_with_an_encoder_elsewhere_knows_its_parameters_and_no_operations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "toy"
    folder.mkdir(parents=True)
    classes = ("low", "middle", "high")
    splits = write_levels(splits_of({s: list(classes) * 2 for s in ("train", "valid", "test")}, classes, folder))
    toy = Plugin("test", "0" * 64, {"toy": splits[0].task}, {}, {})

    places = {"data": tmp_path / "data", "runs": tmp_path / "runs", "cache": tmp_path / "cache"}
    asked = partial(Request, "toy", source="levels", seeds=(0,), **places)
    catalogue = Catalogue([toy, plugin(tmp_path, WITH_TORCH)])
    (outcome,) = run(asked(method="probe-linear"), catalogue, QUIET)
    record = outcome.record
    assert record.status == "done", record.reason
    assert record.metrics["accuracy"] == 1.0
    assert (record.n_total, record.flops) == (36 + 15, None)
    assert record.seconds["clips_per_second"] > 0
    monkeypatch.setenv("EAR_PYTHON", "")
    (outcome,) = run(asked(method="knn"), catalogue, QUIET)
    assert outcome.record.status == "skipped"
    assert "EAR_PYTHON is not set" in outcome.record.reason


@pytest.mark.slow
def test_check_tries_an_encoder_elsewhere(tmp_path: Path) -> None:
    assert check_plugin(plugin(tmp_path, WITH_TORCH), QUIET) == {"source levels": []}


@pytest.mark.slow  # Pythons that load torch
@pytest.mark.parametrize("end", ["sys.exit()", "os.kill(os.getpid(), 9)"], ids=["end", "kill"])
def test_process_ends_with_ours_even_while_it_computes(end: str, tmp_path: Path) -> None:
    (tmp_path / "my_encoder.py").write_text(WITHOUT_TORCH)
    program = (
        "import os, sys, threading, time, torch\n"
        "from pathlib import Path\n"
        "from mirbench.features.networks import load_network\n"
        "from mirbench.methods.sources import own_python\n"
        "from mirbench.plugin_file import load_plugin\n"
        f"(card,) = load_plugin(Path({str(tmp_path / 'my_encoder.py')!r})).sources.values()\n"
        "network = load_network(card, (), card.options)\n"
        "(worker,) = own_python._workers.values()\n"
        "print(worker._process.pid, flush=True)\n"
        "audio = torch.full((1, 4000), 12.0)\n"
        "threading.Thread(target=network.body, args=(audio,), daemon=True).start()\n"
        "time.sleep(0.5)\n"
        f"{end}\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    for _ in range(100):
        if not _runs(pid):
            break
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:  # one that ended and that nobody has waited for is still listed
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_worker_is_in_the_grammar_of_older_pythons_and_imports_numpy_and_torch_alone() -> None:
    text = (files("mirbench.methods.sources") / "own_python_worker.py").read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 7))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert imported - set(sys.stdlib_module_names) == {"numpy", "torch"}
