"""Features that were computed elsewhere, as sources: a file of the user's, or arrays that ship with a data set.

``features:FILE.npz`` matches rows to clips by their ids: an array of ids, and arrays of numbers with a row an id.
``shipped:NAME`` takes the features called so on the task's clips, as OpenMIC's own VGGish embeddings. Both offer
`pooled` alone: nothing can be put in front of a network that is not there.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mirbench import Windows
from mirbench.errors import BadInput, MissingData, NotApplicable
from mirbench.places import user_path
from mirbench.source import SourceCard
from mirbench.types import Clip

__all__ = ["FileFeatures", "ShippedFeatures", "features_card", "shipped_card"]

Array = npt.NDArray[Any]
_BROKEN = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


def features_card(argument: str, weights: Path | None = None) -> SourceCard:
    """The card of a file of features.

    Parameters
    ----------
    argument : str
        An .npz file with an array of ids (one of "id", "ids", "clip_id", "sample_key", or the only array of text) and
        arrays of numbers with a row an id: (n, n_features), or (n, n_frames, n_features), whose frames are averaged by
        probes.

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
    shapes = _feature_shapes(path)
    first = next(iter(shapes))
    return SourceCard(
        name=f"features:{path.name}",
        title=f"Features of {path.name}: {', '.join(f'{name} {shape}' for name, shape in shapes.items())}",
        kind="precomputed",
        offers=("pooled",),
        builder="mirbench.methods.sources.precomputed:FileFeatures",
        n_features=shapes[first][-1],
        file=str(path),
        options={"array": first},
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
        Which of its arrays.
    """

    def __init__(self, path: Path, array: str) -> None:
        shapes = _feature_shapes(path)
        if array not in shapes:
            raise BadInput(
                f"features:{path.name}: no array of features is called '{array}'; it has {', '.join(shapes)}"
            )
        ids = _arrays(path, [_id_name(path)])[0]
        self._name = path.name
        self._values = _arrays(path, [array])[0]
        try:
            texts = np.strings.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids
        except UnicodeDecodeError as error:
            raise BadInput(f"features:{path.name}: its ids are not text in UTF-8 ({error})") from error
        self._row = {str(name): row for row, name in enumerate(texts)}
        if len(self._row) < len(ids):
            raise BadInput(f"features:{path.name}: some ids occur twice; one row an id is needed")

    def pooled(self, clips: Sequence[Clip]) -> Windows:
        """The row of each clip; a clip of several frames has several windows.

        Raises
        ------
        BadInput
            Naming clips of which the file holds nothing.
        """
        if lacking := [clip.id for clip in clips if clip.id not in self._row]:
            raise BadInput(
                f"features:{self._name}: no row of {len(lacking)} of {len(clips)} clips ({lacking[0]} is one); "
                f"its ids look like '{next(iter(self._row), '')}'"
            )
        return _windows(self._values[[self._row[clip.id] for clip in clips]], clips, f"features:{self._name}")


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
                self._held[place.path, place.key] = _arrays(place.path, [place.key])[0]
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


def _arrays(path: Path, names: Sequence[str]) -> list[Array]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            return [held[name] for name in names]
    except _BROKEN as error:
        raise BadInput(
            f"{path}: not readable as an .npz file of arrays ({str(error).partition(chr(10))[0]})"
        ) from error


def _headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of each array, without reading their values."""
    from numpy.lib import format as npy

    try:
        with zipfile.ZipFile(path) as zipped:
            found = {}
            for name in zipped.namelist():
                with zipped.open(name) as stream:
                    version = npy.read_magic(stream)
                    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                    shape, _, dtype = read(stream)
                    found[name.removesuffix(".npy")] = (shape, dtype)
            return found
    except _BROKEN as error:
        raise BadInput(
            f"{path}: not readable as an .npz file of arrays ({str(error).partition(chr(10))[0]})"
        ) from error


def _id_name(path: Path) -> str:
    headers = _headers(path)
    texts = [name for name, (shape, dtype) in headers.items() if dtype.kind in "US" and len(shape) == 1]
    known = [name for name in ("id", "ids", "clip_id", "sample_key") if name in headers]
    if known and known[0] not in texts:
        raise BadInput(f"features:{path.name}: its array '{known[0]}' must be text, one id a row")
    if known or len(texts) == 1:
        return (known or texts)[0]
    raise BadInput(
        f"features:{path.name}: no array of ids; call it 'id' (text, one a row). It has {', '.join(headers)}"
    )


def _feature_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    headers = _headers(path)
    n_rows = headers[_id_name(path)][0][0]
    found = {
        name: shape
        for name, (shape, dtype) in headers.items()
        if dtype.kind in "fiu" and len(shape) in (2, 3) and shape[0] == n_rows and all(shape)
    }
    if not found:
        said = ", ".join(f"{name} {shape}" for name, (shape, _) in headers.items())
        raise BadInput(f"features:{path.name}: no array of numbers with a row for each of {n_rows} ids; it has {said}")
    return found
