"""Features that were computed elsewhere, as sources: a file of the user's, or arrays that ship with a data set.

``features:FILE.npz`` matches rows to clips by their ids: an array of ids, and arrays of numbers with a row an id.
``shipped:NAME`` takes the features called so on the task's clips, as OpenMIC's own VGGish embeddings. Both offer
`pooled` alone: nothing can be put in front of a network that is not there.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench import Windows
from mirbench.errors import BadInput, MissingData, NotApplicable
from mirbench.methods.sources.saved_arrays import Saved, arrays, look
from mirbench.places import user_path
from mirbench.source import SourceCard
from mirbench.types import Clip

__all__ = ["FileFeatures", "ShippedFeatures", "called_features", "features_card", "shipped_card"]

Array = npt.NDArray[Any]


def called_features(argument: str) -> str:
    """What records call the file of features that an argument names: the last part of its path."""
    return unicodedata.normalize("NFC", user_path(argument).name)


def features_card(argument: str, weights: Path | None = None) -> SourceCard:
    """The card of a file of features.

    Parameters
    ----------
    argument : str
        An .npz file with an array of ids (one of "id", "ids", "clip_id", "sample_key", or the only array of text) and
        arrays of numbers with a row an id: (n, n_features), or (n, n_frames, n_features), whose frames are averaged by
        probes. Where several may be features, or none but labels is there, the option ``array`` must say which.

    Raises
    ------
    MissingData
        If there is no such file.
    BadInput
        If the file holds no ids or no features.
    """
    path = user_path(argument).resolve()
    if not path.is_file():
        raise MissingData(f"features:{argument}: no such file; an .npz file with ids and features is needed")
    saved = look(path)
    only = saved.features[0] if len(saved.features) == 1 else ""
    return SourceCard(
        name=f"features:{called_features(str(path))}",
        title=f"Features of {path.name}: {saved.told()}",
        kind="precomputed",
        offers=("pooled",),
        builder="mirbench.methods.sources.precomputed:FileFeatures",
        n_features=saved.shapes[only][-1] if only else 0,
        file=str(path),
        options={"array": only},
        choices={"array": (*saved.features, *saved.labels)},
        notes=("computed elsewhere: what their network was trained on, and what they cost, is not known here",),
    )


def shipped_card(argument: str, weights: Path | None = None) -> SourceCard:
    """The card of features that ship with the task's data set, by their name on its clips ("vggish")."""
    if not argument:
        raise BadInput("shipped: names nothing; write shipped:NAME, as in shipped:vggish for OpenMIC-2018")
    return SourceCard(
        name=f"shipped:{argument}",
        title=f"Features called {argument} that ship with the task's data set",
        kind="precomputed",
        offers=("pooled",),
        builder="mirbench.methods.sources.precomputed:ShippedFeatures",
        shipped=argument,
        notes=("computed by the data set's authors; the task's card says how",),
    )


class FileFeatures:
    """Rows of an .npz file, by clip id.

    Parameters
    ----------
    path : Path
        The file.
    array : str
        Which of its arrays; "" is the only one that may be features.
    """

    def __init__(self, path: Path, array: str = "") -> None:
        saved = look(path)
        array = array or _only(path, saved)
        if array not in saved.shapes:
            raise BadInput(
                f"features:{path.name}: no array of features is called '{array}'; it has {', '.join(saved.shapes)}"
            )
        ids, self._values = arrays(path, [saved.id_name, array])
        self._name = path.name
        try:
            texts = np.strings.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids
        except UnicodeDecodeError as error:
            raise BadInput(f"features:{path.name}: its ids are not text in UTF-8 ({error})") from error
        self._row = {str(name): row for row, name in enumerate(texts)}
        if len(self._row) < len(ids):
            raise BadInput(f"features:{path.name}: some ids occur twice; one row an id is needed")
        count = Counter(map(_plain, self._row))
        self._plain_row = {_plain(name): row for name, row in self._row.items() if count[_plain(name)] == 1}

    def pooled(self, clips: Sequence[Clip]) -> Windows:
        """The row of each clip; a clip of several frames has several windows.

        Raises
        ------
        BadInput
            Naming clips of which the file holds nothing.
        """
        rows = [self._row.get(clip.id, self._plain_row.get(_plain(clip.id), -1)) for clip in clips]
        if lacking := [clip.id for clip, row in zip(clips, rows, strict=True) if row < 0]:
            raise BadInput(
                f"features:{self._name}: no row of {len(lacking)} of {len(clips)} clips ({lacking[0]} is one); "
                f"its ids look like {next(iter(self._row), '')!r}; both must be the same, folders and suffix included"
            )
        return _windows(self._values[rows], clips, f"features:{self._name}")


def _only(path: Path, saved: Saved) -> str:
    """The array that is meant where none is said."""
    if len(saved.features) != 1:
        raise BadInput(
            f"features:{path.name}: which array is meant must be said ({saved.told()}): "
            f"--source-set array={(*saved.features, *saved.labels)[0]}"
        )
    return saved.features[0]


def _plain(name: str) -> str:
    """An id as other programs may have written it: in one Unicode form, without spaces around it, with slashes."""
    return unicodedata.normalize("NFC", name).strip().replace("\\", "/")


class ShippedFeatures:
    """Rows of the arrays that ship with a data set, as its clips name them."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._held: dict[tuple[Path, str], Array] = {}

    def pooled(self, clips: Sequence[Clip]) -> Windows:
        """The row of each clip; a clip of several frames has several windows."""
        rows = []
        for clip in clips:
            place = next((row for row in clip.arrays if row.name == self._name), None)
            if place is None:
                raise NotApplicable(f"{clip.id}: no features called {self._name} ship with it")
            if (place.path, place.key) not in self._held:
                self._held[place.path, place.key] = arrays(place.path, [place.key])[0]
            values = self._held[place.path, place.key]
            if values.dtype.kind not in "fiu" or values.ndim not in (2, 3) or not all(values.shape[1:]):
                raise BadInput(f"{place.path}: '{place.key}' is no array of numbers with a row a clip")
            if place.row >= len(values):
                raise BadInput(f"{place.path}: '{place.key}' has {len(values)} rows, and none of {clip.id}")
            rows.append(values[place.row])
        return _windows(np.stack(rows), clips, f"shipped:{self._name}")


def _windows(values: Array, clips: Sequence[Clip], name: str) -> Windows:
    """Rows (n, n_features) as a window a clip, (n, n_frames, n_features) as a window a frame."""
    n_frames = 1 if values.ndim == 2 else values.shape[1]
    with np.errstate(over="ignore"):  # what is too large for float32 is found below
        flat = values.reshape(len(clips) * n_frames, values.shape[-1]).astype(np.float32)
    finite = np.isfinite(flat).all(axis=1).reshape(len(clips), n_frames).all(axis=1)
    if not finite.all():
        clip_id = clips[int(np.argmin(finite))].id
        raise BadInput(f"{name}: {int((~finite).sum())} rows hold values that are not finite ({clip_id} is one)")
    return Windows(flat, np.repeat(np.arange(len(clips)), n_frames), len(clips))
