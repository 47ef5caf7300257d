"""Decoding for tests, in this process or in one whose memory is limited."""

import resource
import warnings
from pathlib import Path

import torch

from support.facts import decoder_blocks, facts_of
from think_to_talk.errors import InputError
from think_to_talk.hidden_states.decoding import VerifiedDecoder
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.models.loading import Checkpoint
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.stop_ids import stop_ids


def tokens_of(tokenizer, rows, shots):
    tokenized = list(tokenize(tokenizer, rows, shots))
    problem = torch.tensor([row.problem for row in tokenized])
    gold = torch.tensor([row.gold for row in tokenized])
    return list(tokenized[0].prefix), problem, gold, tokenized[0].layout


@torch.inference_mode()
def greedy_ids(model, ids, stops, max_new_tokens, padding):
    """What the library writes greedily after prompts [rows, tokens]: ids behind them.

    padding: the id that follows a shorter generation.
    """
    output = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=stops,
        pad_token_id=padding,
        repetition_penalty=1.0,
    )
    return output[:, ids.shape[1] :].tolist()


def decode(
    model,
    tokenizer,
    rows,
    shots,
    *,
    facts=None,
    batch_size=16,
    max_new_tokens=60,
    layers=None,
    end_ids=(),
    last_layer="before_norm",
    **options,
):
    """All rows' generations, exactness and hidden states, in the order of the rows."""
    prefix, problem, gold, _ = tokens_of(tokenizer, rows, shots)
    layers = range(len(decoder_blocks(model)) + 1) if layers is None else layers
    passes = Passes(model, facts or facts_of(model), prefix, batch_size, last_layer)
    decoder = VerifiedDecoder(passes, layers, stop_ids(tokenizer, end_ids), max_new_tokens)
    generated, exact, hidden = {}, {}, {}
    for batch in decoder.decode(problem, gold, **options):
        for i, row in enumerate(batch.rows):
            assert row not in generated
            generated[row], exact[row] = batch.generated[i], batch.exact[i]
            hidden[row] = {layer: state[i] for layer, state in batch.hidden.items()}
    assert sorted(generated) == list(range(len(rows)))
    return (
        [generated[i] for i in range(len(rows))],
        [exact[i] for i in range(len(rows))],
        [hidden[i] for i in range(len(rows))],
    )


def decode_within(folder, rows, batch_size, spare_mb, max_new_tokens=12):
    """Decode in this process, whose memory may grow by so many MB: generations and warnings."""
    torch.set_num_threads(1)
    tokenizer, model = Checkpoint(folder).tokenizer(), Checkpoint(folder).model()
    decode(model, tokenizer, rows[:1], 0, batch_size=1, max_new_tokens=12)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + spare_mb * 2**20
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        try:
            generated, _, hidden = decode(
                model, tokenizer, rows, 2, batch_size=batch_size, max_new_tokens=max_new_tokens
            )
        except InputError as error:
            return str(error), None, []
        finally:
            # What is returned goes through memory that is shared.
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return generated, [state[1] for state in hidden], [str(warning.message) for warning in given]
