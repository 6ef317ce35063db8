"""FLAC and Ogg: streams that follow one another in a file, where they end, and where something lacks."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from mirbench.features.containers.layout import FileBytes, Layout, Part

__all__ = ["flac", "ogg"]


# Ogg

_NOT_HEARD = {"FLAC": b"\x7fFLAC", "Speex": b"Speex   ", "Theora": b"\x80theora"}
"""What libsndfile does not decode, or not in every version."""

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass
class _Link:
    """One stream of a chain: its first page, and what became of it."""

    first: int
    numbers: dict[bytes, int]  # the last page of each stream that is multiplexed in it
    open: set[bytes]  # streams without a last page
    begun: bool = False  # whether anything but first pages was seen


def ogg(data: FileBytes) -> Layout:
    """Ogg, whose pages are numbered and carry a checksum; streams may follow one another in a chain."""
    links: list[_Link] = []
    end = 0
    codec = next((name for name, mark in _NOT_HEARD.items() if mark in data(0, 64)), "")
    suspected = f"{codec} in Ogg; convert it: `ffmpeg -i IN OUT.flac`" if codec else ""
    for at, page in _pages(data):
        head, serial, number = page[5], page[14:18], int.from_bytes(page[18:22], "little")
        if head & 2:  # the first page of a stream
            if not links or links[-1].begun:
                links.append(_Link(at, {}, set()))
            links[-1].open.add(serial)
        elif not links:
            return Layout(fault="its beginning lacks")
        else:
            link = links[-1]
            link.begun = True
            if at != end or number != link.numbers.get(serial, number - 1) + 1:
                return Layout(fault=f"damaged in the middle: pages lack at byte {end} of {data.size}")
            if head & 4:
                link.open.discard(serial)
        links[-1].numbers[serial] = number
        end = at + len(page)
    if not links:
        return Layout()
    if any(link.open for link in links):
        return Layout(fault="cut short: its last page lacks")
    ends = [link.first for link in links[1:]] + [end]
    parts = tuple(Part(link.first, last) for link, last in zip(links, ends, strict=True))
    return Layout(parts if len(parts) > 1 or end < data.size else (), suspected=suspected)


def _pages(data: FileBytes) -> Iterator[tuple[int, bytes]]:
    """Whole pages and where they begin; what is none is passed over."""
    at = 0
    while 0 <= at < data.size:
        n_segments = data(at + 26, 1)
        if data(at, 4) == b"OggS" and n_segments:
            length = 27 + n_segments[0] + sum(data(at + 27, n_segments[0]))
            page = data(at, length)
            if len(page) == length and _ogg_checksum(page) == page[22:26]:
                yield at, page
                at += length
                continue
        at = data.find(b"OggS", at + 1)


def _ogg_checksum(page: bytes) -> bytes:
    """Ogg's sum is that of zlib with the bits of every byte in the other order, from 0 on."""
    blank = page[:22] + bytes(4) + page[26:]
    total = zlib.crc32(blank.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return total.to_bytes(4, "big").translate(_REVERSED)


# FLAC

_FLAC = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
_TAIL = 1 << 17
_UNKNOWN = (1 << 36) - (1 << 12)
"""Lengths from here on are none: 54 days at 14.7 kHz, and what fills 36 bits."""


def flac(data: FileBytes, first: int) -> Layout:
    """FLAC, whose header may hold 0 for a length that is not known, and whose last frame has a number."""
    starts = [first]
    for magic in _FLAC:
        at = data.find(magic, first + 1)
        while at >= 0:
            starts.append(at)
            at = data.find(magic, at + 1)
    starts.sort()
    parts = []
    incomplete, suspected = "cut short: its last frame is incomplete", ""
    for begin, end in zip(starts, [*starts[1:], data.size], strict=True):
        if data(end - 128, 3) == b"TAG":
            end -= 128
        told = data.number(begin + 21, 5, "big") & ((1 << 36) - 1)
        there, whole = _flac_end(data, begin, end)
        unknown = told == 0 or told >= _UNKNOWN
        if there < 0 and not unknown:
            there = told
        elif not whole and (unknown or there < told):
            return Layout(fault=incomplete)
        elif there < told and not unknown:
            return Layout(fault=f"cut short: its header tells of {told} samples, {there} are there")
        if not whole:  # it may be that something else follows
            suspected = incomplete
        if there > told and not whole:  # what looks like a frame and is none
            there = told
        bits = data.number(begin + 21, 5, "big") >> 36 << 36 | max(there, 0)
        parts.append(Part(begin, end, () if there == told else ((begin + 21, bits.to_bytes(5, "big")),)))
    odd = len(parts) > 1 or parts[0].patches
    return Layout(tuple(parts) if odd else (), suspected=suspected)


def _flac_end(data: FileBytes, begin: int, end: int) -> tuple[int, bool]:
    """Number of samples by the last frame (-1: none found), and whether this frame is whole."""
    at, last = begin + 4, False
    while not last and at < end:  # metadata
        last = bool(data(at, 1)[0] & 128)
        at += 4 + data.number(at + 1, 3, "big")
    model = data(at, 4)
    if len(model) < 4 or at >= end:
        return -1, False
    largest = data.number(begin + 10, 2, "big")
    longest = data.number(begin + 15, 3, "big") or 8 * largest
    first = max(at, end - max(_TAIL, 2 * longest))
    tail = data(first, end - first)
    at = len(tail)
    while (at := tail.rfind(model[:2], 0, at)) >= 0:
        frame = _flac_frame(tail[at : at + 16], model, largest)
        if frame is not None:
            return sum(frame), _crc(tail[at:-2], 0x8005, 16) == int.from_bytes(tail[-2:], "big")
    return -1, False


def _flac_frame(head: bytes, model: bytes, largest: int) -> tuple[int, int] | None:
    """First sample and length of the frame that this head begins, or None; its rate and bits are as in the first."""
    if len(head) < 6 or head[2] >> 4 == 0 or (head[2] ^ model[2]) & 15 or (head[3] ^ model[3]) & 15:
        return None
    extra = next((n for n in range(8) if not head[4] << n & 0x80), 8)  # as in UTF-8
    count = max(extra, 1)
    number = head[4] & (0x7F if extra == 0 else 0xFF >> (extra + 1))
    for byte in head[5 : 4 + count]:
        number = number << 6 | byte & 0x3F
    code, at = head[2] >> 4, 4 + count
    if code in (6, 7):
        size = int.from_bytes(head[at : at + code - 5], "big") + 1
        at += code - 5
    else:
        size = 192 if code == 1 else 576 << (code - 2) if code < 6 else 256 << (code - 8)
    at += {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if at >= len(head) or size > largest or _crc(head[:at], 0x07, 8) != head[at]:
        return None
    return (number if head[1] & 1 else number * largest), size


@functools.cache
def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    table = []
    for byte in range(256):
        total = byte << (bits - 8)
        for _ in range(8):
            total = (total << 1 ^ (polynomial if total >> (bits - 1) else 0)) & ((1 << bits) - 1)
        table.append(total)
    return tuple(table)


def _crc(content: bytes, polynomial: int, bits: int) -> int:
    """The checksums of FLAC."""
    table, total, mask = _table(polynomial, bits), 0, (1 << bits) - 1
    for byte in content:
        total = (total << 8 & mask) ^ table[total >> (bits - 8) ^ byte]
    return total
