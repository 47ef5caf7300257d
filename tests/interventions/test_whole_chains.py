"""Wrong results and free writing where numbers take several tokens, by plain greedy decoding."""

from collections import Counter

import pytest
import torch
from support.facts import facts_of
from support.whole_numbers import Plain

from think_to_talk.formulas.altered_chains import draw_inconsistent_pairs
from think_to_talk.formulas.rows import is_correct
from think_to_talk.formulas.templates import Template
from think_to_talk.interventions.free_writing import free_writing_rows
from think_to_talk.interventions.inconsistent_chains import inconsistent_chain_rows
from think_to_talk.interventions.specs import SpecSettings

OPTIONS = {"shots": 0, "batch_size": 8, "identity": {"model": "m", "seed": 1, "task": "t"}}


def written_after(model, tokenizer, text, most=40):
    """What a model writes after a text, to the end of the line: a pass per token, no cache."""
    given, written = tokenizer(text)["input_ids"], []
    with torch.inference_mode():
        while len(written) < most:
            logits = model(torch.tensor([[*given, *written]]), use_cache=False).logits
            written.append(int(logits[0, -1].argmax()))
            if tokenizer.decode(written[-1:]) == "\n":
                break
    return tokenizer.decode(written).split("\n")[0].strip()


def test_after_a_wrong_result_a_model_writes_what_plain_decoding_writes(several_tokens):
    model, tokenizer, _, by_symbol, task = several_tokens
    pairs = list(draw_inconsistent_pairs(Template.from_config(task), 16, 1, []))
    rows = inconsistent_chain_rows(
        model, facts_of(model), tokenizer, pairs, max_new_tokens=40, **OPTIONS
    )
    solved, every = rows
    assert (every["variable"], every["equation"], every["n"]) == (0, 1, 16)
    # `B = # ± A , A = #`, of which the chain of tokens has a token more for each number; where a
    # number may be longer, the comma that ends it.
    assert every["forced"] == (10 if by_symbol else 11)
    finals, follows = [], Counter()
    for pair in pairs:
        shown = " , ".join(pair["scratchpad"].split(" , ")[:2]) + (" ," if by_symbol else "")
        text = written_after(model, tokenizer, f"{pair['source']} {shown}")
        finals.append(text.split("=")[-1].strip())
        chain, problem = pair["original_answer"], pair["base_original_answer"]
        last = finals[-1]
        follows["chain" if last == chain else "problem" if last == problem else "other"] += 1
    assert every["outputs"] == finals
    assert {len(final) for final in finals} >= ({1, 2} if by_symbol else {2})
    for kind, name in (("chain", "follows_chain"), ("problem", "follows_problem")):
        assert every[name] == follows[kind] / 16
    right = [
        written_after(model, tokenizer, pair["base_source"]) == pair["base_scratchpad"]
        for pair in pairs
    ]
    assert solved["pairs"] == [i for i, is_right in enumerate(right) if is_right]


def test_chains_after_patches_of_the_problem_are_those_of_plain_decoding(several_tokens):
    model, tokenizer, edits, by_symbol, _ = several_tokens
    settings = SpecSettings(window=2, stride=2, specs={})
    edits = {"both": [{**pair, "few_shot_context": ""} for pair in edits["both"]]}
    edits["both"] = [{**pair, "base_few_shot_context": ""} for pair in edits["both"]]
    given = model, facts_of(model), tokenizer, edits, settings
    rows = [row for row in free_writing_rows(*given, **OPTIONS) if row["rows"] == "all"]
    assert {row["spec"] for row in rows} >= {"problem", "equation -3, layers 0 to 1"}
    plain = {
        i: pair
        for i, of_pair in enumerate(edits["both"])
        if (pair := Plain(model, tokenizer, of_pair, by_symbol, 2)).take_as_many()
    }
    assert (len(plain) < len(edits["both"])) == by_symbol
    changed = 0
    for row in rows[:6:2] + rows[-1:]:
        assert row["pairs"] == list(plain)
        written = {i: pair.writes(row) for i, pair in plain.items()}
        assert row["outputs"] == list(written.values())
        right = [
            is_correct(text, {"scratchpad": edits["both"][i]["base_scratchpad"]})
            for i, text in written.items()
        ]
        assert row["success"] == pytest.approx(sum(right) / len(right))
        changed += sum(text != edits["both"][i]["scratchpad"] for i, text in written.items())
    assert changed > 5
