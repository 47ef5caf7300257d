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


@cache
def _parse(source: Path) -> ast.Module:
    return ast.parse(source.read_bytes(), str(source))


def _imports(source: Path, root: Path) -> Iterator[Path]:
    """Files of the package (in the folder `root`) that a source imports when it runs."""
    for node in _run_nodes(_parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(
                    f"{source}, line {node.lineno}: a relative import, which code versions do not "
                    f"follow: name the module from {_PACKAGE} on"
                )
            module = node.module or ""
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] != _PACKAGE:
                continue
            for depth in range(1, len(parts) + 1):
                path = root.joinpath(*parts[:depth])
                for candidate in (path.with_suffix(".py"), path / "__init__.py"):
                    if candidate.is_file():
                        yield candidate


def _run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """A syntax tree's nodes, but for those that only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if _is_for_type_checkers(child):
            for alternative in child.orelse:  # type: ignore[attr-defined]
                yield alternative
                yield from _run_nodes(alternative)
        else:
            yield child
            yield from _run_nodes(child)


def _is_for_type_checkers(node: ast.AST) -> bool:
    """Whether a node is `if TYPE_CHECKING:`, also as `typing.TYPE_CHECKING`."""
    if not isinstance(node, ast.If):
        return False
    test = node.test
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))


class _TypeCheckingRemover(ast.NodeTransformer):
    """Replaces `if TYPE_CHECKING:` by what runs otherwise."""

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        return node.orelse if _is_for_type_checkers(node) else node


@cache
def _behaviour(source: Path) -> str:
    """The syntax tree as text, without docstrings and type checkers' blocks (nor comments)."""
    tree = _TypeCheckingRemover().visit(ast.parse(source.read_bytes(), str(source)))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[ast.get_docstring(node, clean=False) is not None :]
    return ast.dump(tree)
