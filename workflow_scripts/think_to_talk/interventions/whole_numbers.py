"""Activation patching where numbers take several tokens: what number a patched run says.

A run says the number that greedy decoding writes where an answer stands: each token after those
before it that the run itself has said, not after those of the gold chain. Digits that would be
added are part of it, `42` is not `4`; the longest numbers of a task need not end. A patch of the
equation that is read acts on the number's tokens, too, whatever the run has said there, as it acts
on the token before: else no patch of a layer could switch more than the first digit.

How far a patch moves a run is told by the log-probabilities of both whole numbers, the base's less
the edited one's: the sum over their tokens, each after those before it, and over what ends them
where they must end. For numbers of one token this is the difference of their logits.

Method: behind the patched beginning of a run, kept in its key-value cache, both gold numbers are
passed at once, which shows whether either is said. Runs that say another number are decoded on,
token by token. `interventions/patched_runs.py` is the faster way for numbers of one token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby

import torch
from torch import Tensor

from think_to_talk.hidden_states.passes import Context, Passes
from think_to_talk.interventions.patched_beginnings import Begun, Patch
from think_to_talk.interventions.patched_runs import Answers, Outputs
from think_to_talk.interventions.specs import Spec
from think_to_talk.interventions.tokenized_pairs import RUNS, Reading, TokenizedPairs

#: Copies of a row's cache that are held at once.
CACHES = 3

Number = tuple[int, ...]


@dataclass
class Numbers:
    """What is said, as codes: whole numbers of several tokens, compared as single tokens are.

    going_on: the tokens that add a digit to a number.
    codes: {tokens that are said: their code}.
    """

    going_on: Tensor
    codes: dict[Number, int] = field(default_factory=dict)

    def coded(self, said: Sequence[Number]) -> Tensor:
        """The codes of what is said."""
        return torch.tensor([self.codes.setdefault(tokens, len(self.codes)) for tokens in said])

    def gold(self, ids: Tensor, reading: Reading) -> Tensor:
        """The codes [rows] of what gold chains [rows, tokens of problem and chain] say."""
        tokens = ids[:, reading.first : reading.first + reading.n]
        return self.coded([tuple(row) for row in tokens.tolist()])


#: A spec, what is read under it, and what is said.
_Item = tuple[Spec, Mapping[int, Reading], Answers]


class NumberPatcher:
    """Patched runs of pairs that share a prefix, and the whole numbers that they say.

    passes: a model's passes behind the few-shot examples, in batches.
    numbers: what is said, as codes.
    longest: tokens of the longest numbers.
    """

    def __init__(self, passes: Passes, numbers: Numbers, longest: int) -> None:
        self.passes = passes
        self.numbers = numbers
        self.longest = longest

    def outputs(
        self,
        pairs: TokenizedPairs,
        specs: Sequence[Spec],
        readings: Sequence[Mapping[int, Reading]],
    ) -> Iterator[Outputs]:
        """What all pairs say, unpatched and under each spec; batches of pairs, in order.

        specs: which hidden states are replaced; positions are tokens.
        readings: of each spec, {forced: what is read there}.
        """

        def patch(rows: list[int]) -> Outputs:
            runs = {run: ids[rows] for run, ids in pairs.runs.items()}
            return self._patch(runs, pairs.layout.n_positions, specs, readings)

        for _, batch in self.passes.in_batches(list(range(len(pairs.kept))), patch):
            yield batch

    @torch.inference_mode()
    def _patch(
        self,
        runs: Mapping[str, Tensor],
        n_positions: int,
        specs: Sequence[Spec],
        readings: Sequence[Mapping[int, Reading]],
    ) -> Outputs:
        """The outputs of one batch of pairs; arguments as of `outputs`.

        n_positions: columns of the unpatched answers, which are there for what is read.
        """
        every = {forced: reading for of_spec in readings for forced, reading in of_spec.items()}
        states: dict[str, dict[int, Tensor]] = {run: {} for run in RUNS}
        unpatched = {}
        for run, ids in runs.items():
            layers = sorted({at for spec in specs if spec.source == run for at in spec.layers})
            if layers:
                context = self.passes.prefix(*ids.shape)
                self.passes.forward(ids, 1, context, layers=layers, hook=states[run].__setitem__)
            context = self.passes.prefix(*ids.shape)
            said = self._read(context, 0, runs, run, every, Patch({}, {}), 1)
            empty = torch.full((len(ids), n_positions), -1)
            unpatched[run] = Answers(empty, torch.full(empty.shape, torch.nan))
            for column, (forced, _) in enumerate(every.items()):
                unpatched[run].put(forced, said, column)
        # Answers before the patched positions are the unpatched ones; passes replace the others.
        patched = [unpatched[spec.target].at(spec.forced) for spec in specs]
        for source in RUNS:
            active = [
                i
                for i, spec in enumerate(specs)
                if spec.source == source and spec.layers and spec.positions
            ]
            self._patch_from(
                states[source], runs, [(specs[i], readings[i], patched[i]) for i in active]
            )
        return Outputs(unpatched, patched)

    def _patch_from(
        self,
        states: Mapping[int, Tensor],
        runs: Mapping[str, Tensor],
        active: list[_Item],
    ) -> None:
        """Compute the results of specs with the same source, which are written in place.

        states: {layer: [pairs, tokens, hidden]} of the source's unpatched runs.
        active: specs, what is read under them, and their results.
        """
        if not active:
            return
        target = active[0][0].target
        ids = runs[target]
        context, reached = self.passes.prefix(*ids.shape), 0
        together = max(1, self.passes.batch_size // len(ids))

        def affected(spec: Spec, readings: Mapping[int, Reading]) -> dict[int, Reading]:
            """What is read behind the first replaced state; of a number, its later tokens count."""
            first = min(spec.positions)
            return {f: read for f, read in readings.items() if read.first + read.n > first}

        def beginning(item: _Item) -> tuple[int, tuple[int, ...]]:
            read = affected(*item[:2])
            start = min((reading.first - 1 for reading in read.values()), default=0)
            return min(start, *item[0].positions), tuple(read)

        for (start, forced), group in groupby(sorted(active, key=beginning), key=beginning):
            if not forced:
                continue
            context = self.passes.continued(context, ids[:, reached:start])
            reached, waiting = start, list(group)
            behind = affected(*waiting[0][:2])
            while waiting:
                some, waiting = waiting[:together], waiting[together:]
                patch = Patch.of(states, [spec for spec, *_ in some], ids.shape[1])
                copy = context.repeated(len(some), ids.shape[1] - start)
                found = self._read(copy, start, runs, target, behind, patch, len(some))
                for i, (spec, _, result) in enumerate(some):
                    for column, place in enumerate(behind):
                        said = Answers(
                            found.tokens.unflatten(0, (-1, len(some)))[:, i],
                            found.differences.unflatten(0, (-1, len(some)))[:, i],
                        )
                        result.put(spec.forced.index(place), said, column)

    def _read(
        self,
        context: Context,
        start: int,
        runs: Mapping[str, Tensor],
        target: str,
        readings: Mapping[int, Reading],
        patch: Patch,
        n_specs: int,
    ) -> Answers:
        """What the runs of pairs times specs say in some places [rows, places].

        context: the tokens before `start`; it is used up.
        runs: {run: ids [pairs, tokens]}.
        target: the run that is patched.
        readings: places behind `start`.
        """
        pairs = torch.arange(len(runs[target])).repeat_interleave(n_specs)
        specs = torch.arange(n_specs).repeat(len(runs[target]))
        ids, layers = runs[target][pairs], patch.layers
        forward = partial(self.passes.forward, layers=layers)
        columns: dict[int, tuple[Tensor, Tensor]] = {}
        for forced, reading in sorted(readings.items()):
            first = reading.first
            if self.passes.facts.continues_cache and first - 1 > start:
                hook = patch.hook(pairs, specs, start, first - 1)
                fed = ids[:, start : first - 1]
                context = forward(fed, 1, context, hook=hook, keep_cache=True)[1]
                start = first - 1
            end = first + reading.n
            begun = Begun(context, ids[:, start:first], pairs, specs, patch, start, end)
            gold = {run: of_run[pairs, first : first + reading.n] for run, of_run in runs.items()}
            columns[forced] = self._say(begun, gold, reading)
        said, differences = zip(*(columns[forced] for forced in readings), strict=True)
        return Answers(torch.stack(said, dim=1), torch.stack(differences, dim=1))

    def _say(
        self, begun: Begun, gold: Mapping[str, Tensor], reading: Reading
    ) -> tuple[Tensor, Tensor]:
        """The codes [rows] of what is said, and differences [rows] of log-probabilities.

        gold: {run: [rows, tokens]} of the two numbers.
        """
        n_rows, n = len(begun.ids), reading.n
        n_fed = n if reading.ends else n - 1
        both = torch.stack([gold[run] for run in RUNS], dim=1).flatten(0, 1)
        twice = torch.arange(n_rows).repeat_interleave(2)
        logits = begun.followed_by(self.passes, twice, both[:, :n_fed])
        log_p = logits.float().log_softmax(dim=-1)
        best = log_p.argmax(dim=-1).cpu()
        total = log_p[:, :n].gather(-1, both.to(log_p.device)[..., None])[..., 0].sum(dim=1)
        is_said = (best[:, :n] == both).all(dim=1)
        going_on = self.numbers.going_on
        if reading.ends:
            ended = log_p[:, n].index_fill(1, going_on.to(log_p.device), -torch.inf)
            total = total + ended.logsumexp(dim=1)
            is_said &= ~torch.isin(best[:, n], going_on)
        of_runs = total.cpu().unflatten(0, (n_rows, 2))
        said: list[Number] = [()] * n_rows
        for i, (run, ids) in enumerate(gold.items()):
            assert run == RUNS[i]
            for row in is_said.unflatten(0, (n_rows, 2))[:, i].nonzero().flatten().tolist():
                said[row] = tuple(ids[row].tolist())
        others = [row for row in range(n_rows) if not said[row]]
        if others:
            firsts = best.unflatten(0, (n_rows, 2))[others, 0, 0].tolist()
            for row, tokens in zip(
                others, self._decoded(begun, others, firsts, reading), strict=True
            ):
                said[row] = tokens
        return self.numbers.coded(said), of_runs[:, 0] - of_runs[:, 1]

    def _decoded(
        self, begun: Begun, rows: list[int], firsts: list[int], reading: Reading
    ) -> list[Number]:
        """What some rows say by greedy decoding, up to its end.

        firsts: the first token of each.
        """
        said = [[token] for token in firsts]
        going_on = set(self.numbers.going_on.tolist())
        most = self.longest if reading.ends else reading.n
        is_open = list(range(len(rows)))
        for n in range(1, most):
            known = torch.tensor([said[i] for i in is_open])
            logits = begun.followed_by(self.passes, torch.tensor([rows[i] for i in is_open]), known)
            following = logits[:, -1].argmax(dim=-1).tolist()
            for i, token in zip(is_open, following, strict=True):
                # Within a number, what is no digit ends it.
                if token in going_on or not reading.is_number:
                    said[i].append(token)
            is_open = [i for i in is_open if len(said[i]) > n]
            if not is_open:
                break
        return [tuple(tokens) for tokens in said]
