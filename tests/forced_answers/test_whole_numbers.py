"""Numbers of several tokens, against whole passes of one prompt at a time."""

import math
import string

import pytest
import torch
import yaml
from jsonschema import Draft202012Validator
from support.architectures import FAMILIES, random_model, tiny_model
from support.checkpoints import bpe_tokenizer, byte_level, smollm2_checkpoint, train_small
from support.facts import SLOWER_WAYS, facts_of, slower
from support.forced_answers import IDENTITY, prompt_texts
from support.repository import REPOSITORY
from support.templates import template
from tokenizers import Regex, decoders, pre_tokenizers

from think_to_talk.errors import UnreadError
from think_to_talk.forced_answers.chains import Chains
from think_to_talk.forced_answers.cut_prompts import CutPrompts
from think_to_talk.forced_answers.number_prompts import NumberPrompts
from think_to_talk.forced_answers.reading import forced_answer_rows
from think_to_talk.formulas.cuts import shortened
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.pass_check import check_passes
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

SIZES = {"train": 4, "valid": 1, "test": 12, "probing_train": 1}
WORDS = ["pear", "kiwi", "plum"]
EQUATIONS = ["v0 = num", "v1 = num ± v0"]


def rows_of(n=None, **values):
    return generate_splits(template(EQUATIONS, **values), SIZES, 3)["test"][:n]


def texts_of(rows):
    return [row["source"] + row["target"] for row in rows]


def adds_a_digit(tokenizer):
    """The ids that go on with a number, by the tokens' texts alone."""
    starts = tuple(string.digits)
    vocabulary = tokenizer.get_vocab().items()
    if "##0" in tokenizer.get_vocab():
        starts = tuple(f"##{digit}" for digit in string.digits)
    return [token for text, token in vocabulary if text.startswith(starts)]


@torch.inference_mode()
def one_prompt_at_a_time(model, tokenizer, text, numbers, longest):
    """[numbers] the probability of each after a text, and [vocabulary] that of the next token.

    Numbers with as many tokens are passes of one batch.
    """
    prompt, spelled = tokenizer(text)["input_ids"], {}
    for number in numbers:
        written = f"{number}" if text.endswith(" ") else f" {number}"
        ids = tokenizer(text + written)["input_ids"]
        assert ids[: len(prompt)] == prompt
        spelled.setdefault(len(ids), {})[number] = ids
    found = {}
    for length, alike in spelled.items():
        batch = torch.tensor(list(alike.values()))
        after = model(batch, use_cache=False).logits.double().softmax(dim=-1)
        for row, (number, ids) in zip(after, alike.items(), strict=True):
            found[number] = math.prod(
                float(row[place - 1, ids[place]]) for place in range(len(prompt), length)
            )
            if length - len(prompt) < longest:
                found[number] *= 1 - float(row[-1, adds_a_digit(tokenizer)].sum())
    return [found[number] for number in numbers], after[0, len(prompt) - 1]


def outcomes(probabilities, following, firsts):
    """The number that is said: the most probable of all outcomes."""
    others = following.clone()
    others[firsts] = 0
    unknown = float(following[firsts].sum()) - sum(probabilities)
    best = max(probabilities)
    return probabilities.index(best) if best >= max(unknown, float(others.max())) else -1


def forced(model, tokenizer, rows, n_classes, shots=2, facts=None, batch_size=5):
    facts = facts or facts_of(model)
    options = {"shots": shots, "batch_size": batch_size, "n_classes": n_classes}
    return list(forced_answer_rows(model, facts, tokenizer, rows, **options, identity=IDENTITY))


def check(found, model, tokenizer, rows, n_classes, shots=2, end=""):
    """Compare rows of forced answers with one prompt at a time."""
    answers = [int(row["original_answer"]) for row in rows]
    spelled = [
        tokenizer(f"= {number}")["input_ids"][len(tokenizer(f"={end}")["input_ids"]) :]
        for number in range(n_classes)
    ]
    longest = max(map(len, spelled))
    firsts = sorted({ids[0] for ids in spelled})
    texts = zip(*(prompt_texts(row, shots, end) for row in rows), strict=True)
    for row, prompts in zip(found, texts, strict=True):
        right, mass, best, said = [], [], [], []
        for text, answer in zip(prompts, answers, strict=True):
            probabilities, following = one_prompt_at_a_time(
                model, tokenizer, text, range(n_classes), longest
            )
            right.append(probabilities[answer])
            mass.append(sum(probabilities))
            best.append(probabilities.index(max(probabilities)))
            said.append(outcomes(probabilities, following, firsts))
        assert max(mass) <= 1 + 1e-9
        assert row["predictions"] == said
        assert row["answer"] == answers
        hits = sum(a == b for a, b in zip(said, answers, strict=True))
        assert row["accuracy"] == hits / len(rows)
        hits = sum(a == b for a, b in zip(best, answers, strict=True))
        assert row["digit_accuracy"] == hits / len(rows)
        assert row["probability"] == pytest.approx(sum(right) / len(right), rel=1e-4)
        assert row["digit_mass"] == pytest.approx(sum(mass) / len(mass), rel=1e-4)


@pytest.mark.parametrize(
    ("values", "n"),
    # One or two digits; two; one to three.
    [([0, 30], 6), ([10, 29], 3), ([0, 120], 1)],
    ids=["ragged", "two", "three"],
)
def test_they_are_those_of_one_prompt_at_a_time(values, n):
    rows, tokenizer = rows_of(n, values=values, names=WORDS), symbol_tokenizer(WORDS, values[1])
    model = random_model(FAMILIES[0])
    n_classes = values[1] + 1
    check(forced(model, tokenizer, rows, n_classes), model, tokenizer, rows, n_classes)


@pytest.mark.parametrize("config", FAMILIES[1:], ids=lambda config: config.model_type)
def test_other_architectures_say_them_too(config):
    rows, tokenizer = rows_of(2, values=[0, 12]), symbol_tokenizer((), 12)
    model = random_model(config)
    check(forced(model, tokenizer, rows, 13), model, tokenizer, rows, 13)


@pytest.mark.parametrize("model_type", ["mamba", "lfm2", "gemma3_text"])
def test_a_model_whose_cache_is_no_list_of_tokens_is_asked_in_a_slower_way(model_type):
    rows, tokenizer = rows_of(2, values=[0, 12]), symbol_tokenizer((), 12)
    model = tiny_model(model_type)
    found = forced(model, tokenizer, rows, 13, facts=check_passes(model)[0])
    check(found, model, tokenizer, rows, 13)


@pytest.mark.parametrize("without", SLOWER_WAYS, ids="-".join)
@pytest.mark.parametrize("shots", [0, 2])
def test_the_slower_ways_give_the_same(without, shots):
    rows, tokenizer = rows_of(6, values=[0, 99]), symbol_tokenizer((), 99)
    model = random_model(FAMILIES[0])
    quick = forced(model, tokenizer, rows, 100, shots)
    facts = slower(facts_of(model), without)
    slow = forced(model, tokenizer, rows, 100, shots, facts, batch_size=12)
    for a, b in zip(quick, slow, strict=True):
        assert a["predictions"] == b["predictions"]
        assert a["probability"] == pytest.approx(b["probability"], rel=1e-6)


def split_at(texts, pattern):
    """A byte-level tokenizer whose tokens are merged within the pieces of a text."""
    pieces = pre_tokenizers.Split(pattern, "isolated")
    whole = pre_tokenizers.Sequence([pieces, pre_tokenizers.ByteLevel(False, use_regex=False)])
    return bpe_tokenizer(texts, whole, decoders.ByteLevel(), vocabulary_size=300)


@pytest.mark.parametrize(
    ("make", "end"),
    [
        # ` 12` or ` 1` and `2`, as in GPT-2's, whose numbers are the frequent ones.
        (byte_level, ""),
        # A lone space, then a token per digit, as SmolLM2 has them.
        (lambda texts: split_at(texts, Regex(r"\s|\d")), " "),
    ],
    ids=["byte-level", "digits"],
)
def test_numbers_are_spelled_as_the_tokenizer_does(make, end):
    rows = rows_of(4, values=[0, 30], names=["a", "b"])
    known = rows_of(values=[0, 12], names=["a", "b"])
    tokenizer, model = make([*texts_of(known), *string.digits]), random_model(FAMILIES[0])
    lengths = {len(tokenizer(f"= {number}")["input_ids"]) for number in range(31)}
    assert len(lengths) > 1
    assert not Chains.of(tokenizer, rows, 0).have_single_tokens
    check(forced(model, tokenizer, rows, 31, 0), model, tokenizer, rows, 31, 0, end)


@pytest.fixture(scope="module")
def smollm2():
    checkpoint = Checkpoint(smollm2_checkpoint())
    return checkpoint.model(), checkpoint.tokenizer()


def test_smollm2_is_asked_for_numbers_as_alone(smollm2):
    model, tokenizer = smollm2
    rows = rows_of(2, values=[0, 99], names=["watermelon", "kiwi", "fig"])
    prompts = NumberPrompts.of(Chains.of(tokenizer, rows, 1, seed=IDENTITY["seed"]), 100)
    assert tokenizer.decode(prompts.numbers.lead) == " "
    assert {len(ids) for ids in prompts.numbers.ids} == {1, 2}
    assert sorted(prompts.numbers.going_on) == sorted(adds_a_digit(tokenizer))
    passes = Passes(model, facts_of(model), prompts.prefix, 4)
    found = prompts.read(passes, lambda _: None)
    for cut in (0, len(found) - 1):
        for i, row in enumerate(rows):
            text = prompt_texts(row, 1, " ")[cut]
            numbers = [4, int(row["original_answer"])]
            expected, _ = one_prompt_at_a_time(model, tokenizer, text, numbers, 2)
            assert found[cut][0][i, numbers].tolist() == pytest.approx(expected, rel=2e-3)


def test_single_tokens_are_read_as_by_their_own_prompts():
    """The way of rows that tokenize alike, whose numbers are tokens, is the same in another way."""
    rows = rows_of(values=[0, 9])
    tokenizer, model = byte_level(texts_of(rows)), random_model(FAMILIES[0])
    chains = Chains.of(tokenizer, rows, 2)
    assert chains.have_single_tokens
    prompts = [CutPrompts.of(chains), NumberPrompts.of(chains, 10)]
    passes = [Passes(model, facts_of(model), one.prefix, 5) for one in prompts]
    read = [one.read(each, lambda _: None) for one, each in zip(prompts, passes, strict=True)]
    for (known, said), (found, said_too) in zip(*read, strict=True):
        seen = [digit for digit in range(10) if known[:, digit].any()]
        torch.testing.assert_close(known[:, seen].double(), found[:, seen], rtol=1e-5, atol=0)
        assert all(a in (b, -1) for a, b in zip(said.tolist(), said_too.tolist(), strict=True))
    assert [(cut.equations, cut.place) for cut in prompts[0].cuts] == list(prompts[1].cuts)


def always(tokenizer, following):
    """A model whose next token depends on the last one alone: {token: {next: logit}}."""
    size = len(tokenizer)
    model = random_model(type(FAMILIES[0])(**{**FAMILIES[0].to_diff_dict(), "vocab_size": size}))
    table = torch.zeros(size, size, dtype=torch.float64)
    for token, nexts in following.items():
        for other, logit in nexts.items():
            place, next_place = tokenizer.convert_tokens_to_ids([token, other])
            table[place, next_place] = logit
    ids = {}

    def keep(_module, _arguments, options):
        ids["last"] = options["input_ids"]

    def replace(_module, _arguments, output):
        output.logits = table[ids["last"]][:, -output.logits.shape[1] :]
        return output

    model.register_forward_pre_hook(keep, with_kwargs=True)
    model.register_forward_hook(replace)
    return model


@pytest.mark.parametrize(
    ("following", "said"),
    [
        # One, and it ends; twelve; nothing that ends there in two digits; forty-five is too large.
        ({"=": {"1": 30}, "1": {"\n": 30}}, 1),
        ({"=": {"1": 30}, "1": {"##2": 30}}, 12),
        ({"=": {"4": 30}, "4": {"##5": 30}}, -1),
        ({"=": {"4": 30}, "4": {",": 30}}, 4),
        ({"=": {"a": 30}}, -1),
    ],
)
def test_a_number_is_said_if_it_ends_where_others_go_on(following, said):
    rows, tokenizer = rows_of(values=[0, 30]), symbol_tokenizer((), 30)
    model = always(tokenizer, following)
    for row in forced(model, tokenizer, rows, 31, 0):
        assert row["predictions"] == [said] * len(rows)
        assert row["digit_mass"] == pytest.approx(float(said >= 0), abs=1e-6)


def test_a_model_that_has_learned_two_digits_says_them(tmp_path):
    names = [*"abcdefghijklm", "kiwi", "fig"]
    task = template(EQUATIONS, values=[0, 12], operators=["+"], names=names)
    model = train_small(tmp_path, task, steps=200, cut=0.5).eval()
    tokenizer, rows = symbol_tokenizer(names, 12), generate_splits(task, SIZES, 42)["test"]
    found = forced(model, tokenizer, rows, 13, 0)
    assert {len(row["original_answer"]) for row in rows} == {1, 2}
    assert found[-1]["accuracy"] > 0.8
    assert found[-1]["probability"] > found[0]["probability"]
    assert min(row["digit_mass"] for row in found) > 0.9
    schema = yaml.safe_load((REPOSITORY / "schemas/forced_answer_row.schema.yaml").read_text())
    for row in found:
        Draft202012Validator(schema).validate(row)
    # `B = # + A , A = # , B = # + A , B = # + # , B = #`: a position per symbol.
    assert [row["relative_position"] for row in found] == [-1, 4, 8, 14, 20]


@pytest.mark.parametrize("chain", ["none", 1])
def test_chains_that_a_task_cuts_are_asked_as_it_writes_them(chain):
    rows, tokenizer = rows_of(2, values=[0, 12]), symbol_tokenizer((), 12)
    model, cut = random_model(FAMILIES[0]), [shortened(row, chain) for row in rows]
    found, whole = forced(model, tokenizer, cut, 13, 0), forced(model, tokenizer, rows, 13, 0)
    if chain == "none":
        name = rows[0]["scratchpad"].split()[0]
        text = f"{rows[0]['source']} {name} ="
        expected, _ = one_prompt_at_a_time(model, tokenizer, text, range(13), 2)
        alone = forced(model, tokenizer, cut[:1], 13, 0)
        assert alone[0]["digit_mass"] == pytest.approx(sum(expected), rel=1e-4)
    assert len(found) == (1 if chain == "none" else 2)
    if chain == 1:
        for a, b in zip(found, whole, strict=False):
            assert a["probability"] == pytest.approx(b["probability"], rel=1e-5)


def test_an_answer_that_shares_its_token_cannot_be_read():
    rows = rows_of(values=[0, 30], names=["a", "b"])
    tokenizer = bpe_tokenizer(
        texts_of(rows),
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(r" |\d(?!\n)"), "isolated"),
                pre_tokenizers.ByteLevel(False, use_regex=False),
            ]
        ),
        decoders.ByteLevel(),
    )
    message = "^a token .* holds more than the answer's number, expected tokens of its own"
    with pytest.raises(UnreadError, match=message):
        forced(random_model(FAMILIES[0]), tokenizer, rows, 31)
