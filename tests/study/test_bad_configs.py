"""Bad configs go through what rules/common.smk does: accepted, or refused in one line."""

import copy
import datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.utils import update_config
from support.bad_input import HUB, OVERLAYS, OWN_CONFIGS, accepted_or_refused, cases
from support.repository import REPOSITORY

from think_to_talk.errors import InputError
from think_to_talk.study import config_files as yaml_files
from think_to_talk.study.cost import cost_page
from think_to_talk.study.needs import plan_study

pytestmark = pytest.mark.usefixtures("nowhere")


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
    """Put a config through planning, and estimate the cost of one that it accepts."""

    def attempt(kind, path, value):
        keys = "|".join(schema["properties"])
        named = rf"^(config: )?({keys})\b|^config: (top level|.*: unknown key)"
        with accepted_or_refused(f"config: {kind}", named):
            cost_page(*plan_study(put(whole_config, path, value), schema))

    return attempt


@pytest.fixture(scope="module")
def all_places(whole_config, schema):
    return sorted(set(places(schema, schema["$defs"], whole_config)), key=str)


def test_the_config_as_it_is_is_accepted(whole_config, schema):
    cost_page(*plan_study(whole_config, schema))


def test_every_key_of_the_schema_is_tried(all_places):
    assert len(all_places) > 130
    assert {"layers", "few_shot", "gpu_model", "trust_remote_code"} <= {p[-1] for p in all_places}


@pytest.mark.parametrize("kind", VALUES)
def test_a_key_may_have_any_value(study, all_places, kind):
    @cases(30)
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

    @cases(100)
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

    @cases(80)
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
    "no mapping": ["", "{}", "- a", "text", "1", "# nothing\n", "null", "[]", "a: 1\n---\nb: 2\n"],
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


def refusal(path, config, schema):
    """The message of the InputError for a config whose overlay is a file."""
    try:
        yaml_files.check_file(path)
        update_config(config, yaml.safe_load(path.read_text(encoding="utf-8")))
        plan_study(config, schema)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("what", OWN_CONFIGS)
def test_a_config_that_is_wrong_is_named(tmp_path, schema, what):
    content, message = OWN_CONFIGS[what]
    (tmp_path / "config.yaml").write_bytes(content)
    assert message in refusal(tmp_path / "config.yaml", {}, schema)


@pytest.mark.parametrize("what", OVERLAYS)
def test_an_overlay_that_is_wrong_is_named(tmp_path, raw_config, schema, what):
    text, message = OVERLAYS[what]
    (tmp_path / "mine.yaml").write_text(text)
    assert message in refusal(tmp_path / "mine.yaml", copy.deepcopy(raw_config), schema)


def test_a_config_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "study.yaml"
    with pytest.raises(InputError, match=r"study.yaml: cannot be read"):
        yaml_files.check_file(path)


def test_a_config_file_may_be_any_bytes_near_those_of_a_study(tmp_path):
    path = tmp_path / "study.yaml"
    content = (REPOSITORY / "config.yaml").read_bytes()
    content = content[content.index(b"probes:") :]

    @cases(60)
    @given(st.integers(0, len(content) - 1), st.integers(0, 9), st.binary(max_size=4))
    def each(place, length, other):
        path.write_bytes(content[:place] + other + content[place + length :])
        with accepted_or_refused("config file: other bytes", "study.yaml"):
            yaml_files.check_file(path)
            assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)

    each()
