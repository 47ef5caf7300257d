"""What holds of the models of most tests, without a check of each."""

from think_to_talk.hidden_states.facts import ModelFacts
from think_to_talk.hidden_states.hooks import Blocks


def facts_of(model):
    """All facts hold: the model is one of those that a check finds nothing about."""
    blocks = Blocks.find(model)
    return ModelFacts(blocks.name, blocks.returns_tuple)


#: Facts that do not hold, together, of models that are run in slower ways.
SLOWER_WAYS = [
    ("continues_cache",),
    ("continues_cache", "steps_cache"),
    ("selects_logits", "starts_at_layer"),
]


def slower(facts, without):
    for fact in without:
        facts = facts.without(fact)
    return facts


def decoder_blocks(model):
    return Blocks.find(model).modules
