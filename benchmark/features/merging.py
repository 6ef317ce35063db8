"""Many small shards of a store become few, at a moment when nobody uses the cache.

Shards of about one size are written together as one of the next size (eight times as much, up to `_LARGE`), so that a
row is copied a few times at most, however many small runs a cache serves. The new shard says which ones it replaces and
is on the disk before the first of them goes. Of a merge that is stopped, at whatever step, the rows are there once or
twice, the same to the bit, checksum and cost: a reader takes either and counts one. The next merge removes the rest.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from mirbench.errors import BadInput
from mirbench.features.cache import RowStore, unwritable
from mirbench.features.shard import DamagedShard, Shard
from mirbench.features.temporary import nobody_else, temporary
from mirbench.progress import Progress

__all__ = ["merge_small_shards"]

_MANY = 100  # shards of a store: under it nothing is gained
_FAN = 8  # shards of about one size that make one of the next
_LARGE = 64 * 2**20  # bytes of a shard that stays as it is
_MOST = 4 * 2**30  # bytes that are copied before a command begins


def merge_small_shards(cache: Path, progress: Progress) -> None:
    """Merge the small shards of every store of a cache that has many; where the cache is in use, nothing is done.

    What cannot be merged stays as it is: a full disk or a damaged shard is said, and stops no command.
    """
    stores = [store for store in _folders(cache / "rows") if _may_merge(store)]
    if not stores or unwritable(cache):
        return
    with nobody_else(cache) as alone:
        left = _MOST if alone else 0
        for store in stores:
            try:
                left -= _merged(store, left, progress)
            except (BadInput, DamagedShard, OSError) as error:
                progress.say(f"{store}: its small shards stay as they are ({error})")


def _folders(folder: Path) -> list[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        return sorted(folder / entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    return []


def _may_merge(store: Path) -> bool:
    """Whether a look at the sizes of its files says that there is something to merge."""
    shards = _folders(store)
    return len(shards) > _MANY and any(_alike([(shard, _size(shard), "") for shard in shards]))


def _size(shard: Path) -> int:
    try:
        return (shard / "rows.npy").stat().st_size
    except OSError:
        return _LARGE


def _alike(shards: Iterable[tuple[Path, int, str]]) -> Iterator[list[Path]]:
    """Groups of shards that are of about one size and of one kind, in their order."""
    kinds: dict[tuple[int, str], list[tuple[Path, int]]] = {}
    for shard, size, kind in shards:
        if 0 < size < _LARGE:
            kinds.setdefault((int(math.log(size, _FAN)), kind), []).append((shard, size))
    for members in kinds.values():
        group, total = [], 0
        for shard, size in members:
            group.append(shard)
            total += size
            if total >= _LARGE:
                yield group
                group, total = [], 0
        if len(group) >= _FAN:
            yield group


def _merged(folder: Path, most: int, progress: Progress) -> int:
    """Merge the small shards of a store, but no more than some bytes; how many were copied."""
    store = RowStore(folder, say=progress.say)
    if _remove_replaced(store.shards):
        store = RowStore(folder, say=progress.say)
    named = {shard.folder: number for number, shard in enumerate(store.shards)}
    groups = list(_alike(_kinds(store.shards)))
    copied = 0
    with progress.bar(f"merging small shards of {folder.name}", sum(map(len, groups)), "shards") as step:
        for group in groups:
            size = sum(map(_size, group))
            if copied + size <= most:
                _merge(store, [named[shard] for shard in group])
                copied += size
            step(len(group))
    return copied


def _kinds(shards: Sequence[Shard]) -> Iterator[tuple[Path, int, str]]:
    """Shards that readers take, their sizes, and what they must share with those that they are merged with."""
    forms = []
    for shard in shards:
        form = None
        with suppress(DamagedShard, BadInput):  # whoever needs its rows puts it aside
            form = shard.form
        forms.append(form)
    of_store = next((form for form, shard in zip(forms, shards, strict=True) if form and shard.sealed), None)
    of_store = of_store or next(filter(None, forms), None)
    for form, shard in zip(forms, shards, strict=True):
        if form is not None and form == of_store:
            yield shard.folder, _size(shard.folder), json.dumps([shard.sealed, shard.about], sort_keys=True)


def _merge(store: RowStore, numbers: Sequence[int]) -> None:
    """Write the rows of some shards as one, and remove those; a row that another shard gives to readers is left out."""
    shards = [store.shards[number] for number in numbers]
    n_rows = [len(shard.keys) for shard in shards]
    own = np.stack([np.repeat(numbers, n_rows), np.concatenate([np.arange(n) for n in n_rows])], axis=1)
    keys = np.concatenate([shard.keys for shard in shards])
    store.missing(keys)
    if not all(shard.folder.is_dir() for shard in shards):
        return  # one was damaged, and was put aside
    kept = (store.places(keys) == own).all(axis=1)
    keys, own = keys[kept], own[kept]
    if len(keys):
        # a name that comes where the first did: of a key in several shards, readers take the first
        name = f"{shards[0].folder.name.partition('~')[0]}~{os.urandom(4).hex()}"
        replaces = [shard.folder.name for shard in shards]
        store.put(keys, store.get(keys), store.costs(keys), shards[0].about, name=name, replaces=replaces)
        new = Shard(store.folder / name)
        for number, shard in zip(numbers, shards, strict=True):
            here = own[:, 0] == number
            if shard.sealed and not np.array_equal(new.sums[here], shard.sums[own[here, 1]]):
                os.replace(new.folder, store.folder / f".damaged-{name}")
                raise DamagedShard("rows changed while they were copied")
    _remove(store.folder, shards)


def _remove_replaced(shards: Sequence[Shard]) -> bool:
    """Remove those that another shard replaces, which is sound; whether there were some."""
    held = {shard.folder.name: shard for shard in shards}
    found = False
    for shard in shards:
        if replaced := [held[name] for name in shard.replaces if name in held]:
            shard.check(np.arange(len(shard.keys)))
            _remove(shard.folder.parent, replaced)
            found = True
    return found


def _remove(store: Path, shards: Sequence[Shard]) -> None:
    """Remove shards, the last first: what one hides of a later one never comes to light."""
    with temporary(store) as work:
        for shard in reversed(shards):
            os.replace(shard.folder, work / shard.folder.name)
