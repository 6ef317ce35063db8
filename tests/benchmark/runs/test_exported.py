"""A folder of trained models that needs neither the runs nor the data."""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.numpy import load_file

from mirbench import BadInput, MirbenchError, MissingExtra, NotApplicable, Task, load_model
from mirbench.methods.training.network import median_epoch
from mirbench.plugin_file import Plugin
from mirbench.runs.export import export
from mirbench.runs.export_text import SIX_LINES_OF_VALUES
from mirbench.runs.models import Leaf, Places
from mirbench.runs.onnx_graph import first_cause, traced, write_onnx
from mirbench.runs.plain_weights import copied
from mirbench.runs.predict import Model
from mirbench.runs.record_file import read_record
from mirbench.runs.store import RunStore
from tests.benchmark.runs.test_predict import Made, made, probe  # noqa: F401  (fixtures)
from tests.conftest import Answer

Typed = Callable[..., Answer]


@pytest.fixture(scope="module")
def model(made: Made, probe: list[Path]) -> Model:  # noqa: F811
    places = Places(cache=made.root / "cache", device="cpu")
    return load_model(f"probe-mlp+nano@{probe[0].name}", made.runs, places=places)


@pytest.fixture(scope="module")
def folder(model: Model, made: Made) -> Path:  # noqa: F811
    target = made.root / "exported"
    assert export(model, target, made.files[:2]).largest <= 1e-6
    return target


def moved(folder: Path, tmp_path: Path) -> Path:
    target = tmp_path / "moved"
    shutil.copytree(folder, target)
    return target


def loaded(folder: Path, tmp_path: Path) -> Model:
    return load_model(folder, tmp_path / "no runs", places=Places(cache=tmp_path / "cache", device="cpu"))


@pytest.mark.slow
def test_folder_predicts_as_the_run_where_no_run_is(model: Model, folder: Path, made: Made, tmp_path: Path) -> None:  # noqa: F811
    again = loaded(moved(folder, tmp_path), tmp_path)(made.files)
    np.testing.assert_allclose(again.probabilities, model(made.files).probabilities, rtol=0, atol=1e-6)
    assert again.runs == "mean of 2 seeds"


@pytest.mark.slow
def test_folder_holds_no_pickle_and_no_code(folder: Path) -> None:
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".json", ".md", ".safetensors"}


def test_command_takes_the_folder_in_the_place_of_a_run(typed: Typed, folder: Path, made: Made) -> None:  # noqa: F811
    answer = typed("predict", folder, made.files[0], "--device", "cpu")
    assert answer.code == 0, answer.err
    assert "tiny: probe-mlp + nano (epochs=2, hidden=4), mean of 2 seeds" in answer.out


def test_example_of_the_folders_readme_runs(
    folder: Path,
    made: Made,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (folder / "README.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in example.splitlines() if line]) <= 6
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("MIRBENCH_CACHE", str(made.root / "cache"))
    for name, file in zip(("song.mp3", "another.wav"), made.files, strict=False):
        shutil.copy(file, name)
    exec(example, {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in printed] == ["song.mp3", "another.wav"]


@pytest.mark.parametrize("name", ["models/0/model.safetensors", "models/1/record.json", "config.json"])
def test_damaged_folder_is_refused_in_one_line(name: str, folder: Path, made: Made, tmp_path: Path) -> None:  # noqa: F811
    target = moved(folder, tmp_path)
    held = (target / name).read_bytes()
    (target / name).write_bytes(held[:-20] if name != "config.json" else held[:300])
    with pytest.raises(BadInput) as caught:
        loaded(target, tmp_path)(made.files[0])
    assert "\n" not in str(caught.value)


def test_configuration_leads_nowhere_else(folder: Path, tmp_path: Path) -> None:
    target = moved(folder, tmp_path)
    config = json.loads((target / "config.json").read_text("utf-8"))
    config["models"][0]["folder"] = "../exported/models/0"
    (target / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(BadInput, match="leads out of the folder"):
        loaded(target, tmp_path)


def test_what_is_there_is_not_written_over(model: Model, folder: Path, made: Made) -> None:  # noqa: F811
    with pytest.raises(BadInput, match="is there already"):
        export(model, folder, made.files[:1])


def test_pickled_weights_become_plain_tensors_under_the_same_names(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    tensors = {"a.weight": torch.randn(3, 4).T, "count": torch.tensor(3)}
    torch.save(tensors, tmp_path / "net.pt")
    held = load_file(copied(tmp_path / "net.pt", tmp_path / "out.pt"))
    assert held.keys() == tensors.keys()
    assert all(torch.equal(held[name], value) for name, value in tensors.items())
    torch.save({"state": [1, 2]}, tmp_path / "odd.pt")
    with pytest.raises(BadInput, match="more than tensors by name"):
        copied(tmp_path / "odd.pt", tmp_path / "odd-out.pt")


def test_arrays_are_heard_as_their_files(model: Model, made: Made) -> None:  # noqa: F811
    sounds = [soundfile.read(file, dtype="float32") for file in made.files[:3]]
    found = model([samples for samples, _ in sounds], rate=sounds[0][1])
    np.testing.assert_allclose(found.probabilities, model(made.files[:3]).probabilities, rtol=0, atol=1e-6)
    assert [str(file) for file in found.files] == ["array 0", "array 1", "array 2"]
    with pytest.raises(BadInput, match="rate is None"):
        model(sounds[0][0])
    with pytest.raises(BadInput, match=r"of shape \(2, 8\)"):
        model(np.zeros((2, 8)), rate=8000)


@pytest.mark.slow
def test_file_alone_is_predicted_as_among_a_hundred(model: Model, made: Made, tmp_path: Path) -> None:  # noqa: F811
    files = []
    for n in range(100):
        samples, rate = soundfile.read(made.files[n % len(made.files)])
        soundfile.write(tmp_path / f"{n}.wav", samples * (1 - n / 200), rate)
        files.append(str(tmp_path / f"{n}.wav"))
    together = model(files).probabilities
    alone = np.concatenate([model(files[n]).probabilities for n in (0, 31, 32, 99)])
    np.testing.assert_allclose(together[[0, 31, 32, 99]], alone, rtol=0, atol=1e-6)


def test_threads_share_a_model(model: Model, made: Made) -> None:  # noqa: F811
    expected, found = model(made.files[:4]).probabilities, {}

    def ask(n: int) -> None:
        found[n] = model(made.files[n]).probabilities[0]

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(np.stack([found[n] for n in range(4)]), expected, rtol=0, atol=1e-6)


def test_example_of_the_documentation_is_that_of_the_folder(folder: Path) -> None:
    text = Path("docs/serving.md").read_text("utf-8")
    example, of_values = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert example.replace("genres-model", folder.name) in (folder / "README.md").read_text("utf-8")
    assert SIX_LINES_OF_VALUES.endswith(of_values)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["probe-linear", "probe-mlp"])
def test_refit_is_one_model_of_all_clips_that_no_table_shows(method: str, made: Made) -> None:  # noqa: F811
    params = {} if method == "probe-linear" else {"hidden": 3, "epochs": 3}
    folders = made.run(method, params, seeds=(0,), search={"C": [0.1, 1.0]} if method == "probe-linear" else {})
    places = Places(data=made.root / "data", cache=made.root / "cache", device="cpu")
    held = Plugin("test", "0" * 64, {"tiny": made.splits[0].task}, {}, {})
    how = {"places": places, "plugins": [held], "refit": True}
    model = load_model(folders[0], made.runs, **how)
    n_clips = sum(len(split) for split in made.splits)
    assert re.match(rf"one model of all {n_clips} clips( for \d epochs)?, itself untested; accuracy \d", model.runs)
    assert len(model.leaves) == 1
    assert (model.leaves[0].folder / "refit.json").is_file()
    records = [record for _, record in RunStore(made.runs).records()]
    assert all(record.n_clips["test"] for record in records)
    again = load_model(folders[0], made.runs, places=replace(places, data=made.root / "nowhere"), refit=True)
    np.testing.assert_array_equal(again(made.files).probabilities, model(made.files).probabilities)


@pytest.mark.slow
def test_refit_of_a_network_learns_all_clips_for_the_median_of_the_kept_epochs(made: Made) -> None:  # noqa: F811
    params = {"hidden": 3, "epochs": 9, "lr": 0.5, "batch_size": 4}
    folders = made.run("probe-mlp", params, seeds=(0, 1, 2))
    histories = [read_record(folder / "record.json").history for folder in folders]
    kept = [1 + max(range(len(h)), key=lambda n: (h[n]["valid_score"], -h[n]["valid_loss"])) for h in histories]
    leaf = refitted_leaf(made, f"probe-mlp+nano@{folders[0].name}", made.splits[0].task)
    held = json.loads((leaf.folder / "refit.json").read_text("utf-8"))
    assert held["epochs"] == len(held["history"]) == np.median(kept) < max(map(len, histories))
    every = refitted_leaf(made, str(*made.run("knn", {"k": 3})), made.splits[0].task)
    embeddings = load_file(every.folder / "model.safetensors")["features"]
    assert len(embeddings) == held["n_clips"] == sum(len(split) for split in made.splits)
    mean = load_file(leaf.folder / "model.safetensors")["0.mean"]
    np.testing.assert_allclose(mean.ravel(), embeddings.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_refit_is_refused_where_the_clips_are_others(made: Made, tmp_path: Path) -> None:  # noqa: F811
    (folder,) = made.run("knn", {"k": 4})
    clips = [clip for split in made.splits for clip in split.clips]
    samples, rate = soundfile.read(clips[0].path)
    soundfile.write(tmp_path / "other.wav", samples / 2, rate)
    others = [replace(clips[0], path=tmp_path / "other.wav"), *clips[1:]]
    with pytest.raises(BadInput, match=r"--refit: audio_sha256 of the runs is .*give the data and weights of the runs"):
        refitted_leaf(made, str(folder), replace(made.splits[0].task, read_clips=lambda root, fold: others))


def refitted_leaf(made: Made, name: str, task: Task) -> Leaf:  # noqa: F811
    places = Places(data=made.root / "data", cache=made.root / "cache", device="cpu")
    held = Plugin("test", "0" * 64, {"tiny": task}, {}, {})
    (leaf,) = load_model(name, made.runs, places=places, plugins=[held], refit=True).leaves
    return leaf


def test_extra_that_is_not_there_is_named_and_nothing_is_written(
    model: Model,
    made: Made,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtra, match=r"pip install 'mirbench\[onnx\]'"):
        export(model, tmp_path / "out", made.files[:1], onnx=True)
    assert not list(tmp_path.iterdir())


def test_refit_without_the_data_says_what_it_needs(made: Made, tmp_path: Path) -> None:  # noqa: F811
    (folder,) = made.run("knn", {"k": 2})
    held = Plugin("test", "0" * 64, {"tiny": made.splits[0].task}, {}, {})
    places = Places(data=tmp_path / "nowhere", cache=made.root / "cache", device="cpu")
    with pytest.raises(MirbenchError) as caught:
        load_model(folder, made.runs, places=places, plugins=[held], refit=True)
    assert "--refit needs the clips of tiny" in str(caught.value)


def test_epochs_of_a_refit_are_the_median_of_those_that_runs_kept() -> None:
    def history(*scores: float | None) -> list[dict[str, float | None]]:
        return [{"valid_score": score, "valid_loss": 1.0} for score in scores]

    kept = [history(0.1, 0.9, 0.2), history(0.1, 0.2, 0.3, 0.4), history(None, None, 0.5, 0.5)]
    assert median_epoch(kept, "score") == 3  # of 2, 4 and 3: the first of equals
    assert median_epoch(kept, "last") == 4


@pytest.mark.parametrize("method", ["probe-linear", "probe-svm", "probe-mlp", "layer-mix", "ids-nmr", "finetune"])
@pytest.mark.slow
def test_module_of_all_models_predicts_as_the_run(method: str, made: Made) -> None:  # noqa: F811
    import torch

    network = method not in ("probe-linear", "probe-svm")
    (folder,) = made.run(method, {"epochs": 1} if network else {})
    model = load_model(folder, made.runs, places=Places(cache=made.root / "cache", device="cpu"))
    system, clips, _ = traced(model, made.files)
    with torch.no_grad():
        found = np.stack([system(torch.from_numpy(np.ascontiguousarray(windows))).numpy() for windows in clips])
    np.testing.assert_allclose(found, model(made.files).probabilities, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_graph_that_does_not_run_is_refused_in_a_line(made: Made, tmp_path: Path) -> None:  # noqa: F811
    """The front end of nano goes through the windows one by one: torch's exporter fixes their number."""
    pytest.importorskip("onnxscript", reason="the extra onnx")
    pytest.importorskip("onnxruntime", reason="the extra onnx")
    (folder,) = made.run("probe-svm")
    model = load_model(folder, made.runs, places=Places(cache=made.root / "cache", device="cpu"))
    with pytest.raises(
        NotApplicable, match=r"probe-svm \+ nano does not run in ONNX Runtime; leave --onnx out"
    ) as caught:
        write_onnx(model, tmp_path / "model.onnx", made.files[:3])
    assert "\n" not in str(caught.value)
    assert "[ONNXRuntimeError]" not in str(caught.value)


@pytest.mark.slow
def test_graph_that_fits_the_example_alone_is_refused_too(made: Made, tmp_path: Path) -> None:  # noqa: F811
    """Clips of as many windows as the exporter was shown would run through a graph that takes no other number."""
    pytest.importorskip("onnxscript", reason="the extra onnx")
    pytest.importorskip("onnxruntime", reason="the extra onnx")
    soundfile.write(tmp_path / "two.wav", 0.1 * np.sin(np.arange(9 * 16_000) / 20), 16_000)  # two windows of 5 s
    (folder,) = made.run("probe-svm")
    model = load_model(folder, made.runs, places=Places(cache=made.root / "cache", device="cpu"))
    with pytest.raises(NotApplicable, match="does not run in ONNX Runtime"):
        write_onnx(model, tmp_path / "model.onnx", [str(tmp_path / "two.wav")])


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("[ONNXRuntimeError] : 1 : FAIL : Load model failed: node x", "Load model failed: node x"),
        ("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code", "Non-zero status code"),
        ("\n\x1b[96mThis is red\x1b[0m, and more\nbelow", "This is red, and more"),
        ("", "RuntimeError"),
    ],
)
def test_what_the_writers_of_graphs_say_is_one_plain_line(said: str, shown: str) -> None:
    assert first_cause(RuntimeError(said)) == shown


def test_of_several_causes_the_first_is_said() -> None:
    error = RuntimeError("step 1/3")
    error.__cause__ = ValueError("a mask knows no learnt tokens")
    assert first_cause(error) == "a mask knows no learnt tokens"


def test_method_that_is_no_network_has_no_graph(made: Made) -> None:  # noqa: F811
    (folder,) = made.run("probe-forest", {"n_trees": 3})
    model = load_model(folder, made.runs, places=Places(cache=made.root / "cache", device="cpu"))
    with pytest.raises(NotApplicable, match="--onnx: probe-forest is no network that torch could write"):
        traced(model, made.files[:1])
