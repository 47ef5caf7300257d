"""Deleted inputs: a file that is made again for one job reruns no other that has read it before.

Snakemake has that for inputs that are `ancient`, but only while they are on disk: all jobs that read
a file which was deleted when no job needed it (`temp`) would run again with the one that is new. This
wraps private methods (checked with 9.27.1): while Snakemake decides which jobs run, an input that is
`never_newer` counts as being on disk if it is made for no other reason than that it is missing. If
the job that makes it has another one, so have all jobs that read it, also while it is on disk.
"""

from contextvars import ContextVar
from functools import cached_property, wraps

from snakemake.dag import DAG
from snakemake.io import IOCache, _IOFile, flag, is_flagged

_NEVER_NEWER = "never_newer"


def never_newer(path):
    """An input whose file is deleted, and made again for jobs that need it, as often as they do."""
    return flag(ancient(path), _NEVER_NEWER)


class Decision:
    """Snakemake decides which jobs of a DAG run."""

    def __init__(self, dag):
        self.dag = dag

    @cached_property
    def _makers(self):
        """{file that will be deleted: the job that makes it}."""
        return {
            file: job
            for job in self.dag.jobs
            for file in job.output
            if is_flagged(file, "temp")
        }

    def reruns_none(self, file):
        """Whether a file is made for no other reason than that it is missing; None of other files."""
        maker = self._makers.get(file)
        # Snakemake derives that reason from the jobs that need the file.
        return maker and self.dag.reason(maker).derived


# None while Snakemake does anything else.
_decision = ContextVar("decision", default=None)


def during(method, decision):
    """A method during which `_decision` is what the method's object gives."""

    @wraps(method)
    async def decided(self, *arguments, **options):
        before = _decision.set(decision(self))
        try:
            return await method(self, *arguments, **options)
        finally:
            _decision.reset(before)

    return decided


def never_missed(exists):
    """`_IOFile.exists` that counts such inputs as being there."""

    @wraps(exists)
    async def exists_or_is_never_missed(file):
        decision = _decision.get() if is_flagged(file, _NEVER_NEWER) else None
        counts = decision and decision.reruns_none(file)
        return await exists(file) if counts is None else counts

    return exists_or_is_never_missed


# A module is read again for each `use rule`.
if not hasattr(_IOFile.exists, "__wrapped__"):
    DAG.update_needrun = during(DAG.update_needrun, Decision)
    # It asks for the times of all files that are there.
    IOCache.mtime_inventory = during(IOCache.mtime_inventory, lambda _cache: None)
    _IOFile.exists = never_missed(_IOFile.exists)
