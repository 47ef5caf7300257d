"""The command that a run's last line names."""

import sys

import pytest

from think_to_talk.run.command import study_command


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["--cores", "2"], ""),
        (["--cores", "2", "plan", "--configfile", "studies/a.yaml"], "--configfile studies/a.yaml"),
        (
            ["--configfiles", "a.yaml", "b c.yaml", "--cores", "2"],
            "--configfiles a.yaml 'b c.yaml'",
        ),
        (["--directory", "runs/mine", "plan", "-n"], "--directory runs/mine"),
        (["-druns/mine", "-j2", "plan"], "-druns/mine"),
        (["--directory=runs/mine", "plan"], "--directory=runs/mine"),
        (["-s", "Snakefile", "-C", "a=1", "b=2", "-c1"], "-s Snakefile -C a=1 b=2"),
        (["--profile", "profiles/slurm", "--jobs", "3"], "--profile profiles/slurm"),
    ],
)
def test_what_says_which_study_it_is_is_kept(arguments, command):
    assert study_command([".venv/bin/snakemake", *arguments]) == (
        f".venv/bin/snakemake {command}".rstrip()
    )


def test_a_program_on_the_path_is_called_by_its_name(tmp_path, monkeypatch):
    program = tmp_path / "snakemake"
    program.touch(mode=0o755)
    assert study_command([str(program)]) == str(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert study_command([str(program)]) == "snakemake"


def test_a_module_of_python_is_called_by_that_python():
    assert study_command(["/x/snakemake/__main__.py"]) == f"{sys.executable} -m snakemake"
