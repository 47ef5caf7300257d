"""Forced answers, against whole passes of one prompt per row and cut."""

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from support.architectures import FAMILIES, random_model, tiny_model
from support.checkpoints import bpe_tokenizer, byte_level, metaspace
from support.facts import SLOWER_WAYS, facts_of, slower
from support.forced_answers import IDENTITY, prompt_texts
from support.repository import REPOSITORY
from tokenizers import Regex, decoders, pre_tokenizers
from transformers import LlamaConfig

from think_to_talk.errors import InputError, UnreadError
from think_to_talk.forced_answers.chains import Chains
from think_to_talk.forced_answers.cut_prompts import CutPrompts
from think_to_talk.forced_answers.reading import forced_answer_rows
from think_to_talk.formulas.cuts import shortened
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.rows import first_shots
from think_to_talk.hidden_states.pass_check import check_passes
from think_to_talk.intervals import share
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

SIZES = {"train": 4, "valid": 1, "test": 9, "probing_train": 200}
SHOTS = 2


@pytest.fixture(scope="module")
def splits(tasks):
    return generate_splits(tasks["level-3"], SIZES, 3)


@pytest.fixture(scope="module")
def rows(splits):
    return splits["test"]


def texts(splits):
    return [row["source"] + row["target"] for part in splits.values() for row in part]


@pytest.fixture(scope="module")
def tokenizer(splits):
    return byte_level(texts(splits))


@torch.inference_mode()
def one_at_a_time(model, tokenizer, rows, digit_ids, shots=SHOTS, end=""):
    """Per cut, (probabilities of the digits [rows, 10], most likely token [rows]); no cache."""
    found = []
    for prompts in zip(*(prompt_texts(row, shots, end) for row in rows), strict=True):
        ids = [torch.tensor([tokenizer(text)["input_ids"]]) for text in prompts]
        logits = torch.cat([model(each, use_cache=False).logits[:, -1] for each in ids]).double()
        found.append((logits.softmax(dim=-1)[:, digit_ids], logits.argmax(dim=-1)))
    return found


def check(found, expected, rows, digit_ids):
    """Compare rows of forced answers with what `one_at_a_time` gives."""
    answers = torch.tensor([int(row["original_answer"]) for row in rows])
    assert len(found) == len(expected) == 6
    for row, (probabilities, tokens) in zip(found, expected, strict=True):
        digits = [digit_ids.index(token) if token in digit_ids else -1 for token in tokens.tolist()]
        right = probabilities.gather(1, answers[:, None])[:, 0]
        assert row["predictions"] == digits
        hits = sum(a == b for a, b in zip(digits, answers.tolist(), strict=True))
        assert {key: row[key] for key in share("accuracy", hits, 9)} == share("accuracy", hits, 9)
        assert row["probability"] == pytest.approx(right.mean().item(), rel=1e-4)
        mass = probabilities.sum(dim=1).mean().item()
        assert row["digit_mass"] == pytest.approx(mass, rel=1e-4)


def ids_of_digits(tokenizer, written="Ġ{}"):
    return [tokenizer.convert_tokens_to_ids(written.format(digit)) for digit in range(10)]


def forced(model, facts, tokenizer, rows, shots=SHOTS, batch_size=4):
    return list(
        forced_answer_rows(
            model, facts, tokenizer, rows, shots=shots, batch_size=batch_size, identity=IDENTITY
        )
    )


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_they_are_those_of_one_prompt_at_a_time(config, tokenizer, rows):
    model, digits = random_model(config), ids_of_digits(tokenizer)
    expected = one_at_a_time(model, tokenizer, rows, digits)
    check(forced(model, facts_of(model), tokenizer, rows), expected, rows, digits)


@pytest.mark.parametrize("equations", [0, 2])
def test_chains_that_are_cut_already_are_asked_as_whole_ones_are(tokenizer, rows, equations):
    """At the last of their cuts, the prompt is the row's own up to the answer."""
    model = random_model(FAMILIES[0])
    whole = forced(model, facts_of(model), tokenizer, rows, shots=0)
    cut = [shortened(row, equations) for row in rows]
    found = forced(model, facts_of(model), tokenizer, cut, shots=0)
    assert len(found) == equations + 1
    for a, b in zip(found, whole, strict=False):
        # Another digit than the answer may not stand in so few short chains.
        assert a["accuracy"] == b["accuracy"]
        assert a["probability"] == pytest.approx(b["probability"], rel=1e-5)


def test_an_answer_alone_is_asked_for_as_the_task_writes_it(tokenizer, rows):
    """Without `;`: the model has seen none, in its examples or in training."""
    model, digits = random_model(FAMILIES[0]), ids_of_digits(tokenizer)
    alone = [shortened(row, "none") for row in rows]
    (found,) = forced(model, facts_of(model), tokenizer, alone)
    tokens = []
    for row in alone:
        examples = first_shots(row["few_shot_context"], SHOTS)
        name = row["scratchpad"].split()[0]
        ids = torch.tensor([tokenizer(f"{examples}{row['source']} {name} =")["input_ids"]])
        tokens.append(int(model(ids, use_cache=False).logits[0, -1].argmax()))
    assert found["predictions"] == [digits.index(t) if t in digits else -1 for t in tokens]
    assert found["cut"] == 0


@pytest.mark.parametrize("model_type", ["mamba", "lfm2", "gemma3_text"])
def test_a_model_whose_cache_is_no_list_of_tokens_is_asked_in_a_slower_way(
    model_type, splits, rows
):
    """Sliding windows of eight tokens, convolutions, states."""
    model, tokenizer = tiny_model(model_type), symbol_tokenizer()
    digits = ids_of_digits(tokenizer, "{}")
    expected = one_at_a_time(model, tokenizer, rows, digits)
    check(forced(model, check_passes(model)[0], tokenizer, rows), expected, rows, digits)


@pytest.mark.parametrize("without", SLOWER_WAYS, ids="-".join)
@pytest.mark.parametrize("shots", [0, SHOTS])
def test_the_slower_ways_give_the_same(tokenizer, rows, without, shots):
    model = random_model(FAMILIES[0])
    quick = forced(model, facts_of(model), tokenizer, rows, shots)
    slow = forced(model, slower(facts_of(model), without), tokenizer, rows, shots, batch_size=9)
    for a, b in zip(quick, slow, strict=True):
        assert a["predictions"] == b["predictions"]
        assert a["probability"] == pytest.approx(b["probability"], rel=1e-6)


def split_at(texts, pattern, behaviour):
    """A byte-level tokenizer whose tokens are merged within the pieces of a text."""
    pieces = pre_tokenizers.Split(pattern, behaviour)
    whole = pre_tokenizers.Sequence([pieces, pre_tokenizers.ByteLevel(False, use_regex=False)])
    return bpe_tokenizer(texts, whole, decoders.ByteLevel(), vocabulary_size=300)


@pytest.mark.parametrize(
    ("make", "written", "end"),
    [
        (lambda _: symbol_tokenizer(), "{}", ""),
        (metaspace, "▁{}", ""),
        # A space is a token of its own, which stands before the digit.
        (lambda texts: split_at(texts, Regex(r"\s"), "isolated"), "{}", " "),
    ],
    ids=["symbols", "metaspace", "spaces"],
)
def test_any_tokenizer_is_asked_where_its_digit_follows(splits, rows, make, written, end):
    tokenizer = make(texts(splits))
    model = random_model(LlamaConfig(**FAMILIES[0].to_diff_dict()))
    digits = ids_of_digits(tokenizer, written)
    expected = one_at_a_time(model, tokenizer, rows, digits, 0, end)
    check(forced(model, facts_of(model), tokenizer, rows, 0), expected, rows, digits)


def test_rows_with_other_examples_are_refused(tokenizer, rows):
    other = [{**rows[0], "few_shot_context": "a = 1 ; a =? a = 1\n" * SHOTS}]
    model = random_model(FAMILIES[0])
    with pytest.raises(InputError, match="or another few_shot_context"):
        forced(model, facts_of(model), tokenizer, [*rows, *other])


def test_rows_fit_their_schema_and_stand_at_the_end_of_an_equation(tokenizer, rows):
    model = random_model(FAMILIES[0])
    found = forced(model, facts_of(model), tokenizer, rows)
    schema = yaml.safe_load((REPOSITORY / "schemas/forced_answer_row.schema.yaml").read_text())
    for row in found:
        Draft202012Validator(schema).validate(row)
    assert [row["cut"] for row in found] == [0, 1, 2, 3, 4, 5]
    # `B = # ± A , A = # ± # , A = # , B = # ± A , B = # ± # , B = #`: a token per symbol.
    assert [row["relative_position"] for row in found] == [-1, 4, 10, 14, 20, 26]
    assert [row["symbol"] for row in found] == ["?", "A", "#", "#", "A", "#"]
    assert [row["equation"] for row in found] == [-1, 0, 1, 2, 3, 4]


def test_a_right_digit_is_right_whatever_the_cut(rows):
    """A model that always says `7`, at every cut."""
    tokenizer = symbol_tokenizer()
    model = random_model(LlamaConfig(**{**FAMILIES[0].to_diff_dict(), "vocab_size": 90}))
    seven = tokenizer.convert_tokens_to_ids("7")
    head = torch.nn.Linear(32, 90).double()
    torch.nn.init.zeros_(head.weight)
    with torch.no_grad():
        head.bias.copy_(torch.nn.functional.one_hot(torch.tensor(seven), 90) * 40.0)
    model.lm_head = head
    sevens = sum(row["original_answer"] == "7" for row in rows)
    for row in forced(model, facts_of(model), tokenizer, rows):
        assert row["predictions"] == [7] * 9
        assert row["accuracy"] == sevens / 9
        assert row["digit_mass"] == pytest.approx(1)


def test_the_prompts_begin_with_the_gold_chain(tokenizer, rows):
    prompts = CutPrompts.of(Chains.of(tokenizer, rows, SHOTS))
    assert len(prompts.cuts) == 6
    for cut, texts_of_cut in zip(
        prompts.cuts, zip(*(prompt_texts(row, 0) for row in rows), strict=True), strict=True
    ):
        given = prompts.ids[:, : prompts.n_problem + cut.kept]
        ids = torch.cat([given, cut.suffix], dim=1).tolist()
        assert ids == [tokenizer(text)["input_ids"] for text in texts_of_cut]
    kept = [cut.kept for cut in prompts.cuts]
    assert kept == sorted(kept)
    assert {cut.suffix.shape[1] for cut in prompts.cuts} == {3}


def test_a_digit_that_shares_its_token_cannot_be_read(splits, rows):
    """Of the answer, with the newline."""
    tokenizer = split_at(texts(splits), " ", "merged_with_next")
    message = r"^the token 'Ġ\dĊ' .* more than a digit, expected a token of its own"
    with pytest.raises(UnreadError, match=message):
        forced(random_model(FAMILIES[0]), None, tokenizer, rows)


def test_a_token_may_hold_the_end_of_an_equation_and_its_separator(splits, rows):
    """`e ,` is one token: the cut stands there."""
    tokenizer = split_at(texts(splits), Regex(r" (?=[^,])|(?<=\d) |\n"), "isolated")
    model = random_model(FAMILIES[0])
    found = forced(model, facts_of(model), tokenizer, rows, 0)
    assert [row["cut"] for row in found] == [0, 1, 2, 3, 4, 5]
    assert [row["symbol"] for row in found] == ["?", ",", "#", "#", ",", "#"]
