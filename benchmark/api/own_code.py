"""The identity of a method that a notebook or a program defines: a hash of the code that it runs.

A class of a file is known by the bytes of that file, as a file of ``--plugin`` is. One of a notebook, a session or a
script (``__main__``) is known by its own text and that of whatever functions and classes of the same place it uses,
with the values of the constants that they use: a changed helper is a changed method. What has no text, or a value that
no text tells, is refused, and so is code in memory that is not that of its file any more.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import dataclasses
import functools
import hashlib
import inspect
import linecache
import symtable
import sys
import sysconfig
import types
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from mirbench.errors import BadInput
from mirbench.plugin_file import file_sha256

__all__ = ["code_sha256", "file_of"]

_FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(...), PurePath, range, slice)


def file_of(kind: type) -> Path | None:
    """The file of the module that defines a class; None of a notebook, a session or a script."""
    if kind.__module__ == "__main__":
        return None
    path = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return Path(path) if path and Path(path).is_file() else None


def code_sha256(kind: type) -> str:
    """Hash of the code of a class; see the module.

    Raises
    ------
    BadInput
        If its code cannot be told.
    """
    if "<locals>" in kind.__qualname__:
        raise BadInput(
            f"{kind.__name__} is defined inside a function, whose variables are no part of its text: define it at the "
            "top of a cell or of a file"
        )
    path = file_of(kind)
    if path is not None:
        _Telling(kind.__name__).check_functions(kind, str(path), path.read_text(encoding="utf-8"))
        return file_sha256(path)
    telling = _Telling(kind.__name__)
    telling.tell(kind.__name__, kind)
    return hashlib.sha256("\n".join(telling.said).encode("utf-8", "surrogatepass")).hexdigest()


class _Telling:
    """Says of a thing, and of all that it uses, what makes it what it is, a line each.

    Parameters
    ----------
    whose : str
        Name of the class for whose sake it is told, for messages.
    """

    def __init__(self, whose: str) -> None:
        self.said: list[str] = []
        self._whose = whose
        self._seen: set[int] = set()

    def tell(self, name: str, thing: Any) -> None:
        """Say what a name stands for."""
        self.said.append(f"{name} = {self._told(name, thing)}")

    def _told(self, name: str, thing: Any) -> str:
        if isinstance(thing, _PLAIN):
            return repr(thing)
        if isinstance(thing, list | tuple):
            return f"{type(thing).__name__}({', '.join(self._told(name, item) for item in thing)})"
        if isinstance(thing, set | frozenset):
            return f"{type(thing).__name__}({', '.join(sorted(self._told(name, item) for item in thing))})"
        if isinstance(thing, dict):
            return ", ".join(f"{self._told(name, key)}: {self._told(name, item)}" for key, item in thing.items())
        if isinstance(thing, np.ndarray | np.generic) and thing.dtype.kind != "O":
            digest = hashlib.sha256(np.ascontiguousarray(thing).tobytes()).hexdigest()
            return f"{thing.dtype} {thing.shape} {digest}"
        if isinstance(thing, np.ufunc | types.GenericAlias | types.UnionType) or type(thing).__module__ == "typing":
            return repr(thing)
        if isinstance(thing, functools.partial):
            return f"partial {self._told(name, (thing.func, thing.args, thing.keywords))}"
        return self._told_code(name, thing)

    def _told_code(self, name: str, thing: Any) -> str:
        """What is told of modules, functions and classes; of objects whose class and fields are."""
        if isinstance(thing, types.ModuleType):
            return f"module {thing.__name__} {_sha256_of_own(thing)}"
        module, called = getattr(thing, "__module__", None), getattr(thing, "__qualname__", "")
        if isinstance(module, str) and called and module != "__main__":
            held = sys.modules.get(module)
            return f"{module}.{called} {getattr(thing, 'version', '')} {_sha256_of_own(held) if held else ''}"
        if isinstance(thing, type | types.FunctionType):
            if id(thing) not in self._seen:
                self._seen.add(id(thing))
                self._tell_text(thing)
            return called
        if dataclasses.is_dataclass(thing):
            fields = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
            return f"{self._told(name, type(thing))} {self._told(name, fields)}"
        raise BadInput(
            f"{self._whose} uses {name}, whose content (of type {type(thing).__name__}) no text tells: make it inside "
            "the class, or put the class into a file of its own"
        )

    def _tell_text(self, thing: Any) -> None:
        """Say the text of a class or function of this program, and what it uses."""
        if "<locals>" in thing.__qualname__:
            raise BadInput(
                f"{self._whose} uses {thing.__qualname__}, which is made inside a function, whose variables are no "
                "part of its text: put it into a file of its own"
            )
        text = self._text(thing)
        self.said.append(text)
        own = vars(thing) if isinstance(thing, type) else {}
        for name, value in own.items():  # as they are now, whatever the names in the text stand for by now
            if not (name.startswith("__") or _function(value) or inspect.isdatadescriptor(value)):
                self.tell(f"{thing.__qualname__}.{name}", value)
        for function in [thing] if not own else filter(None, map(_function, own.values())):
            self.tell(f"{function.__qualname__} defaults", (function.__defaults__, function.__kwdefaults__))
        known = vars(sys.modules[thing.__module__])
        for name in sorted(_names_used(text)):
            if name in known:
                self.tell(name, known[name])
            elif not hasattr(builtins, name):
                self.said.append(f"{name} is nothing")

    def _text(self, thing: Any) -> str:
        """The text of a class or function, which is that of its code in memory."""
        functions = [thing] if isinstance(thing, types.FunctionType) else _functions(thing)
        for function in functions:
            place = function.__code__.co_filename
            whole = "".join(linecache.getlines(place))
            if node := _node(whole, thing, function.__code__.co_firstlineno):
                self.check_functions(thing, place, whole)
                first = min(each.lineno for each in (node, *node.decorator_list))
                return inspect.cleandoc("\n" + "\n".join(whole.splitlines()[first - 1 : node.end_lineno]))
        try:
            return inspect.cleandoc("\n" + inspect.getsource(thing))
        except (OSError, TypeError) as error:
            raise BadInput(
                f"{thing.__qualname__}: its source cannot be read here, so that its runs could not be told from those "
                "of changed code: put it into a file, and import it or name the file in plugins"
            ) from error

    def check_functions(self, thing: Any, place: str, whole: str) -> None:
        """Refuse code in memory that is not that of its text; functions that were taken from elsewhere are told.

        Raises
        ------
        BadInput
            If that is so.
        """
        functions = [thing] if isinstance(thing, types.FunctionType) else _functions(thing)
        compiled: set[types.CodeType] = set()
        for function in functions:
            code = function.__code__
            if code.co_filename != place:
                if thing.__module__ == "__main__" or function.__module__ == "__main__":
                    self.tell(f"{thing.__qualname__}.{function.__name__}", function)
                continue
            compiled = compiled or set(_codes(compile(whole, place, "exec", code.co_flags & _FUTURE, True)))
            if code not in compiled:
                raise BadInput(
                    f"{thing.__qualname__}: its code in memory is not that of {place} any more: import it again (or "
                    "restart the session), so that its runs are recorded under the code that they ran"
                )


def _functions(kind: type) -> list[types.FunctionType]:
    """Functions that a class holds itself, less those that dataclasses write."""
    held = filter(None, map(_function, vars(kind).values()))
    return [function for function in held if function.__code__.co_filename != "<string>"]


def _function(value: Any) -> types.FunctionType | None:
    """The function behind a method, whatever wraps it."""
    value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    value = inspect.unwrap(value) if callable(value) else value
    return value if isinstance(value, types.FunctionType) else None


def _node(whole: str, thing: Any, line: int) -> ast.ClassDef | ast.FunctionDef | None:
    """Where a text defines a class or function in whose code a line lies."""
    if not whole:
        return None
    kind = ast.ClassDef if isinstance(thing, type) else ast.FunctionDef
    for node in ast.walk(ast.parse(whole)):
        if isinstance(node, kind) and node.name == thing.__name__:
            first = min(each.lineno for each in (node, *node.decorator_list))
            if first <= line <= (node.end_lineno or line):
                return node
    return None


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for held in code.co_consts:
        if isinstance(held, types.CodeType):
            yield from _codes(held)


def _names_used(text: str) -> set[str]:
    """Global names that a text reads, wherever in it."""
    left, found = [symtable.symtable(text, "<text>", "exec")], set[str]()
    top = left[0]
    while left:
        table = left.pop()
        left += table.get_children()
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (table is top or s.is_global())}
    return found


@functools.cache
def _libraries() -> tuple[Path, ...]:
    return tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib"))


def _sha256_of_own(module: types.ModuleType) -> str:
    """Hash of the file of a module that is nobody's package; "" of one that is installed, whose version is recorded."""
    path = getattr(module, "__file__", None)
    if not path or module.__name__.partition(".")[0] == "mirbench":
        return ""
    there = Path(path).resolve()
    installed = any(there.is_relative_to(folder) for folder in _libraries())
    return "" if installed or not there.is_file() else file_sha256(there)
