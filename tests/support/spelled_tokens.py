"""A tokenizer with a token for each way to write a short chain of thought."""

from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

TOKENS = ["a", " a", "=", " =", "1", " 1", " ", "\n", "1\n", " \n", "</s>", "<end>", "=1", "12"]
ID = {token: i for i, token in enumerate(TOKENS)}


def spelled_tokenizer():
    """Its tokens are these, spaces included; `</s>` is its special end of a sequence."""
    raw = Tokenizer(models.WordLevel(ID, unk_token="a"))
    raw.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="</s>")


def ids(tokens):
    """The ids of tokens."""
    return [ID[token] for token in tokens]
