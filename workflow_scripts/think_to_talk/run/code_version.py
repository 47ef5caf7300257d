"""A hash of a script's behaviour: of its code and of the package modules that it imports.

Two sources have the same hash exactly if they differ at most in comments, docstrings and
formatting. Nothing is imported: files are only parsed, so hashing takes milliseconds.
What is imported for type checkers alone (below `if TYPE_CHECKING:`) changes no behaviour, and does
not count. A relative import would name a module that depends on where it stands: it is refused.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

_PACKAGE = "think_to_talk"


def code_version(script: str | Path, *files: str | Path) -> str:
    """A hash of the script and of all modules of the package that it imports, directly or not.

    files: others that its behaviour depends on, which count byte by byte.
    Raises ValueError for a relative import, which it could not follow.
    """
    script = Path(script).resolve()
    digest = hashlib.sha256()
    for source in imported_sources(script):
        digest.update(f"{source.relative_to(script.parent)}\0{_behaviour(source)}\0".encode())
    for file in map(Path, files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def imported_sources(script: str | Path) -> list[Path]:
    """The script, and the files of the package that it imports, directly or not, sorted."""
    script = Path(script).resolve()
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        source = waiting.pop()
        if source not in found:
            found.add(source)
            waiting.extend(_imports(source, script.parent))
    return sorted(found)


def imported_libraries(script: str | Path) -> set[tuple[str, str | None]]:
    """What the script and its modules import from elsewhere: pairs of a module and a name in it.

    The name is None where the module itself is imported.
    """
    return {
        (module, name)
        for source in imported_sources(script)
        for module, name in _imported_names(source)
        if module.split(".")[0] != _PACKAGE
    }


@cache
def _run_tree(source: Path) -> ast.Module:
    """A source's syntax tree, without docstrings and what only a type checker reads."""
    tree = ast.parse(source.read_bytes(), str(source))
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


@cache
def _imports(source: Path, root: Path) -> tuple[Path, ...]:
    """Files of the package (in the folder `root`) that a source imports when it runs."""
    names: set[str] = set()
    for module, name in _imported_names(source):
        names |= {module, f"{module}.{name}"} if name else {module}
    return tuple(
        candidate
        for name in names
        for candidate in _files(root, name)
        if name.split(".")[0] == _PACKAGE and candidate.is_file()
    )


@cache
def _imported_names(source: Path) -> tuple[tuple[str, str | None], ...]:
    """Pairs of a module that a source imports when it runs, and of a name in it, or None."""
    names: list[tuple[str, str | None]] = []
    for node in _statements(_run_tree(source)):
        if isinstance(node, ast.Import):
            names += [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(
                    f"{source}, line {node.lineno}: a relative import, which code versions do not "
                    f"follow: name the module from {_PACKAGE} on"
                )
            names += [(node.module or "", alias.name) for alias in node.names]
    return tuple(names)


def _files(root: Path, name: str) -> Iterator[Path]:
    """Where a module and the packages around it may stand."""
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        path = root.joinpath(*parts[:depth])
        yield path.with_suffix(".py")
        yield path / "__init__.py"


@cache
def _behaviour(source: Path) -> str:
    """The syntax tree as text, without docstrings and type checkers' blocks (nor comments)."""
    return ast.dump(_run_tree(source))
