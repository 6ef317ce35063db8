"""Encoders in a Python of their own: what they import never enters ours (see `mirbench.encoder`).

The path of that Python is in an environment variable that the encoder names. A process of it runs as long as ours, one
for each set of options; `mirbench.methods.sources.own_python_worker` is its text. Audio goes there by a pipe, and
embeddings come back by another one: as plain numbers behind a line of JSON, never more than were asked for.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import selectors
import shutil
import signal
import struct
import subprocess
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirbench.errors import MirbenchError, MissingExtra
from mirbench.features.temporary import temporary
from mirbench.source import Activations
from mirbench.types import FloatArray

__all__ = ["OwnPythonNetwork", "identity"]

START_SECONDS, ANSWER_SECONDS = 1800.0, 600.0  # without an answer; a start may fetch weights
_MOST_WORDS, _MOST_FEATURES, _LAST_WORDS = 2**16, 2**17, 2**13
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


class MissingPython(MissingExtra):
    """There is no such Python, or it lacks what the encoder needs; a run that needs it is skipped.

    Parameters
    ----------
    name : str
        Of the encoder.
    variable : str
        Which names it.
    why : str
        What was looked for.
    """

    def __init__(self, name: str, variable: str, why: str) -> None:
        MirbenchError.__init__(
            self, f"source {name} runs in a Python of its own ({why}): set {variable}=DIR/bin/python of one that can"
        )


class OwnPythonNetwork(nn.Module):
    """Embeddings from the other process, as a network without parameters of ours; no gradient passes it.

    Parameters
    ----------
    kind : type
        The encoder's class; it is not called here.
    paths : sequence of str
        What it is called with there.
    options : mapping
        And its options.

    Attributes
    ----------
    elsewhere : int
        Parameters of the networks of torch that it holds there; 0 where it holds none.
    """

    def __init__(self, kind: Any, paths: Sequence[str], options: Mapping[str, Any]) -> None:
        super().__init__()
        self._asked: tuple[Any, tuple[str, ...], dict[str, Any]] = (kind, tuple(paths), dict(options))
        # started here, so that whether it can is known before any audio is read
        self.elsewhere: int = _worker(*self._asked).n_parameters

    def body(self, audio: Tensor, layers: Sequence[int] = ()) -> Activations:
        """(n, n_samples) -> pooled (n, n_features); it has no layers to show."""
        windows = np.ascontiguousarray(audio.detach().cpu().numpy(), dtype="<f4")
        rows = _worker(*self._asked).embed(windows, str(audio.device))
        return Activations(torch.from_numpy(rows).to(audio.device))


def identity(kind: Any, options: Mapping[str, Any]) -> str:
    """A hash of the weights of the networks of torch that it holds there, as 64 hex digits; "" where it holds none."""
    return _worker(kind, (), options).sha256


class Worker:
    """A process that computes embeddings.

    Parameters
    ----------
    kind, paths, options
        As of `OwnPythonNetwork`.

    Attributes
    ----------
    n_parameters, sha256
        Of what it loaded.
    threads : int
        With which it was started.
    """

    def __init__(self, kind: Any, paths: Sequence[str], options: Mapping[str, Any]) -> None:
        self._name, self._variable = kind.name, kind.python
        self._python = _python(kind)
        self._n_features, self._said = 0, b""
        self._lock = threading.Lock()
        held = ExitStack()
        folder = held.enter_context(temporary())
        text = (files("mirbench.methods.sources") / "own_python_worker.py").read_text(encoding="utf-8")
        self.threads = torch.get_num_threads()
        try:
            # its text, not its path: else its folder, which holds modules of ours, would come first on its path
            self._process = subprocess.Popen(
                [self._python, "-c", text],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ, **dict.fromkeys(_THREADS, str(self.threads))},
                start_new_session=True,  # an interrupt is ours to handle
                bufsize=0,
            )
        except OSError as error:
            held.close()
            raise MissingPython(
                self._name, self._variable, f"{self._python} does not start: {error.strerror}"
            ) from error
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.stop = weakref.finalize(self, _stop, self._process, held)
        told = {
            "file": inspect.getfile(kind),
            "kind": kind.__qualname__,
            "takes": getattr(kind, "takes", "torch"),
            "threads": self.threads,
            "paths": list(paths),
            "options": dict(options),
        }
        with self._lock:
            facts = self._exchange(told, b"", START_SECONDS)
        n, sha256 = facts.get("n_parameters"), facts.get("sha256")
        if type(n) is not int or n < 0 or not isinstance(sha256, str) or len(sha256) not in (0, 64):
            raise self._failure("answered what is no answer")
        self.n_parameters, self.sha256 = n, sha256

    def embed(self, windows: FloatArray, device: str) -> FloatArray:
        """(n, n_samples) -> (n, n_features).

        Raises
        ------
        MirbenchError
            If the process ended, failed, or does not answer; a later call begins anew.
        """
        with self._lock:
            told = self._exchange({"shape": windows.shape, "device": device}, windows.tobytes(), ANSWER_SECONDS)
            shape: Any = told.get("shape")
            fits = isinstance(shape, list) and len(shape) == 2 and all(type(size) is int for size in shape)
            if not fits or shape[0] != len(windows) or not 1 <= shape[1] <= _MOST_FEATURES:
                raise self._failure(f"came back with shape {str(shape)[:80]} for {len(windows)} windows")
            if shape[1] != (self._n_features or shape[1]):
                raise self._failure(f"came back with {shape[1]} features, and had {self._n_features} before")
            self._n_features = shape[1]
            held = self._read(4 * math.prod(shape), time.monotonic() + ANSWER_SECONDS)
        rows: FloatArray = np.frombuffer(held, dtype="<f4").reshape(shape).astype(np.float32)
        return rows

    def _exchange(self, message: Mapping[str, Any], payload: bytes, seconds: float) -> dict[str, Any]:
        """Say something, and hear what is answered: the words of it."""
        deadline = time.monotonic() + seconds
        words = json.dumps(message).encode()
        self._write(struct.pack(">Q", len(words)) + words + payload, deadline, seconds)
        (length,) = struct.unpack(">Q", self._read(8, deadline, seconds))
        if length > _MOST_WORDS:
            raise self._failure("answered more than was asked")
        try:
            found: dict[str, Any] = json.loads(self._read(length, deadline, seconds))
        except ValueError:
            found = {"error": "it answered what is no answer"}
        if "missing" in found:
            self.stop()
            raise MissingPython(self._name, self._variable, f"{self._python}: {_line(found['missing'])}")
        if "error" in found:
            raise self._failure(f"failed: {found['error']}")
        return found

    def _write(self, data: bytes, deadline: float, seconds: float) -> None:
        assert self._process.stdin is not None
        stream, left = self._process.stdin.fileno(), memoryview(data)
        while left:
            if not _ready(stream, selectors.EVENT_WRITE, deadline):
                raise self._failure(f"took no audio in {seconds:g} s")
            try:
                left = left[os.write(stream, left[: 2**16]) :]
            except BlockingIOError:
                continue
            except OSError:  # a process that ended is told of by the missing answer
                return

    def _read(self, n: int, deadline: float, seconds: float = ANSWER_SECONDS) -> bytes:
        assert self._process.stdout is not None
        stream, parts = self._process.stdout.fileno(), []
        while n:
            if not _ready(stream, selectors.EVENT_READ, deadline):
                raise self._failure(f"gave no answer in {seconds:g} s")
            part = os.read(stream, min(n, 2**20))
            if not part:
                raise self._failure(self._end())
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def _end(self) -> str:
        """How a process that closed its end ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5.0)
        self._listener.join(1.0)
        code = self._process.returncode
        how = "closed its pipe" if code is None else f"ended with exit code {code}"
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        said = self._said.decode(errors="replace").strip().splitlines()
        return f"{how} (last words: {said[-1].strip()[:500] if said else 'none'})"

    def _listen(self) -> None:
        """Keep the end of what it prints."""
        stream = self._process.stderr
        assert stream is not None
        with suppress(OSError, ValueError):  # it is closed beneath us when the process is stopped
            while part := os.read(stream.fileno(), 2**13):
                self._said = (self._said + part)[-_LAST_WORDS:]

    def _failure(self, how: str) -> MirbenchError:
        self.stop()
        return MirbenchError(f"source {self._name}: its process ({self._python}) {_line(how)}")


def _ready(stream: int, event: int, deadline: float) -> bool:
    """Whether a pipe is ready before the deadline."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, event)
        return bool(selector.select(max(0.0, deadline - time.monotonic())))


def _line(text: object) -> str:
    return " ".join(str(text).split())[:2000]


def _stop(process: subprocess.Popen[bytes], held: ExitStack) -> None:
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)  # with what it started
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        with suppress(OSError):
            if stream is not None:
                stream.close()
    held.close()


_workers: dict[tuple[Any, ...], Worker] = {}


def _worker(kind: Any, paths: Sequence[str], options: Mapping[str, Any]) -> Worker:
    """The running worker for this, or a new one."""
    asked = (os.getpid(), _python(kind), kind, tuple(paths), tuple(sorted(options.items())))
    worker = _workers.get(asked)
    if worker is not None and worker.threads != torch.get_num_threads():
        worker.stop()  # libraries read their number of threads once
    if worker is None or not worker.stop.alive:
        worker = _workers[asked] = Worker(kind, paths, options)
    return worker


def _python(kind: Any) -> str:
    name = os.environ.get(kind.python, "")
    if not name:
        raise MissingPython(kind.name, kind.python, f"{kind.python} is not set")
    python = shutil.which(os.path.expanduser(name))
    if python is None:
        raise MissingPython(kind.name, kind.python, f"{name} is not a program")
    return os.path.abspath(python)
