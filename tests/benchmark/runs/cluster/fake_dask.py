"""A client of Dask without Dask: workers answer when a test says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from mirbench.runs.cluster.dask_worker import do_run, introduce, software


class Future:
    """What a worker was told, and will answer."""

    def __init__(self, function: Callable[[str], Any], text: str, words: dict[str, Any]) -> None:
        self.function, self.text, self.words = function, text, words
        self.answer: Any = None
        self.cancelled = False

    def add_done_callback(self, heard: Callable[[Future], None]) -> None:
        self.heard = heard

    def result(self) -> Any:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def ended(self, answer: Any) -> None:
        self.answer = answer
        self.heard(self)

    def cancel(self) -> None:
        self.cancelled = True


class Client:
    """A scheduler that does as it is told, and workers that fit unless `software` says what they have."""

    def __init__(self) -> None:
        self.status = "running"
        self.scheduler = SimpleNamespace(address="tcp://scheduler:1", identity=None)
        self.workers: dict[str, dict[str, Any]] = {}
        self.software: dict[str, Any] = {}
        self.futures: list[Future] = []
        self.asked: list[str] = []
        self.shares: tuple[str, ...] = ()

    def join(self, *names: str, **facts: Any) -> None:
        for name in names:
            self.workers[f"tcp://{name}"] = {"name": name, "resources": {}, "status": "running", **facts}

    def sync(self, ask: Any, **words: Any) -> dict[str, Any]:
        if self.status != "running":
            raise OSError("closed")
        return {"workers": dict(self.workers)}

    def submit(self, function: Callable[[str], Any], text: str, **words: Any) -> Future:
        future = Future(function, text, words)
        self.futures.append(future)
        return future

    def run(self, function: Callable[[str], Any], text: str, workers: list[str], on_error: str) -> dict[str, Any]:
        """What a worker says of itself; `software` says what differs, or what it raises."""
        assert (function, on_error) == (introduce, "return")
        (address,) = workers
        name = address.removeprefix("tcp://")
        self.asked.append(name)
        own = self.software.get(name, {})
        if isinstance(own, Exception):
            return {address: own}
        return {address: json.dumps({"software": software() | own, "shares": name in self.shares})}

    def cancel(self, futures: list[Future], **words: Any) -> None:
        for future in futures:
            future.cancel()

    @property
    def open(self) -> dict[str, Future]:
        """What is under way, by the name of the worker."""
        return {
            future.words["workers"][0].removeprefix("tcp://"): future
            for future in self.futures
            if future.answer is None and not future.cancelled
        }


class Inline(Client):
    """The same, whose workers do at once in this process what they are told.

    `shares` names those that see the folder of records; `change(name, answer)` may change what one says of a run, or
    raise `Gone`, where it dies.
    """

    def __init__(self, shares: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.shares = shares
        self.change: Callable[[str, Any], Any] = lambda name, answer: answer
        self.done: list[tuple[str, str, Any]] = []

    def submit(self, function: Callable[[str], Any], text: str, **words: Any) -> Future:
        future = Future(function, text, words)
        (address,) = words["workers"]
        name = address.removeprefix("tcp://")
        try:
            answer = function(text)
            if function is do_run:
                answer = self.change(name, answer)
        except Gone:
            del self.workers[address]
            self.join(f"{name}'")
            return future
        self.done.append((name, function.__name__, answer))
        future.add_done_callback = lambda heard: (setattr(future, "answer", answer), heard(future))  # type: ignore[method-assign]
        return future

    @property
    def runs(self) -> list[tuple[str, Any]]:
        """Who did runs, and what came of them."""
        return [(name, answer) for name, function, answer in self.done if function == "do_run"]


class Gone(Exception):
    """A worker that has died."""
