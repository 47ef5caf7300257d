"""Decoding of rows that do not tokenize alike, and their hidden states symbol by symbol.

Rows of one length of problem and gold chain are decoded together, so that no batch has padding
before what is read, and decoding is as exact as that of rows which all tokenize alike
(`hidden_states.decoding`). `hidden_states.shards` stores what is picked here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

import torch

from think_to_talk.hidden_states.decoding import Decoded, VerifiedDecoder
from think_to_talk.tokens.blank_tokens import blank_tokens
from think_to_talk.tokens.generations import generated_symbol_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from think_to_talk.tokens.shards import RaggedTokens, TokenShard


def decode_by_length(
    decoder: VerifiedDecoder,
    tokens: TokenShard,
    ragged: RaggedTokens,
    *,
    teacher_forced: bool,
    endings: Collection[int],
) -> Iterator[Decoded]:
    """Decode all rows; hidden states are those of tokens.

    tokens, ragged: a token shard.
    teacher_forced, endings: as of `VerifiedDecoder.decode`.
    """
    rows_of: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    lengths = zip(ragged.problem_length.tolist(), ragged.gold_length.tolist(), strict=True)
    for row, of_row in enumerate(lengths):
        rows_of[of_row].append(row)
    for (n_problem, n_gold), rows in sorted(rows_of.items()):
        for batch in decoder.decode(
            tokens.problem[rows, :n_problem],
            tokens.gold[rows, :n_gold],
            teacher_forced=teacher_forced,
            endings=endings,
            kept=tokens.gold.shape[1],
        ):
            yield replace(batch, rows=[rows[place] for place in batch.rows])


class SymbolStates:
    """Picks the hidden states at symbols.

    tokenizer: the model's.
    tokens, ragged: a token shard.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, tokens: TokenShard, ragged: RaggedTokens
    ) -> None:
        self._tokenizer, self._tokens, self._ragged = tokenizer, tokens, ragged
        layout = tokens.layout
        self._n_problem = layout.n_problem
        # Of each position of the chain, its symbol, counted from the chain's first, and how many
        # positions before that of the symbol's last token it is: none but for a lone space.
        at = layout.position_symbol
        self._chain = [
            (symbol - layout.n_problem_symbols, at[position:].count(symbol) - 1)
            for position, symbol in enumerate(at)
            if position >= layout.n_problem and symbol is not None
        ]

    def places(self, row: int, generated: list[int]) -> tuple[list[int], bool]:
        """The token of each position, and whether each is the last token of its symbol alone.

        Positions after the end of a generation are left out. A chain of thought in other tokens
        than the gold one is read symbol by symbol, too; that of free text up to where it departs.
        Where the gold chain has a lone space, the token before the symbol's first is read: the
        generation's own lone space, or the end of the symbol before.

        row: of the shard.
        generated: ids of its generation, of which hidden states are kept.
        Tokens are counted from the problem's first.
        """
        n_problem = int(self._ragged.problem_length[row])
        n_gold = int(self._ragged.gold_length[row])
        end = n_problem + len(generated)
        tokens = self._ragged.symbol_token[row].tolist()
        gold = self._tokens.gold[row, :n_gold].tolist()
        ended_otherwise = len(generated) == n_gold and generated[-1] in self._tokens.stop_ids
        if generated == gold[: len(generated)] or (ended_otherwise and generated[:-1] == gold[:-1]):
            return [token for token in tokens if token < end], True
        if self._tokens.layout.numbers is not None:
            # Where the spans of free text are in another chain is not known.
            same = (written == wanted for written, wanted in zip(generated, gold, strict=False))
            n_same = len(list(takewhile(bool, same)))
            return [token for token in tokens if token < n_problem + n_same], False
        written = generated_symbol_tokens(self._tokenizer, generated, self._tokens.stop_ids)
        chain = [(symbol, before) for symbol, before in self._chain if symbol < len(written)]
        alone = all(
            symbol + 1 >= len(written) or written[symbol] < written[symbol + 1]
            for symbol, _ in chain
        )
        starts = [0, *(end + 1 for end in written)]
        found = []
        for symbol, before in chain:
            at = written[symbol]
            if before:
                # An earlier symbol may end with the same token: then there is nothing before it.
                ids = generated[starts[symbol] : at]
                at = min(at, starts[symbol] + self._n_blank(ids)) - before
            found.append(max(0, n_problem + at))
        return [*tokens[: self._n_problem], *found], alone

    def _n_blank(self, ids: list[int]) -> int:
        """How many tokens at the beginning of some ids are spaces alone."""
        return len([*takewhile(blank_tokens(self._tokenizer, ids).__contains__, ids)])

    def store(
        self, stored: Mapping[str, torch.Tensor], batch: Decoded
    ) -> Iterator[tuple[int, bool]]:
        """Store ids, lengths and hidden states of a batch; yields (row, as of `places`).

        stored: the tensors of a hidden-state shard.
        """
        for i, (row, generated) in enumerate(zip(batch.rows, batch.generated, strict=True)):
            n_problem = int(self._ragged.problem_length[row])
            ids = [*self._tokens.problem[row, :n_problem].tolist(), *generated]
            n_states = n_problem + self._tokens.gold.shape[1]
            places, alone = self.places(row, generated)
            places = [token for token in places if token < n_states]
            n = len(places)
            stored["input_ids"][row] = -1
            stored["input_ids"][row, :n] = torch.tensor([ids[token] for token in places])
            stored["input_length"][row] = n
            for layer, states in batch.hidden.items():
                stored[f"layer.{layer}"][row, :n] = states[i, places].to(
                    stored[f"layer.{layer}"].dtype
                )
            yield row, alone
