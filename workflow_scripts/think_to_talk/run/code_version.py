"""A hash of a script's behaviour: of its code and of the package modules that it imports.

Two sources have the same hash exactly if they differ at most in comments, docstrings and
formatting. Nothing is imported: files are only parsed. What a file says is kept from one run to the
next, by its content, so that hashing takes milliseconds.
What is imported for type checkers alone (below `if TYPE_CHECKING:`) changes no behaviour, and does
not count. A relative import would name a module that depends on where it stands: it is refused.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from think_to_talk.files.atomic import write_text

_PACKAGE = "think_to_talk"


@dataclass(frozen=True)
class _Source:
    """What a Python file says.

    imports: pairs of a module that it imports when it runs, and of a name in it, or None.
    behaviour: a hash of its syntax tree.
    """

    imports: tuple[tuple[str, str | None], ...]
    behaviour: str


class Code:
    """The scripts of a folder, and the package in it that they import."""

    def __init__(self, folder: str | Path, kept: str | Path | None = None) -> None:
        """folder: of the scripts. kept: the file in which `keep` keeps what was parsed."""
        self._folder = Path(folder).resolve()
        self._kept = Path(kept) if kept else None
        self._before = _read_kept(self._kept) if self._kept else {}
        #: {key of its content: the source} of all files that were read.
        self._read: dict[str, _Source] = {}
        self._sources: dict[Path, _Source] = {}
        self._imported: dict[Path, list[Path]] = {}
        self._files: dict[str, list[Path]] = {}

    def version(self, script: str, *files: str) -> str:
        """A hash of the script and of all modules of the package that it imports, directly or not.

        files: others in the folder that its behaviour depends on, which count byte by byte.
        Raises ValueError for a relative import, which it could not follow.
        """
        digest = hashlib.sha256()
        for path in self.sources(script):
            name = path.relative_to(self._folder)
            digest.update(f"{name}\0{self._source(path).behaviour}\0".encode())
        for file in files:
            digest.update((self._folder / file).read_bytes())
        return digest.hexdigest()[:16]

    def sources(self, script: str) -> list[Path]:
        """The script, and the files of the package that it imports, directly or not, sorted."""
        found: set[Path] = set()
        waiting = [self._folder / script]
        while waiting:
            path = waiting.pop()
            if path not in found:
                found.add(path)
                waiting.extend(self._imports(path))
        return sorted(found)

    def libraries(self, script: str) -> set[tuple[str, str | None]]:
        """What the script and its modules import from elsewhere: pairs of a module and of a name.

        The name is None where the module itself is imported.
        """
        return {
            (module, name)
            for path in self.sources(script)
            for module, name in self._source(path).imports
            if module.split(".")[0] != _PACKAGE
        }

    def keep(self) -> None:
        """Keep what was read, if it is not what was kept before."""
        if self._kept and self._read.keys() != self._before.keys():
            kept = {key: astuple(source) for key, source in self._read.items()}
            # Without, the next run parses again.
            with suppress(OSError):
                write_text(self._kept, json.dumps(kept))

    def _imports(self, path: Path) -> list[Path]:
        """Files of the package that a file imports when it runs."""
        if path not in self._imported:
            names: set[str] = set()
            for module, name in self._source(path).imports:
                names |= {module, f"{module}.{name}"} if name else {module}
            self._imported[path] = [
                file
                for name in names
                if name.split(".")[0] == _PACKAGE
                for file in self._files_of(name)
            ]
        return self._imported[path]

    def _files_of(self, name: str) -> list[Path]:
        """The files of a module and of the packages around it; none if `name` is no module."""
        if name not in self._files:
            around = name.rpartition(".")[0]
            path = self._folder.joinpath(*name.split("."))
            own = (path.with_suffix(".py"), path / "__init__.py")
            self._files[name] = [
                *(self._files_of(around) if around else ()),
                *(file for file in own if file.is_file()),
            ]
        return self._files[name]

    def _source(self, path: Path) -> _Source:
        if path not in self._sources:
            content = path.read_bytes()
            # Another version of Python may write the same tree in another way.
            key = hashlib.sha256(f"{sys.version}\0".encode() + content).hexdigest()
            source = self._before.get(key) or _parse(content, path)
            self._sources[path] = self._read[key] = source
        return self._sources[path]


def _read_kept(path: Path) -> dict[str, _Source]:
    """What an earlier run kept; nothing if there is none, or it cannot be read."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {
            key: _Source(tuple((module, name) for module, name in imports), behaviour)
            for key, (imports, behaviour) in kept.items()
        }
    return {}


def _parse(content: bytes, path: Path) -> _Source:
    """What a file says. Raises ValueError, with its path, for a relative import."""
    tree = _run_tree(content, path)
    behaviour = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return _Source(tuple(_imported_names(tree, path)), behaviour)


def _run_tree(content: bytes, path: Path) -> ast.Module:
    """A file's syntax tree, without docstrings and what only a type checker reads."""
    tree = ast.parse(content, str(path))
    for node in _statements(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[ast.get_docstring(node, clean=False) is not None :]
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and any(map(_is_for_type_checkers, block)):
                setattr(node, name, list(_without_type_checkers(block)))
    return tree


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """A tree and all statements in it, each before those that it holds; expressions hold none."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            block = getattr(node, name, ())
            if isinstance(block, list):
                waiting += block


def _is_for_type_checkers(node: ast.AST) -> bool:
    """Whether a node is `if TYPE_CHECKING:`, also as `typing.TYPE_CHECKING`."""
    if not isinstance(node, ast.If):
        return False
    test = node.test
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))


def _without_type_checkers(block: list[Any]) -> Iterator[ast.AST]:
    """The statements of a block, with what runs in place of those for type checkers."""
    for node in block:
        if _is_for_type_checkers(node):
            yield from _without_type_checkers(node.orelse)
        else:
            yield node


def _imported_names(tree: ast.Module, path: Path) -> Iterator[tuple[str, str | None]]:
    """Pairs of a module that a file imports when it runs, and of a name in it, or None."""
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(
                    f"{path}, line {node.lineno}: a relative import, which code versions do not "
                    f"follow: name the module from {_PACKAGE} on"
                )
            yield from ((node.module or "", alias.name) for alias in node.names)
