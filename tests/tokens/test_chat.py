"""Chats: prompts are what the library makes of a tokenizer's own template, token by token."""

import copy
import re
from datetime import datetime

import pytest
from support.chats import FAMILIES, WITH_SYSTEM, chat_tokenizer, symbol_chat_tokenizer, template
from support.checkpoints import SIZES

from think_to_talk.errors import InputError
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.tokens import chat as chat_module
from think_to_talk.tokens.chat import Chat, end_of_turn
from think_to_talk.tokens.generations import is_aligned, textless_stops, written_texts
from think_to_talk.tokens.layout import Layout
from think_to_talk.tokens.prompts import align, tokenize
from think_to_talk.tokens.stop_ids import newline_tokens, stop_ids
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer

SYMBOLS = list("B=#±A,A=#;B=?B=#±A,A=#,B=#±A,B=#±#,B=#⏎")

#: What the library is given beside the messages, so that it renders as a study does.
OPTIONS = {"llama3_2": {"date_string": "26 Jul 2024"}, "qwen3": {"enable_thinking": False}}


@pytest.fixture(scope="module")
def rows(tasks):
    return generate_splits(tasks["level-1"], SIZES, 42)["test"][:12]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param, chat_tokenizer(request.param)


def messages_of(row, shots, system_prompt=None):
    """The conversation before the chain of a row, written out here."""
    system = [{"role": "system", "content": system_prompt}] if system_prompt else []
    turns = []
    for example in row["few_shot_context"].splitlines()[:shots]:
        problem, chain = re.fullmatch(r"(.*=\?) (.*)", example).groups()
        turns.append({"role": "user", "content": problem})
        turns.append({"role": "assistant", "content": chain})
    return [*system, *turns, {"role": "user", "content": row["source"]}]


def library_ids(tokenizer, family, messages, **options):
    return tokenizer.apply_chat_template(messages, **options, **OPTIONS.get(family, {}))[
        "input_ids"
    ]


@pytest.mark.parametrize("shots", [0, 3])
@pytest.mark.parametrize("system_prompt", [None, "Solve the problem step by step."])
def test_tokens_are_those_of_the_library(family, rows, shots, system_prompt):
    name, tokenizer = family
    if system_prompt and name not in WITH_SYSTEM:
        pytest.skip("its template has no turn of a system")
    tokenized = list(tokenize(tokenizer, rows, shots, chat=Chat(system_prompt)))
    for row, tokens in zip(rows, tokenized, strict=True):
        messages = messages_of(row, shots, system_prompt)
        prompt = [*tokens.prefix, *tokens.problem]
        assert prompt == library_ids(tokenizer, name, messages, add_generation_prompt=True)
        messages.append({"role": "assistant", "content": row["scratchpad"]})
        whole = library_ids(tokenizer, name, messages)
        ids = [*prompt, *tokens.gold]
        assert ids == whole[: len(ids)]
        # What the template puts behind the end of the turn is no chain.
        assert not re.search(r"\w", tokenizer.decode(whole[len(ids) :], skip_special_tokens=True))
        assert tokenizer.decode(tokens.gold[:-1]).strip() == row["scratchpad"]
        assert tokenizer.convert_ids_to_tokens(tokens.gold[-1]) == FAMILIES[name][1]
    if tokenizer.bos_token and FAMILIES[name][0]:
        assert ids.count(tokenizer.bos_token_id) == 1
        assert ids[0] == tokenizer.bos_token_id


def test_symbols_are_those_of_raw_text_and_the_template_stands_between_them(family, rows):
    name, tokenizer = family
    tokenized = list(tokenize(tokenizer, rows, 2, chat=Chat()))
    layout = align(tokenizer, rows, tokenized)
    assert list(layout.symbols) == SYMBOLS
    template_positions = [p for p, s in enumerate(layout.position_symbol) if s is None]
    assert template_positions == list(range(template_positions[0], layout.n_problem))
    assert layout.symbols[layout.position_symbol[template_positions[0] - 1]] == "?"
    assert layout.position_symbol[-1] == SYMBOLS.index("⏎")
    assert layout.completes[-1]
    for row, tokens in zip(rows, tokenized, strict=True):
        ids = [*tokens.problem, *tokens.gold]
        # Template and problem share no token.
        assert tokenizer.decode(ids[: template_positions[0]]).strip() == row["source"]
        text = (row["source"] + row["target"]).replace(" ", "")
        kept = [i for i, s in enumerate(layout.position_symbol[:-1]) if s is not None]
        for n, position in enumerate(kept):
            if layout.completes[position]:
                decoded = tokenizer.decode([ids[i] for i in kept[: n + 1]]).replace(" ", "")
                assert decoded == text[: layout.position_symbol[position] + 1]
    raw = align(tokenizer, rows, list(tokenize(tokenizer, rows, 2)))
    assert layout.symbols == raw.symbols
    assert len(template_positions) >= (1 if name == "mistral" else 4)


def test_a_template_s_positions_are_a_part_between_problem_and_chain(rows):
    tokenizer = symbol_chat_tokenizer()
    layout = align(tokenizer, rows, list(tokenize(tokenizer, rows, 1, chat=Chat())))
    places = [layout.place(position) for position in range(layout.n_positions)]
    assert [place["relative_position"] for place in places[13:17]] == [-2, -1, 0, 1]
    between = {"equation": -0.5, "symbol": "▪", "symbol_index": None}
    assert places[13] == {"relative_position": -2, **between}
    assert places[14] == {"relative_position": -1, **between}
    assert (places[12]["symbol"], places[12]["equation"]) == ("?", -1)
    assert (places[15]["symbol"], places[15]["equation"]) == ("B", 0)
    assert Layout.loads(layout.dumps()) == layout


def test_the_end_of_a_turn_ends_a_generation(family):
    name, tokenizer = family
    end = tokenizer.convert_tokens_to_ids(FAMILIES[name][1])
    # Mistral's ends a turn with the end of a sequence, whichever that is.
    if name != "mistral":
        tokenizer = copy.deepcopy(tokenizer)
        tokenizer.eos_token = "<|endoftext|>"
        assert end not in stop_ids(tokenizer, [])
    assert end_of_turn(tokenizer, Chat()) == end
    ends = {*newline_tokens(tokenizer), tokenizer.eos_token_id, end}
    assert {*stop_ids(tokenizer, [], Chat())} == ends


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d %B %Y", "%A, %b %d"])
def test_a_template_that_asks_for_the_day_gives_the_same_text_on_all_days(rows, form):
    tokenizer = symbol_chat_tokenizer()
    asking = f"{{% set day = strftime_now({form!r}) %}}<|system|>{{{{ day }}}}<|end|>"
    tokenizer.chat_template = asking + tokenizer.chat_template
    [text] = chat_module.rendered_texts(tokenizer, rows[:1], [""], Chat())
    assert text.startswith(f"<|system|>{datetime(2024, 7, 26).strftime(form)}<|end|><|user|>")


CONVERSATION = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
PROMPTING = "{% if add_generation_prompt %}<|assistant|>{% endif %}"


@pytest.mark.parametrize(
    ("chat_template", "system_prompt", "said"),
    [
        (None, None, "the tokenizer has no chat template"),
        (template("gemma"), "a", "refuses turns of system, user, assistant with Templ"),
        (
            template("mistral"),
            "a b c",
            "where it renders .* expected the same: leave out ",
        ),
        (template("deepseek_r1_distill"), None, "prompts the model with '<think>"),
        ("{% for %}", None, "refuses turns of user, assistant with TemplateSyntaxError"),
        (
            "{% for m in messages[-2:] %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
            + PROMPTING,
            None,
            "leaves out or changes the user's turn",
        ),
        (
            CONVERSATION.replace("m.content", "m.content | replace('=', ':')") + PROMPTING,
            None,
            "leaves out or changes the user's turn",
        ),
        (
            CONVERSATION.replace("messages", "messages if m.role != 'system'") + PROMPTING,
            "a b c",
            "leaves out or changes system_prompt 'a b c', .*: leave out system_prompt, set",
        ),
        (
            "{% for m in messages %}<|{{ m.role }}|>{{ 'chain' if loop.last and m.role != 'user' "
            "else m.content }}<|end|>{% endfor %}" + PROMPTING,
            None,
            "renders 'chain<.end.>' of the assistant's turn",
        ),
        (
            CONVERSATION.replace("|>{{ m.c", "|>\n{{ m.c") + PROMPTING,
            None,
            "prompts the model with|of the assistant's turn .*, expected it as it is",
        ),
        (CONVERSATION.replace("<|end|>", "") + PROMPTING, None, "writes '' behind a chain"),
        (CONVERSATION.replace("<|end|>", "e") + PROMPTING, None, "writes 'e' behind a chain"),
    ],
)
def test_a_template_that_does_not_fit_is_refused_in_one_line(
    rows, chat_template, system_prompt, said
):
    tokenizer = symbol_chat_tokenizer()
    tokenizer.chat_template = chat_template
    with pytest.raises(InputError, match=said) as refused:
        list(tokenize(tokenizer, rows, 2, chat=Chat(system_prompt)))
    assert "\n" not in str(refused.value)
    assert "set prompt: raw, or use another model" in str(refused.value)


def test_a_template_that_ends_a_turn_with_a_newline_ends_its_chain_there(rows):
    tokenizer = symbol_chat_tokenizer()
    tokenizer.chat_template = CONVERSATION.replace("<|end|>", "\n") + PROMPTING
    tokens = next(tokenize(tokenizer, rows, 2, chat=Chat()))
    raw = next(tokenize(symbol_tokenizer(), rows, 2))
    assert tokens.gold == raw.gold


def test_tokens_in_another_order_than_the_text_are_refused(rows, monkeypatch):
    def backwards(*arguments, **options):
        found = rendered(*arguments, **options)
        return [type(each)(each.text, each.ids, each.spans[::-1]) for each in found]

    rendered = chat_module.rendered
    monkeypatch.setattr(chat_module, "rendered", backwards)
    with pytest.raises(InputError, match="do not stand in the order of the text"):
        list(tokenize(symbol_chat_tokenizer(), rows, 0, chat=Chat()))


def test_a_prompt_whose_last_tokens_change_with_the_chain_is_refused(rows):
    """GPT-2's tokenizer joins two newlines only where nothing follows."""
    tokenizer = chat_tokenizer("smollm2")
    tokenizer.chat_template = tokenizer.chat_template.replace("'\n' + m", "'\n\n' + m").replace(
        "assistant\n", "assistant\n\n"
    )
    with pytest.raises(InputError, match="last tokens change when the chain of thought follows"):
        list(tokenize(tokenizer, rows, 0, chat=Chat()))


def test_an_unknown_symbol_is_named_in_a_chat_too(rows):
    row = {**rows[0], "source": rows[0]["source"].replace("=", "é")}
    with pytest.raises(InputError, match="no token for"):
        list(tokenize(symbol_chat_tokenizer(), [row], 0, chat=Chat()))


@pytest.mark.parametrize("make", [symbol_chat_tokenizer, lambda: chat_tokenizer("phi3")])
def test_a_chain_that_ends_with_a_newline_is_as_right_as_one_that_ends_the_turn(rows, make):
    """The model is not asked what it would write after the newline."""
    tokenizer = make()
    tokens = next(tokenize(tokenizer, rows, 1, chat=Chat()))
    stops = stop_ids(tokenizer, [], Chat())
    newline = tokenizer("\n", add_special_tokens=False)["input_ids"][-1]
    ways = [list(tokens.gold), [*tokens.gold[:-1], newline]]
    assert {way[-1] for way in ways} <= textless_stops(tokenizer, stops)
    assert written_texts(tokenizer, ways, stops) == 2 * [rows[0]["scratchpad"]]
    assert all(is_aligned(tokenizer, way, tokens.gold) for way in ways)
