"""Verified decoding: the ids of greedy `generate`, the hidden states of one forward pass."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
import torch
from support.checkpoints import smollm2_checkpoint
from support.decoding import decode, decode_within, greedy_ids, tokens_of
from support.facts import SLOWER_WAYS, decoder_blocks, facts_of, slower
from transformers import (
    Gemma2Config,
    GPT2Config,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
)
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states import decoding
from think_to_talk.hidden_states.decoding import VerifiedDecoder
from think_to_talk.hidden_states.pass_check import check_passes
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.stop_ids import newline_tokens


@pytest.fixture(scope="module")
def half_right(trained_on_level_1, tasks):
    """A model that solves about half of level 1, its tokenizer and problems."""
    checkpoint = Checkpoint(trained_on_level_1(80))
    return checkpoint.model(), checkpoint.tokenizer(), level_1(tasks, 120)


@pytest.fixture(scope="module")
def smollm2(tasks):
    """SmolLM2-135M-Instruct, which never solves the task."""
    folder = smollm2_checkpoint()
    return Checkpoint(folder).model(), Checkpoint(folder).tokenizer(), level_1(tasks, 4)


def level_1(tasks, rows):
    sizes = {"train": 10, "valid": 10, "test": rows, "probing_train": 10}
    return generate_splits(tasks["level-1"], sizes, 42)["test"]


def greedy(model, tokenizer, rows, shots, max_new_tokens):
    """What `generate` writes, cut after the first token that ends it."""
    prefix, problem, _, _ = tokens_of(tokenizer, rows, shots)
    stops = newline_tokens(tokenizer)
    prompts = torch.cat([torch.tensor([prefix]).expand(len(problem), -1).long(), problem], dim=1)
    result = []
    for ids in greedy_ids(model, prompts, stops, max_new_tokens, stops[0]):
        end = next((i for i, token in enumerate(ids) if token in stops), len(ids) - 1)
        result.append(ids[: end + 1])
    return result


def assert_hidden_states_are_those_of_one_pass(
    model, tokenizer, rows, shots, generated, hidden, last_layer="before_norm"
):
    """Compare with `output_hidden_states`, whose last is the one after the norm."""
    prefix, problem, gold, _ = tokens_of(tokenizer, rows, shots)
    n_positions = problem.shape[1] + gold.shape[1]
    for i, ids in enumerate(generated):
        whole = torch.tensor([prefix + problem[i].tolist() + ids])
        last = []
        handle = decoder_blocks(model)[-1].register_forward_hook(
            lambda _m, _i, output, last=last: last.append(
                output[0] if isinstance(output, tuple) else output
            )
        )
        with torch.inference_mode():
            states = model(whole, output_hidden_states=True).hidden_states
        handle.remove()
        expected = states if last_layer == "after_norm" else [*states[:-1], last[0]]
        length = min(n_positions, problem.shape[1] + len(ids))
        for layer, state in hidden[i].items():
            wanted = expected[layer][0, len(prefix) :][:length]
            torch.testing.assert_close(
                state[:length], wanted, rtol=1e-3, atol=2e-4 * wanted.abs().max()
            )
            assert not state[length:].any()


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_a_model_that_is_right_half_of_the_time_is_decoded_as_by_generate(
    half_right, shots, batch_size
):
    model, tokenizer, rows = half_right
    rows = rows[:40] if batch_size == 1 else rows
    generated, exact, _ = decode(model, tokenizer, rows, shots, batch_size=batch_size)
    assert generated == greedy(model, tokenizer, rows, shots, 60)
    _, _, gold, _ = tokens_of(tokenizer, rows, shots)
    assert exact == [ids == row for ids, row in zip(generated, gold.tolist(), strict=True)]
    if shots == 0:
        assert 0.2 < sum(exact) / len(exact) < 0.8


@pytest.mark.parametrize("without", SLOWER_WAYS)
@pytest.mark.parametrize("shots", [0, 2])
def test_a_slower_way_writes_and_stores_the_same(half_right, shots, without):
    model, tokenizer, rows = half_right
    facts = slower(facts_of(model), without)
    options = {"batch_size": 7, "max_new_tokens": 40, "facts": facts}
    generated, _, hidden = decode(model, tokenizer, rows[:20], shots, **options)
    assert generated == greedy(model, tokenizer, rows[:20], shots, 40)
    assert_hidden_states_are_those_of_one_pass(
        model, tokenizer, rows[:20], shots, generated, hidden
    )


def test_its_hidden_states_are_those_of_one_pass(half_right):
    model, tokenizer, rows = half_right
    for shots in (0, 2):
        generated, _, hidden = decode(model, tokenizer, rows[:40], shots, max_new_tokens=40)
        if shots:
            # Ragged: examples confuse it, and some generations end early, some late.
            assert len({len(ids) for ids in generated}) > 1
        assert_hidden_states_are_those_of_one_pass(
            model, tokenizer, rows[:40], shots, generated, hidden
        )


@pytest.mark.parametrize("without", [(), *SLOWER_WAYS])
@pytest.mark.parametrize("shots", [0, 2])
def test_the_last_layer_after_the_norm_is_the_one_that_the_library_returns(
    half_right, shots, without
):
    """The other layers are what they are."""
    model, tokenizer, rows = half_right
    facts = slower(check_passes(model)[0], without)
    options = {"facts": facts, "max_new_tokens": 30, "batch_size": 7, "last_layer": "after_norm"}
    generated, _, hidden = decode(model, tokenizer, rows[:20], shots, **options)
    assert_hidden_states_are_those_of_one_pass(
        model, tokenizer, rows[:20], shots, generated, hidden, "after_norm"
    )


@pytest.mark.parametrize("max_new_tokens", [1, 5, 25, 26, 27])
def test_a_limit_on_new_tokens_cuts_like_generate_s(half_right, max_new_tokens):
    model, tokenizer, rows = half_right
    generated, _, hidden = decode(
        model, tokenizer, rows[:30], 0, max_new_tokens=max_new_tokens, batch_size=8
    )
    assert generated == greedy(model, tokenizer, rows[:30], 0, max_new_tokens)
    assert_hidden_states_are_those_of_one_pass(model, tokenizer, rows[:30], 0, generated, hidden)


def test_only_the_chosen_layers_are_kept(half_right):
    model, tokenizer, rows = half_right
    _, _, every = decode(model, tokenizer, rows[:20], 0)
    _, _, some = decode(model, tokenizer, rows[:20], 0, layers=[0, 2])
    for all_layers, chosen in zip(every, some, strict=True):
        assert list(chosen) == [0, 2]
        assert all(torch.equal(chosen[layer], all_layers[layer]) for layer in chosen)


def test_teacher_forcing_shows_the_gold_chain_whatever_the_model_would_write(half_right):
    model, tokenizer, rows = half_right
    _, exact, _ = decode(model, tokenizer, rows, 0)
    generated, still_exact, hidden = decode(model, tokenizer, rows, 0, teacher_forced=True)
    _, _, gold, _ = tokens_of(tokenizer, rows, 0)
    assert generated == gold.tolist()
    assert still_exact == exact
    assert_hidden_states_are_those_of_one_pass(
        model, tokenizer, rows[:20], 0, generated[:20], hidden[:20]
    )


@pytest.mark.parametrize("shots", [0, 3])
def test_a_model_that_is_always_wrong_is_decoded_as_by_generate(smollm2, shots):
    model, tokenizer, rows = smollm2
    generated, exact, hidden = decode(
        model, tokenizer, rows, shots, batch_size=3, max_new_tokens=12, layers=[0, 15, 30]
    )
    assert not any(exact)
    assert generated == greedy(model, tokenizer, rows, shots, 12)
    assert_hidden_states_are_those_of_one_pass(
        model, tokenizer, rows[:2], shots, generated[:2], hidden[:2]
    )


def test_a_model_that_is_always_wrong_is_asked_about_a_few_rows_only(half_right, monkeypatch):
    """And decoded from the start on for the others, to the same generations."""
    _, tokenizer, rows = half_right
    torch.manual_seed(0)
    config = LlamaConfig(**SMALL, intermediate_size=64, bos_token_id=None)
    model = AutoModelForCausalLM.from_config(config).eval()
    asked = []
    verify = VerifiedDecoder._verify
    monkeypatch.setattr(
        VerifiedDecoder,
        "_verify",
        lambda self, problem, *others: asked.append(len(problem)) or verify(self, problem, *others),
    )
    generated, exact, _ = decode(model, tokenizer, rows[:40], 0, max_new_tokens=30)
    assert sum(asked) == decoding._PILOT_ROWS < 40
    assert generated == greedy(model, tokenizer, rows[:40], 0, 30)
    assert not any(exact)


@pytest.fixture(scope="module")
def wide(tmp_path_factory, half_right):
    """A model whose batches are large, on disk."""
    folder = tmp_path_factory.mktemp("wide")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(half_right[1]),
        hidden_size=256,
        intermediate_size=8192,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=None,
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    half_right[1].save_pretrained(folder)
    return folder


def test_out_of_memory_halves_the_batch_and_goes_on(wide, half_right):
    """Really out of memory: in a process of its own, under a limit of the operating system."""
    _, tokenizer, rows = half_right
    plenty, _, states = decode(
        Checkpoint(wide).model(), tokenizer, rows, 2, batch_size=120, max_new_tokens=12
    )
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        little, its_states, warned = alone.submit(decode_within, wide, rows, 120, 130).result()
    assert "out of memory with a batch of 120 rows: continuing with 60" in warned[0]
    assert little == plenty
    for one, other in zip(its_states, states, strict=True):
        torch.testing.assert_close(one, other[1], rtol=1e-4, atol=1e-4)


def test_out_of_memory_with_a_single_row_is_an_error_that_says_so(wide, half_right):
    with ProcessPoolExecutor(1, get_context("spawn")) as alone:
        # Room in the cache for so many tokens takes 400 MB a row.
        error, _, _ = alone.submit(decode_within, wide, half_right[2], 120, 200, 100_000).result()
    assert "out of memory with a single row at a time: a device with more memory" in error


SMALL = {"vocab_size": 44, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2}
ARCHITECTURES = [
    LlamaConfig(**SMALL, intermediate_size=64),
    MistralConfig(**SMALL, intermediate_size=64, num_key_value_heads=1, sliding_window=64),
    Qwen2Config(**SMALL, intermediate_size=64, num_key_value_heads=1),
    Gemma2Config(
        **SMALL, intermediate_size=64, num_key_value_heads=1, head_dim=16, sliding_window=64
    ),
    GPT2Config(vocab_size=44, n_embd=32, n_layer=3, n_head=2),
    GPTNeoXConfig(**SMALL, intermediate_size=64),
]


@pytest.mark.parametrize("config", ARCHITECTURES, ids=lambda config: config.model_type)
@pytest.mark.parametrize("shots", [0, 2])
def test_any_architecture_is_decoded_as_by_generate(half_right, config, shots):
    """Randomly initialised: no code knows the architecture."""
    _, tokenizer, rows = half_right
    torch.manual_seed(0)
    config.bos_token_id = None
    model = AutoModelForCausalLM.from_config(config).eval()
    for parameter in model.parameters():
        # Larger than the usual initialisation, so that the predictions vary.
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.3)
    generated, _, hidden = decode(
        model, tokenizer, rows[:6], shots, batch_size=4, max_new_tokens=40
    )
    assert generated == greedy(model, tokenizer, rows[:6], shots, 40)
    assert_hidden_states_are_those_of_one_pass(model, tokenizer, rows[:6], shots, generated, hidden)
