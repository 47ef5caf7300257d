"""Prompts of instruct models: a conversation, as the tokenizer's own chat template renders it.

Each few-shot example is two turns, the problem the user's and the chain of thought the
assistant's; the problem that is studied is the last turn of the user. Text and ids are the
library's (`tokens.chat_template`). Here the problem and its chain are found in the text, so that
`tokens.prompts` can lay out their tokens.

What stands between them, such as the end of the user's turn and the assistant's header, are
*template positions* of the problem. The gold chain ends with the first token that the template
writes behind it, the end of the assistant's turn, which stands in place of the newline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from think_to_talk.errors import InputError
from think_to_talk.formulas.rows import examples
from think_to_talk.tokens.chat_template import Message, Rendered, applied, remedy_of, rendered
from think_to_talk.tokens.offsets import Span, check_order

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Chat:
    """How a model is prompted by its chat template.

    system_prompt: the text of the system's turn; None for none, where a template may put its own.
    """

    system_prompt: str | None = None

    @classmethod
    def from_config(cls, settings: Mapping[str, Any] | None) -> Chat | None:
        """The chat of a model's `chat` parameter; None for a model that continues raw text."""
        return None if settings is None else cls(**settings)


@dataclass(frozen=True)
class RenderedRow:
    """A row as its template renders it.

    text: the whole conversation.
    ids: [tokens] up to and including the end of the assistant's turn.
    spans: [tokens] their (start, end) in characters of `text`.
    n_prefix: tokens before the problem.
    n_prompt: tokens before the chain of thought, with which the model is prompted.
    row_spans: [tokens behind the prefix] (start, end) in characters from the beginning of the row's
        source, its target behind it; None for tokens of the template. The last token covers the
        target's newline.
    """

    text: str
    ids: list[int]
    spans: list[Span]
    n_prefix: int
    n_prompt: int
    row_spans: list[Span | None]


@dataclass(frozen=True)
class _Conversation:
    """A row's conversation: the messages before its chain of thought, the last of which it asks."""

    row: Row
    prompt: list[Message]

    @classmethod
    def of(cls, row: Row, context: str, chat: Chat) -> _Conversation:
        """The conversation of a row, after its few-shot examples."""
        prompt = []
        if chat.system_prompt is not None:
            prompt.append({"role": "system", "content": chat.system_prompt.strip()})
        for problem, chain in examples(context):
            prompt.append({"role": "user", "content": problem.strip()})
            prompt.append({"role": "assistant", "content": chain.strip()})
        prompt.append({"role": "user", "content": row["source"].strip()})
        return cls(row, prompt)

    @property
    def whole(self) -> list[Message]:
        """With the gold chain as the assistant's last turn."""
        return [*self.prompt, {"role": "assistant", "content": self.row["target"].strip()}]


def rendered_rows(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], contexts: Sequence[str], chat: Chat
) -> Iterator[RenderedRow]:
    """Rows as the tokenizer's chat template renders them, with their gold chains.

    rows: of a dataset.
    contexts: their few-shot examples, each of which ends with a newline.
    Raises InputError, one line, if there is no template, if it refuses a conversation or changes
    what is said in it, if a chain does not follow what the model is prompted with, or if no token
    ends the assistant's turn.
    """
    conversations = [_Conversation.of(*row, chat) for row in zip(rows, contexts, strict=True)]
    prompts = rendered(tokenizer, [each.prompt for each in conversations], prompting=True)
    wholes = rendered(tokenizer, [each.whole for each in conversations], prompting=False)
    for conversation, prompt, whole in zip(conversations, prompts, wholes, strict=True):
        yield _located(tokenizer, conversation, prompt, whole)


def rendered_texts(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], contexts: Sequence[str], chat: Chat
) -> list[str]:
    """Each row's whole conversation, with its gold chain; arguments as of `rendered_rows`."""
    wholes = [_Conversation.of(*row, chat).whole for row in zip(rows, contexts, strict=True)]
    return applied(tokenizer, wholes, prompting=False, tokenize=False)


def end_of_turn(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> int:
    """The id with which the template ends the assistant's turn. Raises as `rendered_rows`."""
    row = {"source": "a = 1 ; a =?", "target": " a = 1\n"}
    return next(rendered_rows(tokenizer, [row], [""], chat)).ids[-1]


def _located(
    tokenizer: PreTrainedTokenizerBase,
    conversation: _Conversation,
    prompt: Rendered,
    whole: Rendered,
) -> RenderedRow:
    """Find a row's problem and chain in its conversation."""
    row, text, spans = conversation.row, whole.text, whole.spans
    remedy = remedy_of(conversation.prompt)
    problem_at = _last_turn(prompt.text, conversation.prompt)
    problem_end = problem_at + len(row["source"].strip())
    chain = row["target"].strip()
    chain_at = _chain_at(prompt.text, text, chain, remedy)
    chain_end = chain_at + len(chain)
    check_order(spans, "of a conversation", remedy)
    n_prompt = len(prompt.ids)
    if whole.ids[:n_prompt] != prompt.ids:
        raise InputError(
            f"row {row['source']!r}: its last tokens change when the chain of thought follows, "
            f"{tokenizer.convert_ids_to_tokens(prompt.ids)[-5:]} against "
            f"{tokenizer.convert_ids_to_tokens(whole.ids[:n_prompt])[-5:]}: {remedy}"
        )
    last = next((i for i, (_, end) in enumerate(spans) if end > chain_end), None)
    if last is None or not _ends_a_turn(tokenizer, whole.ids[last]):
        raise InputError(
            f"prompt: chat, but the template writes {text[chain_end:][:80]!r} behind a chain of "
            f"thought, expected one token that ends the assistant's turn, or a newline: {remedy}"
        )
    n_prefix = next(i for i, (_, end) in enumerate(spans) if end > problem_at)
    source = len(row["source"]) - len(row["source"].lstrip())
    target = len(row["source"]) + len(row["target"]) - len(row["target"].lstrip())
    of_prompt = [
        None if start >= problem_end else _moved((start, end), (problem_at, problem_end), source)
        for start, end in spans[n_prefix:n_prompt]
    ]
    of_chain = [_moved(span, (chain_at, chain_end), target) for span in spans[n_prompt : last + 1]]
    of_end = of_chain[-1][0], len(row["source"] + row["target"])
    return RenderedRow(
        text=text,
        ids=whole.ids[: last + 1],
        spans=spans[: last + 1],
        n_prefix=n_prefix,
        n_prompt=n_prompt,
        row_spans=[*of_prompt, *of_chain[:-1], of_end],
    )


def _last_turn(text: str, messages: Sequence[Message]) -> int:
    """Where the last of some messages begins in the text that a template made of them.

    Raises InputError if it left one out, or changed it.
    """
    found = end = 0
    for message in messages:
        # The system's turn may stand in another place, such as the last turn of the user.
        is_system = message["role"] == "system"
        found = text.find(message["content"], 0 if is_system else end)
        if found < 0:
            what = "system_prompt" if is_system else f"the {message['role']}'s turn"
            raise InputError(
                f"prompt: chat, but the chat template leaves out or changes {what} "
                f"{message['content'][:80]!r}, expected it as it is: {remedy_of(messages)}"
            )
        end = end if is_system else found + len(message["content"])
    return found


def _chain_at(prompt: str, whole: str, chain: str, remedy: str) -> int:
    """Where the chain of thought begins in a whole conversation.

    Raises InputError unless it follows the prompt, with spaces between them at most.
    """
    if not whole.startswith(prompt):
        same = next(i for i, (a, b) in enumerate(zip(prompt, f"{whole}\0", strict=False)) if a != b)
        raise InputError(
            f"prompt: chat, but the chat template prompts the model with {prompt[same:][:80]!r} "
            f"where it renders {whole[same:][:80]!r} if the chain of thought follows, expected the "
            f"same: {remedy}"
        )
    at = whole.find(chain, len(prompt))
    if at < 0 or whole[len(prompt) : at].strip(" "):
        raise InputError(
            f"prompt: chat, but the chat template renders {whole[len(prompt) :][:80]!r} of the "
            f"assistant's turn {chain[:80]!r}, expected it as it is: {remedy}"
        )
    return at


# Asked for every row: the library takes its time to list the tokens that were added.
@lru_cache(maxsize=64)
def _ends_a_turn(tokenizer: PreTrainedTokenizerBase, token: int) -> bool:
    """Whether a token is one that can end a turn: a special one, or one with a newline."""
    special = token in tokenizer.all_special_ids or token in tokenizer.added_tokens_decoder
    return special or "\n" in str(tokenizer.decode([token]))


def _moved(span: Span, within: Span, to: int) -> Span:
    """A token's (start, end) within a part of a text, if that part began at `to`."""
    first, last = within
    start, end = (to - first + min(max(place, first), last) for place in span)
    return start, end
