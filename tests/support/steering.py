"""Steering where numbers take several tokens: tasks, models, and runs in plain passes.

Tokens are found by the characters of a text, apart from the layouts of the package.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from tokenizers import decoders, pre_tokenizers
from transformers import LlamaConfig

from support.architectures import FAMILIES, random_model
from support.checkpoints import bpe_tokenizer, trained_once
from support.facts import facts_of
from support.patching import changing
from support.templates import template
from support.whole_numbers import EQUATIONS, VALUES, Run
from think_to_talk.files.shards import Shards, write_shard
from think_to_talk.formulas.ceilings import ceiling_rows
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.steered_chains import steered_chains, steered_variables
from think_to_talk.formulas.templates import Template
from think_to_talk.models import training
from think_to_talk.models.loading import Checkpoint
from think_to_talk.models.training_examples import training_examples
from think_to_talk.steering.rows import SteeringSettings, Task, steering_rows
from think_to_talk.tokens.prompts import tokenize
from think_to_talk.tokens.ragged import TaskLayout
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

SIZES = {"train": 4, "valid": 1, "test": 60, "probing_train": 1}
WORDS = ["pear", "kiwi", "plum"]
IDENTITY = {"model": "m", "seed": 3, "task": "t"}


@dataclass
class Case:
    """A task, and a model in float64. The numbers of a row: its test rows that are steered."""

    task: dict
    model: torch.nn.Module
    tokenizer: object
    n: int = 5
    shots: int = 1

    @cached_property
    def dataset(self):
        rows = generate_splits(self.task, SIZES, 1)["test"]
        return [{**row, "few_shot_context": ""} for row in rows] if self.shots == 0 else rows

    @cached_property
    def template(self):
        return Template.from_config(self.task)

    @cached_property
    def layouts(self):
        tokenized = list(tokenize(self.tokenizer, self.dataset, self.shots))
        return TaskLayout.of(self.tokenizer, self.dataset, tokenized)

    @property
    def positions(self):
        return self.layouts.positions

    @cached_property
    def runs(self):
        by_symbol = self.positions.are_symbols
        return [Run(self.tokenizer, row, "", by_symbol) for row in self.dataset]

    @property
    def n_layers(self):
        return self.model.config.num_hidden_layers

    @property
    def shape(self):
        """Of the weights of a layer's probes: positions, variables, classes, features."""
        n_classes = max(10, self.task["values"][1] + 1)
        n_positions, n_variables = self.layouts.layout.n_positions, len(self.task["equations"])
        return (n_positions, n_variables, n_classes, self.model.config.hidden_size)

    def ending(self, written):
        """Whether what is written ends with a newline."""
        return "\n" in self.tokenizer.decode(written[-1:])

    def following(self, row, text):
        """Tokens of a chain of thought behind a row's problem."""
        start = self.dataset[row]["few_shot_context"] + self.dataset[row]["source"]
        n_start = len(self.tokenizer(start)["input_ids"])
        return len(self.tokenizer(start + text)["input_ids"]) - n_start


def random_llama(n_tokens):
    config = {**FAMILIES[0].to_diff_dict(), "vocab_size": n_tokens, "num_hidden_layers": 2}
    return random_model(LlamaConfig(**config))


def with_lone_spaces(values):
    """A tokenizer with a lone space before a number and a token per digit; words take several."""
    rows = generate_splits(template(EQUATIONS, values=values), SIZES, 1)["test"]
    pieces = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("?", "isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(False),
        ]
    )
    texts = [row["source"] + row["target"] for row in rows]
    return bpe_tokenizer(texts, pieces, decoders.ByteLevel(), vocabulary_size=320)


def trained(which):
    task = template(EQUATIONS, values=VALUES[which], shots=1)
    folder = trained_once(f"{which}-numbers", task, steps=250)
    model, tokenizer = Checkpoint(folder).model().double(), Checkpoint(folder).tokenizer()
    return Case(task, model, tokenizer, shots=0)


def by_heart():
    """A model that has seen all problems of a task, whose chain states its result twice."""
    equations = ["v0 = num", "v1 = v0 + num", "v2 = v1"]
    options = {"operators": ["+"], "values": [0, 12], "letters": 3, "shots": 0}
    task = template(equations, order="in_order", **options)
    entry = {"cut": 0, "steps": 150, "batch_size": 32, "hidden_size": 64, "intermediate_size": 128}
    entry |= {"layers": 2, "heads": 2, "learning_rate": 0.003, "muon_learning_rate": 0.04}
    tokenizer = symbol_tokenizer((), 12)
    examples = training_examples(tokenizer, {"task": task}, set(), 450, 0, False)
    model = training.build_model(entry, len(tokenizer), 0)
    training.train(model, examples, entry, 0, 1)
    case = Case(task, model.double(), tokenizer, shots=0)
    case.n = len(case.dataset)
    return case


#: Numbers of one token or two, or all of two; words in place of letters; and lone spaces.
NAMES = (*VALUES, "words", "spaces alike", "spaces apart")


def case_of(name):
    """The case of a name: a trained model, or a random one."""
    if name in VALUES:
        return trained(name)
    if name == "words":
        tokenizer, values, names = symbol_tokenizer(WORDS, 30), [0, 30], WORDS
    else:
        values, names = ([10, 29], "letters") if name == "spaces alike" else ([0, 14], WORDS)
        tokenizer = with_lone_spaces(values)
    task = template(EQUATIONS, values=values, names=names, shots=1)
    return Case(task, random_llama(len(tokenizer)), tokenizer)


def weights_of(case, folder, own=()):
    """Random probes; own: {(layer, position, variable): (weight, bias)} in their place."""
    generator = torch.Generator().manual_seed(0)
    shapes = {}
    for layer in range(case.n_layers + 1):
        shapes[f"layer.{layer}.weight"] = (torch.float32, case.shape)
        shapes[f"layer.{layer}.bias"] = (torch.float32, case.shape[:-1])
    with write_shard(folder / "probes.safetensors", shapes, {}) as stored:
        for tensor in stored.values():
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
        for (layer, *place), (weight, bias) in dict(own).items():
            stored[f"layer.{layer}.weight"][tuple(place)] = weight
            stored[f"layer.{layer}.bias"][tuple(place)] = bias
    return Shards.open([folder / "probes.safetensors"], {})


def task_of(case, folder, score, own=()):
    """What is steered; score: of the probe of (layer, position, variable)."""
    layout = case.layouts.layout
    probes = [
        {
            "layer": layer,
            "position": position,
            **layout.place(position),
            "variable": variable,
            "score": score(layer, position, variable),
            "heldout_score": None,
        }
        for layer in range(case.n_layers + 1)
        for position in range(layout.n_positions)
        for variable in range(case.shape[1])
    ]
    return Task(
        dataset=case.dataset,
        generations=[{"row": row, "aligned": True} for row in range(len(case.dataset))],
        probes=probes,
        weights=weights_of(case, folder, own),
        ceilings=list(ceiling_rows(case.template)),
        template=case.template,
        positions=case.positions,
    )


def steered(case, task, controls=1, factors=(1, 2), batch_size=3, facts=None):
    settings = SteeringSettings(case.n, factors, controls, 0.5)
    options = {"shots": case.shots, "batch_size": batch_size, "identity": IDENTITY}
    facts = facts or facts_of(case.model)
    return list(steering_rows(case.model, facts, case.tokenizer, task, settings, **options))


@torch.inference_mode()
def naive(case, place, run, limit):
    """Ids that are written by greedy decoding, one token after the other, under one hook."""
    own = case.runs[run.row]
    token = own.tokens(place.position)[-1]
    start = own.tokens(own.n_problem)[0]
    ids = own.ids[: max(token + 1, start)]
    n_given = len(ids) - start

    def put(_layer, hidden):
        hidden = hidden.clone()
        hidden[0, token] = run.state
        return hidden

    written = []
    with changing(case.model, [place.layer], put):
        while not written or not (case.ending(written) or n_given + len(written) == limit):
            logits = case.model(torch.tensor([[*ids, *written]]), use_cache=False).logits
            written.append(int(logits[0, -1].argmax()))
    return written


def room(case, row, task):
    """Tokens of the longest chain that a run of a row may write, its given part included."""
    chains = [task.dataset[row]["scratchpad"]]
    for variable in steered_variables(task.template):
        chains += steered_chains(task.dataset[row], task.template, variable).values()
    return max(case.following(row, f" {chain}\n") for chain in chains)
