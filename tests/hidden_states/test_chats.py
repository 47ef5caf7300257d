"""Instruct models of several architectures write in a chat what the library generates."""

import pytest
import torch
from support.chats import FAMILIES, chat_model
from support.decoding import greedy_ids
from support.facts import facts_of

from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.hidden_states.decoding import VerifiedDecoder
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.chat import Chat
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.stop_ids import stop_ids

SIZES = {"train": 3, "valid": 1, "test": 5, "probing_train": 1}
N_NEW = 12


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
