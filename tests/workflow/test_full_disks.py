"""Disks that are full or read-only: one error, and with room the bytes of an undisturbed run."""

import re
import shutil

import pytest
from support.faults import check_end, check_files, fails, mounted, remount, remove, used_kb
from support.outcomes import record
from support.studies import Study

#: A file of 145 kB, made of datasets of 110 kB.
MODEL = "results/models/tiny/seed-1/model.safetensors"

#: Mounting needs root.
pytestmark = pytest.mark.service


@pytest.fixture
def study(finished_mini, tmp_path):
    """A copy of the finished study, to be disturbed."""
    return finished_mini.copy(tmp_path / "study")


def test_a_full_disk_is_one_error_at_each_stage_and_more_room_is_all_it_takes(
    finished_mini, study, tmp_path
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
        for room, targets in ((16, []), (150, [MODEL]), (300, []), (60, [])):
            if room == 60:
                remount(results, "size=64m")
                study.snakemake("results/tiny/seed-1/timing/level-1.jsonl")
            remount(results, f"size={used_kb(results) + room}k")
            shown = fails(study, targets=targets)
            said = r"(?:^error: |\): )(\S+): No space left on device \(make"
            errors = set(re.findall(said, shown, re.M))
            rules = set(re.findall(r"^[\d:]{8}  failed (\w+)", shown, re.M))
            assert errors
            # An error of a job is its rule's, and of no other line of the workflow.
            assert not re.search(r"Error in file .*rules/setup/", shown)
            assert not list(results.rglob(".partial-*"))
            check_files(study, finished_mini)
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
        check_end(study, finished_mini)
    record("a full disk", "room enough, the same command", "byte-identical")


def test_a_disk_that_is_full_for_snakemake_too_loses_nothing(finished_mini, tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    with mounted(folder, "-t", "tmpfs", "-o", "size=64m", "tmpfs"):
        shutil.copytree(finished_mini.folder, folder, dirs_exist_ok=True)
        study = Study(folder, finished_mini.overlay)
        remove(study, "tiny/seed-1/patching", "summary/interventions.md")
        remove(study, "summary/figures/tiny/seed-1/patching")
        for room in (0, 60):
            remount(folder, f"size={used_kb(folder) + room}k")
            run = study.snakemake(check=False)
            shown = run.stdout + run.stderr
            assert run.returncode == 1
            assert "No space left on device" in shown
            check_files(study, finished_mini)
        remount(folder, "size=64m")
        study.snakemake()
        check_end(study, finished_mini)
        # What Snakemake could not write down of a job does not make it blind to later changes.
        other = finished_mini.copy(tmp_path / "other")
        for changed in (study, other):
            changed.configure(interventions__window=2)
        assert study.planned() == other.planned() != set()
    record("a full disk", "no room for Snakemake's own files either", "byte-identical in the end")


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
