"""Progress of long work, on stderr."""

from __future__ import annotations

import sys

from tqdm import tqdm


def progress(total: int, description: str, unit: str) -> tqdm:
    """A progress bar on a terminal; a line every ten seconds elsewhere (logs, batch systems)."""
    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        mininterval=0.5 if sys.stderr.isatty() else 10.0,
        dynamic_ncols=True,
    )
