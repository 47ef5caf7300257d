"""Bad input of every kind is accepted, or refused in one line that names what is wrong.

Cases are drawn by hypothesis, the same ones each time. A config goes through what rules/common.smk
does; a dataset through planning, the rule `dataset` and the tokens job.
"""

import contextlib
import copy
import datetime
import json
import re
import time
import tracemalloc

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outcomes import COLUMNS, record
from repository import REPOSITORY

from think_to_talk import configuration, yaml_files
from think_to_talk.bill import write_bill
from think_to_talk.datasets import generate_splits, read_dataset
from think_to_talk.errors import InputError
from think_to_talk.jsonl import read_jsonl, write_jsonl
from think_to_talk.planning import plan_study
from think_to_talk.tokens import write_token_shards
from think_to_talk.training import symbol_tokenizer

TABLE = "bad input"
COLUMNS[TABLE] = ("accepted", "refused", "anything else")
#: Seconds that the longest case may take; most take milliseconds.
PATIENCE = 5
HUB = {
    "kind": "hub",
    "repository": "org/model",
    "revision": "0" * 40,
    "architecture": {
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "vocab_size": 100,
    },
}


def cases(number):
    """So many cases, the same ones each time; each is timed by the test itself."""
    return settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@contextlib.contextmanager
def accepted_or_refused(kind, names):
    """A block that may raise an InputError, of one line that `names` (a pattern) is found in."""
    started = time.monotonic()
    outcome = "anything else"
    try:
        yield
        outcome = "accepted"
    except InputError as error:
        message = str(error)
        assert len(message.splitlines()) == 1, message
        assert len(message) < 2000, message
        assert re.search(names, message), (names, message)
        outcome = "refused"
    finally:
        record(TABLE, kind, outcome)
    assert time.monotonic() - started < PATIENCE


@pytest.fixture(scope="module", autouse=True)
def nowhere(tmp_path_factory):
    """An empty working folder, in which nothing may be written."""
    folder = tmp_path_factory.mktemp("nowhere")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield
    assert list(folder.iterdir()) == []


# A config: the value of each of its keys, and the keys.


@pytest.fixture(scope="module")
def whole_config(raw_config):
    """The default study with fewer tasks, and an entry of every kind."""
    config = copy.deepcopy(raw_config)
    config["tasks"] = {name: config["tasks"][name] for name in ("level-1", "level-4")}
    config["tasks"]["level-4"]["few_shot"] = {"equations": ["v0 = num"], "order": "shuffled"}
    config["models"]["tiny"]["training"]["tasks"] = ["level-1", "level-4"]
    config["models"]["hub"] = HUB
    config["interventions"]["specs"] = {"mine": {"span": {"equations": [-1, 0]}}}
    config["gpus"] = [{"gpu_model": "a100", "memory_gb": 80}]
    config["wandb"] = {"mode": "disabled"}
    return config


def places(entry, definitions, written, path=()):
    """The path of every key that the schema has, in each of the entries that are written."""
    if "$ref" in entry:
        entry = definitions[entry["$ref"].rsplit("/", 1)[1]]
    if path:
        yield path
    below = dict.fromkeys(entry.get("properties", {}))
    if isinstance(written, dict):
        below |= written
    for key, value in below.items():
        of_key = entry.get("properties", {}).get(key) or entry.get("additionalProperties")
        if isinstance(of_key, dict):
            yield from places(of_key, definitions, value, (*path, key))
    if isinstance(written, list) and isinstance(entry.get("items"), dict):
        yield from places(entry["items"], definitions, written[0], (*path, 0))


def put(config, path, value):
    """A copy of the config with the value in that place."""
    config = entry = copy.deepcopy(config)
    for key in path[:-1]:
        entry = entry.setdefault(key, {}) if isinstance(entry, dict) else entry[key]
    entry[path[-1]] = value
    return config


def mapping_in_mappings(depth):
    inner = 1
    for _ in range(depth):
        inner = {"a": inner}
    return inner


def mapping_in_itself():
    mapping = {}
    mapping["a"] = mapping
    return mapping


PAYLOADS = [
    *(
        "$(touch pwned)",
        "`touch pwned`",
        "; touch pwned",
        "' ; touch pwned ; '",
        '"&& touch pwned"',
    ),
    *("../../escaped", "/etc/passwd", ".", "..", "-rf", "~", "a b", "*", "{x}", "{", "}", "{{x}}"),
]
VALUES = {
    "another type": [*("text", "", "0", True, 1, 2.5), *([], [1], [[]], [{}], ["x"], {}, {"a": 1})],
    "out of range": [0, -1, -(10**6), 2, 10**6, 1e-300, -0.5, 3.0, [-1], [10**6], [1, 0], [9, 0]],
    "huge numbers": [10**9, 10**12, 10**15, 10**16, 10**30, 10**5000, 1e300, [10**12], [10**5000]],
    "NaN and infinity": [float("nan"), float("inf"), float("-inf"), [float("nan")]],
    "null": [None, [None], {"a": None}],
    "dates, bytes, sets": [datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1), b"x", {1}],
    "text that a shell would run": [*PAYLOADS, [PAYLOADS[0]], {PAYLOADS[0]: 1}, {"..": {}}],
    "control characters": ["a\nb", "a\n", "a\0b", "\x1b[31m", "a\u2028b", "\ud800", {"a\nb": 1}],
    "unicode": ["ÄÖ", "日本", "🙂", "٣", "a\u0301", "\u202eabc", {"ü": {}}],
    "long text": ["x" * 255, "x" * 4000, "x" * 10**6, "/".join(["x" * 300] * 9), {"k" * 300: 1}],
    "many entries": [list(range(999)), ["x"] * 10**5, {str(i): {} for i in range(2000)}],
    "nested": [*map(mapping_in_mappings, (5, 30, 900)), mapping_in_itself(), [[[[[[]]]]]]],
    "keys that are no text": [{1: 1}, {True: {}}, {None: 1}, {1.5: 1}, {("a",): 1}],
}
EQUATIONS = [
    ["v0 = num"],
    ["v0 = num", "v1 = v0 ± num", "v2 = v1 + v0"],
    ["v0 = " + " | ".join(["num", "num ± num"] * 150)],
    ["v0 = " + "num | " * 10**5],
    ["v" + "0" * 4000 + " = num"],
    ["v0 = v" + "9" * 4000],
    ["v٠ = num"],
    [f"v{i} = num | num ± num" for i in range(26)],
    [*(f"v{i} = num" for i in range(25)), "v25 = " + " | ".join(f"v{i}" for i in range(25))],
    [f"v{i} = num" for i in range(900)],
    [*(f"v{i} = num" for i in range(4)), "v4 = v0 + v1 | v2 + v3"],
    ["v0 = num", "v1 = " + " | ".join(f"num {o} v0 | v0 {o} v0 | v0 {o} num" for o in "+-±")],
]
EDITS = [
    ["v0.1", "v0.2", "v1.1", "v1.2", "v2.1"],
    ["v0.1", "v1.1", "v1.2", "v2.1"],
    ["v9999999999.1"],
    ["v0." + "9" * 4000],
    ["v٠.1"],
]


@pytest.fixture(scope="module")
def study(whole_config, schema):
    """Put a config through what the workflow does, and for one that it accepts write the bill."""

    def attempt(kind, path, value):
        keys = "|".join(schema["properties"])
        named = rf"^(config: )?({keys})\b|^config: (top level|.*: unknown key)"
        with accepted_or_refused(f"config: {kind}", named):
            write_bill(plan_study(put(whole_config, path, value), schema))

    return attempt


@pytest.fixture(scope="module")
def all_places(whole_config, schema):
    return sorted(set(places(schema, schema["$defs"], whole_config)), key=str)


def test_the_config_as_it_is_is_accepted(whole_config, schema):
    write_bill(plan_study(whole_config, schema))


def test_every_key_of_the_schema_is_tried(all_places):
    assert len(all_places) > 130
    assert {"layers", "few_shot", "gpu_model", "trust_remote_code"} <= {p[-1] for p in all_places}


@pytest.mark.parametrize("kind", VALUES)
def test_a_key_may_have_any_value(study, all_places, kind):
    @cases(150)
    @given(st.sampled_from(all_places), st.sampled_from(range(len(VALUES[kind]))))
    def each(path, number):
        study(kind, path, VALUES[kind][number])

    each()


def test_a_key_may_have_whatever_yaml_can_hold(study, all_places):
    scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
    keys = st.text(max_size=5) | st.integers() | st.booleans() | st.none()
    anything = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=6,
    )

    @cases(400)
    @given(st.sampled_from(all_places), anything)
    def each(path, value):
        study("anything", path, value)

    each()


def test_an_entry_may_have_any_name(study, whole_config):
    """Beside those of the study: keys that are unknown, and models, tasks, edits and specs."""
    name = st.sampled_from(PAYLOADS) | st.text(max_size=9) | st.integers() | st.just("x" * 5000)
    entries = [
        ((), 1),
        (("models",), HUB),
        (("models", "tiny"), 1),
        (("models", "tiny", "training"), 1),
        (("tasks",), whole_config["tasks"]["level-1"]),
        (("tasks", "level-1"), 1),
        (("tasks", "level-1", "edits"), ["v1.1"]),
        (("interventions", "specs"), {"span": {"positions": [0, 1]}}),
    ]

    @cases(300)
    @given(st.sampled_from(entries), name)
    def each(entry, name):
        path, value = entry
        study("names and unknown keys", (*path, name), value)

    each()


@pytest.mark.parametrize("equations", EQUATIONS, ids=range(len(EQUATIONS)))
@pytest.mark.parametrize("order", ["reversed", "shuffled"])
def test_templates_of_any_size_are_counted_or_refused(study, equations, order):
    study("templates", ("tasks", "other"), {"equations": equations, "order": order, "shots": 0})


@pytest.mark.parametrize("places", EDITS, ids=range(len(EDITS)))
def test_edits_of_any_size_are_tried_or_refused(study, places):
    study("edits", ("tasks", "level-4", "edits", "other"), places)


@pytest.mark.parametrize(
    "sizes",
    [
        {"splits": {"test": 10**7}, "hidden_states": {"shard_rows": 1}},
        {"splits": {"train": 10**7}, "tasks": {"level-1": {"shots": 1000, "letters": 26}}},
    ],
)
def test_sizes_that_would_take_forever_are_refused(whole_config, schema, sizes):
    config = copy.deepcopy(whole_config)
    six = [f"v{i} = num ± num" for i in range(6)]
    config["tasks"]["huge"] = {"equations": six, "order": "reversed"}
    for key, entry in sizes.items():
        config[key] = {**config.get(key, {}), **entry}
    with accepted_or_refused("config: sizes", "shard_rows|tasks"):
        plan_study(config, schema)


# The config's file.

FILES = {
    "no YAML": ["a: [1\nb: }", "a: b: c", "\tx: 1", "a: \0", "'", "&a", "*a", "%x", "? [a]\n: 1"],
    "no mapping": ["", "- a", "text", "1", "# nothing\n", "null", "[]", "a: 1\n---\nb: 2\n"],
    "a key twice": ["a: 1\na: 2", "a: {b: 1, b: 2}", "- {}", "a:\n- {b: 1, b: 1}"],
    "no UTF-8": ["a: \udcff", "\udcff\udcfe"],
    "within itself": ["a: &a {b: *a}", "a: &a [*a]", "a: " + "[" * 900, "a: " + "{a: " * 50],
    "tags and dates": ["a: !!python/object/apply:os.system [x]", "a: !x 1", "a: 2024-13-45"],
    "a program": ["__use_yte__: true\na: 1"],
    "large": ["a: " + "x" * 10**7, "- a\n" * 10**6],
    "well": ["a: 1", '{"a": 1}', '{"a":\n\t1}', "a: &a {b: 1}\nc: *a\nd: {<<: *a}", "\ufeffa: 1"],
}


@pytest.mark.parametrize("kind", FILES)
def test_a_config_file_is_a_mapping_whose_keys_differ(tmp_path, kind):
    path = tmp_path / "study.yaml"
    for text in FILES[kind]:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        with accepted_or_refused(f"config file: {kind}", "study.yaml"):
            yaml_files.check_file(path)
            assert kind == "well"


def test_a_config_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "study.yaml"
    with pytest.raises(InputError, match=r"study.yaml: cannot be read"):
        yaml_files.check_file(path)


def test_a_config_file_may_be_any_bytes_near_those_of_a_study(tmp_path):
    path = tmp_path / "study.yaml"
    content = (REPOSITORY / "config.yaml").read_bytes()
    content = content[content.index(b"probes:") :]

    @cases(200)
    @given(st.integers(0, len(content) - 1), st.integers(0, 9), st.binary(max_size=4))
    def each(place, length, other):
        path.write_bytes(content[:place] + other + content[place + length :])
        with accepted_or_refused("config file: other bytes", "study.yaml"):
            yaml_files.check_file(path)
            assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)

    each()


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
            study = plan_study(config, schema)
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

    @cases(500)
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

    @cases(400)
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
