"""What a user would otherwise run, written as it usually is."""

from __future__ import annotations

import random
import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.formulas.cuts import cut_examples, cut_row, n_cuts
from think_to_talk.formulas.rows import first_shots

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: The levels of the paper: per variable, an alternative of operand kinds (a number, or the variable
#: with that index), and whether the equations are written last first.
LEVELS: dict[str, tuple[list[list[Any]], bool]] = {
    "level-1": ([["num"], ["num", 0]], True),
    "level-2": ([["num", "num"], ["num", 0]], False),
    "level-3": ([["num", "num"], ["num", 0]], True),
    "level-4": ([["num", "num"], ["num", "num"], ["num", 1]], True),
    "level-5": ([["num", "num"], ["num", 0], ["num", 1]], True),
}


@dataclass
class Equation:
    """An equation of an attempt."""

    name: str
    operands: list[str]
    operator: str
    value: int


class Attempt:
    """A random problem, which may turn out not to be one: a value outside of 0 to 9."""

    def __init__(self, level: str, rng: random.Random) -> None:
        kinds, self.reversed = LEVELS[level]
        names = rng.sample(string.ascii_lowercase, len(kinds))
        self.equations: list[Equation] = []
        for name, operands in zip(names, kinds, strict=True):
            values, shown = [], []
            for operand in operands:
                if operand == "num":
                    values.append(rng.randint(0, 9))
                    shown.append(str(values[-1]))
                else:
                    values.append(self.equations[operand].value)
                    shown.append(self.equations[operand].name)
            operator = rng.choice("+-")
            value = values[0]
            if len(values) == 2:
                value = values[0] + values[1] if operator == "+" else values[0] - values[1]
            self.equations.append(Equation(name, shown, operator, value))

    @property
    def valid(self) -> bool:
        """Whether all values are digits."""
        return all(0 <= equation.value <= 9 for equation in self.equations)

    def row(self) -> dict[str, Any]:
        """The dataset row."""
        written = {e.name: f" {e.operator} ".join(e.operands) for e in self.equations}
        by_name = {e.name: e for e in self.equations}
        order = list(reversed(self.equations)) if self.reversed else self.equations
        asked = self.equations[-1].name
        source = " , ".join(f"{e.name} = {written[e.name]}" for e in order) + f" ; {asked} =?"
        steps: list[str] = []

        def solve(name: str) -> None:
            equation = by_name[name]
            steps.append(f"{name} = {written[name]}")
            used = [operand for operand in equation.operands if operand in by_name]
            if used:
                for operand in used:
                    solve(operand)
                steps.append(f"{name} = {written[name]}")
                values = [str(by_name[o].value) if o in by_name else o for o in equation.operands]
                steps.append(f"{name} = " + f" {equation.operator} ".join(values))
            if len(equation.operands) > 1:
                steps.append(f"{name} = {equation.value}")

        solve(asked)
        scratchpad = " , ".join(steps)
        return {
            "source": source,
            "target": f" {scratchpad}\n",
            "original_answer": str(by_name[asked].value),
            "intermediate_questions": [f"{e.name} =" for e in self.equations],
            "intermediate_answers": [e.value for e in self.equations],
            "scratchpad": scratchpad,
        }


def rejection_sampled(level: str, rows: int, seed: int) -> list[dict[str, Any]]:
    """Distinct problems, by trying until there are enough."""
    rng = random.Random(seed)
    found: list[dict[str, Any]] = []
    seen: set[str] = set()
    while len(found) < rows:
        attempt = Attempt(level, rng)
        if not attempt.valid:
            continue
        row = attempt.row()
        if row["source"] not in seen:
            seen.add(row["source"])
            found.append(row)
    return found


def generate_and_save(
    model: PreTrainedModel,
    prompts: torch.Tensor,
    layers: Sequence[int],
    stop_ids: Sequence[int],
    max_new_tokens: int,
    folder: Path,
) -> list[list[int]]:
    """`generate` in batches of 8, its hidden states stacked, one `.pt` per row and layer.

    prompts: [rows, tokens], few-shot examples included. Returns what was generated.
    """
    generated: list[list[int]] = []
    for start in range(0, len(prompts), 8):
        batch = prompts[start : start + 8]
        generate: Any = model.generate
        output = generate(
            batch,
            attention_mask=torch.ones_like(batch),
            do_sample=False,
            max_new_tokens=max_new_tokens,
            output_hidden_states=True,
            return_dict_in_generate=True,
            eos_token_id=list(stop_ids),
            pad_token_id=stop_ids[0],
        )
        generated += output.sequences[:, prompts.shape[1] :].tolist()
        for layer in layers:
            states = torch.cat([step[layer] for step in output.hidden_states], dim=1)
            for i, state in enumerate(states):
                torch.save(state.clone(), folder / f"{start + i}-{layer}.pt")
    return generated


def trained_linear(
    features: torch.Tensor, labels: torch.Tensor, epochs: int, start: torch.nn.Linear | None = None
) -> torch.nn.Linear:
    """The paper's probe: one linear layer, full-batch SGD. features: [n, d]; labels: [n]."""
    linear = start or torch.nn.Linear(features.shape[1], 10)
    optimizer = torch.optim.SGD(linear.parameters(), lr=1e-3)
    criterion = torch.nn.CrossEntropyLoss()
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = criterion(linear(features), labels)
        loss.backward()
        optimizer.step()
    return linear


@torch.inference_mode()
def residual_stream(model: PreTrainedModel, ids: torch.Tensor) -> list[torch.Tensor]:
    """Hidden states of all layers [rows, tokens, hidden], the last as it is before the norm."""
    last: list[torch.Tensor] = []
    handle = model.model.norm.register_forward_pre_hook(lambda _m, args: last.append(args[0]))
    states = model(ids, output_hidden_states=True, use_cache=False).hidden_states
    handle.remove()
    return [*states[:-1], last[0]]


@torch.inference_mode()
def patched_answers(
    model: PreTrainedModel,
    states: Sequence[torch.Tensor],
    ids: torch.Tensor,
    layers: Sequence[int],
    positions: Sequence[int],
    batch_size: int,
) -> torch.Tensor:
    """A run's next tokens [rows] when another's hidden states are put into it: whole passes.

    states: of the other run, per layer. ids: [rows, tokens].
    """
    blocks = model.model.layers
    inside = [position for position in positions if position < ids.shape[1]]
    answers = []
    for start in range(0, len(ids), batch_size):
        rows = slice(start, start + batch_size)

        def put(layer: int, hidden: torch.Tensor, rows: slice = rows) -> torch.Tensor:
            hidden = hidden.clone()
            hidden[:, inside] = states[layer][rows, inside]
            return hidden

        handles = []
        for layer in layers:
            if layer == 0:

                def before(_m: Any, args: Any, put: Any = put) -> Any:
                    return (put(0, args[0]), *args[1:])

                handles.append(blocks[0].register_forward_pre_hook(before))
            else:

                def after(_m: Any, _a: Any, out: Any, layer: int = layer, put: Any = put) -> Any:
                    return put(layer, out)

                handles.append(blocks[layer - 1].register_forward_hook(after))
        logits = model(ids[rows], use_cache=False, logits_to_keep=1).logits
        answers.append(logits[:, -1].argmax(dim=-1))
        for handle in handles:
            handle.remove()
    return torch.cat(answers)


@torch.inference_mode()
def forced_digits(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Mapping[str, Any]],
    shots: int,
    seed: int,
    batch_size: int,
) -> list[list[int]]:
    """The digit that a model says at each cut of each row's chain, -1 for none; whole prompts.

    tokenizer: with digits as tokens of their own, behind the token of a space.
    """
    digits = {tokenizer.convert_tokens_to_ids(str(digit)): digit for digit in range(10)}
    said = []
    for cut in range(n_cuts(rows[0])):
        found: list[int] = []
        for start in range(0, len(rows), batch_size):
            prompts = []
            for row in rows[start : start + batch_size]:
                examples = cut_examples(first_shots(row["few_shot_context"], shots), seed)
                chain = cut_row(row, cut)["target"]
                prompts.append(examples + row["source"] + chain[: chain.rindex("=") + 2])
            ids = torch.tensor(tokenizer(prompts)["input_ids"])
            logits = model(ids, use_cache=False, logits_to_keep=1).logits[:, -1]
            found += [digits.get(token, -1) for token in logits.argmax(dim=-1).tolist()]
        said.append(found)
    return said


@torch.inference_mode()
def steered_tokens(
    model: PreTrainedModel,
    given: torch.Tensor,
    layer: int,
    position: int,
    state: torch.Tensor,
    n: int,
    stops: Collection[int],
) -> list[int]:
    """What a model writes, up to n tokens, when one of its hidden states is replaced by a hook.

    given: [tokens] ids of the problem, and of its chain up to the position.
    layer, position: of the hidden state.
    state: [hidden] that replaces it.
    stops: ids that end a generation.
    """
    blocks: Any = model.model.layers

    def put(hidden: torch.Tensor) -> torch.Tensor:
        hidden = hidden.clone()
        hidden[:, position] = state
        return hidden

    if layer == 0:
        handle = blocks[0].register_forward_pre_hook(lambda _m, args: (put(args[0]), *args[1:]))
    else:
        handle = blocks[layer - 1].register_forward_hook(lambda _m, _a, out: put(out))
    output = model(given[None], use_cache=True, logits_to_keep=1)
    handle.remove()
    written = [int(output.logits[0, -1].argmax())]
    while len(written) < n and written[-1] not in stops:
        last = torch.tensor([written[-1:]])
        output = model(last, past_key_values=output.past_key_values, use_cache=True)
        written.append(int(output.logits[0, -1].argmax()))
    return written
