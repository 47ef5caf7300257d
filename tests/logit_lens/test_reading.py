"""The logit lens on a task: rows like those of probes, of the same test rows."""

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from support.checkpoints import byte_level
from support.facts import facts_of
from support.probes import IDENTITY, LAYOUT, N_POSITIONS, TOKENS, write_split
from support.repository import REPOSITORY
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from think_to_talk.errors import UnreadError
from think_to_talk.files.jsonl import write_jsonl
from think_to_talk.files.shards import Shards, write_shard
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.pass_check import check_passes
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.intervals import wilson_interval
from think_to_talk.logit_lens import reading
from think_to_talk.logit_lens.reading import lens_rows
from think_to_talk.timing.best_probes import best_layers, first_readable
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.write_shards import write_token_shards

ABOUT = {**IDENTITY, "seed": int(IDENTITY["seed"])}
WIDTH, N = 16, 20
#: The ids of the digits 0 to 9 in the hand-made chains; the vocabulary is as large as the width.
DIGIT_IDS = range(5, 15)


@pytest.fixture(scope="module")
def transparent():
    """A model of two layers whose logits are its normalised hidden state."""
    config = LlamaConfig(
        hidden_size=WIDTH,
        intermediate_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        vocab_size=WIDTH,
        rms_norm_eps=1e-12,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        model.lm_head.weight.copy_(torch.eye(WIDTH))
    return model


def number_tokenizer():
    """A tokenizer whose digits are those of the hand-made chains."""
    names = {str(digit): token for digit, token in enumerate(DIGIT_IDS)}
    rest = {f"<{token}>": token for token in set(range(WIDTH)) - {*DIGIT_IDS}}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({**names, **rest}, unk_token="<0>"))
    )


def token_shard(folder, digits):
    """A token shard of the hand-made layout, whose chains have these digits."""
    gold = torch.tensor([[1, 2, 3, DIGIT_IDS[digit], 4] for digit in digits], dtype=torch.int32)
    path = folder / "tokens.safetensors"
    metadata = {**IDENTITY, "split": "test"}
    with write_shard(path, {"gold_ids": (gold.dtype, tuple(gold.shape))}, metadata) as stored:
        stored["gold_ids"].copy_(gold)
    return path


def hand_made(folder, model, states, answers, *, length=None, batch_size=7):
    """The lens on states {layer: [rows, positions, width]} of problems with these answers."""
    problems = [
        {
            "source": f"a = {answer} ; a =?",
            "target": f" a = {answer}\n",
            "intermediate_answers": [answer, 9 - answer],
        }
        for answer in answers
    ]
    paths, dataset = write_split(folder, "test", problems, states, length=length)
    return lens_rows(
        model,
        facts_of(model),
        number_tokenizer(),
        paths,
        [token_shard(folder, answers)],
        dataset,
        batch_size=batch_size,
        identity=ABOUT,
    )


def saying(digits, scale=1.0):
    """States [rows, positions, width] that say these digits everywhere."""
    states = torch.zeros(len(digits), N_POSITIONS, WIDTH)
    for row, digit in enumerate(digits):
        states[row, :, DIGIT_IDS[digit]] = scale
    return states


@pytest.fixture
def read(transparent, tmp_path):
    """Layer 0 says 0 everywhere; layer 2 the answer from position 7 on, but not of rows 0 to 4."""
    answers = [number % 10 for number in range(N)]
    late = saying([0] * N)
    late[5:, 7:] = saying(answers, 3.0)[5:, 7:]
    length = torch.full((N,), N_POSITIONS)
    length[15:] = 9
    return hand_made(tmp_path, transparent, {0: saying([0] * N), 2: late}, answers, length=length)


def test_rows_are_those_of_probes_and_fit_their_schema(read):
    keys = [(row["layer"], row["position"], row["variable"]) for row in read]
    assert keys == [(layer, t, v) for layer in (0, 2) for t in range(N_POSITIONS) for v in (0, 1)]
    schema = yaml.safe_load((REPOSITORY / "schemas/logit_lens_row.schema.yaml").read_text())
    validator = Draft202012Validator(schema)
    for row in read:
        validator.validate(row)
        assert set(row) == set(schema["required"]) == {*schema["properties"]} - {"reads"}
        assert row.items() >= {**ABOUT, "n_test": N, "sample_ids": list(range(N))}.items()
        assert row["token"] == TOKENS[row["position"]]
        assert row["relative_position"] == row["position"] - LAYOUT.n_problem


def test_accuracy_is_the_share_of_all_test_rows_that_are_right(read):
    of_a = {(r["layer"], r["position"]): r for r in read if r["variable"] == 0}
    # Two of twenty answers are 0. Rows 5 to 19 are right, and row 0, which says 0 anyway.
    for place, hits in {(0, 3): 2, (0, 8): 2, (2, 6): 2, (2, 7): 16, (2, 8): 16}.items():
        row = of_a[place]
        assert row["score"] == hits / N
        assert (row["ci_low"], row["ci_high"]) == wilson_interval(hits, N)
        assert row["chance"] == 0.1
    # Rows 15 to 19 end before position 9, and count as wrong there.
    assert of_a[2, 9]["score"] == 11 / N
    assert of_a[2, 9]["predictions"] == [0] * 5 + [5, 6, 7, 8, 9, 0, 1, 2, 3, 4] + [-1] * 5
    # The other variable is nine less: its digit is said by the late rows nowhere but by chance.
    (of_b,) = (r for r in read if (r["layer"], r["position"], r["variable"]) == (2, 8, 1))
    assert of_b["predictions"] == of_a[2, 8]["predictions"]
    assert of_b["score"] == 0


def test_the_mass_on_digits_is_their_mean_probability_over_rows_that_have_the_position(read):
    # The norm makes each state a single entry of the square root of the width.
    e = torch.tensor(float(WIDTH)).sqrt().exp()
    expected = float((e + 9) / (e + WIDTH - 1))
    for row in read:
        assert row["digit_mass"] == pytest.approx(expected, rel=1e-5)


def test_a_position_that_no_row_has_has_no_mass(transparent, tmp_path):
    rows = hand_made(
        tmp_path, transparent, {1: saying([3] * 10)}, range(10), length=torch.full((10,), 8)
    )
    assert [row["digit_mass"] is None for row in rows if not row["variable"]] == [
        position >= 8 for position in range(N_POSITIONS)
    ]
    assert {row["score"] for row in rows if row["position"] >= 8} == {0}


def test_timing_dates_the_lens_as_it_dates_probes(read):
    best = best_layers(read, 0)
    assert [row["layer"] for t, row in best.items() if t in (0, 1, 2)] == [0, 2, 2]
    assert first_readable(best, 0.75)["relative_position"] == 1
    assert first_readable(best, 0.9) is None


@pytest.mark.parametrize(("batch_size", "chunk_bytes"), [(1, 1), (3, 4 * N * WIDTH * 3)])
def test_batches_and_chunks_change_nothing(
    transparent, tmp_path, monkeypatch, batch_size, chunk_bytes
):
    states = {1: torch.randn(N, N_POSITIONS, WIDTH, generator=torch.Generator().manual_seed(0))}
    answers = [number % 10 for number in range(N)]
    whole = hand_made(tmp_path, transparent, states, answers, batch_size=100)
    monkeypatch.setattr(reading, "_CHUNK_BYTES", chunk_bytes)
    pieces = hand_made(tmp_path, transparent, states, answers, batch_size=batch_size)
    assert len({tuple(row["predictions"]) for row in whole}) == N_POSITIONS
    for one, other in zip(whole, pieces, strict=True):
        assert other.pop("digit_mass") == pytest.approx(one.pop("digit_mass"), rel=1e-5)
        assert one == other


def test_digits_that_no_chain_has_are_said_to_be_unknown(transparent, tmp_path):
    with pytest.warns(UserWarning, match=r"test rows of t has the numbers \[0, 1, 3, 4, 5, 6"):
        rows = hand_made(tmp_path, transparent, {1: saying([3, 2, 7])}, [2, 2, 7])
    # 3 cannot be read: the first of the known digits is as likely as any other.
    assert rows[0]["predictions"] == [2, 2, 7]


def test_a_model_that_cannot_be_read_is_left_out(transparent, tmp_path):
    handle = transparent.lm_head.register_forward_hook(lambda _m, _a, out: out.cumsum(dim=1))
    try:
        with pytest.raises(UnreadError, match=r"^the logits at a position do not follow"):
            hand_made(tmp_path, transparent, {1: saying([3, 2])}, [3, 2])
    finally:
        handle.remove()


@pytest.fixture(scope="module")
def splits(tasks):
    drawn = generate_splits(
        tasks["level-1"], {"train": 5, "valid": 1, "test": 300, "probing_train": 4}, 3
    )
    return {"test": drawn["test"]}


@pytest.mark.parametrize(
    ("last_layer", "stored_dtype", "differing_digits", "rounding"),
    [
        ("before_norm", None, 0.01, 1e-3),
        ("after_norm", None, 0.01, 1e-3),
        ("before_norm", "bfloat16", 0.05, 0.02),
    ],
)
def test_the_last_layer_reads_the_digits_that_the_model_itself_would_say(
    splits, tmp_path, last_layer, stored_dtype, differing_digits, rounding
):
    """From stored shards of a real model behind two examples, against one plain pass."""
    problems = splits["test"]
    tokenizer = byte_level([row["source"] + row["target"] for row in problems])
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3}
    config = LlamaConfig(
        **sizes, num_attention_heads=2, vocab_size=len(tokenizer), bos_token_id=None
    )
    config.initializer_range = 0.2
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).eval()
    torch.nn.init.uniform_(model.model.norm.weight, 0.3, 3)
    facts, _, _ = check_passes(model)
    identity = {"model": "m", "seed": "1", "task": "t", "split": "test"}
    tokens, hidden, dataset = (tmp_path / name for name in ("t.st", "h.st", "rows.jsonl"))
    write_jsonl(dataset, problems)
    about = {key: identity[key] for key in ("model", "seed", "task")}
    write_token_shards(
        tokenizer, splits, {"test": [tokens]}, shots=2, shard_rows=500, identity=about
    )
    shard = TokenShard.open(tokens, identity)
    write_hidden_states(
        model,
        facts,
        tokenizer,
        shard,
        problems,
        layers=[1, 3],
        last_layer=last_layer,
        max_new_tokens=40,
        batch_size=50,
        cot="gold",
        stored_dtype=stored_dtype,
        identity=identity,
        hidden_path=hidden,
        generations_path=tmp_path / "generations.jsonl",
    )
    rows = lens_rows(
        model, facts, tokenizer, [hidden], [tokens], dataset, batch_size=32, identity=ABOUT
    )
    ids = Shards.open([hidden], identity).read("input_ids").long()
    prefix = torch.tensor(shard.prefix).expand(len(ids), -1)
    with torch.inference_mode():
        logits = model(torch.cat([prefix, ids], dim=1)).logits[:, prefix.shape[1] :]
    digits = [tokenizer.convert_tokens_to_ids(f"Ġ{digit}") for digit in range(10)]
    said = logits[..., digits].argmax(dim=-1)
    mass = logits.softmax(dim=-1)[..., digits].sum(dim=-1).mean(dim=0)
    differing = {
        layer: max(
            float((torch.tensor(row["predictions"]) != said[:, row["position"]]).float().mean())
            for row in rows
            if row["layer"] == layer
        )
        for layer in (1, 3)
    }
    # Rounding may decide between two digits that are as likely.
    assert differing[3] < differing_digits
    assert differing[1] > 0.5
    for row in rows:
        if row["layer"] == 3:
            assert row["digit_mass"] == pytest.approx(float(mass[row["position"]]), rel=rounding)
