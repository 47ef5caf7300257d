"""A hook of MkDocs: documents at the top of the repository are part of the site, too.

Their links into `docs/` are links beside them there, and the other way round.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

#: Documents at the top of the repository.
_TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "CITATION.cff", "LICENSE")


def on_files(files: Files, config: Any) -> Files:
    """Add the documents that do not lie in `docs/`."""
    repository = Path(config.config_file_path).parent
    for name in _TOP:
        text = (repository / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A page's links to pages at the top, which stand beside it in the site."""
    for name in _TOP:
        markdown = markdown.replace(f"](../{name}", f"]({name}")
    return markdown
