"""Damaged files, and a clock that jumps: afterwards the bytes are those of an undisturbed run.

Or the run stops with one error that names the file and the remedy, and then goes on.
"""

import os
import re
import time
from functools import partial

import pytest
from safetensors import safe_open
from safetensors.torch import save_file
from support.faults import check_end, fails, remove
from support.outcomes import record


@pytest.fixture
def study(finished_mini, tmp_path):
    """A copy of the finished study, to be disturbed."""
    return finished_mini.copy(tmp_path / "study")


def cut(path, before):
    """A file that ends in the middle, as a copy that was interrupted does."""
    path.write_bytes(before.read_bytes()[: before.stat().st_size // 2])


def cut_at_a_line(path, before):
    """A file that ends in the middle, but whose every line is whole."""
    lines = before.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]))


def cut_before_an_end(path, before):
    """A file whose last byte is missing: all that is left of the last line can be read."""
    path.write_bytes(before.read_bytes()[:-1])


def with_header(path, before, change):
    """The shard's tensors beside another header."""
    with safe_open(before, "pt") as shard:
        tensors = {name: shard.get_tensor(name) for name in shard.keys()}  # noqa: SIM118
        save_file(tensors, path, change(shard.metadata()))


def of_another_model(path, before):
    """Another model's shard that was copied over it."""
    whole = next(folder for folder in before.parents if folder.name == "results")
    path.write_bytes((whole / LOCAL_STATES).read_bytes())


of_another_format = partial(with_header, change=lambda found: {**found, "format_version": "0"})
of_another_program = partial(with_header, change=lambda _found: {"format": "pt"})

TINY, LOCAL = "tiny/seed-1/{}/level-1", "local/seed-1/{}/existing"
TINY_STATES, LOCAL_STATES, TINY_TOKENS = (
    f"{model.format(stage)}/test/00000.safetensors"
    for model, stage in ((TINY, "hidden_states"), (LOCAL, "hidden_states"), (TINY, "tokens"))
)
(TINY_PROBES, TINY_TIMING), (LOCAL_PROBES, LOCAL_TIMING) = (
    [f"{model.format(stage)}.jsonl" for stage in ("probes", "timing")] for model in (TINY, LOCAL)
)
LOCAL_TOKENS = f"{LOCAL.format('tokens')}/test/00000.safetensors"
CUT_OFF, NO_SHARD = "cut off, without its end", "not a readable safetensors file"
REMAKE_HINT = "delete the file and run again; it will be regenerated"
NEWER, KEPT = "newer", "its time kept"
#: Rounds of (file, damage, what the error says, what is made of it, its time): the file is newer
#: than what was made of it, or has kept its time, and what was made of it is gone.
DAMAGES = [
    [
        (TINY_TIMING, cut, CUT_OFF, "summary/figures/tiny/seed-1/level-1.png", NEWER),
        (LOCAL.format("generations") + "/test.jsonl", cut, CUT_OFF, LOCAL_TIMING, KEPT),
    ],
    [
        (
            TINY.format("generations") + "/test.jsonl",
            cut_before_an_end,
            CUT_OFF,
            TINY_TIMING,
            NEWER,
        ),
        (
            LOCAL_PROBES,
            cut_at_a_line,
            "one for each layer, position, variable",
            LOCAL_TIMING,
            NEWER,
        ),
    ],
    [
        (TINY_STATES, cut, NO_SHARD, TINY_PROBES, NEWER),
        (
            LOCAL_STATES,
            *(of_another_format, "format_version is '0', expected '1'", LOCAL_PROBES, KEPT),
        ),
    ],
    [
        (TINY_STATES, of_another_model, "model is 'local', expected 'tiny'", TINY_PROBES, NEWER),
        (
            LOCAL_STATES,
            *(of_another_program, "format_version is None, expected '1'", LOCAL_PROBES, KEPT),
        ),
    ],
    [
        (TINY_TOKENS, cut, NO_SHARD, TINY_STATES, KEPT),
        (
            "formulas/seed-1/existing/test.jsonl",
            *(cut_at_a_line, "15 rows, expected 30", LOCAL_TOKENS, KEPT),
        ),
    ],
]


def damage(path, whole, how, keep_time):
    made = whole.stat()
    path.parent.mkdir(parents=True, exist_ok=True)
    how(path, whole)
    if keep_time:
        os.utime(path, ns=(made.st_atime_ns, made.st_mtime_ns))


@pytest.mark.thorough
def test_a_damaged_file_is_named_and_deleting_it_is_all_it_takes(finished_mini, study):
    results, whole = study.folder / "results", finished_mini.folder / "results"
    for faults in DAMAGES:
        for file, how, _, made, when in faults:
            damage(results / file, whole / file, how, keep_time=when == KEPT)
            if when == KEPT and (results / made).exists():
                remove(study, made)
        fails(
            study,
            *(f"likely cause: results/{file}" for file, *_ in faults),
            targets=[f"results/{made}" for *_, made, _ in faults],
        )
        for file, _, expected, _, when in faults:
            said = [
                line
                for log in (results / "logs").rglob("*.log")
                for line in log.read_text().splitlines()
                if line.startswith(f"error: results/{file}") and line.endswith(REMAKE_HINT)
            ]
            assert said, file
            assert any(expected in line for line in said), said
            record("damaged files", f"{file}, {when}", f"{file}: {expected} …: {REMAKE_HINT}")
            remove(study, file)
    study.snakemake()
    check_end(study, finished_mini)
    record("damaged files", "each deleted, the same command", "byte-identical")


def move_times(study, seconds):
    """Let the clock have been ahead by so many seconds while the study ran."""
    for path in (study.folder / "results").rglob("*"):
        made = path.stat().st_mtime_ns + int(seconds * 1e9)
        os.utime(path, ns=(made, made))


@pytest.mark.thorough
def test_results_from_the_future_are_made_again_only_where_they_must(finished_mini, study):
    move_times(study, 24 * 3600)
    # The inputs of the probes and of the overview have times in the future, too.
    remove(study, TINY.format("probes") + ".jsonl", "summary/figures/tiny/seed-1/overview.png")
    run = study.snakemake()
    made = set(re.findall(r"^[\d:]{8}  ended  (\w+)", run.stdout + run.stderr, re.M))
    assert "probes" in made
    assert not made & {"train", "hidden_states", "patching"}
    check_end(study, finished_mini)
    assert "Nothing to be done" in study.snakemake().stderr
    record(
        "a clock that jumps",
        "results from tomorrow, probes removed",
        f"made again: {', '.join(sorted(made))}; byte-identical, then nothing to be done",
    )


def test_a_dataset_or_checkpoint_from_the_future_is_named(finished_mini, study):
    soon = time.time() + 3600
    for file in ("data/a.jsonl", "checkpoints/gpt2/model.safetensors"):
        made = (study.folder / file).stat().st_mtime
        os.utime(study.folder / file, (soon, soon))
        shown = fails(
            study,
            f"{file}: has a modification time in the future (",
            "set the clock right, or touch the file",
        )
        assert shown.count("modification time in the future") == 1
        os.utime(study.folder / file, (made, made))
        record("a clock that jumps", f"{file} dated in the future", "one error: touch the file")
    check_end(study, finished_mini)


def test_results_from_the_past_are_not_made_again(finished_mini, study):
    for path in (study.folder / "data").iterdir():
        os.utime(path, (0, 0))
    for path in (study.folder / "checkpoints").rglob("*"):
        os.utime(path, (0, 0))
    move_times(study, -10 * 365 * 24 * 3600)
    check_end(study, finished_mini)
    record("a clock that jumps", "results of ten years ago", "nothing to be done")
