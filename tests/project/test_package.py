"""The package outside of its clone: `pip install .` gives all of it, with its types."""

import ast
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from support.repository import REPOSITORY

PACKAGE = REPOSITORY / "workflow_scripts/think_to_talk"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
)


def project():
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A Python that has the installed package and its dependencies, and does not see the clone."""
    folder = tmp_path_factory.mktemp("installed")
    clone = folder / "clone"
    clone.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, clone)
    shutil.copytree(PACKAGE.parent, clone / "workflow_scripts")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    [packages] = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "--quiet", "."], cwd=clone, check=True)
    shutil.rmtree(clone)
    return python


def run(python, folder, *arguments):
    return subprocess.run(
        [python, *arguments], cwd=folder, capture_output=True, text=True, env={"PATH": "/usr/bin"}
    )


def test_every_module_is_imported_from_a_foreign_folder(installed, tmp_path):
    imports = "\n".join(f"import {module}" for module in MODULES)
    ran = run(installed, tmp_path, "-c", f"{imports}\nprint(think_to_talk.__file__)")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(str(installed.parent.parent))


def test_files_that_are_no_modules_are_installed_too(installed):
    [package] = installed.parent.parent.glob("lib/python*/site-packages/think_to_talk")
    shipped = {
        path.relative_to(PACKAGE)
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path.suffix for path in shipped} >= {".py", ".typed", ".html", ".css", ".js"}
    assert {path for path in shipped if not (package / path).is_file()} == set()


def test_no_script_of_a_rule_is_installed(installed):
    [packages] = installed.parent.parent.glob("lib/python*/site-packages")
    scripts = {path.name for path in PACKAGE.parent.glob("*.py")}
    assert "job.py" in scripts
    assert scripts & {path.name for path in packages.iterdir()} == set()


def test_type_checkers_read_its_types(installed, tmp_path):
    (tmp_path / "user.py").write_text(
        "from think_to_talk.reading.hidden_states import read_hidden_states\n"
        "states = read_hidden_states('results', 'm', 'not a number', 't', 2)\n"
        "reveal_type(states)\n"
    )
    # What the package imports is not read: torch alone takes many seconds.
    others = ",".join(f"mypy-{name}.*" for name in ("torch", "numpy", "pandas", "safetensors"))
    (tmp_path / "mypy.ini").write_text(f"[mypy]\n[{others}]\nfollow_imports = skip\n")
    command = [sys.executable, "-m", "mypy", "--python-executable", str(installed), "user.py"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert 'Revealed type is "think_to_talk.reading.hidden_states.HiddenStates"' in checked.stdout
    assert 'incompatible type "str"; expected "int"' in checked.stdout


def test_its_dependencies_are_the_study_s_without_snakemake():
    needed = {Requirement(text).name: Requirement(text) for text in project()["dependencies"]}
    requirements = "".join(
        (REPOSITORY / f"envs/{file}").read_text() for file in ("torch.txt", "requirements.in")
    )
    assert set(needed) == set(re.findall(r"^([a-z][a-z0-9-]*)", requirements, re.MULTILINE)) - {
        "snakemake"
    }
    locked = "".join(
        (REPOSITORY / f"envs/{file}.txt").read_text() for file in ("torch", "requirements")
    )
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", locked, re.MULTILINE):
        assert name not in needed or needed[name].specifier.contains(version), name


def test_its_version_is_the_cited_one():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text())
    assert project()["version"] == citation["version"]


def test_a_job_takes_the_package_beside_its_script_though_another_is_installed(tmp_path):
    """Snakemake puts the script's folder last; what is installed stands before it."""
    other = tmp_path / "think_to_talk"
    other.mkdir()
    (other / "__init__.py").write_text("raise SystemExit('the installed package was imported')\n")
    program = (
        f"import sys; sys.path.append({str(PACKAGE.parent)!r})\n"
        "import job, think_to_talk.errors\n"
        "print(think_to_talk.errors.__file__)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert ran.stdout.strip() == str(PACKAGE / "errors.py"), ran.stderr


@pytest.mark.parametrize("script", sorted(PACKAGE.parent.glob("*.py")), ids=lambda path: path.stem)
def test_a_script_imports_job_before_the_package(script):
    """`job` is what puts the script's folder first."""
    if script.stem == "job":
        return
    body = ast.parse(script.read_text(encoding="utf-8")).body
    imported = [
        node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    first = [name for name in imported if name.split(".")[0] in ("job", "think_to_talk")]
    assert first[0] == "job"
