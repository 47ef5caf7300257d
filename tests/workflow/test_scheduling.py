"""While jobs run, the process that controls them waits."""

PROBES = [f"results/local/seed-1/probes/{task}.jsonl" for task in ("level-1", "existing")]
TIMING = "results/local/seed-1/timing/level-1.jsonl"


def test_the_scheduler_looks_for_jobs_only_when_one_has_ended(mini):
    """Jobs of some seconds run one after the other; the second is ready from the beginning."""
    run = mini.snakemake(*PROBES, "--cores", "1", "--verbose", "--forcerun", *PROBES)
    shown = run.stdout + run.stderr
    assert shown.count("Finished jobid: ") == 2
    assert shown.count("Ready jobs: ") == 2
    assert "Submitting maximum" not in shown


def test_a_limit_that_a_user_sets_is_kept(mini):
    run = mini.snakemake(
        TIMING, "--verbose", "--forcerun", TIMING, "--max-jobs-per-timespan", "7/1s"
    )
    assert "Submitting maximum 7 job(s) over 1.0 second(s)" in run.stdout + run.stderr
