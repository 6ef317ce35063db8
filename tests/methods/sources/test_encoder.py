"""Encoders of ten lines as whole sources: what is read of the class, what becomes of `embed`, what a run records."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mirbench.encoder import encoder_card
from mirbench.errors import BadInput, MirbenchError, NotApplicable
from mirbench.features.networks import load_network
from mirbench.features.weights import on_disk
from mirbench.plugin_file import Plugin, load_plugin
from mirbench.record import RunRecord
from mirbench.registry import Catalogue
from mirbench.runs.plan import Request, make_plan
from mirbench.runs.runner import run
from mirbench.source import UNKNOWN, WeightFile
from mirbench.trust.plugin_checks import check_plugin
from tests.toys import QUIET, splits_of, write_levels

TEN_LINES = '''
import torch

class Levels:
    """Mean levels of eighths of a window."""
    name, sample_rate, seconds = "levels", 8_000, 0.5
    def __init__(self, width=8):
        self.linear = torch.nn.Linear(width, 4)
        torch.nn.init.ones_(self.linear.weight)
    def embed(self, audio):  # (n, 4000) -> (n, 4)
        return self.linear(audio.abs().unflatten(1, (self.linear.in_features, -1)).mean(dim=2))
'''


def plugin(folder: Path, text: str = TEN_LINES) -> Plugin:
    path = folder / "my_encoder.py"
    path.write_text(text)
    return load_plugin(path)


def network_of(folder: Path, text: str = TEN_LINES) -> torch.nn.Module:
    (card,) = plugin(folder, text).sources.values()
    return load_network(card, (), card.options)


def recorded(folder: Path, text: str, method: str = "probe-linear", **asked: object) -> RunRecord:
    data = folder / "data" / "toy"
    classes = ("low", "middle", "high")
    splits = splits_of({s: list(classes) * 2 for s in ("train", "valid", "test")}, classes, data)
    if not data.is_dir():  # what is written again has other bytes: a WAV of floats holds the second of its making
        data.mkdir(parents=True)
        write_levels(splits)
    toy = Plugin("test", "0" * 64, {"toy": splits[0].task}, {}, {})
    request = Request(
        "toy", method, "levels", seeds=(0,), data=folder / "data", runs=folder / "runs", cache=folder / "cache", **asked
    )  # type: ignore[arg-type]
    (outcome,) = run(request, Catalogue([toy, plugin(folder, text)], weights=request.weights), QUIET)
    return outcome.record


def test_encoder_is_a_source_that_learns_and_is_counted(tmp_path: Path) -> None:
    record = recorded(tmp_path, TEN_LINES, source_params={"seconds": 0.5, "width": 8})
    assert record.status == "done", record.reason
    assert record.metrics["accuracy"] == 1.0  # chance is 0.33
    assert record.n_total == 36 + 15
    assert record.flops is not None
    assert record.flops >= 2 * 2 * 8 * 4  # two windows a clip
    assert record.seconds["clips_per_second"] > 0


def test_encoder_of_which_nobody_says_what_it_was_trained_on_is_marked(tmp_path: Path) -> None:
    unsaid = recorded(tmp_path, TEN_LINES)
    said = recorded(tmp_path, TEN_LINES.replace("    def __init__", '    trained_on = ("audioset",)\n    def __init__'))
    assert (list(unsaid.contaminated), list(said.contaminated)) == ([UNKNOWN], [])


def test_encoder_with_another_text_is_another_run(tmp_path: Path) -> None:
    first, second = (recorded(tmp_path, text) for text in (TEN_LINES, TEN_LINES.replace("ones_", "zeros_")))
    assert first.spec.source_version != second.spec.source_version
    assert second.metrics["accuracy"] < 1.0  # its rows were not read from the cache of the first


@pytest.mark.parametrize(("method", "lacks"), [("ids-nmr", "layers, head"), ("finetune", "body")])
def test_method_that_needs_more_than_embeddings_is_refused_in_a_line(method: str, lacks: str, tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match=f"it needs .*{lacks.split(', ')[0]}.*levels offers pooled") as raised:
        make_plan(Request("gtzan-demo", method, "levels"), Catalogue([plugin(tmp_path)]), QUIET)
    assert "\n" not in str(raised.value)


def test_embed_may_return_frames_whose_mean_counts(tmp_path: Path) -> None:
    framed = TEN_LINES.replace("return self.linear(", "x = self.linear(") + "        return torch.stack([x, 3 * x], 1)"
    audio = torch.rand(3, 4000)
    torch.testing.assert_close(
        network_of(tmp_path, framed).body(audio).pooled, 2 * network_of(tmp_path).body(audio).pooled
    )


def test_encoder_that_takes_numpy_is_given_an_array(tmp_path: Path) -> None:
    text = (
        "import numpy as np\n"
        "class Levels:\n"
        "    name, sample_rate, seconds, takes = 'levels', 8_000, 0.5, 'numpy'\n"
        "    def embed(self, audio):\n"
        "        assert type(audio) is np.ndarray and audio.dtype == np.float32\n"
        "        audio -= 1\n"
        "        return audio[:, :5].astype('float64')\n"
    )
    audio = torch.rand(3, 4000)
    found = network_of(tmp_path, text).body(audio).pooled
    torch.testing.assert_close(found, audio[:, :5] - 1)  # its own copy was changed, and not ours


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("audio.mean(dim=1)", r"returned the shape \(3,\) for 3 windows; \(3, n_features\) or"),
        ("audio[:2]", r"the shape \(2, 4000\) for 3 windows"),
        ("audio[:, :0]", r"the shape \(3, 0\)"),
        ("(audio, audio)", "returned tuple; an array or a tensor is needed"),
        ("audio.numpy() > 0", "an array of bool; numbers are needed"),
        ("audio / 0", "NaN or infinity for 3 of 3 windows"),
    ],
)
def test_embed_that_returns_no_embeddings_is_refused_in_a_line(returned: str, said: str, tmp_path: Path) -> None:
    network = network_of(tmp_path, TEN_LINES.replace("return self", f"return {returned}\n        return self"))
    with pytest.raises(MirbenchError, match=f"source levels: embed .*{said}") as raised:
        network.body(torch.rand(3, 4000))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ('name, sample_rate, seconds = "a b", 8_000, 0.5', "the encoder Levels: its name 'a b'"),
        ('name, sample_rate, seconds = "levels", 8e3, 0.5', "sample_rate is 8000.0; a whole number of Hz"),
        ('name, sample_rate, seconds = "levels", 8_000, 0', "seconds is 0; the length of a window"),
        ('name, sample_rate, second = "levels", 8_000, 0.5', "second is no fact of an encoder; did you mean seconds"),
        ('name, sample_rate, takes = "levels", 8_000, "jax"', 'takes is \'jax\'; "torch" or "numpy"'),
        ('name, sample_rate, trained_on = "levels", 8_000, "x"', "trained_on is 'x'; a tuple of names"),
        ('name, sample_rate, weights = "levels", 8_000, "a/b.pt"', "weights is 'a/b.pt'; names of files"),
        ('name, sample_rate, python = "levels", 8_000, "/bin/python"', "the name of an environment variable"),
    ],
)
def test_fact_of_an_encoder_that_cannot_be_is_refused_in_a_line(changed: str, said: str, tmp_path: Path) -> None:
    text = TEN_LINES.replace('name, sample_rate, seconds = "levels", 8_000, 0.5', changed)
    with pytest.raises(BadInput) as raised:
        plugin(tmp_path, text)
    assert said in str(raised.value)
    assert "my_encoder.py" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_weights_that_an_encoder_names_are_found_hashed_and_handed_over(tmp_path: Path) -> None:
    taken = "weights = ('a.pt', 'b.txt')\n    def __init__(self, a, b, "
    loaded = "self.linear.load_state_dict(torch.load(a)); open(b).close()"
    text = TEN_LINES.replace("def __init__(self, ", taken)
    text = text.replace("torch.nn.init.ones_(self.linear.weight)", loaded)
    folder = tmp_path / "weights"
    folder.mkdir()
    hashes = []
    for value in (1.0, 2.0):
        torch.save({"weight": torch.full((4, 8), value), "bias": torch.zeros(4)}, folder / "a.pt")
        (folder / "b.txt").write_text("b")
        record = recorded(tmp_path, text, weights=folder)
        assert record.status == "done", record.reason
        hashes.append(record.spec.source_sha256)
    assert len(set(hashes)) == 2
    assert "" not in hashes
    (folder / "b.txt").unlink()
    assert recorded(tmp_path, text, weights=folder).spec.source_sha256 in hashes  # what was done with them is read back
    assert "b.txt is not on this machine" in recorded(tmp_path, text, "probe-svm", weights=folder).reason


def test_copy_of_an_encoder_that_cannot_be_copied_shares_it(tmp_path: Path) -> None:
    text = TEN_LINES.replace("torch.nn.init", "import threading; self.lock = threading.Lock()\n        torch.nn.init")
    network = network_of(tmp_path, text)
    audio = torch.rand(2, 4000)
    assert torch.equal(copy.deepcopy(network).body(audio).pooled, network.body(audio).pooled)


def test_copy_of_an_encoder_has_networks_of_its_own(tmp_path: Path) -> None:
    network = network_of(tmp_path)
    other = copy.deepcopy(network)
    next(other.parameters()).data.zero_()
    audio = torch.rand(2, 4000)
    assert not torch.equal(other.body(audio).pooled, network.body(audio).pooled)


def test_check_passes_an_encoder(tmp_path: Path) -> None:
    assert check_plugin(plugin(tmp_path), QUIET) == {"source levels": []}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("audio = audio / audio.abs().amax(1, keepdim=True)", "of silence: embed returned NaN"),
        ("audio = audio + torch.rand(1)", "the same window twice gives two embeddings"),
        ("audio = audio - audio.abs().mean()", "depends on its batch-mates"),
        ("audio = torch.ones_like(audio)", "noise and a tone have the same embedding"),
        ("return audio[:, : 5 + int(audio.abs().max() > 0.6)]", "embeddings have different widths: 5, 6"),
        ("raise KeyError('x')", "KeyError: 'x'"),
    ],
)
def test_check_finds_a_planted_fault(line: str, said: str, tmp_path: Path) -> None:
    text = TEN_LINES.replace("return self", f"{line}\n        return self")
    (problems,) = check_plugin(plugin(tmp_path, text), QUIET).values()
    assert any(said in problem for problem in problems)


def test_check_says_which_weights_lack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIRBENCH_CACHE", str(tmp_path / "cache"))
    text = TEN_LINES.replace("def __init__(self, ", "weights = 'a.pt'\n    def __init__(self, a, ")
    ((problem,),) = check_plugin(plugin(tmp_path, text), QUIET).values()
    assert "a.pt is not on this machine" in problem


def test_options_of_an_encoder_are_those_of_its_init(tmp_path: Path) -> None:
    (card,) = plugin(tmp_path).sources.values()
    assert card.options == {"seconds": 0.5, "width": 8}
    assert load_network(card, (), {"seconds": 0.5, "width": 16}).body(torch.rand(2, 4000)).pooled.shape == (2, 4)


def test_weights_of_an_encoder_are_here_where_it_names_none(tmp_path: Path) -> None:
    (card,) = plugin(tmp_path).sources.values()
    named = replace(card, weights=(WeightFile("a.pt", ""),))
    assert (on_disk(card, None, tmp_path), on_disk(named, None, tmp_path)) == (True, False)


def test_encoder_without_seconds_has_windows_of_ten(tmp_path: Path) -> None:
    (card,) = plugin(tmp_path, TEN_LINES.replace(", seconds", "").replace(", 0.5", "")).sources.values()
    assert card.seconds == 10.0


def test_encoder_of_an_entry_point_has_a_card_too() -> None:
    class Ear:
        name, sample_rate = "ear", 8_000

        def embed(self, audio: np.ndarray) -> np.ndarray:
            return audio

    assert (encoder_card(Ear).name, encoder_card(Ear).offers) == ("ear", ("pooled",))
