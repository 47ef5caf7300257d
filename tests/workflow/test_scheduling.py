"""While jobs run, the process that controls them waits."""

#: Jobs of some seconds, one after the other, while others are ready.
PROBES = [f"results/local/seed-1/probes/{task}.jsonl" for task in ("level-1", "existing")]
FORCED = [*PROBES, "--cores", "1", "--verbose", "--forcerun", *PROBES]


def test_the_scheduler_looks_for_jobs_only_when_one_has_ended(mini):
    run = mini.snakemake(*FORCED)
    shown = run.stdout + run.stderr
    assert shown.count("Finished jobid: ") == 2
    assert shown.count("Ready jobs: ") == 2
    assert "Submitting maximum" not in shown


def test_a_limit_that_a_user_sets_is_kept(mini):
    run = mini.snakemake(*FORCED, "--max-jobs-per-timespan", "7/1s")
    assert "Submitting maximum 7 job(s) over 1.0 second(s)" in run.stdout + run.stderr
