"""Rows of a results folder as data frames: which there are, what is in them, what is missing."""

import shutil

import pandas
import pytest

from think_to_talk.errors import InputError
from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.reading.rows import KINDS, contents, read_rows


def test_the_contents_are_the_files_with_what_their_paths_say(results):
    found = contents(results)
    assert found.groupby("kind").size().to_dict() == {"problems": 4, "probes": 1}
    [probes] = found[found["kind"] == "probes"].to_dict("records")
    assert (probes["model"], probes["seed"], probes["task"]) == ("m", 42, "level-1")
    assert probes["path"] == str(results / "m/seed-42/probes/level-1.jsonl")
    assert set(found["split"].dropna()) == {"train", "valid", "test", "probing_train"}


def test_rows_are_those_of_the_file_with_model_seed_and_task(results):
    rows = read_rows(results, "probes")
    stored = read_jsonl(results / "m/seed-42/probes/level-1.jsonl")
    assert len(rows) == len(stored) > 100
    assert set(rows["model"]) == {"m"}
    assert set(rows["seed"]) == {42}
    assert rows["score"].tolist() == [row["score"] for row in stored]
    assert rows["predictions"].tolist() == [row["predictions"] for row in stored]


def test_whole_numbers_beside_nulls_stay_whole_and_nulls_are_missing(tmp_path):
    rows = [{"t_star": -2, "score": 1.0, "settled": None}, {"t_star": None, "score": None}]
    write_jsonl(tmp_path / "m/seed-1/timing/a.jsonl", rows)
    frame = read_rows(tmp_path, "timing")
    assert frame["t_star"].dtype == "Int64"
    assert frame["t_star"][0] == -2
    assert frame["score"].dtype == frame["settled"].dtype == "float64"
    assert frame[["t_star", "score"]].iloc[1].isna().all()
    assert frame["settled"].isna().all()


@pytest.fixture
def several(tmp_path):
    """Rows of two models, two seeds and two tasks; clocks and findings name tasks in their rows."""
    for model in "ab":
        for seed in (1, 2):
            folder = tmp_path / model / f"seed-{seed}"
            for task in "xy":
                write_jsonl(folder / f"patching/{task}.jsonl", [{"n": seed}])
            names = {"model": model, "seed": seed}
            write_jsonl(folder / "clocks.jsonl", [{**names, "task": task} for task in "xy"])
    write_jsonl(tmp_path / "summary/findings.jsonl", [{"model": m, "task": "x"} for m in "ab"])
    write_jsonl(tmp_path / "formulas/seed-1/x/pairs/e.jsonl", [{"base": {}}])
    write_jsonl(tmp_path / "formulas/seed-1/x/inconsistent_pairs.jsonl", [{"base": {}}])
    return tmp_path


@pytest.mark.parametrize("kind", ["patching", "clocks"])
def test_model_seed_and_task_choose_whether_the_path_or_the_row_has_them(several, kind):
    def names(**chosen):
        frame = read_rows(several, kind, **chosen)
        return list(frame[["model", "seed", "task"]].itertuples(index=False, name=None))

    every = [(model, seed, task) for model in "ab" for seed in (1, 2) for task in "xy"]
    assert names() == every
    assert names(model="b", task="x") == [("b", 1, "x"), ("b", 2, "x")]
    assert names(seed=2) == [name for name in every if name[1] == 2]


def test_rows_over_all_seeds_are_chosen_by_model(several):
    assert read_rows(several, "findings", model="b").to_dict("records") == [
        {"model": "b", "task": "x"}
    ]


def test_pairs_are_no_split_of_problems_and_say_their_edit(several):
    assert read_rows(several, "pairs")["edit"].tolist() == ["e"]
    assert len(read_rows(several, "inconsistent_pairs")) == 1
    with pytest.raises(InputError, match="no problems of any model; there are none"):
        read_rows(several, "problems")


def test_a_task_with_the_name_of_a_kind_is_no_model(several):
    write_jsonl(several / "formulas/seed-1/probes/test.jsonl", [{"source": ""}])
    with pytest.raises(InputError, match="there are none"):
        read_rows(several, "probes")
    assert read_rows(several, "problems")["task"].tolist() == ["probes"]


def test_an_empty_file_has_no_rows(several):
    (several / "a/seed-1/patching/x.jsonl").write_text("")
    assert len(read_rows(several, "patching")) == 7
    assert len(read_rows(several, "patching", model="a", seed=1, task="x")) == 0


def test_a_task_that_no_row_names_is_not_there(several):
    with pytest.raises(InputError, match="no clocks of task z; there are model a, seed 1; "):
        read_rows(several, "clocks", task="z")


def refusal(*arguments, **chosen):
    with pytest.raises(InputError) as error:
        read_rows(*arguments, **chosen)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_is_not_there_is_one_line_that_says_what_there_is(several):
    said = refusal(several, "patching", model="c", task="x")
    assert said.startswith(f"{several}: no patching of model c, task x; there are model a, seed 1,")
    assert said.count(";") == 8
    write_jsonl(several / "c/seed-1/patching/z.jsonl", [{"n": 1}])
    assert refusal(several, "patching", model="d").endswith(" and 1 more")


def test_an_unknown_kind_and_a_folder_that_is_not_there_are_named(several):
    assert refusal(several, "probs") == (
        f"no kind of rows is 'probs'; expected one of {', '.join(KINDS)}"
    )
    missing = several / "nowhere"
    assert refusal(missing, "probes").startswith(f"{missing}: no such folder; expected")
    with pytest.raises(InputError, match="no such folder"):
        contents(missing)


def test_a_damaged_file_is_named_by_its_line(results, tmp_path):
    copy = shutil.copytree(results, tmp_path / "results")
    path = copy / "m/seed-42/probes/level-1.jsonl"
    path.write_text(path.read_text()[:-10])
    assert f"{path}, line " in refusal(copy, "probes")


def test_rows_are_a_pandas_frame(results):
    assert isinstance(read_rows(results, "problems", split="test"), pandas.DataFrame)
    assert len(read_rows(results, "problems", split="test")) == 50
