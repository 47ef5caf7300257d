"""Untrained copies are planned like their models."""

from dataclasses import replace

from think_to_talk.study import configuration
from think_to_talk.study.needs import Needs
from think_to_talk.study.plan import StudyPlan


def test_an_untrained_copy_is_planned_like_its_model(raw_config, schema):
    """But all of its rows train its probes, and its chains of thought are given."""
    raw = {**raw_config, "controls": {"untrained": True, "labels": True}}
    study = StudyPlan(configuration.complete(raw, schema))
    needs = Needs(study)
    needs.check()
    assert study.controls == ["labels", "untrained"]
    assert study.controlled_models == ["tiny"]
    assert needs.sizes("tiny.untrained") == needs.sizes("tiny")
    assert needs.layers("tiny.untrained") == needs.layers("tiny")
    assert needs.placement("tiny.untrained") == needs.placement("tiny")
    assert study.shard_jobs("tiny.untrained") == study.shard_jobs("tiny")
    assert study.probes_of("tiny").train_on == "correct"
    assert study.probes_of("tiny.untrained") == replace(study.probes_of("tiny"), train_on="all")
    generated, gold = (needs.work(model, "level-1", 1000) for model in ("tiny", "tiny.untrained"))
    assert gold.best_passes == generated.best_passes
    assert gold.worst_passes == gold.best_passes < generated.worst_passes
