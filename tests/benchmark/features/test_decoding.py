"""Audio is heard whole, or what is wrong with it is said: every format, whole, joined, cut, damaged, of no length."""

import io
import os
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from mirbench.errors import BadAudio
from mirbench.features import audio, decoding
from mirbench.features.containers import frames
from mirbench.features.containers.layout import Layout
from mirbench.features.containers.sniff import layout_of
from mirbench.features.extraction import row_key
from mirbench.progress import Progress
from mirbench.types import Excerpt

SECONDS, RATE = 3, 16000
KINDS = {
    "wav": ("WAV", "PCM_16", "wav"), "float": ("WAV", "FLOAT", "wav"), "wavex": ("WAVEX", "PCM_24", "wav"),
    "ima": ("WAV", "IMA_ADPCM", "wav"), "ms": ("WAV", "MS_ADPCM", "wav"), "rf64": ("RF64", "PCM_16", "wav"),
    "w64": ("W64", "PCM_16", "w64"), "caf": ("CAF", "PCM_16", "caf"), "alac": ("CAF", "ALAC_16", "caf"),
    "aiff": ("AIFF", "PCM_16", "aiff"), "au": ("AU", "PCM_16", "au"), "flac": ("FLAC", "PCM_16", "flac"),
    "ogg": ("OGG", "VORBIS", "ogg"), "opus": ("OGG", "OPUS", "opus"), "mp3": ("MP3", "MPEG_LAYER_III", "mp3"),
}  # fmt: skip
KINDS = {kind: row for kind, row in KINDS.items() if row[1] in soundfile.available_subtypes(row[0])}
RAW = ("wav", "float", "wavex", "rf64", "w64", "caf", "alac", "aiff", "au", "ima", "ms")
"""Kinds whose samples may be any bytes: damage in the middle cannot be told."""

quick = settings(max_examples=60, deadline=None, database=None)


def samples(seconds=SECONDS, n_channels=1, rate=RATE, seed=0):
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    sweep = 0.3 * np.sin(2 * np.pi * (300 + 200 * time) * time)
    return sweep[:, None] + 0.05 * generator.standard_normal((len(time), n_channels))


def encoded(kind, signal=None, rate=RATE):
    container, subtype, _ = KINDS[kind]
    stream = io.BytesIO()
    soundfile.write(stream, samples() if signal is None else signal, rate, format=container, subtype=subtype)
    return stream.getvalue()


def put(folder, kind, content):
    path = folder / f"a.{KINDS[kind][2]}"
    path.write_bytes(content)
    return path


def seconds(path):
    heard, rate = decoding.decode(Excerpt(path))
    return len(heard) / rate


def fault(path):
    with pytest.raises(BadAudio) as caught:
        audio.survey([Excerpt(path)], path.with_suffix(".sqlite"), Progress(quiet=True))
    (line,) = caught.value.faults
    assert line.startswith(f"{path}: ")
    return line


@pytest.fixture(scope="module")
def whole():
    """The bytes of a file of each kind."""
    return {kind: encoded(kind) for kind in KINDS}


@pytest.fixture(scope="module")
def heard(whole, tmp_path_factory):
    """How many seconds of each are heard; ADPCM fills up its last block."""
    folder = tmp_path_factory.mktemp("whole")
    return {kind: seconds(put(folder, kind, content)) for kind, content in whole.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_whole_file_is_heard_whole(kind, heard):
    assert SECONDS <= heard[kind] < SECONDS + 0.15


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", KINDS)
def test_cut_file_is_called_cut_short(kind, share, whole, tmp_path):
    content = whole[kind]
    assert "cut short" in fault(put(tmp_path, kind, content[: int(share * len(content))]))


@pytest.mark.parametrize("fill", ["zeros", "noise"])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in RAW])
def test_file_with_a_bad_middle_is_called_damaged(kind, fill, whole, tmp_path):
    content = bytearray(whole[kind])
    middle = slice(int(0.45 * len(content)), int(0.55 * len(content)))
    count = len(content[middle])
    content[middle] = bytes(count) if fill == "zeros" else np.random.default_rng(0).bytes(count)
    assert "damaged in the middle" in fault(put(tmp_path, kind, content))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in ("flac", "ogg", "opus")])
def test_one_wrong_byte_in_a_checked_stream_is_called_damage(kind, whole, tmp_path):
    content = bytearray(whole[kind])
    content[len(content) // 2] ^= 0x55
    assert "damaged in the middle" in fault(put(tmp_path, kind, content))


@pytest.mark.parametrize("tail", [bytes(30000), np.random.default_rng(1).bytes(30000)], ids=["zeros", "noise"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_after_the_audio_is_not_heard(kind, tail, whole, heard, tmp_path):
    assert seconds(put(tmp_path, kind, whole[kind] + tail)) == heard[kind]


# joined files


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_joined_files_are_all_heard(kind, count, whole, heard, tmp_path):
    assert seconds(put(tmp_path, kind, count * whole[kind])) == pytest.approx(count * heard[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_joined_files_sound_like_each_after_the_other(kind, whole, tmp_path):
    other = encoded(kind, samples(2, 2, seed=1))
    parts = [decoding.decode(Excerpt(put(tmp_path, kind, content)))[0] for content in (whole[kind], other)]
    joined, _ = decoding.decode(Excerpt(put(tmp_path, kind, whole[kind] + other)))
    np.testing.assert_array_equal(joined, np.concatenate(parts))


@pytest.mark.parametrize("kind", ["wav", "aiff", "au", "w64", "caf", "flac", "ogg", "opus", "mp3"])
def test_joined_files_of_two_rates_keep_their_seconds(kind, whole, heard, tmp_path):
    if kind not in KINDS:
        pytest.skip("this libsndfile does not write it")
    other = encoded(kind, samples(2, rate=24000), 24000)
    assert seconds(put(tmp_path, kind, whole[kind] + other)) == pytest.approx(heard[kind] + 2, abs=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_joined_files_of_which_the_last_is_cut_are_called_cut_short(kind, whole, tmp_path):
    content = whole[kind]
    assert "cut short" in fault(put(tmp_path, kind, content + content[: len(content) * 2 // 3]))


@pytest.mark.parametrize("kind", KINDS)
def test_stretch_over_a_joint_is_a_slice_of_the_whole(kind, whole, tmp_path):
    path = put(tmp_path, kind, 3 * whole[kind])
    all_of_it, rate = decoding.decode(Excerpt(path))
    piece, _ = decoding.decode(Excerpt(path, 2.5, 4.0))
    np.testing.assert_array_equal(piece, all_of_it[round(2.5 * rate) : round(6.5 * rate)])


def ape_tag():
    head, foot = (b"APETAGEX" + struct.pack("<IIII8x", 2000, 2000, 1, flags) for flags in (0xA0000000, 0x80000000))
    return head + b"x" * 1968 + foot


@pytest.mark.skipif("mp3" not in KINDS, reason="this libsndfile writes no MP3")
@pytest.mark.parametrize(
    "tag", [b"TAG" + b"a" * 125, ape_tag(), b"ID3\x04\0\0\0\0\x10\0" + bytes(2048)], ids=["ID3v1", "APE", "ID3v2"]
)
def test_tags_between_joined_mp3s_are_no_damage(tag, whole, heard, tmp_path):
    assert seconds(put(tmp_path, "mp3", whole["mp3"] + tag + whole["mp3"] + tag)) == pytest.approx(2 * heard["mp3"])


def test_rows_of_a_joined_file_are_others_than_when_only_its_beginning_was_heard(whole, tmp_path):
    place = Excerpt(put(tmp_path, "ogg", 2 * whole["ogg"]))
    facts = audio.survey([place], tmp_path / "memo.sqlite", Progress(quiet=True))[place]
    assert facts.n_parts == 2
    assert row_key(facts, place, 0) != row_key(facts._replace(n_parts=0), place, 0)


# lengths that are none

PLACEHOLDERS = (
    0, 0x7FFFF000, 0x7FFFFFFF - 36, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF - 36, 0xFFFFFFFE, 0xFFFFFFFF,
)  # fmt: skip
HEADERS = {
    "wav": (b"data", 4, "<I"), "float": (b"data", 4, "<I"), "wavex": (b"data", 4, "<I"), "ima": (b"data", 4, "<I"),
    "aiff": (b"SSND", 4, ">I"), "au": (b".snd", 8, ">I"),
}  # fmt: skip


@pytest.mark.parametrize("length", PLACEHOLDERS, ids=hex)
@pytest.mark.parametrize("kind", HEADERS)
def test_header_that_tells_no_length_is_passed_over(kind, length, whole, heard, tmp_path):
    name, after, form = HEADERS[kind]
    content = bytearray(whole[kind])
    struct.pack_into(form, content, content.index(name) + after, length)
    assert seconds(put(tmp_path, kind, content)) == pytest.approx(heard[kind], abs=0.07)


@pytest.mark.parametrize("length", [0, 2**63 - 1, 2**64 - 1], ids=hex)
@pytest.mark.parametrize(("kind", "after", "form"), [("caf", 4, ">Q"), ("w64", 16, "<Q")])
def test_wide_header_that_tells_no_length_is_passed_over(kind, after, form, length, whole, heard, tmp_path):
    content = bytearray(whole[kind])
    struct.pack_into(form, content, content.index(b"data") + after, length)
    assert seconds(put(tmp_path, kind, content)) == heard[kind]


def of_flac(content, length):
    """A FLAC whose header tells another number of samples, in 36 bits."""
    changed = bytearray(content)
    changed[21] = changed[21] & 0xF0 | length >> 32
    struct.pack_into(">I", changed, 22, length & 0xFFFFFFFF)
    return changed


@pytest.mark.parametrize("length", [0, 2**36 - 1, 16000])
def test_flac_is_heard_to_its_last_frame_whatever_its_header_tells(length, whole, heard, tmp_path):
    path = put(tmp_path, "flac", of_flac(whole["flac"], length))
    assert seconds(path) == heard["flac"]
    assert len(decoding.decode(Excerpt(path, 1.0, 1.5))[0]) == 24000


def test_flac_of_no_length_that_is_cut_is_called_cut_short(whole, tmp_path):
    content = of_flac(whole["flac"], 0)
    assert "cut short" in fault(put(tmp_path, "flac", content[: len(content) * 2 // 3]))


@pytest.mark.skipif("mp3" not in KINDS, reason="this libsndfile writes no MP3")
@pytest.mark.parametrize("count", [20, 2**31 - 1])
def test_mp3_is_heard_to_its_last_frame_whatever_its_first_tells(count, whole, heard, tmp_path):
    content = bytearray(whole["mp3"])
    tag = max(content.find(b"Xing"), content.find(b"Info"))
    struct.pack_into(">I", content, tag + 8, count)
    assert seconds(put(tmp_path, "mp3", content)) == pytest.approx(heard["mp3"], abs=0.1)


def _of_varying_rate(way):
    """An MP3 that is loud first and faint then, with or without what tells the number of its frames."""
    stream, signal = io.BytesIO(), samples(6)
    signal[RATE:] *= 1e-4
    soundfile.write(stream, signal, RATE, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode="VARIABLE")
    content = bytearray(stream.getvalue())
    tag = max(content.find(b"Xing"), content.find(b"Info"))
    first = content.rfind(b"\xff", 0, tag)
    length = content.find(content[first : first + 2], tag) - first
    if way == "no first frame":
        del content[: first + length]
    elif way == "VBRI":
        content[tag : first + length] = bytes(first + length - tag)
        content[first + 36 : first + 40] = b"VBRI"
    elif way == "no number":
        content[tag + 7] &= 0xFE
    elif way == "number 0":
        content[tag + 8 : tag + 12] = bytes(4)
    return content


@pytest.mark.skipif("mp3" not in KINDS, reason="this libsndfile writes no MP3")
@pytest.mark.parametrize("way", ["no first frame", "VBRI", "no number", "number 0"])
@pytest.mark.parametrize("n_files", [1, 2])
def test_mp3_of_varying_rate_is_heard_to_its_last_frame(way, n_files, tmp_path):
    audio, rate = decoding.decode(Excerpt(put(tmp_path, "mp3", _of_varying_rate("as it is"))))
    path = put(tmp_path, "mp3", _of_varying_rate(way) * n_files)
    heard, _ = decoding.decode(Excerpt(path))
    assert len(heard) / rate == pytest.approx(6 * n_files, abs=0.15 * n_files)
    shift = int(np.argmax(np.correlate(heard[:4000], audio[:2000])))  # no tag tells of the encoder's delay
    n_same = len(audio) - 2 * 576
    np.testing.assert_allclose(heard[shift : shift + n_same], audio[:n_same], atol=2e-3)


def _told(content, n_bytes):
    """A WAV file whose header tells of so many bytes of audio."""
    changed = bytearray(content)
    struct.pack_into("<I", changed, content.find(b"data") + 4, n_bytes)
    return bytes(changed)


@pytest.mark.parametrize("more", [1, 8, 44])
def test_wav_that_counts_its_header_as_audio_is_heard(more, whole, tmp_path):
    n_bytes = 2 * SECONDS * RATE
    assert seconds(put(tmp_path, "wav", _told(whole["wav"], n_bytes + more))) == SECONDS
    assert "cut short" in fault(put(tmp_path, "wav", _told(whole["wav"], n_bytes + 46)))


def test_audio_after_the_end_that_the_header_tells_is_said(whole, tmp_path):
    long = encoded("wav", samples(9))
    line = fault(put(tmp_path, "wav", _told(long, 2 * 3 * RATE)))
    assert "tells of 96000 bytes of audio, and 192000 more follow that are no chunk; where they are audio" in line


@pytest.mark.parametrize("tail", [bytes(99_999), b"ID3\x03" + b"\xff" * 99_999, b"\xff" * 999, b"LIST" + bytes(99_999)])
def test_what_is_no_audio_behind_it_is_passed_over(tail, whole, tmp_path):
    assert seconds(put(tmp_path, "wav", whole["wav"] + tail)) == SECONDS


def test_ogg_of_a_codec_that_is_not_decoded_says_which(whole, tmp_path):
    page = bytearray(whole["ogg"])
    at = page.find(b"\x01vorbis")
    page[at : at + 8] = b"Speex   "
    length = 28 + page[27]
    page[22:26] = bytes(4)
    page[22:26] = frames._ogg_checksum(bytes(page[:length]))
    assert "(Speex in Ogg; convert it: `ffmpeg -i IN OUT.flac`)" in fault(put(tmp_path, "ogg", page))


def test_real_chunk_after_an_empty_one_is_no_audio(tmp_path):
    content = encoded("wav", np.zeros((0, 1))) + b"LIST" + struct.pack("<I", 4000) + bytes(4000)
    assert "too short" in fault(put(tmp_path, "wav", content))


# codecs in which there is no seeking


def every_format():
    for container in soundfile.available_formats():
        if container.lower() in {"wav", "wavex", "aiff", "au", "w64", "rf64", "caf", "flac", "ogg", "mp3"}:
            for subtype in soundfile.available_subtypes(container):
                yield container, subtype


@pytest.mark.parametrize(("container", "subtype"), list(every_format()))
def test_stretch_of_every_format_is_a_slice_of_the_whole(container, subtype, tmp_path):
    path = tmp_path / "a.bin"
    try:
        soundfile.write(path, samples(2), 8000, format=container, subtype=subtype)
    except (soundfile.LibsndfileError, ValueError):
        pytest.skip("libsndfile does not write it")
    all_of_it, rate = decoding.decode(Excerpt(path))
    piece, _ = decoding.decode(Excerpt(path, 0.7, 1.1))
    wanted = all_of_it[round(0.7 * rate) : round(0.7 * rate) + round(1.1 * rate)]
    # Opus that starts in the middle needs a while to be exact again, and DPCM does not know where it stands
    atol = 2e-3 if subtype == "OPUS" else 0.0
    if not subtype.startswith("DPCM"):
        np.testing.assert_allclose(piece, wanted, rtol=0, atol=atol)


# blocks


@quick
@given(count=st.integers(1, 400), n_channels=st.integers(1, 40), cuts=st.lists(st.integers(0, 400), max_size=5))
def test_mean_of_blocks_is_the_mean_of_the_whole_to_the_bit(count, n_channels, cuts):
    signal = np.random.default_rng(count).standard_normal((count, n_channels)).astype(np.float32)
    blocks = np.split(signal, sorted(min(cut, count) for cut in cuts))
    wanted = signal.mean(axis=1, dtype=np.float32)
    np.testing.assert_array_equal(np.concatenate([decoding.mono(block) for block in blocks]), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_small_blocks_give_the_same_samples_to_the_bit(kind, whole, tmp_path, monkeypatch):
    path = put(tmp_path, kind, whole[kind])
    places = [Excerpt(path), Excerpt(path, 0.5, 1.0), Excerpt(path, 1.25)]
    wanted = [decoding.decode(place)[0] for place in places]
    monkeypatch.setattr(decoding, "_BLOCK", 1000)
    for place, heard in zip(places, wanted, strict=True):
        np.testing.assert_array_equal(decoding.decode(place)[0], heard)


@pytest.mark.parametrize("kind", KINDS)
def test_facts_of_many_stretches_are_those_of_each(kind, whole, tmp_path):
    path = put(tmp_path, kind, whole[kind])
    places = [Excerpt(path, start, 0.5) for start in (0.0, 1.5, 0.25, 0.5)] + [Excerpt(path)]
    quiet = Progress(quiet=True)
    together = audio.survey(places, tmp_path / "a.sqlite", quiet)
    alone = {place: audio.survey([place], tmp_path / f"{n}.sqlite", quiet)[place] for n, place in enumerate(places)}
    assert together == alone


def test_file_of_many_stretches_is_decoded_once(whole, tmp_path, monkeypatch):
    path, opened, sound = put(tmp_path, "wav", whole["wav"]), [], soundfile.SoundFile
    monkeypatch.setattr(soundfile, "SoundFile", lambda file: opened.append(file) or sound(file))
    places = [Excerpt(path, n / 20, 0.1) for n in range(50)]
    assert len(audio.survey(places, tmp_path / "memo.sqlite", Progress(quiet=True))) == 50
    assert len(opened) == 1


# files that are something else


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xf1\x50\x80\x2e\x7f\xfc" * 500, "AAC (ADTS); convert it"),
        (b"\x00\x00\x00\x20ftypM4A " + bytes(500), "M4A or MP4"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(500), "WMA"),
        (b"\x1a\x45\xdf\xa3" + bytes(500), "Matroska"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
        (b"\n  <HTML><head>", "a web page"),
        (b"\x1f\x8b\x08" + os.urandom(50), "gzip"),
        (b"PK\x03\x04" + bytes(50), "ZIP"),
        (bytes(5000), "nothing but zeros"),
        (b"Not found\n", "text"),
        (b"MThd" + bytes(50), "MIDI"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("suffix", ["mp3", "wav"])
def test_what_is_no_audio_is_called_what_it_is(content, words, suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    assert words in fault(path)


def test_file_that_may_not_be_read_is_called_so(whole, tmp_path, monkeypatch):
    path = put(tmp_path, "wav", whole["wav"])

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(BadAudio, match="no permission to read it"):
        decoding.decode(Excerpt(path))


@pytest.mark.parametrize("magic", [b".snd", b"dns."])
@pytest.mark.parametrize("offset", [0, 4, 23])
def test_au_whose_audio_would_begin_in_its_header_ends(magic, offset, tmp_path):
    order = "big" if magic == b".snd" else "little"
    path = tmp_path / "a.au"
    path.write_bytes(magic + offset.to_bytes(4, order) + bytes(40))
    assert layout_of(path) == Layout()


@pytest.mark.parametrize("n_bytes", [4, 30, 100])
def test_flac_that_is_nearly_nothing_is_a_fault_in_the_words_of_the_decoder(n_bytes, tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(b"fLaC" + bytes(n_bytes - 4))
    with pytest.raises(BadAudio) as caught:
        audio.read(Excerpt(path), 16000)
    assert "Invalid argument" not in str(caught.value)


@pytest.mark.slow
def test_no_damage_of_any_byte_is_more_than_a_fault(whole, tmp_path):
    """Bytes changed, cut, doubled and left out, everywhere: a fault or samples, and nothing else."""
    generator = np.random.default_rng(7)
    for kind, content in whole.items():
        for _ in range(60):
            changed = bytearray(content[:4096] if generator.random() < 0.2 else content)
            for _ in range(generator.integers(1, 4)):
                at = int(generator.integers(0, len(changed) if generator.random() < 0.5 else min(200, len(changed))))
                count = int(generator.choice([1, 2, 4, 8, 300]))
                act = generator.integers(4)
                piece = bytes(changed[at : at + count])
                changed[at : at + count] = (
                    generator.bytes(len(piece)), b"", piece + piece, b"\xff" * len(piece),
                )[act]  # fmt: skip
            path = put(tmp_path, kind, changed)
            try:
                decoding.decode(Excerpt(path))
            except BadAudio as error:
                lines = error.faults
            else:
                lines = (str(path),)
            assert str(path) in lines[0]
