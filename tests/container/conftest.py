"""Apptainer itself, and an image that container/build made with it from a folder on this machine.

Kept between runs, in a folder of the user's cache: two root file systems of Debian.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.apptainer import Apptainer, run
from support.repository import REPOSITORY

SCRIPTS = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "think-to-talk-tests"
# The Debian with the Python of these tests: the wheels that pip gets for them fit its Python too,
# and the rows of both can be compared to the last bit.
SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}


def cannot(reason):
    """Skip, but in CI, where these tests are to run, fail."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


def debian(name, script, *arguments):
    """The folder of a root file system, made by a script if it is not there yet."""
    folder = CACHE / name
    if not folder.exists():
        run(SCRIPTS / script, folder, *arguments)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _able():
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        cannot("these tests make file systems of Debian, for which root and apt-get are needed")


@pytest.fixture(scope="session")
def apptainer(tmp_path_factory):
    """Apptainer as it is installed, or else from a folder."""
    folder = tmp_path_factory.mktemp("bin")
    if installed := shutil.which("apptainer"):
        return Apptainer(folder, installed)
    return Apptainer(folder, SCRIPTS / "apptainer_in_root", debian("apptainer", "apptainer_root"))


@pytest.fixture(scope="session")
def base():
    """The root file system of a Debian with Python, which images are built on."""
    version = sys.version_info[:2]
    if version not in SUITES:
        cannot(f"Python is {sys.version}; a Debian with the same is needed: 3.11 or 3.13")
    suite = SUITES[version]
    return debian(suite, "debian_root", suite, "python3", "python3-venv")


@pytest.fixture(scope="session")
def build(apptainer, base):
    """container/build as this machine needs it; fast instead of small."""

    def build(*arguments):
        return subprocess.run(
            [
                *(REPOSITORY / "container/build", "--base", base, *arguments),
                *("--", "--mksquashfs-args", "-comp zstd -Xcompression-level 1"),
            ],
            env=apptainer.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    return build


@pytest.fixture(scope="session")
def image(build, tmp_path_factory):
    """The image, its packages being those that pip gets on this machine, with its settings."""
    folder = tmp_path_factory.mktemp("image")
    packages, output = folder / "packages", folder / "image.sif"
    download = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", packages)
    # One by one: only locks with hashes can be read together.
    for lock in ("requirements", "wandb", "torch"):
        run(*download, "--requirement", REPOSITORY / f"envs/{lock}.txt")
    built = build("--mirror", packages, "--output", output)
    shutil.rmtree(packages)
    assert built.returncode == 0, built.stdout[-5000:]
    assert list(folder.iterdir()) == [output]
    yield output
    output.unlink()
