"""What interventions do to a model's answers, as rates over pairs with their 95 % intervals.

Patching puts the base run's hidden states into the run of the edited problem (or the other way
round): does the answer become the source's, stay, or turn into something else? Altered chains ask
without patching whether the final answer follows the problem or what the chain says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from think_to_talk.counterfactuals import base_row
from think_to_talk.generation import VerifiedDecoder
from think_to_talk.hidden_states import is_correct
from think_to_talk.intervals import share
from think_to_talk.patching import Outputs, Patcher
from think_to_talk.progress import progress
from think_to_talk.prompts import Layout, align, newline_tokens, tokenize
from think_to_talk.specs import RUNS, Answer, Spec, answers, directed, own, sliding
from think_to_talk.symbols import NUMBER, variable_symbol

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class TokenizedPairs:
    """Pairs of one task as token ids.

    runs: {`base`, `edited`: [pairs, positions]} of problem and gold chain. prefix: the few-shot
    examples' ids, which all share.
    """

    runs: dict[str, torch.Tensor]
    prefix: tuple[int, ...]
    layout: Layout

    @classmethod
    def of(
        cls, tokenizer: PreTrainedTokenizerBase, pairs: Rows, shots: int | str
    ) -> TokenizedPairs:
        """Raises InputError where both problems of all pairs do not have one layout."""
        rows = [*map(base_row, pairs), *pairs]
        tokenized = list(tokenize(tokenizer, rows, shots))
        layout = align(tokenizer, rows, tokenized)
        ids = torch.tensor([[*row.problem, *row.gold] for row in tokenized])
        runs = dict(zip(RUNS, ids.split(len(pairs)), strict=True))
        return cls(runs, tokenized[0].prefix, layout)

    @property
    def chains(self) -> dict[str, torch.Tensor]:
        """The gold chains of both runs [pairs, tokens]."""
        return {run: ids[:, self.layout.n_problem :] for run, ids in self.runs.items()}


@dataclass(frozen=True)
class PatchingSettings:
    """What is patched: the config's `interventions`, reduced to what concerns patching.

    window, stride: of the sliding grid, in layers. specs: the study's own, by name.
    """

    window: int
    stride: int
    specs: Mapping[str, Mapping[str, Any]]

    def all_specs(self, layout: Layout, n_layers: int) -> list[Spec]:
        """The sliding grid, the directed variants and the study's own."""
        return [
            *sliding(layout, n_layers, self.window, self.stride),
            *directed(layout, n_layers),
            *own(self.specs, layout, n_layers),
        ]


def patching_rows(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    edits: Mapping[str, Rows],
    settings: PatchingSettings,
    *,
    shots: int | str,
    batch_size: int,
    identity: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """A row per edit, spec, answer and choice of pairs; see schemas/patching_row.schema.yaml.

    edits: {name: pair rows}. shots: few-shot examples per prompt. identity: model, seed and task.
    Pairs whose two problems have the same number in an answer's place say nothing about it and are
    left out there.
    """
    n_layers = model.config.get_text_config().num_hidden_layers
    total = sum(map(len, edits.values()))
    described = f"patching {identity['model']}, seed {identity['seed']}, {identity['task']}"
    with progress(total, described, "pairs") as bar:
        for edit, pairs in edits.items():
            tokens = TokenizedPairs.of(tokenizer, pairs, shots)
            specs = settings.all_specs(tokens.layout, n_layers)
            patcher = Patcher(model, tokens.prefix, batch_size)
            outputs = patcher.outputs(tokens.runs, tokens.layout.n_problem, specs, bar.update)
            for row in _rows_of_edit(pairs, tokens, specs, outputs, tokenizer):
                yield {**identity, "edit": edit, **row}


def _rows_of_edit(
    pairs: Rows,
    tokens: TokenizedPairs,
    specs: Sequence[Spec],
    outputs: Outputs,
    tokenizer: PreTrainedTokenizerBase,
) -> Iterator[dict[str, Any]]:
    known = {answer.forced: answer for answer in answers(tokens.layout)}
    variables = {forced: answered_variable(pairs, answer) for forced, answer in known.items()}
    equations = tokens.layout.equations()
    gold, unpatched = tokens.chains, outputs.unpatched
    ids = torch.cat([part.unique() for part in (*outputs.patched, *unpatched.values())]).unique()
    text = dict(zip(ids.tolist(), tokenizer.batch_decode(ids[:, None]), strict=True))
    for spec, patched in zip(specs, outputs.patched, strict=True):
        touched = {equations[tokens.layout.position_symbol[p]] for p in spec.positions}
        equation = touched.pop() if len(touched) == 1 else None
        for column, t in enumerate(spec.forced):
            chosen = gold["base"][:, t] != gold["edited"][:, t]
            solved = chosen.clone()
            for run in RUNS:
                solved &= unpatched[run][:, t] == gold[run][:, t]
            if not chosen.any():
                continue
            for which, mask in (("solved", solved), ("all", chosen)):
                says = patched[mask, column]
                yield {
                    "kind": spec.kind,
                    "spec": spec.name,
                    "source": spec.source,
                    "layers": list(spec.layers),
                    "positions": list(spec.positions),
                    "equation": equation,
                    "answer_equation": known[t].equation if t in known else None,
                    "forced": t,
                    "variable": variables.get(t),
                    "rows": which,
                    "n": len(says),
                    **_rates(says, gold[spec.source][mask, t], gold[spec.target][mask, t]),
                    **_accuracies(unpatched, gold, mask, t),
                    "pairs": torch.nonzero(mask).flatten().tolist(),
                    "outputs": [text[token].strip() for token in says.tolist()],
                }


def _rates(
    says: torch.Tensor, of_source: torch.Tensor, of_target: torch.Tensor
) -> dict[str, float | None]:
    n, success, unchanged = len(says), says == of_source, says == of_target
    return {
        **share("success", int(success.sum()), n),
        **share("unchanged", int(unchanged.sum()), n),
        **share("other", int((~success & ~unchanged).sum()), n),
    }


def _accuracies(
    says: Mapping[str, torch.Tensor], gold: Mapping[str, torch.Tensor], mask: torch.Tensor, t: int
) -> dict[str, float | None]:
    """The runs' accuracy without any patch."""
    shares: dict[str, float | None] = {}
    for run in RUNS:
        hits = int((says[run][mask, t] == gold[run][mask, t]).sum())
        shares |= share(f"{run}_accuracy", hits, int(mask.sum()))
    return shares


def answered_variable(pairs: Rows, answer: Answer) -> int | None:
    """The variable whose value an equation's last number is in all pairs; None if there is none."""
    rows = [*map(base_row, pairs), *pairs]
    written = [row["scratchpad"].split(",")[answer.equation] for row in rows]
    numbers = [int([symbol for symbol in text if symbol.isdigit()][-1]) for text in written]
    for variable in range(len(rows[0]["intermediate_answers"])):
        if numbers == [row["intermediate_answers"][variable] for row in rows]:
            return variable
    return None


def inconsistent_chain_rows(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    altered: Rows,
    *,
    shots: int | str,
    batch_size: int,
    max_new_tokens: int,
    identity: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """A row per altered variable and choice of pairs (schemas/inconsistent_chain_row.schema.yaml).

    altered: pair rows with the key `altered_variable`. identity: model, seed and task. The model is
    shown the chain up to and with the altered result, and writes the rest itself.
    """
    variables = sorted({pair["altered_variable"] for pair in altered})
    described = f"wrong results {identity['model']}, seed {identity['seed']}, {identity['task']}"
    with progress(len(altered), described, "pairs") as bar:
        for variable in variables:
            pairs = [pair for pair in altered if pair["altered_variable"] == variable]
            tokens = TokenizedPairs.of(tokenizer, pairs, shots)
            decoder = VerifiedDecoder(
                model, [], newline_tokens(tokenizer), tokens.prefix, max_new_tokens, batch_size
            )
            equation, shown = _result_of(variable, tokens.layout)
            start = tokens.layout.n_problem
            written = _write(decoder, tokenizer, tokens.runs["edited"], start + shown)
            unaltered = _write(decoder, tokenizer, tokens.runs["base"], start)
            solved = [
                is_correct(text, base_row(pair))
                for text, pair in zip(unaltered, pairs, strict=True)
            ]
            bar.update(len(pairs))
            finals = [text.split("=")[-1].strip() for text in written]
            for which in ("solved", "all"):
                numbers = [i for i in range(len(pairs)) if solved[i] or which == "all"]
                yield {
                    **identity,
                    "variable": variable,
                    "equation": equation,
                    "forced": shown,
                    "rows": which,
                    "n": len(numbers),
                    **_followed([finals[i] for i in numbers], [pairs[i] for i in numbers]),
                    "pairs": numbers,
                    "outputs": [finals[i] for i in numbers],
                }


def _result_of(variable: int, layout: Layout) -> tuple[int, int]:
    """The equation of the chain that states a variable's result, and tokens up to its end."""
    equations = layout.equations()
    wanted = [variable_symbol(variable), "=", NUMBER]
    for equation in range(max(equations) + 1):
        own_symbols = [s for s, e in enumerate(equations) if e == equation]
        if [layout.symbols[s] for s in own_symbols][:-1] == wanted:
            last = max(p for p, s in enumerate(layout.position_symbol) if s <= own_symbols[2])
            return equation, last + 1 - layout.n_problem
    raise AssertionError(f"the chain has no result for variable {variable}")


def _write(
    decoder: VerifiedDecoder, tokenizer: PreTrainedTokenizerBase, ids: torch.Tensor, shown: int
) -> list[str]:
    """What the model writes after the first `shown` tokens of each row, to the end of the line."""
    texts = [""] * len(ids)
    for batch in decoder.decode(ids[:, :shown], ids[:, shown:]):
        decoded = tokenizer.batch_decode(batch.generated, skip_special_tokens=True)
        for row, text in zip(batch.rows, decoded, strict=True):
            texts[row] = text.split("\n")[0].strip()
    return texts


def _followed(finals: Sequence[str], pairs: Rows) -> dict[str, float | None]:
    """Whether final answers are those that follow from the altered chain, or from the problem."""
    n = len(pairs)
    chain = [final == pair["original_answer"] for final, pair in zip(finals, pairs, strict=True)]
    problem = [
        final == pair["base_original_answer"] for final, pair in zip(finals, pairs, strict=True)
    ]
    return {
        **share("follows_chain", sum(chain), n),
        **share("follows_problem", sum(problem), n),
        **share("other", n - sum(chain) - sum(problem), n),
    }
