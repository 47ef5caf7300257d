"""Faults of the machine: afterwards the same command ends in the bytes of an undisturbed run.

Or it stops with one error that names the file and the remedy, and once that is done it does so.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from outcomes import record
from safetensors import safe_open
from safetensors.torch import save_file
from studies import Study
from workflow.conftest import small_study
from workflow.test_controller import jobs_of

#: Every kind of rule but those of the hub, of W&B and of containers, with as few rows as they take.
SMALL = {
    "seeds": [1],
    "splits": {"train": 8, "valid": 8, "test": 16, "probing_train": 32},
    "hidden_states": {"shard_rows": 32},
    "probes": {"train_on": "all", "min_train_rows": 10},
    "controls": {"thresholds": [0.5]},
    "interventions": {"pairs": 8},
    "tasks": {
        "level-1": {"edits": {"first-formula": None, "random": None}},
        **{f"level-{i}": None for i in range(2, 6)},
        "existing": {"files": {"test": "data/a.jsonl", "probing_train": "data/b.jsonl"}},
    },
    "models": {
        "tiny": {
            "tasks": ["level-1"],
            "layers": [0, 2],
            "training": {
                "tasks": ["level-1"],
                "steps": 20,
                "rows": 100,
                "hidden_size": 32,
                "layers": 2,
            },
        },
        "local": {"kind": "local", "path": "checkpoints/gpt2", "tasks": ["existing"], "layers": 2},
    },
}
KILLS = 20


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults") / "study"
    return small_study(folder, SMALL, {"test": 16, "probing_train": 32})


@pytest.fixture(scope="module")
def undisturbed(untouched, tmp_path_factory):
    study = untouched.copy(tmp_path_factory.mktemp("undisturbed") / "study")
    study.snakemake()
    return study


@pytest.fixture
def study(undisturbed, tmp_path):
    """A copy of the finished study, to be disturbed."""
    return undisturbed.copy(tmp_path / "study")


def check_files(study, undisturbed):
    """Whatever has its final name is complete, though jobs may be writing; how many there are."""
    whole = undisturbed.results()
    complete = 0
    for name, content in whole.items():
        try:
            assert (study.folder / name).read_bytes() == content, name
        except FileNotFoundError:
            continue
        complete += 1
    return complete


def check_end(study, undisturbed):
    """The study has ended as if nothing had happened, and the same command does nothing more."""
    assert study.results() == undisturbed.results()
    assert study.planned() == set()


def fails(study, *messages):
    """What a run says that ends with an error, each of these in it, and without a traceback."""
    run = study.snakemake(check=False)
    shown = run.stdout + run.stderr
    assert run.returncode == 1, shown[-5000:]
    assert "Traceback" not in shown, shown[-5000:]
    for message in messages:
        assert message in shown, f"{message}\n{shown[-5000:]}"
    return shown


def scripts_of(controller):
    """{process: rule} of the jobs that run."""
    found = {}
    for process in sorted(jobs_of(controller.pid)):
        try:
            command = Path(f"/proc/{process}/cmdline").read_text()
        except OSError:
            continue
        script = re.search(r"python[\d.]*\0\S*/scripts/tmp\w+\.(\w+)\.py", command)
        if script:
            found[process] = script[1]
    return found


def kill(draw, controller):
    """Kill a job, the controller or both; what was killed, or None if nothing was alive."""
    scripts = scripts_of(controller)
    what = draw.choice(["job", "job", "controller", "controller and jobs"])
    victims = {
        "job": draw.sample(sorted(scripts), min(1, len(scripts))),
        "controller": [controller.pid],
        "controller and jobs": [*jobs_of(controller.pid), controller.pid],
    }[what]
    if controller.poll() is not None or not victims:
        return None
    for process in victims:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            if process == victims[0]:
                return None
    if what == "job":
        return f"job {scripts[victims[0]]}"
    controller.wait()
    return f"{what} ({', '.join(scripts.values()) or 'no jobs yet'})"


def wait(draw, controller, study):
    """Until a few more files are there, if any, and then a moment more."""

    def made():
        return sum(1 for path in (study.folder / "results").rglob("[!.]*") if path.is_file())

    enough = made() + draw.choice([0, 0, 1, 2, 4, 8])
    while controller.poll() is None and made() < enough:
        time.sleep(0.05)
    time.sleep(draw.uniform(0.1, 1.5))


def test_after_each_kill_files_are_whole_and_the_same_command_goes_on(
    untouched, undisturbed, tmp_path
):
    draw = random.Random(KILLS)
    study = untouched.copy(tmp_path / "study")
    n_files = len(undisturbed.results())
    controller, began = study.start(), time.monotonic()
    kills = completed = 0
    try:
        while kills < KILLS:
            wait(draw, controller, study)
            if controller.poll() == 0:
                assert study.results() == undisturbed.results()
                shutil.rmtree(study.folder / "results")
                completed += 1
            elif killed := kill(draw, controller):
                kills += 1
                moment = f"{time.monotonic() - began:.1f} s"
                outcome = f"{check_files(study, undisturbed)} of {n_files} files, all whole"
                record("kill -9", f"{kills}: {killed}, {moment} after the start", outcome)
            if controller.poll() is not None:
                controller, began = study.start(), time.monotonic()
        controller.wait()
        study.snakemake()
    finally:
        controller.kill()
        controller.wait()
    check_end(study, undisturbed)
    again = f"the study ended {completed + 1} times, byte-identical"
    record("kill -9", f"{kills} kills, then the same command", again)


@contextmanager
def mounted(folder, *options):
    """A mount at a folder, for which root is needed and the right to mount."""
    done = subprocess.run(["mount", *options, folder], capture_output=True, text=True)
    if done.returncode:
        # In CI these tests are to run.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def remount(folder, options):
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def used_kb(folder):
    usage = shutil.disk_usage(folder)
    return usage.used // 1024


def remove(study, *names):
    """Remove files and folders of the results."""
    for name in names:
        path = study.folder / "results" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_full_disk_is_one_error_at_each_stage_and_more_room_is_all_it_takes(
    undisturbed, study, tmp_path
):
    # What the local model made is kept.
    remove(study, "formulas/seed-1/level-1", "models", "tiny", "summary/figures/tiny")
    results = study.folder / "results"
    results.rename(tmp_path / "kept")
    results.mkdir()
    failed = set()
    with mounted(results, "-t", "tmpfs", "-o", "size=64m", "tmpfs"):
        shutil.copytree(tmp_path / "kept", results, dirs_exist_ok=True)
        # Room for part of the datasets, of the checkpoint, of hidden states; then of figures.
        for room in (16, 200, 300, 60):
            if room == 60:
                remount(results, "size=64m")
                study.snakemake(f"results/{TINY.format('timing')}.jsonl")
            remount(results, f"size={used_kb(results) + room}k")
            shown = fails(study)
            errors = set(re.findall(r"^error: (\S+): No space left on device \(make", shown, re.M))
            rules = set(re.findall(r"^Error in rule (\S+):", shown, re.M))
            assert errors
            assert not list(results.rglob(".partial-*"))
            check_files(study, undisturbed)
            failed |= rules
            record(
                "a full disk",
                f"room for {room} kB more",
                "; ".join(f"{file}: No space left on device" for file in sorted(errors)),
            )
        assert {"formulas", "train", "hidden_states"} <= failed
        assert failed & {"heatmap", "overview", "patching_heatmap", "interventions_overview"}
        remount(results, "size=64m")
        study.snakemake()
        check_end(study, undisturbed)
    record("a full disk", "room enough, the same command", "byte-identical")


def test_a_disk_that_is_full_for_snakemake_too_loses_nothing(undisturbed, tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    with mounted(folder, "-t", "tmpfs", "-o", "size=64m", "tmpfs"):
        shutil.copytree(undisturbed.folder, folder, dirs_exist_ok=True)
        study = Study(folder, undisturbed.overlay)
        remove(study, "tiny/seed-1/patching", "summary/interventions.md")
        remove(study, "summary/figures/tiny/seed-1/patching")
        for room in (0, 60):
            remount(folder, f"size={used_kb(folder) + room}k")
            run = study.snakemake(check=False)
            shown = run.stdout + run.stderr
            assert run.returncode == 1
            assert "No space left on device" in shown
            check_files(study, undisturbed)
        remount(folder, "size=64m")
        study.snakemake()
        check_end(study, undisturbed)
        # What Snakemake could not write down of a job does not make it blind to later changes.
        other = undisturbed.copy(tmp_path / "other")
        for changed in (study, other):
            changed.configure(interventions__window=2)
        assert study.planned() == other.planned() != set()
    record("a full disk", "no room for Snakemake's own files either", "byte-identical in the end")


def cut(path, before):
    """A file that ends in the middle, as a copy that was interrupted does."""
    path.write_bytes(before.read_bytes()[: before.stat().st_size // 2])


def cut_at_a_line(path, before):
    """A file that ends in the middle, but whose every line is whole."""
    lines = before.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[: len(lines) // 2]))


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
LOCAL_PROBES, LOCAL_TIMING = (f"{LOCAL.format(stage)}.jsonl" for stage in ("probes", "timing"))
NOT_JSON, NO_SHARD = "not JSON in UTF-8", "not a readable safetensors file"
ANEW = "delete the file and run again to make it anew"
#: Rounds of (file, damage, what the error says, who reads it). Without a reader the file is newer
#: than what was made of it; with one it has kept its time, and what the reader made is gone.
DAMAGES = [
    [
        (TINY.format("timing") + ".jsonl", cut, NOT_JSON, None),
        (LOCAL.format("generations") + "/test.jsonl", cut, NOT_JSON, LOCAL_TIMING),
    ],
    [
        (TINY.format("generations") + "/test.jsonl", cut, NOT_JSON, None),
        (LOCAL_PROBES, cut, NOT_JSON, None),
    ],
    [
        (TINY_STATES, cut, NO_SHARD, None),
        (LOCAL_STATES, of_another_format, "format_version is '0', expected '1'", LOCAL_PROBES),
    ],
    [
        (TINY_STATES, of_another_model, "model is 'local', expected 'tiny'", None),
        (LOCAL_STATES, of_another_program, "format_version is None, expected '1'", LOCAL_PROBES),
    ],
    [
        (TINY_TOKENS, cut, NO_SHARD, TINY_STATES),
        (
            "formulas/seed-1/existing/test.jsonl",
            cut_at_a_line,
            "8 rows, expected 16",
            LOCAL.format("tokens"),
        ),
    ],
]


def damage(path, whole, how, keep_time):
    made = whole.stat()
    path.parent.mkdir(parents=True, exist_ok=True)
    how(path, whole)
    if keep_time:
        os.utime(path, ns=(made.st_atime_ns, made.st_mtime_ns))


def test_a_damaged_file_is_named_and_deleting_it_is_all_it_takes(undisturbed, study):
    results, whole = study.folder / "results", undisturbed.folder / "results"
    for faults in DAMAGES:
        for file, how, _, reader in faults:
            damage(results / file, whole / file, how, keep_time=reader is not None)
            if reader and (results / reader).exists():
                remove(study, reader)
        fails(study, *(f"error: results/{file}" for file, *_ in faults))
        for file, _, expected, reader in faults:
            said = [
                line
                for log in (results / "logs").rglob("*.log")
                for line in log.read_text().splitlines()
                if line.startswith(f"error: results/{file}") and line.endswith(ANEW)
            ]
            assert said, file
            assert any(expected in line for line in said), said
            when = "its time kept" if reader else "newer"
            record("damaged files", f"{file}, {when}", f"{file}: {expected} …: {ANEW}")
            remove(study, file)
    study.snakemake()
    check_end(study, undisturbed)
    record("damaged files", "each deleted, the same command", "byte-identical")


@pytest.mark.parametrize("folder", ["results", "."])
def test_a_folder_that_is_read_only_is_named_and_nothing_is_made(study, folder):
    place = study.folder / folder
    remove(study, "summary/timing.md")
    before = study.results()
    with mounted(place, "--bind", place):
        remount(place, "ro,bind")
        error = f"{study.folder}/results: Read-only file system (mount it writable, or give"
        assert fails(study, error).count("(mount it writable") == 1
    assert study.results() == before
    record("read-only folder", folder, "one error: Read-only file system (mount it writable, or …)")


def move_times(study, seconds):
    """Let the clock have been ahead by so many seconds while the study ran."""
    for path in (study.folder / "results").rglob("*"):
        made = path.stat().st_mtime_ns + int(seconds * 1e9)
        os.utime(path, ns=(made, made))


def test_results_from_the_future_are_made_again_only_where_they_must(undisturbed, study):
    move_times(study, 24 * 3600)
    # What the probes and the overview read of is from the future, too.
    remove(study, TINY.format("probes") + ".jsonl", "summary/figures/tiny/seed-1/overview.png")
    run = study.snakemake()
    made = set(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", run.stdout + run.stderr, re.M))
    assert "probes" in made
    assert not made & {"train", "hidden_states", "patching"}
    check_end(study, undisturbed)
    assert "Nothing to be done" in study.snakemake().stderr
    record(
        "a clock that jumps",
        "results from tomorrow, probes removed",
        f"made again: {', '.join(sorted(made))}; byte-identical, then nothing to be done",
    )


def test_a_dataset_or_checkpoint_from_the_future_is_named(undisturbed, study):
    soon = time.time() + 3600
    for file in ("data/a.jsonl", "checkpoints/gpt2/model.safetensors"):
        made = (study.folder / file).stat().st_mtime
        os.utime(study.folder / file, (soon, soon))
        shown = fails(
            study, f"{file}: is from the future (", "set the clock right, or touch the file"
        )
        assert shown.count("from the future") == 1
        os.utime(study.folder / file, (made, made))
        record("a clock that jumps", f"{file} from the future", "one error: touch the file")
    check_end(study, undisturbed)


def test_results_from_the_past_are_not_made_again(undisturbed, study):
    for path in (study.folder / "data").iterdir():
        os.utime(path, (0, 0))
    for path in (study.folder / "checkpoints").rglob("*"):
        os.utime(path, (0, 0))
    move_times(study, -10 * 365 * 24 * 3600)
    check_end(study, undisturbed)
    record("a clock that jumps", "results of ten years ago", "nothing to be done")
