"""Measure the sizes of the models of this repository's studies, for `models/known_sizes.json`.

A study of other models or prompts measures its own. Run it (`make sizes`) when a test says that the
file is not current: after a change of a study, of what measures, or of torch or transformers.
"""

import json

import yaml
from snakemake.utils import update_config

from support.repository import REPOSITORY
from think_to_talk.files.atomic import write_text
from think_to_talk.models.sizes import KNOWN, run_program
from think_to_talk.study.configuration import complete, load_schema
from think_to_talk.study.needs import Needs
from think_to_talk.study.plan import StudyPlan


def requests():
    """{key: what is asked for} of the models that need no checkpoint to be measured."""
    schema = load_schema("config", REPOSITORY / "schemas")
    found = {}
    for overlay in (None, *sorted((REPOSITORY / "studies").glob("*.yaml"))):
        config = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))
        if overlay:
            update_config(config, yaml.safe_load(overlay.read_text(encoding="utf-8")))
        asked = Needs(StudyPlan(complete(config, schema))).sizes_requests()
        found |= {each.key(): each for each in asked.values() if each.checkpoint is None}
    return found


if __name__ == "__main__":
    asked = requests()
    answers = run_program([request.as_json() for request in asked.values()])
    content = dict(sorted(zip(asked, answers, strict=True)))
    write_text(KNOWN, json.dumps(content, indent=1) + "\n")
