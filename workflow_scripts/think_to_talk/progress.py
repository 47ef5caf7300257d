"""Progress bars on stderr, for training, decoding, probes and interventions.

`job.py` copies stderr to the log of the job.
"""

from __future__ import annotations

import sys

from tqdm import tqdm


def progress(total: int, description: str, unit: str) -> tqdm:
    """A progress bar on a terminal; elsewhere (logs, batch systems) a line every ten seconds.

    total: number of units of the whole work.
    description: what the bar is called.
    unit: name of one unit, such as "row".
    """
    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        mininterval=0.5 if sys.stderr.isatty() else 10.0,
        dynamic_ncols=True,
    )
