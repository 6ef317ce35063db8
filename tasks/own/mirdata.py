"""Data sets that the library mirdata knows, ``mirdata:NAME``: its loaders fetch them, check them and say their labels.

Which attribute of a track is the class differs from loader to loader: `mirbench.tasks.own.mirdata_labels` says it for
those whose tracks have audio and a class each, or a list of them. For others, or for another attribute, it is said in
the name, as in ``mirdata:giantsteps_key?label=genres.genres&group=artists``: ``label``; ``group``, what must not cross
splits (empty for none); ``audio``, the attribute with the path. A dot goes into a dictionary, a comma joins two
attributes into one class. Splits are the loader's where it has some; those that lack are drawn as for a user's own
data.

References
----------
Bittner, Fuentes, Rubinstein, Jansson, Choi, Kell (2019), mirdata: software for reproducible usage of datasets, ISMIR.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import socket
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mirbench.errors import BadInput, MirbenchError, MissingData, UnknownName
from mirbench.installation import extra_module
from mirbench.places import default_data_root
from mirbench.progress import Progress
from mirbench.tasks.own.libraries import Asked, library_task, named_splits, one_line, take_apart
from mirbench.tasks.own.mirdata_labels import KNOWN, Known, classes, group, value
from mirbench.types import Clip, Task

__all__ = ["fetch_mirdata", "mirdata_task"]

_OPTIONS = ("label", "group", "audio")
_TIMEOUT = 60.0  # seconds without an answer; the library sets none


def mirdata_task(argument: str, data: Path | None = None) -> Task:
    """The task of a data set that mirdata has fetched.

    Parameters
    ----------
    argument : str
        Name of the loader, with options as the module says.
    data : Path or None
        The data root; None is the default one.

    Raises
    ------
    MissingExtra
        If the library is not installed.
    MissingData
        If the data set has not been fetched.
    BadInput
        If it makes no task: no such attribute, no class.
    """
    asked = take_apart("mirdata", argument, _OPTIONS)
    dataset = _dataset(asked, data or default_data_root())
    known = _known(asked)
    try:
        clips, folds, said = _read(asked, known, dataset)
    except FileNotFoundError as error:
        raise MissingData(f"{asked.name}: not fetched, or not whole ({one_line(error)}); {asked.command}") from error
    except MirbenchError:
        raise
    except Exception as error:  # what a loader makes of files that it does not expect
        raise BadInput(f"{asked.name}: its loader fails on the files ({one_line(error)})") from error
    task = library_task(asked, Path(dataset.data_home), clips, folds, str(dataset.version))
    return replace(
        task,
        datasets=(f"mirdata:{asked.dataset}", *known.also),
        license=" ".join(str(getattr(_module(asked), "LICENSE_INFO", "") or "").split()),
        notes=(*said, *task.notes),
    )


def fetch_mirdata(argument: str, root: Path, progress: Progress) -> Path:
    """Fetch a data set into ``root/mirdata/NAME`` with mirdata, and check every file's md5; returns that folder.

    Raises
    ------
    MissingExtra
        If the library is not installed.
    MissingData
        If something cannot be fetched; says what the loader says about getting it.
    BadInput
        If a file is another than the published one.
    """
    asked = take_apart("mirdata", argument, _OPTIONS)
    dataset = _dataset(asked, root)
    _known(asked)  # raises where nothing could be done with it
    home = Path(dataset.data_home)
    checking = f"{asked.name}: checking the md5 of every file in {home}"
    try:
        with _logging_to(progress):
            progress.say(checking)
            try:
                missing, changed = _checked(dataset)
            except FileNotFoundError:  # not even the index is there
                missing, changed = ["its index"], []
            if missing:
                progress.say(f"{asked.name}: mirdata fetches it to {home}")
                dataset.download()
                progress.say(checking)
                missing, changed = _checked(dataset)
    except Exception as error:  # the network's, an archive's or a loader's own
        raise MissingData(
            f"{asked.name}: mirdata does not fetch it ({one_line(error)}); delete a file that is said to be corrupted, "
            f"and try again{_by_hand(asked, home)}"
        ) from error
    finally:
        _leave_nothing_empty(home, root)
    if changed:
        raise BadInput(f"{asked.name}: {len(changed)} files are not the published ones ({changed[0]} …); delete them")
    if missing:
        raise MissingData(f"{asked.name}: {len(missing)} files lack ({missing[0]} …){_by_hand(asked, home)}")
    return home


def _dataset(asked: Asked, root: Path) -> Any:
    """The loader, whose files are ``root/mirdata/NAME``."""
    with _logging_to(None), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries that its loaders import warn of one another
        library = extra_module("mirdata", f"mirdata:{asked.dataset}", "mirdata", "mirdata")
        if asked.dataset not in library.list_datasets():
            raise UnknownName("data set of mirdata", asked.dataset, library.list_datasets())
        try:
            home = root.expanduser().resolve() / "mirdata" / asked.dataset
            return library.initialize(asked.dataset, data_home=str(home))
        except ImportError as error:
            raise BadInput(f"{asked.name}: its loader needs another package ({one_line(error)})") from error


def _module(asked: Asked) -> Any:
    return importlib.import_module(f"mirdata.datasets.{asked.dataset}")


def _known(asked: Asked) -> Known:
    """What the table knows, with what the name says in its place."""
    known = KNOWN.get(asked.dataset, Known(""))
    given = asked.options
    if given.get("label", known.label) != known.label:
        known = replace(known, label=given["label"], label_part="", seen="as asked")
    if given.get("group", known.group) != known.group:
        known = replace(known, group=given["group"], group_part="")
    if not known.label:
        track = getattr(_module(asked), "Track", None)
        has = ", ".join(name for name in sorted(vars(track) if track else ()) if not name.startswith("_"))
        raise BadInput(
            f"{asked.name}: which attribute is the class is not known; write mirdata:{asked.dataset}?label=ATTRIBUTE "
            f"(and &group=ATTRIBUTE); its tracks have {has or 'none'}"
        )
    return replace(known, audio=given.get("audio") or known.audio)


def _read(asked: Asked, known: Known, dataset: Any) -> tuple[list[Clip], dict[str, int], tuple[str, ...]]:
    """Clips, folds where the loader has some, and lines about them for the card."""
    tracks = dataset.load_tracks()
    split_of, folds = _splits(asked, known, dataset, tracks)
    left_out: Counter[str] = Counter()
    clips = []
    for name, track in tracks.items():
        where = value(asked.name, track, known.audio)
        labels = classes(asked.name, known, track)
        if name not in split_of:
            left_out["in no split of train, validation or test"] += 1
        elif where is None:
            left_out["without audio"] += 1
        elif labels is None:
            left_out["without a label"] += 1
        else:
            path = _inside(asked, dataset, where)
            clips.append(Clip(name, path, split_of[name], labels, group=group(asked.name, known, track)))
    if absent := [clip for clip in clips if clip.path is not None and not clip.path.is_file()]:
        raise MissingData(
            f"{asked.name}: {len(absent)} of {len(clips)} audio files are absent ({absent[0].path}); {asked.command}"
            f"{_by_hand(asked, Path(dataset.data_home))}"
        )
    said = [
        f"mirdata's loader {asked.dataset}, version {dataset.version}",
        f"classes from {known.label}" + (f" ({known.seen})" if known.seen else ""),
        *([f"groups from {known.group}"] if known.group else []),
        *(f"left out: {count} {what}" for what, count in sorted(left_out.items())),
    ]
    kept = {clip.id for clip in clips}
    return clips, {name: fold for name, fold in folds.items() if name in kept}, tuple(said)


def _splits(
    asked: Asked, known: Known, dataset: Any, tracks: Mapping[str, Any]
) -> tuple[Mapping[str, str], Mapping[str, int]]:
    """Split of each track ("" where it is to be drawn), and its fold where the loader's splits are numbered."""
    if known.split:
        given = {name: getattr(track, known.split) for name, track in tracks.items()}
    else:
        try:
            splits = dataset.get_track_splits()
        except (NotImplementedError, AttributeError):  # the loader has none
            splits = {}
        given = {str(name): split for split, names in splits.items() for name in names}
    given = {name: split for name, split in given.items() if split is not None}
    if not given:
        return dict.fromkeys(tracks, ""), {}
    values = set(given.values())
    if all(isinstance(split, bool) for split in values):
        return {name: "train" if split else "test" for name, split in given.items()}, {}
    if all(isinstance(split, int) for split in values):
        return dict.fromkeys(given, ""), given
    ours = named_splits(asked.name, sorted(map(str, values)))
    return {name: ours[str(split)] for name, split in given.items() if str(split) in ours}, {}


def _inside(asked: Asked, dataset: Any, where: Any) -> Path:
    """Path of a track's audio, which must lie in the data set's folder."""
    path = Path(os.path.normpath(str(where)))
    if not path.is_relative_to(os.path.normpath(dataset.data_home)):
        raise BadInput(f"{asked.name}: the path {str(where)!a} lies outside of {dataset.data_home}; not trusted")
    return path


def _checked(dataset: Any) -> tuple[list[str], list[str]]:
    """Files of the data set's index that are not there, and those whose md5 is another."""
    missing, changed = dataset.validate(verbose=False)
    return list(_files(missing)), list(_files(changed))


def _files(found: Any) -> Iterator[str]:
    """Paths in what ``validate`` returns: dictionaries of lists, at any depth."""
    if isinstance(found, Mapping):
        found = found.values()
    elif isinstance(found, str):
        yield found
        return
    for member in found:
        yield from _files(member)


def _leave_nothing_empty(home: Path, root: Path) -> None:
    """Remove the folders that were made for a download that did not come."""
    inside = sorted(home.rglob("*"), reverse=True) if home.is_dir() else []
    if not any(path.is_file() for path in inside):
        for folder in (*inside, home, home.parent, root):
            with contextlib.suppress(OSError):  # not empty, or not there
                folder.rmdir()


def _by_hand(asked: Asked, home: Path) -> str:
    """What the loader says about files that it cannot fetch, on one line."""
    said = " ".join(str(getattr(_module(asked), "DOWNLOAD_INFO", "") or "").split())
    return f"; by hand, into {home}: {said.replace('{}', str(home))[:400]}" if said else ""


@contextlib.contextmanager
def _logging_to(progress: Progress | None) -> Iterator[None]:
    """The library sets up and writes to the root logger; here its warnings become lines of progress, or nothing."""
    root = logging.getLogger()
    handlers, level, timeout = root.handlers[:], root.level, socket.getdefaulttimeout()
    root.handlers[:] = [_Lines(progress) if progress else logging.NullHandler()]
    root.setLevel(logging.WARNING)
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        socket.setdefaulttimeout(timeout)


class _Lines(logging.Handler):
    """Log records as lines of progress."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.WARNING)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.say(f"mirdata: {' '.join(record.getMessage().split())}")
