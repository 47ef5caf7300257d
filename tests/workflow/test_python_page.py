"""docs/python.md and the tutorial notebook: each example runs on a study that has run."""

import re
import subprocess
import sys
import sysconfig

import nbclient
import nbformat
import pytest
import yaml
from support.repository import REPOSITORY

PAGE = (REPOSITORY / "docs/python.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
#: Libraries that the tests do not have.
ELSEWHERE = ("nnsight", "transformer_lens")
TUTORIAL = REPOSITORY / "docs/tutorial.ipynb"


def example(*libraries):
    """The page's examples in order, with those that import one of these libraries.

    The page is about the default study, whose seed is 42; the small study's is 1.
    """
    left_out = [name for name in ELSEWHERE if name not in libraries]
    kept = [block for block in BLOCKS if not any(f"from {name}" in block for name in left_out)]
    return re.sub(r"\b42\b", "1", "\n".join(kept))


def test_the_examples_of_the_page_run_one_after_the_other(finished_mini, monkeypatch, capsys):
    monkeypatch.chdir(finished_mini.folder)
    found = {}
    exec(compile(example(), "docs/python.md", "exec"), found)
    rows = found["probe"].rows
    place = (rows["position"] == found["position"]) & (rows["variable"] == found["variable"])
    assert found["accuracy"].item() == pytest.approx(rows.loc[place, "score"].item())
    said = capsys.readouterr().out
    assert said.startswith("results: no probes of model tony; there are model local, seed 1,")


def test_the_page_names_every_kind_of_rows_and_its_schema():
    from think_to_talk.reading.rows import KINDS

    table = re.findall(r"^\| (`.+?) \| .* \| `(schemas/\S+)` \|$", PAGE, re.MULTILINE)
    named = [name for names, _ in table for name in re.findall(r"`(\w+)`", names)]
    assert sorted(named) == sorted(KINDS)
    for _, schema in table:
        assert yaml.safe_load((REPOSITORY / schema).read_text())["type"] == "object"


def test_every_kind_of_rows_of_the_small_study_has_the_columns_of_its_schema(switched_on):
    from think_to_talk.reading.rows import contents, read_rows

    results = switched_on.folder / "results"
    there = set(contents(results)["kind"])
    assert there >= {"steering", "free_writing", "patched_probes", "patching", "clocks", "findings"}
    for names, schema in re.findall(r"^\| (`.+?) \| .* \| `(schemas/\S+)` \|$", PAGE, re.MULTILINE):
        known = set(yaml.safe_load((REPOSITORY / schema).read_text())["properties"])
        for kind in there & set(re.findall(r"`(\w+)`", names)):
            columns = set(read_rows(results, kind).columns)
            assert columns - {"model", "seed", "task", "split", "edit"} <= known, kind


def cells(parameters):
    """The tutorial with other parameters, as its cell `parameters` sets them."""
    notebook = nbformat.read(TUTORIAL, as_version=4)
    [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    cell.source += "\n" + "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    return notebook


def printed(notebook):
    return "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )


@pytest.mark.documented(".venv/bin/jupyter execute --inplace docs/tutorial.ipynb")
@pytest.mark.parametrize(("model", "task"), [("tiny", "level-1"), ("local", "general")])
def test_the_tutorial_runs_and_its_dates_and_accuracies_are_the_stored_ones(
    finished_mini, model, task
):
    """The notebook asserts that they are."""
    notebook = cells({"MODEL": model, "SEED": 1, "TASK": task})
    nbclient.NotebookClient(
        notebook,
        timeout=300,
        resources={"metadata": {"path": str(finished_mini.folder / "docs")}},
    ).execute()
    assert "own probe: " in printed(notebook)
    assert re.search(r"layer \d+, t = -\d+: ([\d.]+), stored \1\b", printed(notebook))


def test_the_tutorial_fails_if_a_date_is_not_the_stored_one(mini):
    path = mini.folder / "results/tiny/seed-1/timing/level-1.jsonl"
    path.write_text(re.sub(r'"t_star": -5', '"t_star": -4', path.read_text()))
    notebook = cells({"SEED": 1})
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(mini.folder / "docs")}}
    )
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="AssertionError"):
        client.execute()


def test_the_tutorial_is_committed_without_outputs_and_about_the_default_study(raw_config):
    notebook = nbformat.read(TUTORIAL, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    found = {}
    exec(code[0].source, found)
    assert found["MODEL"] in raw_config["models"]
    assert found["SEED"] in raw_config["seeds"]
    assert found["TASK"] in raw_config["tasks"]


#: What `make bench` compares with: nnsight gives what `generate` does, and the same states.
BENCHMARKED = """
import sys
from pathlib import Path
import torch
sys.path[:0] = ["workflow_scripts", "benchmarks"]
from alternatives import generate_and_save
from libraries import has_nnsight, trace_and_save
from think_to_talk.models.loading import Checkpoint

assert has_nnsight()
checkpoint = Checkpoint("results/models/tiny/seed-1")
model, tokenizer = checkpoint.model(), checkpoint.tokenizer()
prompts = torch.randint(1, 40, (10, 12), generator=torch.Generator().manual_seed(0))
folders = Path("generated"), Path("traced")
for folder in folders:
    folder.mkdir()
settings = [0, 1], [2], 15
generated = generate_and_save(model, prompts, *settings, folders[0])
traced = trace_and_save(model, tokenizer, prompts, *settings, folders[1])
assert generated == traced, (generated, traced)
for file in folders[0].iterdir():
    torch.testing.assert_close(torch.load(folders[1] / file.name), torch.load(file))
"""

INSTALL = "pip install nnsight==0.8.1 transformer-lens==4.3.0"


@pytest.mark.thorough
@pytest.mark.documented(
    "pip install nnsight==0.8.1", "pip install nnsight==0.8.1 transformer-lens==4.3.0"
)
def test_other_tools_give_the_stored_states(finished_mini, tmp_path):
    """In an environment of its own, which also has what is installed here."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    [packages] = (tmp_path / "venv").glob("lib/python*/site-packages")
    (packages / "here.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(python), *INSTALL.split()[1:]]
    subprocess.run(pip, check=True)
    compared = "torch.testing.assert_close(state[0], stored, atol=1e-3, rtol=1e-3)\n"
    head = "import sys; sys.path.insert(0, 'workflow_scripts')\n"
    programs = [f"{head}{example(library)}\n{compared}" for library in ELSEWHERE]
    for program in (*programs, BENCHMARKED):
        ran = subprocess.run(
            [python, "-c", program], cwd=finished_mini.folder, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr[-3000:]
