"""Which worker does what: those that differ take no part, work is not lost with a worker, rows are shared."""

from __future__ import annotations

from typing import Any

import pytest

from mirbench.errors import BadInput
from mirbench.progress import Progress
from mirbench.runs.cluster import dask_cluster
from mirbench.runs.cluster.dask_cluster import Cluster
from mirbench.runs.cluster.dask_errands import Answer, Errand, Worker
from tests.benchmark.runs.cluster.fake_dask import Client


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def cluster(client: Client, lines: list[str], monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return made(client, lines, monkeypatch)


def made(client: Client, lines: list[str], monkeypatch: pytest.MonkeyPatch, device: str = "cpu") -> Cluster:
    monkeypatch.setattr(dask_cluster, "_WAIT", 0.001)
    monkeypatch.setattr(dask_cluster, "_LOOK_EVERY", 0.0)
    progress = Progress(quiet=True)
    monkeypatch.setattr(progress, "_print", lines.append)
    return Cluster(client, device, progress, most_deaths=3)


def nothing(text: str) -> str:
    return text


def errand(name: str, group: str = "", cost: float = 0.0) -> Errand:
    return Errand(name, nothing, lambda worker: name, group, cost)


def steps(cluster: Cluster, n: int = 3) -> list[Answer]:
    """What some steps bring, once every worker has said who it is."""
    found = cluster.step()
    while any(worker.fit is None for worker in cluster._workers.values()):
        found += cluster.step()
    return found + [answer for _ in range(n) for answer in cluster.step()]


def test_each_worker_has_one_errand_at_a_time(client: Client, cluster: Cluster) -> None:
    client.join("a", "b", nthreads=64)
    for n in range(5):
        cluster.add(errand(f"run {n}"))
    steps(cluster)
    assert set(client.open) == {"a", "b"}
    assert all(future.words["allow_other_workers"] is False for future in client.futures)
    assert (cluster.n_workers, cluster.n_under_way, cluster.busy) == (2, 2, True)


def test_answers_come_back_with_their_errands(client: Client, cluster: Cluster) -> None:
    client.join("a")
    cluster.add(errand("one"))
    steps(cluster)
    client.open["a"].ended("done")
    (answer,) = steps(cluster)
    assert (answer.errand.name, answer.said, answer.fault, cluster.busy) == ("one", "done", "", False)


@pytest.mark.parametrize(
    ("differs", "said"),
    [
        ({"numpy": "1.0"}, "numpy is 1.0, here "),
        ({"torch": ""}, "torch is not there, here "),
        ({"Python": "2.7"}, "Python is 2.7, here "),
        ({"the code of mirbench": "abc"}, "the code of mirbench is abc, here "),
        ({"the plugin other:x": "123"}, "the plugin other:x is 123, here not there"),
        (ModuleNotFoundError("No module named 'mirbench'"), "does not know this mirbench (ModuleNotFoundError: No mod"),
        (AttributeError("no attribute 'introduce'\n\x1b[31m"), "does not know this mirbench (AttributeError"),
    ],
)
def test_worker_that_differs_is_named_with_what_differs_and_does_nothing(
    differs: Any, said: str, client: Client, cluster: Cluster, lines: list[str]
) -> None:
    client.software["b"] = differs
    client.join("a", "b")
    for n in range(3):
        cluster.add(errand(f"run {n}"))
    steps(cluster)
    assert set(client.open) == {"a"}
    (line,) = lines
    assert line.startswith("worker b takes no part: ")
    assert said in line
    assert line.isprintable()


def test_worker_that_comes_late_is_compared_before_it_does_anything(client: Client, cluster: Cluster) -> None:
    client.join("a")
    for n in range(4):
        cluster.add(errand(f"run {n}"))
    steps(cluster)
    client.software["bad"] = {"numpy": "1.0"}
    client.join("late", "bad")
    steps(cluster)
    assert set(client.open) == {"a", "late"}
    assert sorted(client.asked) == ["a", "bad", "late"]


def test_cluster_where_no_worker_fits_is_refused(client: Client, cluster: Cluster) -> None:
    client.software = {"a": {"numpy": "1.0"}, "b": {"numpy": "1.0"}}
    client.join("a", "b")
    cluster.add(errand("one"))
    with pytest.raises(BadInput, match="none of its 2 workers fits"):
        steps(cluster)


def test_scheduler_that_does_not_know_mirbench_is_said(client: Client, cluster: Cluster) -> None:
    client.join("a")
    cluster.add(errand("one"))
    steps(cluster)
    client.open["a"].ended(RuntimeError("Error during deserialization of the task graph. This frequently\noccurs"))
    with pytest.raises(BadInput, match="the scheduler does not know this mirbench"):
        steps(cluster)


def test_cluster_without_workers_is_waited_for_and_then_refused(
    client: Client, cluster: Cluster, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.add(errand("one"))
    steps(cluster)
    monkeypatch.setattr(dask_cluster, "_PATIENCE", -1.0)
    with pytest.raises(BadInput, match=r"it has no worker.*the same command goes on"):
        steps(cluster)


def test_paused_worker_gets_nothing_and_is_named(
    client: Client, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.join("a")
    steps(cluster)
    client.join("a", status="paused")
    cluster.add(errand("one"))
    steps(cluster)
    assert client.open == {}
    monkeypatch.setattr(dask_cluster, "_PATIENCE", -1.0)
    with pytest.raises(BadInput, match="worker a is paused"):
        steps(cluster)


def test_scheduler_that_is_gone_is_one_line(client: Client, cluster: Cluster) -> None:
    client.join("a")
    cluster.add(errand("one"))
    steps(cluster)
    client.status = "connecting"
    with pytest.raises(BadInput, match="the scheduler is gone; finished runs are on record, the same command goes on"):
        steps(cluster)


def test_errand_of_a_worker_that_dies_goes_to_another_and_is_done_once(client: Client, cluster: Cluster) -> None:
    client.join("a")
    cluster.add(errand("one"))
    steps(cluster)
    lost = client.open["a"]
    del client.workers["tcp://a"]
    client.join("b")
    assert steps(cluster) == []
    assert lost.cancelled
    lost.ended("from the grave")
    client.open["b"].ended("done")
    assert [answer.said for answer in steps(cluster)] == ["done"]


def test_errand_that_kills_its_workers_is_given_up_and_the_others_go_on(client: Client, cluster: Cluster) -> None:
    client.join("a")
    cluster.add(errand("killer", cost=9))
    cluster.add(errand("other"))
    found = []
    for name in ("b", "c", "d"):
        found += steps(cluster)
        killed = next(name for name, future in client.open.items() if future.text == "killer")
        del client.workers[f"tcp://{killed}"]
        client.join(name)
    found += steps(cluster)
    (answer,) = found
    assert answer.errand.name == "killer"
    assert answer.fault == "3 workers died at it, one after another (a, b, c)"
    client.open["d"].ended("done")
    assert [answer.said for answer in steps(cluster)] == ["done"]


def test_what_waits_at_a_worker_is_not_blamed_for_its_death(client: Client, cluster: Cluster) -> None:
    client.join("a")
    every = [errand(f"run {n}", cost=n) for n in range(10)]
    for one in every:
        cluster.add(one)
    steps(cluster)
    del client.workers["tcp://a"]
    client.join("b")
    steps(cluster)
    assert [one.name for one in every if one.died] == ["run 9"]


def test_task_that_dask_gives_up_is_done_again(client: Client, cluster: Cluster) -> None:
    client.join("a")
    cluster.add(errand("one"))
    steps(cluster)
    client.open["a"].ended(type("KilledWorker", (Exception,), {})("x"))
    assert steps(cluster) == []
    assert client.open["a"].text == "one"


def test_dear_errands_are_done_first(client: Client, cluster: Cluster) -> None:
    client.join("a")
    for n in (1, 3, 2):
        cluster.add(errand(f"run {n}", cost=n))
    done = []
    for _ in range(3):
        steps(cluster)
        done.append(client.open["a"].text)
        client.open["a"].ended("")
    assert done == ["run 3", "run 2", "run 1"]


def test_errands_of_a_group_stay_with_a_worker_until_nothing_else_is_left(client: Client, cluster: Cluster) -> None:
    client.join("a", "b")
    for group in ("x", "y", "z"):
        for n in range(4):
            cluster.add(errand(f"{group}{n}", group, cost=n))
    had: dict[str, list[str]] = {"a": [], "b": []}
    for _ in range(6):
        steps(cluster)
        for name, future in client.open.items():
            had[name].append(future.text[0])
            future.ended("")
    assert {name: "".join(groups) for name, groups in had.items()} == {"a": "xxxxzz", "b": "yyyyzz"}


def test_errand_that_a_worker_cannot_do_is_tried_by_the_others_and_told_once_of_each(
    client: Client, cluster: Cluster, lines: list[str]
) -> None:
    client.join("a", "b")
    for n in range(2):
        cluster.add(errand(f"run {n}"))
    found: list[Answer] = []
    for _ in range(8):
        for answer in steps(cluster, 0):
            if answer.worker is None:
                found.append(answer)
            else:
                cluster.add_elsewhere(answer, "gtzan is not here")
        for future in client.open.values():
            future.ended("cannot")
    assert sorted(answer.errand.name for answer in found) == ["run 0", "run 1"]
    assert {answer.fault for answer in found} == {"gtzan is not here"}
    assert sorted(lines) == ["worker a: gtzan is not here", "worker b: gtzan is not here"]


@pytest.mark.parametrize(("device", "taken"), [("cuda", {"GPU": 1}), ("auto", {"GPU": 1}), ("cpu", None)])
def test_worker_with_a_gpu_is_asked_for_it_unless_the_processor_is_wanted(
    device: str, taken: object, client: Client, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = made(client, lines, monkeypatch, device)
    client.join("a", resources={"GPU": 1})
    cluster.add(errand("one"))
    steps(cluster)
    assert client.open["a"].words["resources"] == taken


def test_worker_without_a_gpu_takes_no_part_where_one_is_wanted(
    client: Client, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = made(client, lines, monkeypatch, "cuda:0")
    client.join("a", resources={"GPU": 1})
    client.join("b")
    steps(cluster)
    assert lines == [
        "worker b takes no part: it offers no GPU, and --device cuda:0 needs one: start it with --resources GPU=1"
    ]


def test_errand_that_is_not_to_be_done_now_is_left_and_the_next_one_begun(client: Client, cluster: Cluster) -> None:
    client.join("a")
    seen: list[Worker] = []
    cluster.add(Errand("held", nothing, lambda worker: (seen.append(worker), "")[1], cost=9))
    cluster.add(errand("free"))
    steps(cluster)
    assert [worker.name for worker in seen] == ["a"]
    assert client.open["a"].text == "free"


def test_end_cancels_what_is_under_way(client: Client, cluster: Cluster) -> None:
    client.join("a")
    cluster.add(errand("one"))
    steps(cluster)
    cluster.close()
    assert client.futures[-1].cancelled
