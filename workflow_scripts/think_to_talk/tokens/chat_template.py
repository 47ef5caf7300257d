"""Conversations as a tokenizer's own chat template renders them, and as the library tokenizes them.

Text and ids are those of the library's `apply_chat_template`, with BOS where the template puts one.

A template must give the same text whenever a job runs: one that asks the clock for the day gets a
fixed one. A chain of thought is the assistant's answer: models with a switch for thinking, which
would come before it, are rendered with `enable_thinking` off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from think_to_talk.errors import InputError, said
from think_to_talk.tokens.offsets import Span

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]

#: Every day is this one: the date that templates of Llama 3 name where they have no clock.
_DAY = {
    **{"%d": "26", "%-d": "26", "%m": "07", "%b": "Jul", "%B": "July", "%y": "24", "%Y": "2024"},
    **{"%a": "Fri", "%A": "Friday", "%H": "12", "%I": "12", "%p": "PM", "%M": "00", "%S": "00"},
}

_CLOCK = "strftime_now"


@dataclass(frozen=True)
class Rendered:
    """A conversation as text, its ids and their (start, end) in characters."""

    text: str
    ids: list[int]
    spans: list[Span]


def remedy_of(messages: Sequence[Message]) -> str:
    """What a user can do about a template that does not fit a conversation."""
    without = "leave out system_prompt, " if messages[0]["role"] == "system" else ""
    return f"{without}set prompt: raw, or use another model"


def rendered(
    tokenizer: PreTrainedTokenizerBase, conversations: list[list[Message]], *, prompting: bool
) -> list[Rendered]:
    """Conversations as the library renders and tokenizes them; prompting: as of `applied`."""
    texts = applied(tokenizer, conversations, prompting=prompting, tokenize=False)
    encoded = applied(tokenizer, conversations, prompting=prompting, tokenize=True)
    return [
        Rendered(*row)
        for row in zip(texts, encoded["input_ids"], encoded["offset_mapping"], strict=True)
    ]


def applied(
    tokenizer: PreTrainedTokenizerBase,
    conversations: list[list[Message]],
    *,
    prompting: bool,
    tokenize: bool,
) -> Any:
    """What the library's `apply_chat_template` gives.

    prompting: whether the beginning of the assistant's turn follows, for the model to write on.
    """
    if tokenizer.chat_template is None:
        raise InputError(
            "prompt: chat, but the tokenizer has no chat template, expected one of an instruct "
            f"model: {remedy_of(conversations[0])}"
        )
    try:
        template = tokenizer.get_chat_template()
        return tokenizer.apply_chat_template(
            conversations,
            chat_template=_without_clock(template),
            add_generation_prompt=prompting,
            enable_thinking=False,
            tokenize=tokenize,
            return_dict=True,
            tokenizer_kwargs={"return_offsets_mapping": True},
        )
    # A template is a program, which may fail in any way.
    except Exception as error:
        roles = dict.fromkeys(message["role"] for message in conversations[0])
        raise InputError(
            f"prompt: chat, but the chat template refuses turns of {', '.join(roles)} with "
            f"{said(error)}: {remedy_of(conversations[0])}"
        ) from None


def _without_clock(template: str) -> str:
    """The template with a day of its own, should it ask for today's."""
    if _CLOCK not in template:
        return template
    replaced = "".join(f" | replace({name!r}, {value!r})" for name, value in _DAY.items())
    return f"{{%- macro {_CLOCK}(format) %}}{{{{ format{replaced} }}}}{{% endmacro %}}{template}"
