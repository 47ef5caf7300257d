"""How a model may be run: what decoding and patching rely on is found out by running it.

The model check (`hidden_states/model_check.py`) begins with this. Patching finds its facts here
itself, as it must not run again when decoding, which the model check tries too, changes. Nothing
here knows an architecture by its name.

Method: two short rows of random tokens are passed whole (`hidden_states/whole_passes.py`); all else
that the workflow does with a model is compared with these passes. What must hold and does not is an
error. What can be done without is a fact that is false, with a note.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.errors import InputError, said
from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.hooks import Blocks
from think_to_talk.hidden_states.passes import Passes
from think_to_talk.hidden_states.whole_passes import COMMON, LENGTH, WholePasses

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Layers at which replacing and starting are tried, evenly from the first to the last.
_TRIED_LAYERS = 5


@torch.inference_mode()
def check_passes(model: PreTrainedModel) -> tuple[ModelFacts, dict[str, str], WholePasses]:
    """How a causal language model may be run, from some dozens of passes over some twenty tokens.

    Returns the facts, {fact that does not hold: what was found, and what is done instead}, and the
    passes with which all was compared.
    Raises InputError, without the model's name, if hidden states of it would mean something else
    than a study assumes: if it is not causal, if its blocks are not called once a pass, in order,
    with [rows, positions, hidden], if captured states are not those that the library returns, or
    if they are not finite.
    """
    blocks = Blocks.find(model)
    whole = WholePasses(model, blocks)
    _check_causal(whole)
    listed, last_state = _library_states(whole)
    notes = _check_library_states(whole, listed)
    facts, found = _find_facts(whole, ModelFacts(blocks.name, blocks.returns_tuple))
    if last_state and _reads_last_state(
        whole, named := replace(facts, last_state=last_state), listed[-1]
    ):
        facts = named
    return facts, {**notes, **found}, whole


def _check_causal(whole: WholePasses) -> None:
    other = whole.ids.clone()
    other[:, -1] = whole.ids[:, 0].flip(0)
    for ids, what in ((other, "another last token"), (whole.ids[:, :COMMON], "a shorter row")):
        states, _ = whole.run(ids)
        n = min(ids.shape[1], LENGTH - 1)
        for layer in whole.layers:
            if not whole.agree(states[layer][:, :n], whole.states[layer][:, :n]):
                raise InputError(
                    f"{what} changes the hidden states of earlier positions at layer {layer}: the "
                    "model is not causal, so those of a problem would know what follows it"
                )


def _library_states(whole: WholePasses) -> tuple[list[torch.Tensor], str]:
    """The hidden states that the library returns, and the name of the module that gives the last.

    The name is empty if no module outside of the blocks, and not the last block, has that output.
    """
    model, blocks = whole.model, whole.blocks
    outputs: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            state = output[0] if isinstance(output, tuple | list) and output else output
            if isinstance(state, torch.Tensor):
                outputs[name] = state

        return hook

    last_block = f"{blocks.name}.{whole.n_layers - 1}"
    handles = [
        module.register_forward_hook(keep(name))
        for name, module in model.named_modules()
        if name == last_block or (name and not name.startswith(f"{blocks.name}."))
    ]
    try:
        output = whole.run_model(whole.ids, output_hidden_states=True)
    finally:
        for handle in handles:
            handle.remove()
    listed = list(getattr(output, "hidden_states", None) or ())
    same = (
        name
        for name, state in outputs.items()
        if listed and state.shape == listed[-1].shape and bool(torch.equal(state, listed[-1]))
    )
    return [state.cpu() for state in listed], next(same, "")


def _reads_last_state(whole: WholePasses, facts: ModelFacts, expected: torch.Tensor) -> bool:
    """Whether a pass that few logits are asked of hooks the last state [2, LENGTH, hidden]."""
    passes = Passes(whole.model, facts, [], 2, "after_norm")
    states: dict[int, torch.Tensor] = {}
    last = whole.n_layers
    passes.forward(whole.ids, 1, passes.prefix(2), layers=[last], hook=states.__setitem__)
    return whole.agree(states.get(last), expected)


def _check_library_states(whole: WholePasses, listed: list[torch.Tensor]) -> dict[str, str]:
    """Compare captured states with those that the library lists; the last it may have normalised.

    Returns a note if it lists none.
    """
    if not listed:
        return {"hidden_states": "the library returns none to compare captured ones with"}
    for layer in range(1, whole.n_layers):
        # Some models do not list the embedding output, and so count from the first block.
        places = listed[layer - 1 : layer + 1]
        if not any(whole.agree(state, whole.states[layer]) for state in places):
            raise InputError(
                f"the hidden states of layer {layer} are not those that the library returns "
                "(output_hidden_states): what would be stored is not the model's hidden state"
            )
    return {}


def _find_facts(whole: WholePasses, facts: ModelFacts) -> tuple[ModelFacts, dict[str, str]]:
    """The facts that hold, and notes on those that do not."""
    notes = {}
    for fact, (find_difference, otherwise) in _FACTS.items():
        if fact == "continues_cache" and not facts.steps_cache:
            facts = facts.without(fact)
            continue
        try:
            difference = find_difference(whole, facts)
        except Exception as error:
            difference = said(error)
        if difference:
            facts = facts.without(fact)
            notes[fact] = f"{difference}: {otherwise}"
    return facts, notes


def _selecting(whole: WholePasses, facts: ModelFacts) -> str | None:
    """Asking for the last logits only changes nothing."""
    states: dict[int, torch.Tensor] = {}
    passes = Passes(whole.model, facts, [], 2)
    logits, _ = passes.forward(
        whole.ids, 1, passes.prefix(2), layers=whole.layers, hook=states.__setitem__
    )
    wrong = [n for n in whole.layers if not whole.agree(states.get(n), whole.states[n])]
    if wrong:
        return f"layers {wrong} have other states when few logits are asked for"
    return whole.logits_differ(logits, slice(-1, None), "the last tokens")


def _stepping(whole: WholePasses, facts: ModelFacts) -> str | None:
    """One token at a time after a cache, at last for one of the rows alone."""
    passes = Passes(whole.model, facts.without("continues_cache"), [], 2)
    last = whole.n_layers
    states: dict[int, torch.Tensor] = {}
    logits, context = passes.forward(whole.ids[:, :COMMON], 1, passes.prefix(2), keep_cache=True)
    if found := whole.logits_differ(logits, slice(COMMON - 1, COMMON), "tokens before a cache"):
        return found
    context = context.repeated(1, LENGTH - COMMON)
    for t in range(COMMON, LENGTH):
        if t == LENGTH - 3:
            context = context.select([1])
        at = slice(t, t + 1)
        logits, context = passes.forward(
            whole.ids[-len(context.ids) :, at],
            1,
            context,
            keep_cache=True,
            layers=[last],
            hook=states.__setitem__,
        )
        if found := whole.logits_differ(logits, at, "tokens after a cache"):
            return found
        if not whole.agree(states[last], whole.states[last][-len(logits) :, at]):
            return "tokens after a cache get other hidden states"
    return None


def _continuing(whole: WholePasses, facts: ModelFacts) -> str | None:
    """Several tokens after a prefix's cache, and after those; the caches serve again and again."""
    passes = Passes(whole.model, facts, whole.ids[0, :COMMON].tolist(), 2)
    middle = (COMMON + LENGTH) // 2
    before, after = slice(COMMON, middle), slice(middle, LENGTH)
    for rows in (whole.ids, whole.ids[1:], whole.ids):
        context = passes.prefix(len(rows), LENGTH - COMMON)
        logits, context = passes.forward(rows[:, before], middle - COMMON, context, keep_cache=True)
        if found := whole.logits_differ(logits, before, "tokens after a cached prefix"):
            return found
        for copied in (context.repeated(1, LENGTH - middle), context):
            logits, _ = passes.forward(rows[:, after], LENGTH - middle, copied)
            if found := whole.logits_differ(logits, after, "tokens after a continued cache"):
                return found
    return None


def _replacing(whole: WholePasses, _facts: ModelFacts) -> str | None:
    """A layer's states, replaced everywhere by another row's, give that row's output."""
    for layer in _tried(whole):
        with whole.blocks.hooked([layer], lambda _layer, state: state.flip(0)):
            logits = whole.run_model(whole.ids)
        if not whole.agree(logits, whole.logits.flip(0)):
            return f"what later layers see does not all come through layer {layer}"
    return None


def _starting(whole: WholePasses, _facts: ModelFacts) -> str | None:
    """A pass may start at a layer, from its states."""
    for layer in _tried(whole)[1:]:
        with whole.blocks.starting_at(layer, whole.states[layer].to(whole.model.device)):
            logits = whole.run_model(whole.ids)
        if not whole.agree(logits, whole.logits):
            return f"a pass that starts at layer {layer} differs"
    return None


def _tried(whole: WholePasses) -> list[int]:
    """Some of the layers, the first and last among them."""
    n = min(_TRIED_LAYERS, whole.n_layers + 1)
    return sorted({round(i * whole.n_layers / (n - 1)) for i in range(n)})


#: {fact: what finds a difference if it does not hold, and what is done then}, in the order in which
#: they are tried.
_FACTS: dict[str, tuple[Callable[[WholePasses, ModelFacts], str | None], str]] = {
    "selects_logits": (_selecting, "all logits are computed"),
    "steps_cache": (_stepping, "each new token takes a pass over all before it"),
    "continues_cache": (_continuing, "each batch passes its examples again"),
    "patchable": (_replacing, "the model cannot be patched"),
    "starts_at_layer": (_starting, "patched passes run all blocks"),
}
