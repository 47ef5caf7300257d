"""Bad datasets go through planning, the rule `dataset` and the tokens job: one line says why."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bad_input import HUB, accepted_or_refused, cases
from support.repository import REPOSITORY

from think_to_talk.files.jsonl import read_jsonl, write_jsonl
from think_to_talk.formulas.datasets import generate_splits
from think_to_talk.formulas.existing_datasets import read_dataset
from think_to_talk.study import configuration
from think_to_talk.study.needs import plan_study
from think_to_talk.tokens.symbol_tokenizer import symbol_tokenizer
from think_to_talk.tokens.write_shards import write_token_shards

pytestmark = pytest.mark.usefixtures("nowhere")


# An existing dataset.


@pytest.fixture(scope="module")
def datasets(tasks):
    """{split: its lines} of a small dataset, and the lines of one of another template."""
    sizes = {"train": 3, "valid": 1, "test": 4, "probing_train": 6}
    level_3, level_1 = (
        generate_splits({**tasks[name], "shots": 3}, sizes, 7) for name in ("level-3", "level-1")
    )
    lines = {
        split: [json.dumps(row).encode() + b"\n" for row in level_3[split]]
        for split in ("test", "probing_train")
    }
    return lines, [json.dumps(row).encode() + b"\n" for row in level_1["test"]]


@pytest.fixture(scope="module")
def take_over(datasets, schema, tmp_path_factory):
    """Put a dataset through planning, the rule `dataset` and the tokens job."""
    folder = tmp_path_factory.mktemp("datasets")
    row_schema = configuration.load_schema("dataset_row", REPOSITORY / "schemas")
    lines, _ = datasets

    def attempt(kind, content, split="test"):
        files = {name: folder / f"{name}.jsonl" for name in lines}
        for name, path in files.items():
            path.write_bytes(content if name == split else b"".join(lines[name]))
        made = folder / "made"
        made.mkdir()
        config = {
            "seeds": [1],
            "splits": {},
            "tasks": {"x": {"files": {name: str(path) for name, path in files.items()}}},
            "models": {"m": {**HUB, "device": "cpu"}},
        }
        checked = {name: made / f"{name}.jsonl" for name in files}
        n_expected = 0
        with accepted_or_refused(f"dataset: {kind}", r"\.jsonl|row |rows |few_shot_context"):
            study, _ = plan_study(config, schema)
            for name, path in files.items():
                write_jsonl(checked[name], read_dataset(path, row_schema))
                n_expected += 1
            rows = {name: read_jsonl(path) for name, path in checked.items()}
            assert {name: len(rows[name]) for name in rows} == {
                name: study.n_rows("x", name) for name in rows
            }
            shards = {name: [made / f"{name}.safetensors"] for name in rows}
            write_token_shards(
                symbol_tokenizer(), rows, shards, shots="all", shard_rows=99, identity={}
            )
            n_expected += 2
        assert len(list(made.iterdir())) == n_expected
        for path in made.iterdir():
            path.unlink()
        made.rmdir()

    return attempt


def test_a_dataset_as_it_is_is_taken_over(take_over, datasets):
    take_over("as generated", b"".join(datasets[0]["test"]))


ROW_VALUES = [
    *(None, True, 0, 1.0, -1, 10, 10**400, float("nan"), float("inf"), "", " ", "x", "\n", "٣"),
    *([], {}, [0], ["a ="], ["a =", "b ="], [0, 0], [0, 10], [1.0, 2], ["1", "2"], [None, None]),
    *(
        "a = 1 ; a =?",
        "a = 1 ; a =?\n",
        " a = 1\n",
        " a = 1\n\n",
        "a =",
        "\ud800",
        "\0",
        "x" * 10**5,
    ),
    *({"a": 1}, [[0]], "a = 1 , ? =?", "? =?", " ?\n", "=?", "5\n", "a\u2028b\n", "\r\n", "é =?"),
]
KEYS = [
    *("source", "target", "original_answer", "intermediate_questions", "intermediate_answers"),
    *("scratchpad", "few_shot_context", "another"),
]


def test_a_key_of_a_row_may_have_any_value_or_be_missing(take_over, datasets):
    lines, _ = datasets

    @cases(120)
    @given(
        st.sampled_from(("test", "probing_train")),
        st.sampled_from(range(4)),
        st.sampled_from(KEYS),
        st.just(...) | st.sampled_from(ROW_VALUES) | st.sampled_from(ROW_VALUES),
        st.booleans(),
    )
    def each(split, number, key, value, in_all_rows):
        rows = [json.loads(line) for line in lines[split]]
        for row in rows if in_all_rows else rows[number : number + 1]:
            if value is ...:
                row.pop(key, None)
            else:
                row[key] = value
        content = "".join(json.dumps(row) + "\n" for row in rows)
        take_over("a key missing" if value is ... else "values", content.encode(), split)

    each()


def test_a_line_of_a_dataset_may_be_any_bytes_near_those_of_a_row(take_over, datasets):
    lines, _ = datasets
    content = b"".join(lines["test"])
    digits = [i for i, byte in enumerate(content) if chr(byte).isdigit()]
    near = st.integers(0, len(content) - 1) | st.sampled_from(digits)

    @cases(100)
    @given(near, st.integers(0, 9), st.binary(max_size=3) | st.sampled_from([b"7", b" ", b"+"]))
    def each(place, length, other):
        take_over("other bytes", content[:place] + other + content[place + length :])

    each()


def test_a_dataset_may_be_no_rows_at_all(take_over, datasets):
    lines, other = datasets
    whole = b"".join(lines["test"])
    first, second, *_ = lines["test"]
    row = json.loads(first)
    shorter = {**row, "intermediate_questions": row["intermediate_questions"][:1]}
    twice = first.rstrip(b"}\n") + b', "source": "x"}\n'
    contents = {
        "empty": [b"", b"\n", b" ", b"\0"],
        "blank lines": [whole + b"\n", b"\n" + whole, first + b"\n" + second],
        "no JSON objects": [b"[]\n", b"1\n", b'"x"\n', b"null\n", b"{}\n", b"NaN\n", b"[" * 10**5],
        "nested": [b'{"a":' * 10**5, first.rstrip(b"}\n") + b',"a":' + b"[" * 900 + b"]" * 900],
        "another encoding": [b"\xef\xbb\xbf" + whole, whole.decode().encode("utf-16"), b"\xff\xfe"],
        "line ends": [whole.replace(b"\n", b"\r\n"), whole.replace(b"\n", b"\r"), whole.rstrip()],
        "truncated": [whole[:-20], whole[: len(first) // 2]],
        "keys twice": [twice, first + twice],
        "another template": [first + b"".join(other), b"".join(other)],
        "lengths that disagree": [json.dumps(shorter).encode() + b"\n" + second],
        "one row": [first],
        "huge numbers": [first.replace(b"[", b"[1" + b"0" * 5000 + b", ", 1)],
    }
    for kind, of_kind in contents.items():
        for content in of_kind:
            for split in ("test", "probing_train"):
                take_over(kind, content, split)


def test_a_line_of_100_mb_is_refused_at_once_without_being_read(take_over, datasets):
    content = b'{"source": "' + b"x" * 10**8
    tracemalloc.start()
    take_over("a line of 100 MB", content)
    take_over("a line of 100 MB", datasets[0]["probing_train"][0] + content, "probing_train")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The two contents themselves, and little more.
    assert peak < 2.2 * len(content)


@pytest.mark.parametrize("name", ["missing", ".", "/proc/self/mem", "x" * 300, "a/" * 3000])
def test_a_dataset_s_file_may_be_none(schema, name):
    files = {"test": name, "probing_train": name}
    config = {"seeds": [1], "splits": {}, "tasks": {"x": {"files": files}}, "models": {"m": HUB}}
    with accepted_or_refused("dataset: no file", r"tasks.x.files.test|/proc/self/mem: cannot be"):
        plan_study(config, schema)
        pytest.fail("accepted")
