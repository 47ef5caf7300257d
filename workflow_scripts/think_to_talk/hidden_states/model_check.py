"""The model check: how a model may be run, and whether decoding writes what the library would.

A job per model and seed runs this before the jobs that decode; its facts (`hidden_states/facts.py`)
go to decoding. Method: what the workflow does with a model is compared with plain passes
(`hidden_states/pass_check.py`), then its decoding with the library's own `generate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import InputError, said
from think_to_talk.hidden_states.decoding import VerifiedDecoder
from think_to_talk.hidden_states.facts import ModelCheck, ModelFacts
from think_to_talk.hidden_states.pass_check import check_passes
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.hidden_states.whole_passes import COMMON

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Tokens that are written.
_WRITTEN = 8


@torch.inference_mode()
def check_model(model: PreTrainedModel) -> ModelCheck:
    """What holds of a causal language model.

    Raises InputError, without the model's name, if it cannot be studied (`check_passes`), or if
    decoding would write something else than `generate`.
    """
    with _counted(model) as passes:
        facts, notes, whole = check_passes(model)
        written = _compare_with_generate(model, facts, whole.ids[:, :-4], whole.same)
        if isinstance(written, str):
            notes["generate"] = written
            written = {}
    measured = {"passes": len(passes), "noise": whole.noise, "same_within": whole.same, **written}
    return ModelCheck(facts, notes, measured)


@contextmanager
def _counted(model: PreTrainedModel) -> Iterator[list[None]]:
    """A list that grows by one with each pass."""
    passes: list[None] = []
    handle = model.register_forward_pre_hook(lambda *_: passes.append(None))
    try:
        yield passes
    finally:
        handle.remove()


def _compare_with_generate(
    model: PreTrainedModel, facts: ModelFacts, prompts: torch.Tensor, same: float
) -> dict[str, Any] | str:
    """Decode two prompts with and without a prefix, together and alone, as `generate` would.

    One row is verified to its end; the other diverges from its draft, and ends early if it writes
    a token that nothing else does. Tokens may differ where the logits are as near to one another as
    rounding takes them.

    facts: how the model may be run.
    prompts: [2, tokens], which begin alike.
    same: the difference of logits, as a share of the largest, that counts as none.

    Returns how many tokens were compared, how many rows differ, and by what margin; or a note, if
    the library's generate cannot run the model.
    Raises InputError if a row differs by more.
    """
    try:
        written = [_generate(model, prompt) for prompt in prompts]
    except Exception as error:
        return f"generate fails with {said(error)}: decoding was compared with whole passes only"
    draft = torch.tensor(written)
    draft[1, 2:] = draft[1, 2:].roll(1)
    fifth = written[1][4]
    stop = fifth if [*written[0], *written[1]].count(fifth) == 1 else -1
    n_tokens, margins = 0, []
    for n_prefix in (0, COMMON):
        for numbers in ([0, 1], [1]):
            passes = Passes(model, facts, prompts[0, :n_prefix].tolist(), 2)
            decoder = VerifiedDecoder(passes, [], [stop], _WRITTEN)
            for batch in decoder.decode(prompts[numbers, n_prefix:], draft[numbers]):
                for row, generated in zip(batch.rows, batch.generated, strict=True):
                    expected = _until(written[numbers[row]], stop)
                    n_tokens += len(expected)
                    if generated != expected:
                        prompt = prompts[numbers[row]]
                        margins.append(_margin(model, prompt, expected, generated))
    margin = max(margins, default=0.0)
    if margin > same:
        raise InputError(
            f"decoding writes other tokens than the library's generate in {len(margins)} of 6 rows "
            f"(logits apart by {margin:.0%} of the largest): its generations would be wrong"
        )
    return {"generated": n_tokens, "rows_different": len(margins), "margin": margin}


def _generate(model: PreTrainedModel, prompt: torch.Tensor) -> list[int]:
    """The tokens that the library writes after a prompt [tokens]; none of them ends it."""
    ids = prompt[None].to(model.device)
    with _plain_generation(model) as plain:
        output: Any = model.generate(  # type: ignore[operator]
            ids, attention_mask=torch.ones_like(ids), generation_config=plain
        )
    return output[0, len(prompt) :].tolist()


@contextmanager
def _plain_generation(model: PreTrainedModel) -> Iterator[Any]:
    """Greedy decoding without what the model's own settings add (forced tokens, penalties)."""
    from transformers import GenerationConfig

    plain = GenerationConfig(
        do_sample=False, max_new_tokens=_WRITTEN, min_new_tokens=_WRITTEN, pad_token_id=0
    )
    own, model.generation_config = model.generation_config, plain
    try:
        yield plain
    finally:
        model.generation_config = own


def _margin(
    model: PreTrainedModel, prompt: torch.Tensor, expected: list[int], found: list[int]
) -> float:
    """How far apart the logits of the first differing tokens are, as a share of the largest."""
    n = next((i for i, (a, b) in enumerate(zip(expected, found, strict=False)) if a != b), None)
    if n is None:
        return float("inf")
    ids = torch.cat([prompt, torch.tensor(expected[:n], dtype=prompt.dtype)]).to(model.device)
    logits = model(input_ids=ids[None], use_cache=False).logits[0, -1].double()
    return float((logits[expected[n]] - logits[found[n]]).abs() / logits.abs().max())


def _until(tokens: list[int], stop: int) -> list[int]:
    """Tokens up to and including the first that ends a generation."""
    return tokens[: tokens.index(stop) + 1] if stop in tokens else tokens
