"""What a run ends with: where to look, or what went wrong."""

from think_to_talk import job_logs


def show_results():
    """Print the table of timing, if the run made (or had) one, and where to look for the rest."""
    table = Path(rules.timing_table.output.markdown)
    if not table.exists():
        return
    places = {
        "everything, in a browser": rules.explorer.output.page,
        "tables and figures": f"{table.parent}/",
        "one file to pass on": "snakemake --report report.html",
    }
    print(f"\n{table.read_text(encoding='utf-8')}")
    for what, where in places.items():
        print(f"{what + ':':<26}{where}")


def show_failures():
    """Print what the logs of the jobs that failed in this run say."""
    # Written when the run began, by the clock that also dates the logs; not without a lock.
    record = Path(".snakemake/controller.json")
    began = record.stat().st_mtime if record.exists() else 0
    failed = job_logs.unfinished("results/logs", began)
    if failed:
        print(f"\n{job_logs.account(failed)}", file=sys.stderr)
