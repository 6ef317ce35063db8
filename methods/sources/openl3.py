"""OpenL3 in a process of its own: TensorFlow never enters ours.

One worker for each set of options runs as long as this process; `mirbench.methods.sources.openl3_worker` is its text.

References
----------
Cramer, Wu, Salamon, Bello (2019), Look, listen and learn more: design choices for deep audio embeddings, ICASSP.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import shutil
import subprocess
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor, nn

from mirbench.errors import BadInput, MirbenchError, MissingExtra
from mirbench.features.temporary import temporary
from mirbench.methods.sources.embedding_cards import OPENL3
from mirbench.source import Activations
from mirbench.types import FloatArray

__all__ = ["OpenL3Network", "build", "identity"]

START_SECONDS, ANSWER_SECONDS = 600.0, 600.0  # without an answer; loading TensorFlow can take a minute
CHUNK = 256  # windows a request: 49 MB


class MissingOpenL3(MissingExtra):
    """There is no Python with openl3; a run that needs it is skipped.

    Parameters
    ----------
    why : str
        What was looked for.
    """

    def __init__(self, why: str) -> None:
        MirbenchError.__init__(
            self,
            f"source openl3 needs a Python with openl3 ({why}): python3.8 -m venv DIR, DIR/bin/pip install "
            "'setuptools<81' tensorflow openl3, and set MIRBENCH_OPENL3_PYTHON=DIR/bin/python",
        )


@dataclass(frozen=True)
class Options:
    """Which of OpenL3's models."""

    content_type: str
    input_repr: str
    n_features: int

    def __post_init__(self) -> None:
        for name, accepted in OPENL3.choices.items():
            if (value := getattr(self, name)) not in accepted:
                raise BadInput(f"--source-set {name}={value}: {' or '.join(map(str, accepted))} is needed")


class Worker:
    """A process that computes embeddings.

    Parameters
    ----------
    python : str
        Its interpreter.
    options : Options
        The model that it loads.

    Attributes
    ----------
    facts : mapping
        ``version`` of openl3 and ``sha256`` of its weights.
    """

    def __init__(self, python: str, options: Options) -> None:
        self._python, self._n_features = python, options.n_features
        self._held = ExitStack()
        self._folder = self._held.enter_context(temporary())
        self._lock = threading.Lock()
        self._answers: queue.Queue[str] = queue.Queue()
        text = (files("mirbench.methods.sources") / "openl3_worker.py").read_text(encoding="utf-8")
        # its text, not its path: else its folder, which holds our openl3.py, would come first on its path
        command = [python, "-c", text, json.dumps(asdict(options))]
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=self._folder,
                    env={"TF_CPP_MIN_LOG_LEVEL": "2", "TF_FORCE_GPU_ALLOW_GROWTH": "true", **os.environ},
                    encoding="utf-8",
                )
        except OSError as error:
            self._held.close()
            raise MissingOpenL3(f"{python} does not start: {error.strerror}") from error
        assert self._process.stdout is not None
        reader = threading.Thread(target=_read, args=(self._process.stdout, self._answers), daemon=True)
        reader.start()
        self.stop = weakref.finalize(self, _stop, self._process, reader, self._held)
        self.facts: Mapping[str, Any] = self._answer(START_SECONDS)

    @property
    def _log(self) -> Path:
        return self._folder / "stderr.txt"

    def embed(self, windows: FloatArray) -> FloatArray:
        """(n, 48000) -> (n, n_features).

        Raises
        ------
        MirbenchError
            If the process ended, failed, or does not answer; a later call begins anew.
        """
        parts = [self._exchange(windows[i : i + CHUNK]) for i in range(0, len(windows), CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, self._n_features), np.float32)

    def _exchange(self, windows: FloatArray) -> FloatArray:
        places = {name: str(self._folder / f"{name}.npy") for name in ("windows", "embeddings")}
        assert self._process.stdin is not None
        with self._lock:
            np.save(places["windows"], windows)
            with contextlib.suppress(OSError):  # a process that ended is told of by the missing answer
                self._process.stdin.write(json.dumps(places) + "\n")
                self._process.stdin.flush()
            self._answer(ANSWER_SECONDS)
            found: FloatArray = np.load(places["embeddings"], allow_pickle=False)
        if found.shape != (len(windows), self._n_features):
            raise self._failure(f"came back with shape {found.shape}; {(len(windows), self._n_features)} is needed")
        return found

    def _answer(self, seconds: float) -> Mapping[str, Any]:
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            raise self._failure(f"gave no answer in {seconds:g} s") from None
        if not line:
            code = self._process.wait()
            raise self._failure(f"ended (exit code {code}; last words: {self._last_words()})")
        found: Mapping[str, Any] = json.loads(line)
        if "missing" in found:
            self.stop()
            raise MissingOpenL3(f"{self._python}: {found['missing']}")
        if "error" in found:
            raise self._failure(f"failed: {found['error']}")
        return found

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "none"

    def _failure(self, how: str) -> MirbenchError:
        self.stop()
        first = " ".join(how.split())
        return MirbenchError(f"source openl3: its process ({self._python}) {first}")


def _read(stream: IO[str], answers: queue.Queue[str]) -> None:
    """Lines into the queue, and "" at the end."""
    for line in stream:
        answers.put(line)
    answers.put("")


def _stop(process: subprocess.Popen[str], reader: threading.Thread, held: ExitStack) -> None:
    process.kill()
    process.wait()
    reader.join()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what it was not told is lost
            if stream is not None:
                stream.close()
    held.close()


_workers: dict[tuple[str, Options], Worker] = {}


def _worker(python: str, options: Options) -> Worker:
    """The running worker for this, or a new one."""
    worker = _workers.get((python, options))
    if worker is None or not worker.stop.alive:
        worker = _workers[python, options] = Worker(python, options)
    return worker


class OpenL3Network(nn.Module):
    """Embeddings from the other process, as a network without parameters; no gradient passes it.

    Parameters
    ----------
    python : str
        The interpreter that has openl3.
    options : Options
        The model.
    """

    def __init__(self, python: str, options: Options) -> None:
        super().__init__()
        self.python, self.options = python, options

    def body(self, audio: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, 48000) -> pooled (n, n_features); it has no layers to show."""
        windows = np.ascontiguousarray(audio.detach().cpu().numpy(), dtype=np.float32)
        rows = _worker(self.python, self.options).embed(windows)
        return Activations(torch.from_numpy(rows).to(audio.device))


def build(
    path: Path | None = None, *, content_type: str = "music", input_repr: str = "mel256", n_features: int = 512
) -> OpenL3Network:
    """OpenL3 in the Python at `path`, or else the one that MIRBENCH_OPENL3_PYTHON names.

    Raises
    ------
    BadInput
        If an option is unknown.
    MissingExtra
        If there is no such Python, or it has no openl3.
    """
    python, options = _python(path), Options(content_type, input_repr, n_features)
    _worker(python, options)  # whether it can, before any audio is read
    return OpenL3Network(python, options).eval()


def identity(
    path: Path | None = None, *, content_type: str = "music", input_repr: str = "mel256", n_features: int = 512
) -> str:
    """A hash of openl3's version and of its weights for these options, as 64 hex digits; raises as `build` does."""
    facts = _worker(_python(path), Options(content_type, input_repr, n_features)).facts
    return hashlib.sha256(f"openl3 {facts['version']} {facts['sha256']}".encode()).hexdigest()


def _python(path: Path | None) -> str:
    name = str(path or os.environ.get("MIRBENCH_OPENL3_PYTHON", ""))
    if not name:
        raise MissingOpenL3("MIRBENCH_OPENL3_PYTHON is not set")
    python = shutil.which(os.path.expanduser(name))
    if python is None:
        raise MissingOpenL3(f"{name} is not a program")
    return os.path.abspath(python)
