"""What a patched run says, one pair at a time: greedy decoding in plain passes, under hooks.

Tokens are found by the characters of a text, apart from the layouts of the package.
"""

import re
import string
from collections import defaultdict
from functools import cached_property

import torch

from support.patching import plain_states, replaced
from think_to_talk.formulas.counterfactuals import draw_pairs
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.edits import Edit
from think_to_talk.formulas.templates import Template

#: What the models are trained on, for 250 steps.
EQUATIONS = ["v0 = num", "v1 = num ± v0"]

#: Pairs of an edit.
N = 20

#: Numbers of one token or two, so that positions are symbols; and numbers that all have two.
VALUES = {"ragged": [0, 14], "alike": [10, 29]}

SIZES = {"train": 5, "valid": 1, "test": 5, "probing_train": 1}


def pairs_of(task, places, n):
    """Pairs of a task behind few-shot examples."""
    rows = [row for split in generate_splits(task, SIZES, 1).values() for row in split]
    return list(draw_pairs(Edit.from_config(places, Template.from_config(task)), n, 1, rows))


def digits_of(pair, run):
    """The digits of each number of a problem and its chain; run: `base_`, or nothing."""
    text = pair[f"{run}source"] + pair[f"{run}target"]
    return tuple(map(len, re.findall("[0-9]+", text)))


def alike(pairs):
    """The most pairs whose numbers have as many digits in each place, two in the first one.

    So positions in tokens are not those in symbols, from the first number of the problem on.
    """
    found = defaultdict(list)
    for pair in pairs:
        digits = digits_of(pair, "")
        if digits == digits_of(pair, "base_") and digits[0] == 2 and 1 in digits:
            found[digits].append(pair)
    return max(found.values(), key=len)


class Run:
    """One problem and its gold chain behind their examples, as tokens.

    by_symbol: whether a position is a symbol, or a token that is the space before one; else it is a
        token.
    """

    def __init__(self, tokenizer, row, prefix, by_symbol):
        self.tokenizer, self.by_symbol = tokenizer, by_symbol
        context = row.get(f"{prefix}few_shot_context", "")
        problem, chain = row[f"{prefix}source"], row[f"{prefix}target"]
        self.text, self.chain = context + problem + chain, chain
        encoded = tokenizer(self.text, return_offsets_mapping=True)
        self.ids, self.spans = encoded["input_ids"], encoded["offset_mapping"]
        self.symbols = [
            match.span()
            for match in re.finditer(r"[A-Za-z]+|[0-9]+|[^ ]", self.text)
            if match.end() > len(context)
        ]
        self.first_token = sum(end <= len(context) for _, end in self.spans)
        given = len(context + problem)
        if by_symbol:
            self.places = [
                place for symbol in range(len(self.symbols)) for place in self._of(symbol)
            ]
        else:
            self.places = [[token] for token in range(self.first_token, len(self.ids))]
        self.n_problem = sum(self.spans[place[-1]][1] <= given for place in self.places)

    def _of(self, symbol):
        """The places of a symbol, as tokens: the spaces before it, and what it is written with."""
        start = self.symbols[symbol - 1][1] if symbol else self.spans[self.first_token][0]
        end = self.symbols[symbol][1]
        tokens = [t for t, (_, e) in enumerate(self.spans) if start < e <= end]
        spaces = [t for t in tokens if not self.text[slice(*self.spans[t])].strip(" ")]
        return [*([t] for t in spaces), tokens[len(spaces) :]]

    def tokens(self, position):
        """The tokens of a position."""
        return self.places[position]

    def read_at(self, forced):
        """(tokens that are read after so many positions of the chain, whether a number is)."""
        tokens = self.tokens(self.n_problem + forced)
        digits = [t for t in tokens if self.text[slice(*self.spans[t])].strip().isdigit()]
        if not digits:
            return tokens, False
        # Where positions are tokens, a number goes on.
        while (
            not self.by_symbol
            and self.spans[digits[-1] + 1][0] == self.spans[digits[-1]][1]
            and self.text[self.spans[digits[-1]][1]].isdigit()
        ):
            digits.append(digits[-1] + 1)
        return digits, True

    @cached_property
    def digits(self):
        """The tokens that go on with a number."""
        texts = self.tokenizer.get_vocab()
        # Of the study's own models, a first digit is another token than a further one.
        begin = "##" if "##1" in texts else ""
        return {texts[f"{begin}{digit}"] for digit in string.digits}

    def adds_a_digit(self, token):
        """Whether a token goes on with a number."""
        return token in self.digits


class Plain:
    """A pair's two runs, and what they say with or without a patch.

    longest: tokens of the longest numbers.
    """

    def __init__(self, model, tokenizer, pair, by_symbol, longest):
        self.model, self.longest = model, longest
        self._unpatched = {}
        self.runs = {
            "base": Run(tokenizer, pair, "base_", by_symbol),
            "edited": Run(tokenizer, pair, "", by_symbol),
        }
        self.states = {
            name: plain_states(model, torch.tensor([run.ids])) for name, run in self.runs.items()
        }

    @torch.inference_mode()
    def _logits(self, ids, row, places):
        """Logits [tokens, vocabulary]; row: whose spec is applied, none without places."""
        other = self.states[row["source"]] if places else None
        places = [place for place in places if place < len(ids)]
        with replaced(self.model, other, row["layers"] if places else [], places):
            return self.model(torch.tensor([ids])).logits[0].double()

    def says(self, row, run=None):
        """What is said, as text, and the log-probability of the base's number less the edited's.

        row: of patching results. run: one that is not patched; the patched one if it is None.
        """
        if run is None:
            return self._says(row, None)
        # Without a patch, rows differ in nothing but where they read.
        place = run, row["forced"]
        if place not in self._unpatched:
            self._unpatched[place] = self._says(row, run)
        return self._unpatched[place]

    def _says(self, row, run):
        target = self.runs[run or {"base": "edited", "edited": "base"}[row["source"]]]
        read, is_number = target.read_at(row["forced"])
        given = target.ids[: read[0]]
        places = [t for p in row["positions"] for t in target.tokens(p) if t <= read[-1]]
        places = [] if run else places
        said = []
        while len(said) < (self.longest if is_number else len(read)):
            token = int(self._logits([*given, *said], row, places)[-1].argmax())
            if said and is_number and not target.adds_a_digit(token):
                break
            said.append(token)
        scores = {name: self._score(one, given, row, places) for name, one in self.runs.items()}
        text = target.tokenizer.decode(said).strip()
        return text, scores["base"] - scores["edited"]

    @torch.inference_mode()
    def writes(self, row):
        """The chain that is written after a patch of the problem, as text.

        row: of free writing.
        """
        target = self.runs[{"base": "edited", "edited": "base"}[row["source"]]]
        given = target.ids[: target.tokens(target.n_problem)[0]]
        places = [t for p in row["positions"] for t in target.tokens(p)]
        # A chain may have longer numbers than the gold one.
        further = len(re.findall("[0-9]+", target.chain)) if target.by_symbol else 0
        written = []
        while len(written) < len(target.ids) - len(given) + further:
            written.append(int(self._logits([*given, *written], row, places)[-1].argmax()))
            if target.tokenizer.decode(written[-1:]) == "\n":
                break
        return target.tokenizer.decode(written).split("\n")[0].strip()

    def _score(self, run, given, row, places):
        """The log-probability of a run's number, which must end where there are longer ones."""
        read, is_number = run.read_at(row["forced"])
        number = [run.ids[t] for t in read]
        logits = self._logits([*given, *number], row, places).log_softmax(dim=-1)
        total = sum(logits[len(given) - 1 + i, token] for i, token in enumerate(number))
        if is_number and len(number) < self.longest:
            vocabulary = range(logits.shape[1])
            ending = [token for token in vocabulary if not run.adds_a_digit(token)]
            total = total + logits[-1, ending].logsumexp(dim=0)
        return float(total)

    def gold(self, run, row):
        """The number that is right in a run, as text."""
        one = self.runs[run]
        read, _ = one.read_at(row["forced"])
        return one.tokenizer.decode([one.ids[t] for t in read]).strip()

    def take_as_many(self):
        """Whether both runs take as many tokens at each position."""
        base, edited = self.runs.values()
        if not base.by_symbol:
            return True
        counts = [list(map(len, run.places)) for run in (base, edited)]
        return counts[0] == counts[1]
