"""Messages printed when a run succeeds or fails."""

import sys

from think_to_talk.run.failures import failure_report, unfinished


def show_results():
    """Print the timing table, if there is one, and where the other results are."""
    table = Path(rules.timing_table.output.markdown)
    if not table.exists():
        return
    places = {
        "explorer of all results": rules.explorer.output.page,
        "findings": rules.findings.output.markdown,
        "tables and figures": f"{table.parent}/",
        "report in one file": "snakemake --report report.html",
    }
    print(f"\n{table.read_text(encoding='utf-8')}")
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
