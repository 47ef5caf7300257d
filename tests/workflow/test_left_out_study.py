"""A small study with tasks that some stages cannot read: they read the others, and say so."""

import pytest
import torch
from support.checkpoints import bpe_tokenizer
from support.configs import tiny
from support.studies import study_of
from support.wordings import APPLES, NAMES
from tokenizers import decoders, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.formulas.datasets import generate_splits

TASKS = ["level-1", "apples", "large"]
STUDY = {
    "seeds": [1],
    "splits": {"train": 10, "valid": 10, "test": 20, "probing_train": 60},
    "probes": {"train_on": "all", "folds": 0, "min_train_rows": 20},
    "interventions": {"patching": False, "inconsistent_chains": False},
    "steering": {"enabled": True, "problems": 5, "factors": [2], "controls": 0},
    "controls": {"thresholds": []},
    "tasks": {
        **{f"level-{i}": None for i in range(2, 6)},
        "level-1": {"edits": None},
        "apples": {
            "equations": ["v0 = num", "v1 = v0 ± num"],
            "order": "in_order",
            "names": NAMES,
            "wording": APPLES,
        },
        "large": {
            "equations": ["v0 = num", "v1 = v0 + num"],
            "order": "in_order",
            "values": [0, 30],
        },
    },
    "models": {
        "tiny": {
            **tiny(tasks=TASKS, steps=30, rows=600, hidden_size=32, cut=0.3),
            "tasks": TASKS,
        },
        "local": {
            **{"kind": "local", "path": "checkpoint", "layers": 1, "cot": "gold"},
            **{"device": "cpu", "shots": 0, "tasks": ["level-1"]},
        },
    },
}

#: Of jobs, once the tokenizer is known.
WHY = {
    "logit_lens": "holds more than a digit, expected a token of its own for each digit",
    "forced_answers": "holds more than a digit, expected a token of its own for each digit",
}


def save_model(folder, rows):
    """Save a small model that was not trained, with a token for the last digit and the newline."""
    texts = [row["source"] + row["target"] for row in rows]
    pieces = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ", "merged_with_next"),
            pre_tokenizers.ByteLevel(False, use_regex=False),
        ]
    )
    tokenizer = bpe_tokenizer(texts, pieces, decoders.ByteLevel(), vocabulary_size=340)
    torch.manual_seed(0)
    config = LlamaConfig(
        **{"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64},
        **{"num_hidden_layers": 2, "num_attention_heads": 2, "eos_token_id": None},
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tasks):
    study = study_of(tmp_path_factory.mktemp("left-out") / "study", STUDY)
    sizes = {"train": 1, "valid": 1, "test": 1, "probing_train": 900}
    rows = generate_splits(tasks["level-1"], sizes, 5)["probing_train"]
    save_model(study.folder / "checkpoint", rows)
    study.output = study.snakemake()
    return study


def test_what_is_known_at_planning_is_said_where_a_run_begins(finished):
    said = finished.output.stdout + finished.output.stderr
    lines = [
        "forced_answers leaves out tasks.apples of models.tiny: it cuts chains of thought, and the "
        "wording does not say how these answer (wording.cut)",
    ]
    page = (finished.folder / "results/summary/study.html").read_text()
    for line in lines:
        assert said.count(line) == 1
        assert f"<li>{line}</li>" in page
    plan = finished.snakemake("--dry-run", "--forceall").stdout
    assert "results/tiny/seed-1/forced_answers/large.jsonl" in plan
    assert "results/tiny/seed-1/forced_answers/apples.jsonl" not in plan
    assert "results/tiny/seed-1/logit_lens/large.jsonl" in plan
    own = finished.folder / "results/tiny/seed-1"
    for stage, tasks in {
        "logit_lens": {"level-1", "apples", "large"},
        "forced_answers": {"level-1", "large"},
        "steering": {"level-1", "apples", "large"},
    }.items():
        assert {path.stem for path in (own / stage).iterdir()} == tasks
        assert all(path.stat().st_size for path in (own / stage).iterdir())


def test_a_job_that_cannot_read_its_task_writes_no_rows_and_says_why(finished):
    for stage, why in WHY.items():
        path = finished.folder / f"results/local/seed-1/{stage}/level-1.jsonl"
        assert path.read_bytes() == b""
        log = finished.folder / f"results/logs/{stage}/local/seed-1/level-1.log"
        (line,) = [line for line in log.read_text().splitlines() if line.startswith("warning: ")]
        line = line.removeprefix("warning: ")
        assert line.startswith(f"{stage} leaves out tasks.level-1 of models.local: the token ")
        assert line.endswith(why)
        assert finished.output.stdout.count(f"{line} (results/logs/{stage}/local/") == 1


def test_tables_clocks_and_figures_have_nothing_there(finished):
    results = finished.folder / "results"
    said = read_jsonl(results / "summary/forced_answers.jsonl")
    assert [(row["model"], row["task"]) for row in said] == [("tiny", "level-1"), ("tiny", "large")]
    clocks = read_jsonl(results / "summary/clocks.jsonl")
    of_answers = [row for row in clocks if row["variable"] == 1]
    assert {(row["model"], row["task"], row["cuts"] is None) for row in of_answers} == {
        ("tiny", "level-1", False),
        ("tiny", "apples", True),
        ("tiny", "large", False),
        ("local", "level-1", True),
    }
    for row in clocks:
        assert row["cuts"] or row["t_said"] is None
    for model in ("tiny", "local"):
        for figure in ("clocks", "logit_lens", "forced_answers", "steering"):
            path = results / f"summary/figures/{model}/seed-1/{figure}"
            assert path.with_suffix(".png").stat().st_size
            drawn = path.with_suffix(".svg").read_text()
            assert ("<!-- left out: this task cannot be read" in drawn) == (
                model == "local" and figure in WHY
            )


def test_there_is_nothing_left_to_do_and_what_was_left_out_is_said_again(finished):
    assert finished.planned() == set()
    again = finished.snakemake()
    assert again.stdout.count("logit_lens leaves out tasks.level-1 of models.local") == 1


def test_adding_a_task_that_a_stage_cannot_read_does_not_rerun_the_stage(finished, tmp_path):
    study = finished.copy(tmp_path / "study")
    study.configure(
        tasks__words={**STUDY["tasks"]["apples"], "order": "reversed"},
        models__local__tasks=["level-1", "words"],
    )
    planned = study.planned()
    assert not {job for job in planned if "forced" in job[0]}
    made = {output for _, output in planned if "/summary" not in output}
    assert any("/words" in output for output in made)
    over_tasks = {"results/local/seed-1/clocks.jsonl"}
    assert all("/words" in output for output in made - over_tasks)
    assert not any("/tiny/" in output for output in made)
