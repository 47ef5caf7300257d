"""A hash of the behaviour of a script: of its code and of the package modules that it imports.

Two sources have the same hash exactly if they differ at most in comments, docstrings and
formatting. Nothing is imported: files are only parsed, so hashing takes milliseconds.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_PACKAGE = "think_to_talk"


def code_version(script: str | Path, *files: str | Path) -> str:
    """A hash of the script and of all modules of the package that it imports, directly or not.

    files: others that its behaviour depends on, which count byte by byte.
    """
    script = Path(script).resolve()
    seen: dict[Path, None] = {}
    waiting = [script]
    while waiting:
        source = waiting.pop()
        if source not in seen:
            seen[source] = None
            waiting.extend(_imports(source, script.parent))
    digest = hashlib.sha256()
    for source in sorted(seen):
        digest.update(f"{source.relative_to(script.parent)}\0{_behaviour(source)}\0".encode())
    for file in map(Path, files):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _parse(source: Path) -> ast.Module:
    return ast.parse(source.read_bytes(), str(source))


def _imports(source: Path, root: Path) -> Iterator[Path]:
    """Files of the package (in the folder `root`) that a source imports, anywhere in it."""
    for node in ast.walk(_parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
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


@cache
def _behaviour(source: Path) -> str:
    """The source's syntax tree as text, without docstrings (comments are not in it anyway)."""
    tree = ast.parse(source.read_bytes(), str(source))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = node.body[ast.get_docstring(node, clean=False) is not None :]
    return ast.dump(tree)
