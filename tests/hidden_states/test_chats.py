"""Instruct models of several architectures write in a chat what the library generates."""

import pytest
import torch
from support.chats import FAMILIES, chat_model
from support.decoding import greedy_ids
from support.facts import facts_of
from support.templates import template

from think_to_talk.files.shards import Shards
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.rows import first_shots
from think_to_talk.formulas.symbols import text_symbols
from think_to_talk.hidden_states.decoding import VerifiedDecoder
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.hidden_states.shards import write_hidden_states
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.shards import TokenShard
from think_to_talk.tokens.stop_ids import stop_ids
from think_to_talk.tokens.write_shards import write_token_shards

SIZES = {"train": 3, "valid": 1, "test": 5, "probing_train": 1}
N_NEW = 12
#: Symbols of `B = # ± A , A = # ; B =?`.
N_PROBLEM = 13


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "smollm2"])
def test_decoding_and_hidden_states_are_those_of_the_library(family, tasks, tmp_path):
    chat_model(tmp_path, family)
    checkpoint = Checkpoint(tmp_path)
    model, tokenizer = checkpoint.model(), checkpoint.tokenizer()
    rows = generate_splits(tasks["level-1"], SIZES, 3)["test"]
    tokenized = list(tokenize(tokenizer, rows, 1, chat=Chat()))
    stops = stop_ids(tokenizer, checkpoint.end_ids(), Chat())
    prefix, problem, gold = (
        torch.tensor([getattr(row, part) for row in tokenized])
        for part in ("prefix", "problem", "gold")
    )
    passes = Passes(model, facts_of(model), tokenized[0].prefix, 4)
    decoder = VerifiedDecoder(passes, [0, 2], stops, N_NEW)
    ids = torch.cat([prefix, problem], dim=1)
    written = greedy_ids(model, ids, stops, N_NEW, 0)
    with torch.inference_mode():
        states = model(torch.cat([ids, gold], dim=1), output_hidden_states=True).hidden_states
    for batch in decoder.decode(problem, gold):
        for row, generated in zip(batch.rows, batch.generated, strict=True):
            assert generated == written[row][: len(generated)]
            assert not any(written[row][len(generated) :])
    begin = prefix.shape[1]
    forced = list(decoder.decode(problem, gold[:, :N_NEW], teacher_forced=True))
    for batch in forced:
        expected = states[0][batch.rows, begin : begin + problem.shape[1] + N_NEW]
        assert torch.allclose(batch.hidden[0], expected, atol=1e-5)
        # The template's positions among them.
        of_block = passes_states(model, torch.cat([ids, gold[:, :N_NEW]], dim=1)[batch.rows])
        assert torch.allclose(batch.hidden[2], of_block[:, begin:], atol=1e-4)


#: Families whose templates differ in what stands before and behind a turn.
RAGGED = ("gemma", "llama3", "mistral", "phi3", "qwen2_5")


@pytest.mark.parametrize("family", RAGGED)
def test_rows_that_do_not_tokenize_alike_are_read_at_their_own_symbols(family, tmp_path):
    """Against the library's rendering, passed row by row; of the template, token by token."""
    chat_model(tmp_path, family)
    checkpoint, identity = Checkpoint(tmp_path), {"model": "m", "seed": "1", "task": "t"}
    model, tokenizer = checkpoint.model(), checkpoint.tokenizer()
    task = template(["v0 = num", "v1 = num ± v0"], values=[0, 120], names=["kiwi", "plum", "fig"])
    rows = generate_splits(task, {**SIZES, "test": 12}, 3)["test"]
    paths = [tmp_path / f"{name}.safetensors" for name in ("tokens", "states")]
    write_token_shards(
        *(tokenizer, {"test": rows}, {"test": paths[:1]}),
        **{"shots": 1, "chat": Chat(), "shard_rows": 12, "identity": identity},
        end_ids=checkpoint.end_ids(),
    )
    tokens = TokenShard.open(paths[0], {**identity, "split": "test"})
    write_hidden_states(
        *(model, facts_of(model), tokenizer, tokens, rows),
        **{"layers": [0, 1], "max_new_tokens": 80, "batch_size": 5, "cot": "gold"},
        identity={**identity, "split": "test"},
        hidden_path=paths[1],
        generations_path=tmp_path / "generations.jsonl",
    )
    assert len({len(row["source"]) for row in rows}) > 1
    shard, layout = Shards.open(paths[1:], {}), tokens.layout
    stored, ids = shard.read("layer.1"), shard.read("input_ids").tolist()
    template_at = [p for p, symbol in enumerate(layout.position_symbol) if symbol is None]
    assert template_at == list(range(layout.n_problem - len(template_at), layout.n_problem))
    for number, row in enumerate(rows):
        shown, behind, expected = placed(tokenizer, row)
        with torch.inference_mode():
            states = model(torch.tensor([shown]), output_hidden_states=True).hidden_states[1][0]
        behind = iter(behind)
        for position, symbol in enumerate(layout.position_symbol):
            at = next(behind) if symbol is None else expected[symbol][1]
            if symbol is not None and not layout.completes[position]:
                # A lone space, before the first token of a number.
                at = expected[symbol][0] - 1
                assert not tokenizer.decode([shown[at]]).strip()
            assert ids[number][position] == shown[at]
            torch.testing.assert_close(stored[number, position], states[at], atol=1e-5, rtol=1e-4)
        assert next(behind, None) is None


def placed(tokenizer, row):
    """The library's ids of a row's conversation, with one example.

    And the places of its template's tokens before the chain, and of each symbol's first and last
    token.
    """
    example, answer = first_shots(row["few_shot_context"], 1).strip().split("?")
    problem, chain = row["source"].strip(), row["target"].strip()
    said = [f"{example}?", answer.strip(), problem, chain]
    turns = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    spans, chain_at = read["offset_mapping"], text.rindex(chain)
    problem_at = text.rindex(problem, 0, chain_at)

    def holding(character):
        return max(i for i, (start, end) in enumerate(spans) if start <= character < end)

    expected, at = [], problem_at
    for symbol in text_symbols(f"{problem} {chain}"):
        at = text.index(symbol, max(at, chain_at) if len(expected) == N_PROBLEM else at)
        at += len(symbol)
        expected.append((holding(at - len(symbol)), holding(at - 1)))
    # Behind the chain, the token that ends the turn stands for its newline.
    last = next(i for i, (_, end) in enumerate(spans) if end > chain_at + len(chain))
    expected.append((last, last))
    behind = [
        i
        for i, (start, end) in enumerate(spans)
        if end > problem_at + len(problem) and start < chain_at and end <= chain_at
    ]
    return read["input_ids"], behind, expected


def passes_states(model, ids):
    """The output of the last block [rows, positions, hidden], before the final norm."""
    found = []
    block = model.model.layers[-1]
    hook = block.register_forward_hook(
        lambda _module, _inputs, output: found.append(
            output[0] if isinstance(output, tuple) else output
        )
    )
    with torch.inference_mode():
        model(ids)
    hook.remove()
    return found[0]
