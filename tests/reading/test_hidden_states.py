"""Hidden states read from Python: they are the model's, and each axis says what it is."""

import shutil

import pytest
import torch

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import read_jsonl
from think_to_talk.models.loading import Checkpoint
from think_to_talk.reading.hidden_states import read_hidden_states


@pytest.fixture(scope="module")
def hidden(results):
    return read_hidden_states(results, "m", 42, "level-1", 2)


def test_the_states_are_those_that_the_model_gives_for_prefix_and_tokens(results, hidden):
    model = Checkpoint(results / "models/m/seed-42").model()
    for row in (0, 45):
        length = hidden.length[row]
        ids = torch.tensor([hidden.prefix + hidden.input_ids[row, :length].tolist()])
        states = model(ids, output_hidden_states=True).hidden_states
        # The library gives the last layer after the final norm; what is stored is before it.
        assert hidden.layer == len(states) - 1
        found = model.model.norm(hidden.states[row, :length])
        wanted = states[-1][0, len(hidden.prefix) :]
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-3)
        assert not hidden.states[row, length:].any()


def test_rows_labels_and_lengths_are_those_of_the_dataset(results, hidden):
    problems = read_jsonl(results / "formulas/seed-42/level-1/test.jsonl")
    assert hidden.row.tolist() == list(range(50))
    assert hidden.labels.tolist() == [row["intermediate_answers"] for row in problems]
    assert hidden.variables == ["A", "B"]
    of_shards = sorted(results.glob("m/seed-42/hidden_states/level-1/test/*.jsonl"))
    aligned = [row["aligned"] for path in of_shards for row in read_jsonl(path)]
    assert hidden.correct.tolist() == aligned
    assert len(hidden.length.unique()) > 1
    assert hidden.states.shape[:2] == hidden.input_ids.shape == (50, len(hidden.positions))
    assert hidden.last_layer == "before_norm"


def test_positions_have_t_symbols_and_the_tokens_of_the_first_row(results, hidden):
    positions = hidden.positions
    assert positions.loc[positions["relative_position"] == 0, "symbol"].item() == "B"
    assert "".join(positions["symbol"][:13]) == "B=#±A,A=#;B=?"
    tokenizer = Checkpoint(results / "models/m/seed-42").tokenizer()
    row = tokenizer.decode(hidden.input_ids[0, :13].tolist())
    assert "".join(positions["token"][:13]) == row.replace(" ", "")
    assert positions["symbol_index"].dtype == "Int64"


def test_the_split_that_probes_are_trained_on_is_read_as_well(results):
    assert len(read_hidden_states(results, "m", 42, "level-1", 0, "probing_train").states) == 120


def refusal(*arguments):
    with pytest.raises(InputError) as error:
        read_hidden_states(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_not_there_is_one_line_that_says_what_there_is(results):
    folder = results / "m/seed-42/hidden_states/level-1/test"
    assert refusal(results, "m", 42, "level-1", 1) == f"{folder}: no layer 1; stored are 0, 2"
    for wrong in (("n", 42, "level-1"), ("m", 43, "level-1"), ("m", 42, "level-2")):
        said = refusal(results, *wrong, 2)
        assert ": no hidden states; those of split test that there are: m, seed 42, level-1" in said
    assert "of split valid that there are: none" in refusal(results, "m", 42, "level-1", 2, "valid")
    assert "no such folder" in refusal(results / "nowhere", "m", 42, "level-1", 2)


def test_deleted_hidden_states_are_one_line_that_says_how_to_make_them_again(results, tmp_path):
    copy = shutil.copytree(results, tmp_path / "results")
    for path in copy.glob("m/seed-42/hidden_states/*/*/*.safetensors"):
        path.unlink()
    folder = copy / "m/seed-42/hidden_states/level-1/test"
    assert refusal(copy, "m", 42, "level-1", 2) == (
        f"{folder}: the hidden states were deleted (keep_hidden_states: false); "
        "`snakemake --cores 2 --notemp all_hidden_states` makes them again"
    )
