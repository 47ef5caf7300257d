"""What a study makes if it switches on what it leaves off: the logit lens and forced answers."""

import json

import pytest
import yaml
from jsonschema import Draft202012Validator
from support.repository import REPOSITORY

#: {schema of a row: the files that hold such rows}.
JSONL = {
    "logit_lens_row": "results/*/seed-*/logit_lens/*.jsonl",
    "forced_answer_row": "results/*/seed-*/forced_answers/*.jsonl",
    "said_row": "results/summary/forced_answers.jsonl",
}
TASKS = {"tiny": ["level-1"], "local": ["existing", "general", "level-1"]}


@pytest.mark.parametrize("name", JSONL)
def test_rows_fit_their_schema(switched_on, name):
    schema = yaml.safe_load((REPOSITORY / f"schemas/{name}.schema.yaml").read_text())
    files = sorted(switched_on.folder.glob(JSONL[name]))
    assert files
    for file in files:
        for line in file.read_text().splitlines():
            Draft202012Validator(schema).validate(json.loads(line))


@pytest.mark.parametrize("rule", ["logit_lens", "forced_answers"])
@pytest.mark.parametrize("model", TASKS)
def test_each_task_has_rows_a_log_and_a_part_of_the_figure(switched_on, rule, model):
    results = switched_on.folder / "results"
    files = (results / f"{model}/seed-1/{rule}").glob("*.jsonl")
    assert sorted(file.stem for file in files) == TASKS[model]
    for task in TASKS[model]:
        assert "100%" in (results / f"logs/{rule}/{model}/seed-1/{task}.log").read_text()
    for kind in ("png", "svg"):
        figure = results / f"summary/figures/{model}/seed-1/{rule}.{kind}"
        assert figure.stat().st_size > 5000


def test_the_table_of_forced_answers_has_a_row_per_model_and_task(switched_on):
    rows = [
        json.loads(line)
        for line in (switched_on.folder / JSONL["said_row"]).read_text().splitlines()
    ]
    found = {(row["model"], row["task"]) for row in rows}
    assert found == {(model, task) for model, tasks in TASKS.items() for task in tasks}
