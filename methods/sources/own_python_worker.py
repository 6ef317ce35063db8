"""The other end of `mirbench.methods.sources.own_python`, for a Python that has what an encoder needs.

Its text is handed to that Python, which has no mirbench and may be older: numpy is all that it may use, and torch where
the encoder takes tensors. A message is a length of eight bytes, that much JSON, and the bytes of an array where that
names a shape. Standard input and output are kept for messages: whatever else is printed goes to standard error.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import queue
import struct
import sys
import threading
from typing import Any


def modules_of(thing: Any) -> Any:
    """The networks of torch that an encoder is, or holds: in its attributes, in lists and dicts there, and so on."""
    torch = sys.modules.get("torch")
    found: Any = []
    if torch is not None:
        _look(thing, torch.nn.Module, found, set(), 4)
    return found


def _look(thing: Any, kind: Any, found: Any, seen: Any, depth: int) -> None:
    if id(thing) in seen or depth < 0:
        return
    seen.add(id(thing))
    if isinstance(thing, kind):
        found.append(thing)
        return
    parts: Any = list(vars(thing).values()) if hasattr(thing, "__dict__") and not isinstance(thing, type) else []
    parts += list(thing) if isinstance(thing, (list, tuple)) else []
    parts += list(thing.values()) if isinstance(thing, dict) else []
    for part in parts:
        _look(part, kind, found, seen, depth - 1)


def rows_of(found: Any, n: int) -> Any:
    """What `embed` returned for n windows as an array (n, n_features) of float32: the mean over frames, if it has some.

    Raises
    ------
    TypeError, ValueError
        If it is none: what came, and what is needed.
    """
    import numpy

    if hasattr(found, "detach"):
        found = found.detach().float().cpu().numpy()
    if not isinstance(found, numpy.ndarray):
        raise TypeError(f"embed returned {type(found).__name__}; an array or a tensor is needed")
    if found.dtype.kind not in "fiu":
        raise TypeError(f"embed returned an array of {found.dtype}; numbers are needed")
    shape = found.shape
    if len(shape) not in (2, 3) or shape[0] != n or 0 in shape:
        needed = f"({n}, n_features) or ({n}, n_frames, n_features)"
        raise ValueError(f"embed returned the shape {shape} for {n} windows; {needed} is needed")
    if found.ndim == 3:
        found = found.mean(axis=1, dtype="float64")
    found = numpy.ascontiguousarray(found, dtype="float32")
    bad = numpy.flatnonzero(~numpy.isfinite(found).all(axis=1))
    if len(bad):
        raise ValueError(f"embed returned NaN or infinity for {len(bad)} of {n} windows")
    return found


def _load(told: Any) -> Any:
    spec: Any = importlib.util.spec_from_file_location("encoder_of_mirbench", told["file"])
    module = importlib.util.module_from_spec(spec)
    sys.modules["encoder_of_mirbench"] = module
    spec.loader.exec_module(module)
    kind = getattr(module, told["kind"])
    if told["takes"] == "torch":
        import torch

        torch.set_num_threads(told["threads"])
        torch.manual_seed(0)
    return kind(*told["paths"], **told["options"])


def _facts(encoder: Any) -> Any:
    """What can be told of it: its parameters, and a hash of all that they and its buffers hold."""
    n_parameters, digest, seen = 0, hashlib.sha256(), set()
    modules = modules_of(encoder)
    for module in modules:
        module.eval()
        module.requires_grad_(False)
        for name, value in sorted(module.state_dict(keep_vars=True).items()):
            if not hasattr(value, "detach"):
                continue
            values = value.detach().cpu().contiguous()
            digest.update(f"{name} {values.dtype} {tuple(values.shape)} ".encode())
            digest.update(values.reshape(-1).view(sys.modules["torch"].uint8).numpy().tobytes())
        for value in module.parameters():
            if id(value) not in seen:
                seen.add(id(value))
                n_parameters += value.numel()
    return {"n_parameters": n_parameters, "sha256": digest.hexdigest() if modules else ""}


def _embed(encoder: Any, told: Any, windows: Any) -> Any:
    import numpy

    audio = numpy.frombuffer(windows, dtype="<f4").reshape(told["shape"]).astype("float32")
    if told["takes"] != "torch":
        return rows_of(encoder.embed(audio), len(audio))
    import torch

    for module in modules_of(encoder):
        module.to(told["device"])
    with torch.no_grad():
        return rows_of(encoder.embed(torch.from_numpy(audio).to(told["device"])), len(audio))


def _exactly(fd: int, n: int) -> Any:
    """So many bytes; where the other end closes, it has ended, however it did: so does this process."""
    parts = []
    while n:
        part = os.read(fd, min(n, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        n -= len(part)
    return b"".join(parts)


def _listen(fd: int, asked: Any) -> None:
    while True:
        (length,) = struct.unpack(">Q", _exactly(fd, 8))
        told = json.loads(_exactly(fd, length))
        n = 4
        for size in told.get("shape", [0]):
            n *= size
        asked.put((told, _exactly(fd, n)))


def serve() -> None:
    """Answer until standard input ends."""
    heard, said = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # libraries print where they like
    asked: Any = queue.Queue()
    listener = threading.Thread(target=_listen, args=(heard, asked))
    listener.daemon = True
    listener.start()

    def answer(found: Any, payload: bytes = b"") -> None:
        text = json.dumps(found).encode()
        message = struct.pack(">Q", len(text)) + text + payload
        while message:
            message = message[os.write(said, message) :]

    def failed(error: BaseException) -> Any:
        return {"error": f"{type(error).__name__}: {error}"[:2000]}

    told, _ = asked.get()
    try:
        encoder = _load(told)
        answer(_facts(encoder))
    except ImportError as error:
        answer({"missing": str(error)[:2000]})
        return
    except BaseException as error:  # of somebody else's
        answer(failed(error))
        return
    while True:
        request, windows = asked.get()
        try:
            rows = _embed(encoder, dict(told, **request), windows)
        except Exception as error:
            answer(failed(error))
            continue
        answer({"shape": list(rows.shape)}, rows.astype("<f4").tobytes())


if __name__ == "__main__":
    serve()
