"""Where the weights of a source are."""

import hashlib
import socket
import sys

import pytest
import torch

from mirbench.errors import BadInput, MissingData
from mirbench.features.weights import find_weights
from mirbench.progress import Progress
from mirbench.source import SourceCard, WeightFile

CONTENT = b"published weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUIET = Progress(quiet=True)


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("MIRBENCH_WEIGHTS", raising=False)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "weights"
    folder.mkdir()
    return folder


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def no_hub(monkeypatch):
    """A hub that has nothing in its cache and cannot be reached."""

    def refuse(*_, **__):
        raise ConnectionError("no network in tests")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)


def card_of(**where):
    return SourceCard("ear", "Ear", "network", ("pooled",), 8000, 1.0, 0, 0, 4, 2, 0, 10, "", (), "m:f", **where)


def file_card():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/ear.pth"
    return card_of(weights=(WeightFile("ear.pth", url, SHA256, len(CONTENT)),))


def model_in(folder, content=b"model"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(content)
    return folder


def test_weights_are_found_by_file_name(folder, cache):
    (folder / "ear.pth").write_bytes(CONTENT)
    found = find_weights(file_card(), folder, cache, QUIET)
    assert (found.path, found.sha256, found.published) == (folder / "ear.pth", SHA256, True)


def test_weights_are_found_under_another_name_by_their_hash(folder, cache):
    (folder / "decoy.pth").write_bytes(b"x" * len(CONTENT))
    (folder / "renamed.bin").write_bytes(CONTENT)
    found = find_weights(file_card(), folder, cache, QUIET)
    assert (found.path, found.published) == (folder / "renamed.bin", True)


def test_weights_under_another_name_with_another_hash_are_not_taken(folder, cache):
    (folder / "decoy.pth").write_bytes(b"x" * len(CONTENT))
    with pytest.raises(MissingData):
        find_weights(file_card(), folder, cache, QUIET)


def test_weights_folder_may_come_from_the_environment(folder, cache, monkeypatch):
    (folder / "ear.pth").write_bytes(CONTENT)
    monkeypatch.setenv("MIRBENCH_WEIGHTS", str(folder))
    assert find_weights(file_card(), None, cache, QUIET).path == folder / "ear.pth"


def test_weights_folder_that_was_given_goes_before_the_environment(tmp_path, folder, cache, monkeypatch):
    (folder / "ear.pth").write_bytes(CONTENT)
    monkeypatch.setenv("MIRBENCH_WEIGHTS", str(tmp_path / "elsewhere"))
    assert find_weights(file_card(), folder, cache, QUIET).path == folder / "ear.pth"


def test_weights_that_were_downloaded_are_not_fetched_again(cache):
    (cache / "weights").mkdir(parents=True)
    (cache / "weights" / "ear.pth").write_bytes(CONTENT)
    assert find_weights(file_card(), None, cache, QUIET).path == cache / "weights" / "ear.pth"


def test_weights_folder_that_is_not_there_is_named(tmp_path, cache):
    with pytest.raises(BadInput, match="nowhere: no such folder") as caught:
        find_weights(file_card(), tmp_path / "nowhere", cache, QUIET)
    assert not isinstance(caught.value, MissingData)  # which would be recorded as a skipped run


@pytest.mark.parametrize(
    "words", ["ear: ear.pth is not on this machine", "ConnectionError", "--weights DIR", "MIRBENCH_WEIGHTS"]
)
def test_missing_weights_say_what_to_do(cache, words):
    with pytest.raises(MissingData, match=words):
        find_weights(file_card(), None, cache, QUIET)


def test_missing_weights_are_one_line(folder, cache):
    with pytest.raises(MissingData) as caught:
        find_weights(file_card(), folder, cache, QUIET)
    assert "\n" not in str(caught.value)


def test_getting_weights_is_said_with_their_size_and_address(cache, capsys):
    card = file_card()
    with pytest.raises(MissingData):
        find_weights(card, None, cache, Progress())
    assert f"ear: getting ear.pth (0.0 MB) from {card.weights[0].url}" in capsys.readouterr().err


def test_edited_weights_are_used(folder, cache):
    (folder / "ear.pth").write_bytes(b"fine-tuned")
    assert find_weights(file_card(), folder, cache, QUIET).path == folder / "ear.pth"


def test_edited_weights_have_their_own_hash(folder, cache):
    (folder / "ear.pth").write_bytes(b"fine-tuned")
    assert find_weights(file_card(), folder, cache, QUIET).sha256 == hashlib.sha256(b"fine-tuned").hexdigest()


def test_edited_weights_are_not_published(folder, cache):
    (folder / "ear.pth").write_bytes(b"fine-tuned")
    assert not find_weights(file_card(), folder, cache, QUIET).published


def test_edited_weights_are_said_to_be_unpublished(folder, cache, capsys):
    (folder / "ear.pth").write_bytes(b"fine-tuned")
    find_weights(file_card(), folder, cache, Progress())
    assert "ear: ear.pth is not the published file" in capsys.readouterr().err


def test_published_weights_are_found_without_a_word(folder, cache, capsys):
    (folder / "ear.pth").write_bytes(CONTENT)
    find_weights(file_card(), folder, cache, Progress())
    assert capsys.readouterr().err == ""


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "site" / "earpackage"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(folder.parent)
    yield folder
    sys.modules.pop("earpackage", None)


def test_packaged_weights_are_found_in_their_package(package, cache):
    (package / "ear.safetensors").write_bytes(CONTENT)
    found = find_weights(card_of(packaged="earpackage:ear.safetensors"), None, cache, QUIET)
    assert (found.path, found.sha256, found.published) == (package / "ear.safetensors", SHA256, True)


def test_packaged_weights_that_are_missing_say_to_install_again(package, cache):
    with pytest.raises(MissingData, match=r"ear: the weights ear\.safetensors are not in this installation"):
        find_weights(card_of(packaged="earpackage:ear.safetensors"), None, cache, QUIET)


@pytest.mark.parametrize("name", ["", "ear", "ear-model"])
def test_hub_model_is_found_in_the_folder_or_under_its_name(folder, cache, no_hub, name):
    model = model_in(folder / name)
    assert find_weights(card_of(hub="people/ear-model"), folder, cache, QUIET).path == model


def test_hub_model_hash_changes_with_its_weights(folder, cache, no_hub):
    model_in(folder / "ear")
    before = find_weights(card_of(hub="people/ear-model"), folder, cache, QUIET).sha256
    model_in(folder / "ear", b"edited model")
    assert find_weights(card_of(hub="people/ear-model"), folder, cache, QUIET).sha256 != before


def test_hub_model_hash_does_not_depend_on_its_readme(folder, cache, no_hub):
    model_in(folder / "ear")
    before = find_weights(card_of(hub="people/ear-model"), folder, cache, QUIET).sha256
    (folder / "ear" / "README.md").write_text("hello")
    assert find_weights(card_of(hub="people/ear-model"), folder, cache, QUIET).sha256 == before


def test_hub_model_without_weights_says_what_a_model_holds(folder, cache, no_hub):
    (model_in(folder / "ear") / "model.safetensors").unlink()
    with pytest.raises(MissingData, match=r"holds no \*\.safetensors"):
        find_weights(card_of(hub="people/ear-model"), folder, cache, QUIET)


def test_hub_model_of_the_hub_cache_is_taken(tmp_path, cache, monkeypatch):
    model = model_in(tmp_path / "snapshot")

    def cached(repository, *, local_files_only=False, **_):
        assert (repository, local_files_only) == ("people/ear-model", True)
        return str(model)

    monkeypatch.setattr("huggingface_hub.snapshot_download", cached)
    assert find_weights(card_of(hub="people/ear-model"), None, cache, QUIET).path == model


@pytest.mark.parametrize(
    "words", ["people/ear-model are not on this machine", "ConnectionError", "DIR/ear", "--weights DIR"]
)
def test_hub_model_that_is_missing_says_what_to_do(cache, no_hub, words):
    with pytest.raises(MissingData, match=words):
        find_weights(card_of(hub="people/ear-model"), None, cache, QUIET)


def unchecked(n_bytes=0):
    (file,) = file_card().weights
    return card_of(weights=(WeightFile(file.file_name, file.url, n_bytes=n_bytes),))


def test_weights_without_a_checksum_are_taken_by_name_with_their_own_hash(folder, cache):
    (folder / "ear.pth").write_bytes(CONTENT)
    found = find_weights(unchecked(), folder, cache, QUIET)
    assert (found.path, found.sha256, found.published) == (folder / "ear.pth", SHA256, False)


def test_weights_without_a_checksum_are_said_to_have_none_and_not_to_be_unpublished(folder, cache, capsys):
    (folder / "ear.pth").write_bytes(CONTENT)
    find_weights(unchecked(), folder, cache, Progress())
    said = capsys.readouterr().err
    assert f"no checksum of ear.pth is known here; this file has sha256 {SHA256}" in said
    assert "not the published file" not in said


@pytest.mark.parametrize("card", [unchecked, lambda: unchecked(len(CONTENT))])
def test_weights_without_a_checksum_are_not_looked_for_under_other_names(card, folder, cache):
    (folder / "renamed.bin").write_bytes(CONTENT)
    with pytest.raises(MissingData):
        find_weights(card(), folder, cache, QUIET)


@pytest.mark.usefixtures("_unverified_allowed")
def test_getting_weights_of_unknown_size_is_said(cache, capsys):
    card = unchecked()
    with pytest.raises(MissingData):
        find_weights(card, None, cache, Progress())
    assert f"ear: getting ear.pth (size unknown) from {card.weights[0].url}" in capsys.readouterr().err


@pytest.mark.usefixtures("_unverified_allowed")
def test_weights_without_a_checksum_are_downloaded_once(folder, cache, monkeypatch):
    asked = []

    def fetch(url, name, checksum, target, progress):
        asked.append(checksum)
        target.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(CONTENT)
        return target / name

    monkeypatch.setattr("mirbench.features.weights.fetch", fetch)
    assert find_weights(unchecked(), None, cache, QUIET).sha256 == SHA256
    assert asked == [""]


def fetched_in_turn(monkeypatch, *contents):
    """What a publisher sends, one content after another; returns what was asked."""
    asked = []

    def fetch(url, name, checksum, target, progress):
        target.mkdir(parents=True, exist_ok=True)
        if not (target / name).is_file():
            (target / name).write_bytes(contents[len(asked)])
            asked.append(name)
        return target / name

    monkeypatch.setattr("mirbench.features.weights.fetch", fetch)
    return asked


def saved(folder):
    torch.save({"weight": torch.ones(3)}, folder / "saved.pth")
    return (folder / "saved.pth").read_bytes()


@pytest.mark.usefixtures("_unverified_allowed")
@pytest.mark.parametrize("broken", [b"", b"<html>Too many requests</html>", "cut"])
def test_weights_that_do_not_load_are_fetched_once_more(folder, cache, monkeypatch, capsys, broken):
    whole = saved(folder)
    asked = fetched_in_turn(monkeypatch, whole[:-100] if broken == "cut" else broken, whole)
    found = find_weights(unchecked(), None, cache, Progress(), must_load=True)
    assert (found.path.read_bytes(), asked) == (whole, ["ear.pth", "ear.pth"])
    assert "ear: ear.pth does not load; fetching it once more" in capsys.readouterr().err


def test_weights_that_an_earlier_command_left_broken_are_fetched_again(folder, cache, monkeypatch):
    whole = saved(folder)
    fetched_in_turn(monkeypatch, whole)
    (cache / "weights").mkdir(parents=True)
    (cache / "weights" / "ear.pth").write_bytes(b"<html>")
    assert find_weights(unchecked(), None, cache, QUIET, must_load=True).path.read_bytes() == whole


@pytest.mark.usefixtures("_unverified_allowed")
def test_weights_that_never_load_are_one_line_and_not_kept(cache, monkeypatch):
    asked = fetched_in_turn(monkeypatch, b"<html>", b"<html>")
    with pytest.raises(
        BadInput, match=r"what came is not the published file \(it does not load\); not kept; put ear.pth"
    ):
        find_weights(unchecked(), None, cache, QUIET, must_load=True)
    assert (len(asked), list((cache / "weights").iterdir())) == (2, [])


def test_words_about_a_file_without_checksum_and_size():
    (bare,), (full,) = unchecked().weights, file_card().weights
    assert (bare.checksum, bare.size) == ("no checksum", "size unknown")
    assert (full.checksum, full.size) == (f"sha256:{SHA256}", "0.0 MB")


def prefixed(n_digits=8, url="http://127.0.0.1:9/ear.pth"):
    return card_of(weights=(WeightFile("ear.pth", url, SHA256[:n_digits]),))


def test_weights_of_which_a_few_digits_are_published_are_checked_by_them(folder, cache, capsys):
    (folder / "ear.pth").write_bytes(CONTENT)
    found = find_weights(prefixed(), folder, cache, Progress())
    assert (found.sha256, found.published) == (SHA256, True)
    (folder / "ear.pth").write_bytes(b"others")
    assert not find_weights(prefixed(), folder, cache, Progress()).published
    assert "ear.pth is not the published file" in capsys.readouterr().err


def test_download_that_does_not_begin_with_the_published_digits_is_not_kept(cache, monkeypatch):
    def fetch(url, name, checksum, target, progress):
        assert checksum == ""
        target.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(CONTENT + came)
        return target / name

    monkeypatch.setattr("mirbench.features.weights.fetch", fetch)
    came = b""
    assert find_weights(prefixed(), None, cache, QUIET).published
    came = b" of another"
    with pytest.raises(BadInput, match=f"does not begin with {SHA256[:8]}"):
        find_weights(prefixed(), None, cache, QUIET)
    assert not (cache / "weights" / "ear.pth").exists()


def test_words_about_a_file_of_which_a_few_digits_are_known():
    (file,) = prefixed().weights
    assert file.checksum == f"sha256:{SHA256[:8]}…"


def optional():
    (file,) = unchecked().weights
    extra = WeightFile("lobe.pth", file.url, hashlib.sha256(b"lobe").hexdigest())
    return card_of(weights=(WeightFile("ear.pth", file.url, SHA256),), extra_weights={"lobe=large": extra})


def test_further_file_is_asked_for_at_its_value_of_the_option_alone(folder, cache):
    (folder / "ear.pth").write_bytes(CONTENT)
    for options in (None, {}, {"lobe": "small"}):
        found = find_weights(optional(), folder, cache, QUIET, options)
        assert (found.path, found.sha256, found.extra) == (folder / "ear.pth", SHA256, ())
    with pytest.raises(MissingData, match=r"ear: lobe\.pth is not on this machine"):
        find_weights(optional(), folder, cache, QUIET, {"lobe": "large"})


def test_hash_with_a_further_file_is_of_both(folder, cache):
    (folder / "ear.pth").write_bytes(CONTENT)
    hashes = []
    for content, published in ((b"lobe", True), (b"other", False)):
        (folder / "lobe.pth").write_bytes(content)
        found = find_weights(optional(), folder, cache, QUIET, {"lobe": "large"})
        assert (found.path, found.extra, found.published) == (folder / "ear.pth", (folder / "lobe.pth",), published)
        hashes.append(found.sha256)
    assert len({SHA256, *hashes}) == 3


def test_card_without_any_weights_says_so(cache):
    with pytest.raises(BadInput, match="the card of ear must name weight files"):
        find_weights(card_of(), None, cache, QUIET)


def test_file_of_the_card_goes_before_everything(folder, cache):
    (folder / "mine.bin").write_bytes(CONTENT)
    found = find_weights(card_of(file=str(folder / "mine.bin")), None, cache, QUIET)
    assert (found.path, found.sha256) == (folder / "mine.bin", SHA256)
