"""Messages printed when a run starts, succeeds or fails."""

import shutil
import sys

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.run.failures import failure_report, unfinished
from think_to_talk.study.disk import Disk, size
from think_to_talk.timing.clocks import sentences

# The clocks of so many variables are said in words; those of more, where they are.
_MOST_SENTENCES = 30


def show_disk():
    """Print what the study takes on disk, and what is free there."""
    disk = Disk.of_study(study, needs).sentence(config["keep_hidden_states"])
    free = size(shutil.disk_usage(".").free)
    print(f"Disk: {disk}. Free here: {free}.", file=sys.stderr)


def show_results():
    """Print the timing table, if there is one, the clocks, and where the other results are."""
    table = Path(rules.timing_table.output.markdown)
    if not table.exists():
        return
    places = {
        "clocks": rules.clocks_table.output.markdown,
        "explorer of all results": rules.explorer.output.page,
        "findings": rules.findings.output.markdown,
        "tables and figures": f"{table.parent}/",
        "report in one file": "snakemake --report report.html",
    }
    print(f"\n{table.read_text(encoding='utf-8')}")
    clocks = Path(rules.clocks_table.output.rows)
    rows = read_jsonl(clocks) if clocks.exists() else []
    if len(rows) <= _MOST_SENTENCES:
        print("\n".join([*sentences(rows), ""]))
    for what, where in places.items():
        print(f"{what + ':':<26}{where}")


def show_failures():
    """Print the last lines of the logs of failed jobs."""
    # The lock file was written when the run started, by the file system whose clock dates the logs.
    # With `--nolock` there is none.
    lock_file = Path(".snakemake/lock.json")
    start = lock_file.stat().st_mtime if lock_file.exists() else 0
    failed = unfinished(LOGS, start)
    if failed:
        print(f"\n{failure_report(failed)}", file=sys.stderr)
