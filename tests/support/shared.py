"""What one process of the tests makes and all of them use."""

import os
from contextlib import contextmanager

from filelock import FileLock


@contextmanager
def shared(tmp_path_factory, name):
    """A path below the base folder of all processes, which no other has meanwhile.

    Nothing may be there yet. What is made has to be whole when it is found, so that a test whose
    fixture failed does not hand a part to the next.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    with FileLock(base / f"{name}.lock"):
        yield base / name
