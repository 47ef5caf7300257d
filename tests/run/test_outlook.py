"""How far a run is by time, and how long it still takes."""

import pytest

from think_to_talk.run.outlook import Outlook, PlannedJob, bar_share, seconds_before


def planned(rule="rule", model="tiny", cores=1, log=None, before=None):
    return PlannedJob(rule, "", model, cores, log, before)


def outlook(*jobs, cores=2):
    return Outlook(dict(enumerate(jobs)), cores)


def test_a_job_takes_what_it_took_before_and_jobs_share_the_cores():
    run = outlook(planned(before=30), planned(before=10), cores=2)
    assert run.seconds_left(0) == 30
    assert outlook(*[planned(before=10)] * 8).seconds_left(0) == 40
    assert outlook(*[planned(before=10, cores=2)] * 4).seconds_left(0) == 40
    # A job gets no more cores than there are.
    assert outlook(*[planned(before=10, cores=8)] * 4).seconds_left(0) == 40


def test_the_share_is_of_time_and_not_of_jobs():
    run = outlook(planned(before=90), *[planned(before=1)] * 10)
    for number in range(1, 11):
        run.start(number, 0)
        run.stop(number, 1, ended=True)
    assert run.share(1) == pytest.approx(0.1)
    run.start(0, 1)
    assert run.share(46) == pytest.approx(0.55)
    run.stop(0, 91, ended=True)
    assert run.share(91) == 1
    assert run.seconds_left(91) == 0


def test_jobs_of_the_same_rule_and_model_are_taken_as_a_measure():
    run = outlook(*[planned("probes", model) for model in "aab"], cores=1)
    assert run.seconds_left(0) == 3 * 53
    run.start(0, 0)
    run.stop(0, 7, ended=True)
    assert run.seconds_left(7) == 14
    run.start(2, 7)
    run.stop(2, 107, ended=True)
    assert run.seconds_left(107) == 7


def test_on_a_busier_machine_all_jobs_are_expected_to_take_longer():
    run = outlook(planned(before=10), planned(before=20), cores=1)
    run.start(0, 0)
    run.stop(0, 30, ended=True)
    assert run.seconds_left(30) == 60


def test_a_failed_job_is_still_to_be_done():
    run = outlook(planned(before=20))
    run.start(0, 0)
    assert run.stop(0, 5, ended=False) == 5
    assert run.seconds_left(5) == 20
    assert not run.is_complete("rule")


def test_the_bar_in_its_log_says_how_far_a_job_is(tmp_path):
    log = tmp_path / "train.log"
    log.write_text("training:  20%|##  | 2/10 [00:02]\ntraining:  25%|##  | 3/12 [00:03]\n")
    assert bar_share(log) == 0.25
    run = outlook(planned("train", log=log))
    run.start(0, 0)
    assert run.seconds_left(10) == pytest.approx(30)
    assert bar_share(tmp_path / "none.log") == bar_share(None) == 0


def test_a_job_beyond_its_estimate_is_about_to_end_unless_its_bar_says_otherwise(tmp_path):
    log = tmp_path / "train.log"
    run = outlook(planned(before=50, log=log))
    run.start(0, 0)
    assert run.seconds_left(60) == 1
    log.write_text("training:   0%|          | 2/1000 [00:55<7:00:00]\n")
    # The first steps are slow.
    assert run.seconds_left(40) == 10
    assert run.seconds_left(60) == pytest.approx(60 * 499)


def test_a_benchmark_gives_the_seconds_of_an_earlier_run(tmp_path):
    (tmp_path / "a.tsv").write_text("s\th:m:s\n12.5\t0:00:12\n")
    assert seconds_before(tmp_path / "a.tsv") == 12.5
    (tmp_path / "b.tsv").write_text("")
    assert seconds_before(tmp_path / "b.tsv") is None
    assert seconds_before(tmp_path / "c.tsv") is None
