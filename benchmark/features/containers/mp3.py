"""MP3: its frames, walked from the first to the last, and what its first frame tells of their number.

A decoder stops where the first frame says that the audio ends. In files that were joined this is the end of the first.
Where no frame says it, the decoder reckons with the length of the first frames, which is wrong by far where the bit
rate varies: such frames are counted here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mirbench.features.containers.layout import FileBytes, Layout, Part, is_placeholder

__all__ = ["after_id3", "begins_mp3", "mp3"]

_KBIT = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_RESYNC = 1024
"""Bytes that hold no frame and are passed over without a word: as many as the decoder looks through."""


@dataclass(frozen=True)
class _Head:
    """The head of a frame: what all frames of a stream have in common, its length, and where its Xing tag would be."""

    stream: tuple[int, int, int]  # version, layer, rate
    length: int
    tag: int
    kbit: int


@dataclass
class _Run:
    """Frames that belong together."""

    first: int
    last: int
    tag: int = -1  # where its Xing tag is
    count: int = 0  # frames but for that of the tag
    gap: tuple[int, int] = (0, 0)  # the longest piece in it that holds no frame, and its length
    cut: bool = False  # whether its last frame is not whole
    kbits: set[int] = field(default_factory=set)  # of its frames but for that of the tag


def after_id3(data: FileBytes, at: int) -> int:
    """Where the ID3v2 tags that begin at a place end."""
    while data(at, 3) == b"ID3":
        head = data(at, 10)
        length = sum((byte & 127) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=False))
        at += 10 + length + (10 if head[5:6] and head[5] & 16 else 0)
    return at


def begins_mp3(data: FileBytes) -> bool:
    """Whether a file begins with two frames."""
    head = _head(data(0, 4))
    following = _head(data(head.length, 4)) if head else None
    return head is not None and following is not None and head.stream == following.stream


def mp3(data: FileBytes, first: int) -> Layout:
    """MPEG audio after its ID3v2 tag."""
    runs = list(_runs(data, first))
    for run in runs:
        place, length = run.gap
        if length > _RESYNC:
            return Layout(fault=f"damaged in the middle: {length} bytes from byte {place} on hold no frame")
    parts: list[Part] = []
    for n, run in enumerate(runs):
        end = runs[n + 1].first if n + 1 < len(runs) else data.size
        patch, fault = _counted(data, run)
        if fault:
            return Layout(fault=fault)
        rest = data(run.last, data.size) if run.tag < 0 and end == data.size and end - run.last > _RESYNC else b""
        if rest and not rest.strip(b"\x00"):
            return Layout(fault=f"cut short: its last {len(rest)} bytes are zeros")
        part = Part(0 if n == 0 else run.first, run.last if rest else end, patch)
        parts.append(part if patch else _with_count(data, run, part))
    odd = len(parts) > 1 or any(part.patches or part.lead or part.last < data.size for part in parts)
    return Layout(tuple(parts)) if odd else Layout()


def _counted(data: FileBytes, run: _Run) -> tuple[tuple[tuple[int, bytes], ...], str]:
    """What to write in the place of a number of frames that is wrong; a fault if frames lack."""
    if run.tag < 0 or not data(run.tag + 7, 1) or not data(run.tag + 7, 1)[0] & 1:
        return (), ""
    told, has_bytes = data.number(run.tag + 8, 4, "big"), data(run.tag + 7, 1)[0] & 2
    there = run.last - run.first
    agrees = has_bytes and not run.cut and abs(data.number(run.tag + 12, 4, "big") - there) * run.count < there
    if run.count < told and not agrees and not is_placeholder(told):
        if run.count < 0.95 * told or run.cut:
            return (), f"cut short: its header tells of {told} frames, {run.count} are there"
        return (), ""
    if abs(told - run.count) <= 2 or told == 0:
        return (), ""
    size = ((run.tag + 12, there.to_bytes(4, "big")),) if has_bytes else ()
    return ((run.tag + 8, run.count.to_bytes(4, "big")), *size), ""


def _with_count(data: FileBytes, run: _Run, part: Part) -> Part:
    """A part that tells how many frames it has, where their bit rate varies and the decoder finds no number."""
    if (
        run.tag >= 0
        and data(run.tag + 7, 1)[0:1]
        and data(run.tag + 7, 1)[0] & 1
        and data.number(run.tag + 8, 4, "big")
    ):
        return part
    four = data(run.first, 4)
    first = _head(four)
    if first is None or first.stream[1] != 3 or len(run.kbits) < 2:
        return part
    fraunhofer = data(run.first + 36, 4) == b"VBRI"  # a tag which the decoder does not know
    begin = run.first + first.length if fraunhofer or run.tag >= 0 else run.first
    # the head of the first frame, without a checksum, at a bit rate that leaves room for the tag
    four = bytes((four[0], four[1] | 1, 9 << 4 | four[2] & 0x0D, four[3]))
    lead = four + bytes(first.tag - 4) + b"Info" + bytes((0, 0, 0, 1)) + (run.count - fraunhofer).to_bytes(4, "big")
    head = _head(four)
    assert head is not None
    return Part(begin, part.last, lead=lead.ljust(head.length, b"\x00"))


def _runs(data: FileBytes, first: int) -> Iterator[_Run]:
    """Runs of frames: a new one begins with a Xing tag or another rate."""
    heads: dict[bytes, _Head | None] = {}
    at = _sync(data, first)
    run: _Run | None = None
    stream = (0, 0, 0)
    while 0 <= at < data.size:
        four = data(at, 4)
        if four not in heads:
            heads[four] = _head(four)
        head = heads[four]
        if head is None or (head.stream != stream and run is not None and not _two(data, at)):
            assert run is not None
            after = _after_tags(data, at)
            at = _sync(data, after)
            if at - after > run.gap[1]:
                run.gap = (after, at - after)
            continue
        tag = at + head.tag if data(at + head.tag, 4) in (b"Xing", b"Info") else -1
        if run is None or tag >= 0 or head.stream != stream:
            if run is not None:
                yield run
            run, stream = _Run(at, at, tag), head.stream
        run.cut = at + head.length > data.size
        run.count += tag < 0 and not run.cut
        if tag < 0:
            run.kbits.add(head.kbit)
        at += head.length
        run.last = min(at, data.size)
    if run is not None:
        yield run


def _sync(data: FileBytes, at: int) -> int:
    """Where two frames follow one another, from a place on; -1 if nowhere."""
    while (at := data.find(b"\xff", at)) >= 0:
        if _two(data, at):
            return at
        at += 1
    return -1


def _two(data: FileBytes, at: int) -> bool:
    """Whether a frame begins here, and another of its stream after it."""
    head = _head(data(at, 4))
    following = _head(data(at + head.length, 4)) if head else None
    return head is not None and following is not None and following.stream == head.stream


def _after_tags(data: FileBytes, at: int) -> int:
    """Where tags between frames end: ID3, APE."""
    begin = -1
    while begin != at:
        begin = at
        at = after_id3(data, at)
        if data(at, 3) == b"TAG":
            at += 128
        if data(at, 8) == b"APETAGEX":
            at += 32 + data.number(at + 12, 4)
    return at


def _head(four: bytes) -> _Head | None:
    """A frame's head, or None where the four bytes are none. Frames of a free bit rate are not known."""
    if len(four) < 4 or four[0] != 0xFF or four[1] & 0xE0 != 0xE0:
        return None
    version, layer = four[1] >> 3 & 3, 4 - (four[1] >> 1 & 3)
    bits, rate = four[2] >> 4, four[2] >> 2 & 3
    if version == 1 or layer == 4 or bits in (0, 15) or rate == 3:
        return None
    kbit = _KBIT[(1, layer) if version == 3 else (2, min(layer, 2))][bits - 1]
    hertz, padding = _RATES[version][rate], four[2] >> 1 & 1
    if layer == 1:
        length = (12000 * kbit // hertz + padding) * 4
    else:
        length = (72000 if layer == 3 and version != 3 else 144000) * kbit // hertz + padding
    mono = four[3] >> 6 == 3
    tag = 4 + (17 if mono else 32) if version == 3 else 4 + (9 if mono else 17)
    return _Head((version, layer, rate), length, tag, kbit)
