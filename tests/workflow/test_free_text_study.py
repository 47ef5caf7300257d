"""docs/datasets.md: its example, from rows in free text to pictures, with a smaller model."""

import copy
import re
from collections import Counter
from pathlib import Path

import pytest
import torch
import yaml
from snakemake.utils import update_config
from support.checkpoints import byte_level
from support.explorer import study_in
from support.repository import REPOSITORY
from support.studies import study_of
from transformers import LlamaConfig, LlamaForCausalLM

from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.files.schemas import StrictValidator
from think_to_talk.reading.hidden_states import read_hidden_states
from think_to_talk.study.configuration import complete, load_schema
from think_to_talk.study.jobs import model_jobs, shared_jobs
from think_to_talk.study.plan import StudyPlan

PAGE = (REPOSITORY / "docs/datasets.md").read_text(encoding="utf-8")
[PROGRAM] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
OVERLAY = yaml.safe_load(re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1])

ROWS = {"test": 40, "probing_train": 120}

#: The place of each span of the page's rows on the axis.
SYMBOLS = ["who", "A", "what", "#", "now?", "A", "A", "plus", "#", "is", "B", "is", "B"]


def save_model(folder, rows):
    """Save a small model that was not trained, whose tokens are parts of words."""
    texts = [row["source"] + row["target"] for row in rows]
    tokenizer = byte_level(texts, vocabulary_size=320)
    torch.manual_seed(0)
    config = LlamaConfig(
        **{"vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64},
        **{"num_hidden_layers": 2, "num_attention_heads": 2, "eos_token_id": None},
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    [model] = [name for name, entry in OVERLAY["models"].items() if entry]
    entry = {**OVERLAY["models"][model], "path": "checkpoint", "layers": 1}
    del entry["package"]
    overlay = {
        **OVERLAY,
        **{"seeds": [1], "keep_hidden_states": True, "controls": {"thresholds": []}},
        "models": {"tiny": None, "small": entry},
        "probes": {**OVERLAY["probes"], "min_train_rows": 20},
        "transfer": {"within": {"train": "friends", "test": "friends"}},
    }
    study = study_of(tmp_path_factory.mktemp("free") / "study", overlay)
    shown = re.search(r'\{"test": \d+, "probing_train": \d+\}', PROGRAM)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(study.folder)
        exec(compile(PROGRAM.replace(shown[0], repr(ROWS)), "docs/datasets.md", "exec"), {})
    save_model(study.folder / "checkpoint", read_jsonl(study.folder / "probing_train.jsonl"))
    study.output = study.snakemake()
    return study


@pytest.mark.documented("python friends.py", "snakemake --cores 2 --configfile friends.yaml")
def test_the_example_of_the_page_is_studied_from_rows_to_figures(finished):
    results = finished.folder / "results"
    own = results / "small/seed-1"
    for split, n_rows in ROWS.items():
        given = read_jsonl(finished.folder / f"{split}.jsonl")
        rows = read_jsonl(results / f"formulas/seed-1/friends/{split}.jsonl")
        assert len(given) == len(rows) == n_rows
        assert [row["spans"] for row in rows] == [row["spans"] for row in given]
        answers = [[row["targets"][name] for name in "AB"] for row in given]
        assert [row["intermediate_answers"] for row in rows] == answers
    probes = read_jsonl(own / "probes/friends.jsonl")
    validator = StrictValidator(load_schema("probe_row", REPOSITORY / "schemas"))
    assert not list(validator.iter_errors(probes[0]))
    first = read_jsonl(finished.folder / "test.jsonl")[0]
    for row in probes:
        span = first["spans"][row["position"]]
        assert row["symbol"] == SYMBOLS[row["position"]] == span["label"]
        assert row["symbol_index"] == row["position"] == row["relative_position"] + 5
        assert row["equation"] == span["equation"]
        assert row["token"] == first[span["text"]][span["start"] : span["end"]]
    # An operand is readable where it has just been written, and not before.
    scores = {
        (row["position"], row["layer"]): row["score"] for row in probes if row["variable"] == 0
    }
    assert scores[1, 0] > 0.9 > 0.5 > scores[0, 0]
    generations = read_jsonl(own / "generations/friends/test.jsonl")
    validator = StrictValidator(load_schema("generation_row", REPOSITORY / "schemas"))
    assert not list(validator.iter_errors(generations[0]))
    for figure in ("friends", "overview", "clocks", "transfer/within"):
        assert (results / f"summary/figures/small/seed-1/{figure}.png").is_file()
    [shown] = study_in((results / "summary/explorer.html").read_text())["results"]
    assert shown["positions"]["symbol"] == SYMBOLS
    for example in shown["examples"]:
        given = read_jsonl(finished.folder / "test.jsonl")[example["row"]]
        assert example["spans"] == [given[s["text"]][s["start"] : s["end"]] for s in given["spans"]]
    assert [each["written"] for each in shown["examples"]] == [[None, None]] * len(
        shown["examples"]
    )


def test_what_the_grammar_would_give_is_what_the_rows_and_the_task_give(finished):
    summary = finished.folder / "results/summary"
    a, b = read_jsonl(summary / "timing.jsonl")
    # Ceilings are 1 from the second and from the fourth of the five spans of the problem.
    assert (a["t_text"], b["t_text"]) == (-4, -2)
    assert a["heldout_after"] is None is a["acc_after_cluster_low"]
    assert b["heldout_after"] is not None
    assert b["acc_after_cluster_low"] is not None
    assert {row["role"] for row in read_jsonl(summary / "clocks.jsonl")} == {None}
    assert (summary / "findings.jsonl").read_text() == ""
    assert "this study has free text alone" in (summary / "findings.md").read_text()
    said = finished.output.stdout + finished.output.stderr
    assert said.count("tasks.friends: free text, not read by our grammar: held-out accuracies") == 1


def test_probes_of_spans_are_tried_at_other_spans(finished):
    results = finished.folder / "results"
    rows = read_jsonl(results / "small/seed-1/transfer/within.jsonl")
    own = [(row["symbol_index"], row["symbol"]) for row in rows]
    assert set(own) == set(enumerate(SYMBOLS))
    for row in rows:
        assert row["test_symbol"] == SYMBOLS
        assert row["hits"][row["symbol_index"]] == pytest.approx(row["own_score"] * row["n_test"])


def test_notebooks_read_the_states_of_spans(finished):
    found = read_hidden_states(finished.folder / "results", "small", 1, "friends", 1)
    assert list(found.positions["symbol"]) == SYMBOLS
    assert found.states.shape == (ROWS["test"], len(SYMBOLS), 32)
    given = read_jsonl(finished.folder / "test.jsonl")
    assert found.labels.tolist() == [[row["targets"][name] for name in "AB"] for row in given]
    assert set(found.length.tolist()) == {len(SYMBOLS)}


def test_the_estimated_jobs_are_the_planned_ones(finished, raw_config, schema, monkeypatch):
    monkeypatch.chdir(finished.folder)
    config = copy.deepcopy(raw_config)
    update_config(config, yaml.safe_load(Path("study.yaml").read_text()))
    plan = StudyPlan(complete(config, schema))
    estimated = Counter(shared_jobs(plan)) + Counter(model_jobs(plan, "small"))
    del estimated["study_page"]
    planned = Counter(rule.partition("_friends")[0] for rule, _ in finished.planned("--forceall"))
    assert planned == estimated


def test_only_what_shows_ceilings_depends_on_them(finished, tmp_path):
    study = finished.copy(tmp_path / "study")
    assert study.planned() == set()
    study.configure(tasks__friends__free_text__ceilings={"A": [0.2, 1, 1, 1, 1]})
    shown = {"given_ceilings", "heatmap", "overview", "timing", "timing_table", "clocks"}
    shown |= {"clocks_table", "clocks_overview", "findings", "explorer"}
    assert {rule for rule, _ in study.planned()} == shown
