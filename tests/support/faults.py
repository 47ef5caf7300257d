"""What happens to a study from outside, and what must then be so."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest


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
    assert study.differing(undisturbed) == []
    assert study.planned() == set()


def fails(study, *messages, targets=()):
    """What a run says that ends with an error, each of these in it, and without a traceback."""
    run = study.snakemake(*targets, check=False)
    shown = run.stdout + run.stderr
    assert run.returncode == 1, shown[-5000:]
    assert "Traceback" not in shown, shown[-5000:]
    for message in messages:
        assert message in shown, f"{message}\n{shown[-5000:]}"
    return shown


def remove(study, *names):
    """Remove files and folders of the results."""
    for name in names:
        path = study.folder / "results" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


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
