"""Settings of the process on which numbers depend, as a new process has them.

A method of somebody else's may leave torch in double precision, without gradients or with a hook in every network, or
the process in another folder: neither the next run nor the rows that all share may be computed so.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch.nn.modules import module as networks
from torch.optim import optimizer as optimizers

__all__ = ["computed_as_usual", "left_as_found"]

_Setting = tuple[Callable[[], Any], Callable[[Any], Any], Any]
"""How it is read, how it is set, and what it is in a new process."""


def _attribute(owner: Any, name: str, usual: Any) -> _Setting:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value), usual


def _set_default_device(device: torch.device) -> None:
    if torch.get_default_device() != device:  # any that is set, be it the processor, slows every call
        torch.set_default_device(None if device == _PROCESSOR else device)


_PROCESSOR = torch.device("cpu")
_SETTINGS: tuple[_Setting, ...] = (
    (torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    (torch.get_default_device, _set_default_device, _PROCESSOR),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly, False),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, 0),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"),
    (torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled, True),
    _attribute(torch.backends.mkldnn, "enabled", True),
    _attribute(torch.backends.cudnn, "enabled", True),
    _attribute(torch.backends.cudnn, "allow_tf32", True),
    # what `mirbench.runs.surroundings.find_device` chooses
    _attribute(torch.backends.cudnn, "deterministic", True),
    _attribute(torch.backends.cudnn, "benchmark", False),
)
_KINDS = ("forward_pre", "forward", "backward_pre", "backward", "parameter_registration", "buffer_registration")
_HOOKS: tuple[dict[Any, Any], ...] = tuple(
    held
    for owner, name in (
        *((networks, f"_global_{kind}_hooks") for kind in (*_KINDS, "module_registration")),
        *((optimizers, f"_global_optimizer_{kind}_hooks") for kind in ("pre", "post")),
    )
    if isinstance(held := getattr(owner, name, None), dict)  # no release of torch promises these names
)


@contextmanager
def computed_as_usual(device: torch.device, threads: int) -> Iterator[None]:
    """Within the block numbers are computed as in a new process; after it all is set as it was before.

    Parameters
    ----------
    device : torch.device
        Where networks run.
    threads : int
        Of torch's arithmetic on the processor.
    """
    with ExitStack() as entered:
        entered.enter_context(_settings(threads))
        entered.enter_context(_no_hooks())
        entered.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        for kind in {"cpu", device.type}:
            entered.enter_context(torch.autocast(kind, enabled=False))
        entered.enter_context(torch.inference_mode(False))
        entered.enter_context(torch.enable_grad())
        yield


@contextmanager
def _settings(threads: int) -> Iterator[None]:
    before = [(put, get()) for get, put, _ in _SETTINGS]
    n_threads = torch.get_num_threads()
    for _, put, usual in _SETTINGS:
        put(usual)
    torch.set_flush_denormal(False)
    _set_threads(threads)
    try:
        yield
    finally:
        for put, value in before:
            put(value)
        _set_threads(n_threads)


def _set_threads(n: int) -> None:
    if torch.get_num_threads() != n:
        torch.set_num_threads(n)


@contextmanager
def _no_hooks() -> Iterator[None]:
    """No hook is in every network or optimizer."""
    before = [(hooks, dict(hooks)) for hooks in _HOOKS]
    for hooks in _HOOKS:
        hooks.clear()
    try:
        yield
    finally:
        for hooks, held in before:
            hooks.clear()
            hooks.update(held)


@contextmanager
def left_as_found(device: torch.device, seed: int) -> Iterator[None]:
    """Random numbers that belong to nobody come from a seed within the block; then they, and the folder, are as before.

    So are the streams that the command writes to, if they are open still; a child that was forked in the block and
    comes to its end is not this command, and ends there.

    Parameters
    ----------
    seed : int
        For what is drawn without a generator: of Python, of numpy and of torch.
    """
    folder, process, streams = os.getcwd(), os.getpid(), {name: getattr(sys, name) for name in ("stdout", "stderr")}
    drawn, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002  (a method may use it)
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            random.seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            torch.manual_seed(seed)
            yield
    finally:
        if os.getpid() != process:
            os._exit(1)
        for name, stream in streams.items():
            setattr(sys, name, open(os.devnull, "w") if stream and stream.closed else stream)  # noqa: SIM115
        os.chdir(folder)
        random.setstate(drawn)
        np.random.set_state(numbers)  # noqa: NPY002
