"""Data sets of the Hugging Face Hub, ``hf:OWNER/NAME``: fetched once by its library, kept as plain files.

``mirbench data get hf:OWNER/NAME`` writes the audio, still encoded, and a list of clips (`mirbench.clip_list`) below
the data root; a task is read from there, without the library. What cannot be guessed is said in the name, as in
``hf:OWNER/NAME?config=small&label=genre``: ``config``, the configuration; ``audio``, ``label`` and ``group``, columns
(``group`` is what must not cross splits); ``revision``, a branch, tag or commit. "%2B" stands for a "+".

Published splits are kept; those that lack are drawn as for a user's own data. Nothing that a data set says becomes a
path, and no code of a data set is run. The library keeps its own download in the user's Hugging Face cache.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from mirbench.cache import replace_folder
from mirbench.clip_list import read_clip_list, write_clip_list
from mirbench.datasets import default_data_root
from mirbench.errors import BadInput, MissingData, MissingExtra, UnknownName
from mirbench.progress import Progress
from mirbench.tasks.own import own_task
from mirbench.tasks.splitting import partition
from mirbench.types import Clip, Task

__all__ = ["Asked", "class_name", "fetch_hf", "hf_task", "library_task", "named_splits", "one_line", "take_apart"]

_OPTIONS = ("config", "audio", "label", "group", "revision")
_REPOSITORY = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
_LABELS = ("label", "labels", "genre", "genres", "class", "classes", "instrument", "instruments", "style", "tags")
_SPLITS = {
    "train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid", "dev": "valid",
    "development": "valid", "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
_OF_TRAIN = {"train": 0.85, "test": 0.15}
_SUFFIXES = {
    "WAV": ".wav", "WAVEX": ".wav", "RF64": ".wav", "FLAC": ".flac", "OGG": ".ogg", "MP3": ".mp3", "AIFF": ".aiff",
    "AU": ".au", "CAF": ".caf", "W64": ".w64",
}  # fmt: skip
_LIST, _SOURCE = "clips.csv", "source.json"
_UNREADABLE = 0.1  # a larger share than this is no accident but a format that nothing here decodes
_TIMEOUT = 30.0


@dataclass(frozen=True)
class Asked:
    """The name of a data set taken apart: its family, its own name, and the options after the question mark."""

    family: str
    dataset: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name put together again, options in alphabetical order."""
        query = urlencode(sorted(self.options.items()), safe=",", quote_via=quote)
        return f"{self.family}:{self.dataset}" + (f"?{query}" if query else "")

    @property
    def command(self) -> str:
        """What fetches it, for messages."""
        name = f"'{self.name}'" if self.options else self.name
        return f"`mirbench data get {name} --data ROOT`"


def take_apart(family: str, argument: str, known: Sequence[str]) -> Asked:
    """The argument of a family, ``NAME?option=value&…``.

    Raises
    ------
    BadInput
        If an option has no value, is given twice, or is none of `known`.
    """
    dataset, mark, query = argument.partition("?")
    how = f"{family}:{dataset}?{known[0]}=…&{known[1]}=…"
    try:
        pairs = parse_qsl(query or "?", keep_blank_values=True, strict_parsing=True) if mark else []
    except ValueError as error:
        raise BadInput(f"{family}:{argument}: options are written {how}") from error
    for option, value in pairs:
        if option not in known:
            raise UnknownName(f"option of {family}:", option, known)
        if not value.isprintable() or sum(option == other for other, _ in pairs) > 1:
            raise BadInput(f"{family}:{argument!a}: {option} needs one plain value; options are written {how}")
    return Asked(family, dataset, dict(pairs))


def one_line(error: BaseException) -> str:
    """What a library raised, on one line of bounded length."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300].rstrip(": ")


def class_name(text: str) -> str:
    """A class as a list of clips can hold it: on one line, without the semicolon that separates classes."""
    return " ".join(text.replace(";", ",").split())


def named_splits(name: str, published: Iterable[str]) -> dict[str, str]:
    """Which of ours each published split is; one alone is "", to be drawn from, and those of other names are left out.

    Raises
    ------
    BadInput
        If there are several and none has a name that says what it is for.
    """
    known = list(dict.fromkeys(published))
    if len(known) == 1:
        return {known[0]: ""}
    found = {split: _SPLITS[split.lower()] for split in known if split.lower() in _SPLITS}
    if known and not found:
        raise BadInput(f"{name}: its splits are {', '.join(sorted(known))}; none of them is train, validation or test")
    return found


def library_task(asked: Asked, folder: Path, clips: Sequence[Clip], folds: Mapping[str, int], version: str) -> Task:
    """A task of a published data set: splits that lack are drawn, the version tells the clips and the data set's own.

    Parameters
    ----------
    folder : Path
        Folder to which the clips' paths are written relative.
    clips, folds
        As in `mirbench.tasks.own.own_task`.
    version : str
        The data set's own.
    """
    settled, drawn = (list(clips), "") if folds else _settled(clips)
    task = own_task(asked.name, "", folder, settled, folds)
    return replace(
        task,
        version=f"{task.version}-{version}",
        title=f"{asked.dataset}, by its library",
        standing="full",
        manifest=bool(drawn),
        notes=(drawn or "splits as they are published",),
    )


def _settled(clips: Sequence[Clip]) -> tuple[list[Clip], str]:
    """The clips with test drawn where it lacks, and what is drawn; `own_task` draws valid, or all three."""
    given = {clip.split for clip in clips}
    if given == {"train", "valid"}:
        parts = partition([clip for clip in clips if clip.split == "train"], _OF_TRAIN)
        return [replace(clip, split=parts.get(clip.id, clip.split)) for clip in clips], "test is drawn: 15 % of train"
    if not {"train", "test"} <= given:
        return [replace(clip, split="") for clip in clips], "train, valid and test are drawn, 70/15/15"
    return list(clips), "" if "valid" in given else "valid is drawn: 15 % of train"


def hf_task(argument: str, data: Path | None = None) -> Task:
    """The task of a data set that was fetched from the Hugging Face Hub.

    Parameters
    ----------
    argument : str
        ``OWNER/NAME``, with options as the module says.
    data : Path or None
        The data root; None is the default one.

    Raises
    ------
    MissingData
        If it has not been fetched.
    BadInput
        If the name is not written so, or what was fetched makes no task.
    """
    asked = _asked(argument)
    folder = (data or default_data_root()).expanduser().resolve() / _folder(asked)
    if not (folder / _LIST).is_file():
        raise MissingData(f"{asked.name}: {folder} does not hold it; {asked.command} fetches it")
    return _task(asked, folder)


def _task(asked: Asked, folder: Path) -> Task:
    try:
        source = {str(key): str(value) for key, value in json.loads((folder / _SOURCE).read_text("utf-8")).items()}
        revision, notes = source.pop("revision"), source.pop("notes")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise BadInput(f"{folder / _SOURCE}: broken; delete {folder}, then {asked.command}") from error
    clips, folds = read_clip_list(folder / _LIST)
    task = library_task(asked, folder, clips, folds, revision[:12])
    about = f"revision {revision} of huggingface.co/datasets/{asked.dataset}"
    return replace(
        task,
        datasets=(f"{asked.family}:{asked.dataset}",),
        license=source.get("license", ""),
        notes=(about, notes, *task.notes),
    )


def _asked(argument: str) -> Asked:
    asked = take_apart("hf", argument, _OPTIONS)
    if not _REPOSITORY.fullmatch(asked.dataset) or any(bad in asked.dataset for bad in ("..", "--")):
        raise BadInput(f"hf:{argument!a}: write hf:OWNER/NAME, as on huggingface.co/datasets")
    return asked


def _folder(asked: Asked) -> Path:
    """Where it lies below the data root; other options are another folder, and no value can name one outside."""
    owner, _, name = asked.dataset.partition("/")
    options = dict(asked.options)
    config = quote(options.pop("config", ""), safe="")
    parts = [f"{owner}--{name}", *([config] if config else [])]
    return Path("hf", "--".join([*parts, *(f"{key}={quote(options[key], safe='')}" for key in sorted(options))]))


def fetch_hf(argument: str, root: Path, progress: Progress) -> Path:
    """Fetch a data set into ``root/hf/OWNER--NAME…``, whole or not at all; returns that folder.

    Raises
    ------
    MissingExtra
        If the library ``datasets`` is not installed.
    MissingData
        If the Hub does not give the data set.
    BadInput
        If its audio or labels are not found, cannot be read, or make no task.
    """
    asked = _asked(argument)
    target = root / _folder(asked)
    if (target / _LIST).is_file():
        progress.say(f"{target} is there already; delete it to fetch it again")
        return target
    library = _library(asked)
    revision, license_name = _published(asked)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=target.parent) as work:
            loading, made = Path(work, "loading"), Path(work, "made")
            loaded = _load(library, asked, revision, loading, progress)
            notes = _Writer(library, asked, made, (loading, _hub_folder(asked))).write(loaded, progress)
            source = {"revision": revision, "license": license_name, "notes": notes}
            (made / _SOURCE).write_text(json.dumps(source, indent=1) + "\n", encoding="utf-8")
            _task(asked, made)  # raises where what came makes no task
            replace_folder(made, target)
    finally:
        with contextlib.suppress(OSError):  # not empty: something was fetched, now or before
            target.parent.rmdir()
            root.rmdir()
    return target


def _library(asked: Asked) -> Any:
    try:
        return importlib.import_module("datasets")
    except ImportError as error:
        raise MissingExtra(f"fetching {asked.name}", "datasets", "hf") from error


def _published(asked: Asked) -> tuple[str, str]:
    """The commit that is asked for, and the licence that the data set's card names."""
    hub = importlib.import_module("huggingface_hub")
    errors = importlib.import_module("huggingface_hub.errors")
    try:
        info = hub.HfApi().dataset_info(asked.dataset, revision=asked.options.get("revision"), timeout=_TIMEOUT)
    except errors.GatedRepoError as error:
        raise MissingData(f"{asked.name}: its terms must be accepted on huggingface.co first") from error
    except errors.RepositoryNotFoundError as error:
        raise MissingData(f"{asked.name}: no public data set of this name is on huggingface.co") from error
    except errors.RevisionNotFoundError as error:
        raise MissingData(f"{asked.name}: the data set has no such revision") from error
    except Exception as error:  # each version of the library has another way to say that there is no answer
        raise MissingData(
            f"{asked.name}: huggingface.co does not answer ({one_line(error)}); try again later"
        ) from error
    named = getattr(info.card_data, "license", None) or ""
    return str(info.sha), named if isinstance(named, str) else ", ".join(map(str, named))


def _hub_folder(asked: Asked) -> Path:
    """Where the Hub's library keeps this data set's own files."""
    constants = importlib.import_module("huggingface_hub.constants")
    return Path(constants.HF_HUB_CACHE, f"datasets--{asked.dataset.replace('/', '--')}")


def _load(library: Any, asked: Asked, revision: str, cache: Path, progress: Progress) -> Mapping[str, Any]:
    if Path(asked.dataset).exists():
        raise BadInput(
            f"{asked.name}: the library would read the folder {asked.dataset} that is here; run it elsewhere"
        )
    if progress.quiet or not sys.stderr.isatty():
        library.disable_progress_bars()
    progress.say(f"{asked.name}: the library datasets fetches revision {revision[:12]}")
    config = asked.options.get("config")
    try:
        with _not_encoding(library.Audio):
            splits = library.load_dataset(asked.dataset, name=config, revision=revision, cache_dir=str(cache))
        return dict(splits)
    except Exception as error:  # whatever a stranger's files make the library raise
        generic = type(error).__name__ == "DatasetGenerationError"  # says nothing; its cause does
        said = one_line(error.__cause__ if generic and error.__cause__ else error)
        raise BadInput(f"{asked.name}: the library datasets does not load it: {said}") from error


@contextlib.contextmanager
def _not_encoding(audio: Any) -> Iterator[None]:
    """Audio is noted as bytes or a path; the library alone would ask for torchcodec even where nothing is encoded."""
    original: Callable[..., Any] = audio.encode_example

    def encode_example(self: Any, value: Any) -> Any:
        if isinstance(value, str | Path):
            return {"bytes": None, "path": str(value)}
        if isinstance(value, bytes):
            return {"bytes": value, "path": None}
        if isinstance(value, Mapping) and "array" not in value:
            return {"bytes": value.get("bytes"), "path": value.get("path")}
        return original(self, value)

    audio.encode_example = encode_example
    try:
        yield
    finally:
        audio.encode_example = original


class _Writer:
    """Writes the rows of a loaded data set as files and a list of clips.

    Parameters
    ----------
    places : sequence of Path
        Folders in which a file that a row names may lie.
    """

    def __init__(self, library: Any, asked: Asked, folder: Path, places: Sequence[Path]) -> None:
        self._library, self._asked, self._folder = library, asked, folder
        self._places = [place.resolve() for place in places]
        self._left_out: Counter[str] = Counter()
        self._strange = ""
        self._clips: list[Clip] = []

    def write(self, loaded: Mapping[str, Any], progress: Progress) -> str:
        """Write everything; returns a line about columns, splits and what was left out."""
        name, total = self._asked.name, sum(len(rows) for rows in loaded.values())
        if not total:
            raise BadInput(f"{name}: the data set is empty")
        splits = named_splits(name, loaded)
        audio, label, group = self._columns(next(iter(loaded.values())).features)
        self._folder.mkdir(parents=True)
        with progress.bar(f"writing {name}", total, "clips") as step:
            for published, split in splits.items():
                try:
                    rows = loaded[published].cast_column(audio, self._library.Audio(decode=False))
                except Exception as error:  # the library's many ways to say that a column holds no audio
                    raise BadInput(f"{name}: the column {audio} holds no audio ({one_line(error)})") from error
                names = _classes(name, label, rows.features[label])
                for number, row in enumerate(rows.select_columns([audio, label, *([group] if group else [])])):
                    labels = _labels(row[label], names)
                    of = "" if not group or row[group] is None else " ".join(str(row[group]).split())
                    self._add(Clip(f"{published}-{number:06}", None, split, labels or (), group=of), labels, row[audio])
                    step(1)
        self._check_readable(len(self._clips) + self._left_out["that soundfile cannot read"])
        write_clip_list(self._folder / _LIST, [self._clips], self._folder)
        unused = [published for published in loaded if published not in splits]
        said = [f"audio from the column {audio}, classes from {label}", f"groups from {group}" if group else ""]
        said += [f"its splits are {', '.join(loaded)}", f"left out: {', '.join(unused)}" if unused else ""]
        said += [f"left out: {count} {what}" for what, count in sorted(self._left_out.items())]
        return "; ".join(part for part in said if part)

    def _columns(self, features: Mapping[str, Any]) -> tuple[str, str, str]:
        """Columns of the audio, the label and the group; the last may be ""."""
        name, options = self._asked.name, self._asked.options
        for option in ("audio", "label", "group"):
            if options.get(option) and options[option] not in features:
                raise UnknownName(f"column of {name}", options[option], map(str, features))
        audio = [column for column, feature in features.items() if isinstance(feature, self._library.Audio)]
        label = [column for column, feature in features.items() if hasattr(_inner(feature), "int2str")]
        label = label or [column for column in features if column.lower() in _LABELS]
        return (
            options.get("audio") or _only(self._asked, "audio", audio, features),
            options.get("label") or _only(self._asked, "label", label, features),
            options.get("group", ""),
        )

    def _add(self, clip: Clip, labels: tuple[str, ...] | None, held: Mapping[str, Any] | None) -> None:
        if labels is None:
            self._left_out["without a label"] += 1
            return
        data = self._bytes(clip, held or {})
        suffix = _suffix(data)
        if not suffix:
            self._left_out["that soundfile cannot read"] += 1
            self._strange = self._strange or f"{clip.id}{Path(str((held or {}).get('path') or '')).suffix[:8]}"
            if self._left_out["that soundfile cannot read"] % 50 == 0:
                self._check_readable(len(self._clips) + self._left_out["that soundfile cannot read"])
            return
        number = len(self._clips)
        path = self._folder / "audio" / f"{number // 1000:03}" / f"{number:06}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self._clips.append(replace(clip, path=path))

    def _bytes(self, clip: Clip, held: Mapping[str, Any]) -> bytes:
        """The encoded audio of a row: its own bytes, or those of a file that was downloaded with it."""
        if held.get("bytes") or not held.get("path"):
            return bytes(held.get("bytes") or b"")
        where = str(held["path"])
        inside, packed, file = where.rpartition("::")
        path = Path(file)
        safe = path.is_absolute() and any(path.resolve().is_relative_to(place) for place in self._places)
        if not safe or (packed and not inside.startswith("zip://")):
            raise BadInput(f"{self._asked.name}: {clip.id} names the file {where!a}, which is not its own; not trusted")
        if not packed:
            return path.read_bytes()
        with importlib.import_module("fsspec").open(where, "rb") as stream:
            return bytes(stream.read())

    def _check_readable(self, n_seen: int) -> None:
        count = self._left_out["that soundfile cannot read"]
        if count > _UNREADABLE * n_seen:
            raise BadInput(
                f"{self._asked.name}: soundfile cannot read {count} of the first {n_seen} files "
                f"({self._strange} …); convert them and take folder:PATH"
            )


def _only(asked: Asked, option: str, found: Sequence[str], features: Iterable[str]) -> str:
    if len(found) != 1:
        which = f"{' and '.join(found)} may be" if found else "no column is known to be"
        also = "&" if asked.options else "?"
        raise BadInput(f"{asked.name}: {which} {option}; add {also}{option}=COLUMN, one of {', '.join(features)}")
    return found[0]


def _inner(feature: Any) -> Any:
    """The feature of a list's members, or the feature itself."""
    if isinstance(feature, list):
        return feature[0]
    return getattr(feature, "feature", feature)


def _classes(name: str, column: str, feature: Any) -> tuple[str, ...] | None:
    """Names of the classes that a column holds the numbers of; None where it holds names themselves."""
    inner = _inner(feature)
    if not hasattr(inner, "int2str"):
        kind = str(getattr(inner, "dtype", type(inner).__name__))
        if not kind.startswith(("string", "large_string", "int", "uint", "bool")):
            raise BadInput(
                f"{name}: the column {column} holds {kind}; classes are text, whole numbers, or lists of them"
            )
        return None
    names = tuple(class_name(str(text)) for text in inner.names)
    if len(set(names)) < len(names) or "" in names:
        raise BadInput(f"{name}: the classes of {column} are not told apart by their names")
    return names


def _labels(value: Any, names: Sequence[str] | None) -> tuple[str, ...] | None:
    """Classes of a row; None where it has no label (the Hub's number for that is -1)."""
    if value is None:
        return None
    several = isinstance(value, list)
    found = [member for member in (value if several else [value]) if member is not None]
    if names is not None:
        texts = [names[member] for member in found if 0 <= member < len(names)]
    else:
        texts = [text for text in (class_name(str(member)) for member in found) if text]
    return tuple(dict.fromkeys(texts)) if texts or several else None


def _suffix(data: bytes) -> str:
    """Suffix of the format that the bytes are in, "" where soundfile cannot read them."""
    import soundfile

    try:
        return _SUFFIXES.get(soundfile.info(io.BytesIO(data)).format, "")
    except soundfile.SoundFileError:
        return ""
