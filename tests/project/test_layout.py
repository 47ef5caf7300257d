"""The order of the package: a folder imports only what stands above it.

docs/architecture.md says why.
"""

import ast
import shutil

import pytest
from support.repository import REPOSITORY

from think_to_talk.run.code_version import Code

SCRIPTS = REPOSITORY / "workflow_scripts"
PACKAGE = SCRIPTS / "think_to_talk"
#: {part of the package: the parts that it may import, itself apart}, in the order of the data.
MAY_IMPORT = {
    "errors": (),
    "progress": (),
    "intervals": (),
    "machine": (),
    "files": ("errors",),
    "formulas": ("errors", "files"),
    "tokens": ("errors", "files", "formulas"),
    "models": ("errors", "progress", "files", "formulas", "tokens"),
    "hidden_states": ("errors", "progress", "files", "formulas", "tokens"),
    "probes": ("errors", "progress", "intervals", "files", "formulas", "tokens"),
    "timing": ("intervals", "formulas"),
    "logit_lens": (
        *("errors", "progress", "files", "formulas", "tokens", "hidden_states", "probes"),
    ),
    "forced_answers": ("errors", "progress", "intervals", "formulas", "tokens", "hidden_states"),
    "interventions": ("errors", "progress", "intervals", "formulas", "tokens", "hidden_states"),
    "steering": (
        *("errors", "progress", "intervals", "files", "formulas", "tokens", "hidden_states"),
        "timing",
    ),
    "patched_probes": (
        *("errors", "progress", "intervals", "files", "formulas", "tokens", "hidden_states"),
        *("probes", "interventions"),
    ),
    "transfer": ("errors", "progress", "intervals", "files", "formulas", "tokens", "probes"),
    "findings": ("formulas",),
    "controls": ("intervals", "files", "timing"),
    "figures": ("files", "formulas", "timing", "controls"),
    "pages": ("files", "formulas", "timing", "findings"),
    "study": ("errors", "files", "formulas", "tokens", "models", "controls", "pages"),
    "run": ("errors", "machine", "files"),
    "reading": ("errors", "files", "formulas", "tokens"),
}
_DATA = {"errors", "files", "formulas"}
_MODELS = {*_DATA, "progress", "tokens", "models"}
_INTERVENTIONS = {*_MODELS, "intervals", "hidden_states", "interventions"}
_FIGURES = {*_DATA, "timing", "figures"}
#: {script: parts of the package that its code version may contain}: it reruns when they change.
MAY_HASH = {
    "formulas": _DATA,
    "ceilings": _DATA,
    "dataset": _DATA,
    "free_text": _DATA,
    "given_ceilings": _DATA,
    "pairs": _DATA,
    "inconsistent_pairs": _DATA,
    "download": {"errors", "files", "models"},
    "unpack": {"errors", "files", "models"},
    "train": _MODELS,
    "tokens": _MODELS,
    "model_check": {*_MODELS, "hidden_states", "machine"},
    "hidden_states": {*_MODELS, "hidden_states"},
    "generations": {"errors", "files"},
    "probes": {*_DATA, "progress", "intervals", "tokens", "probes"},
    "published_probes": {*_DATA, "intervals", "tokens", "probes"},
    "timing": {*_DATA, "timing"},
    "timing_table": {*_DATA, "timing", "pages"},
    "clocks": {*_DATA, "timing"},
    "clocks_table": {*_DATA, "timing", "pages"},
    "clocks_overview": _FIGURES,
    "logit_lens": {*_MODELS, "intervals", "hidden_states", "probes", "logit_lens"},
    "forced_answers": {*_MODELS, "intervals", "hidden_states", "forced_answers"},
    "forced_answers_table": {*_DATA, "timing", "pages"},
    "steering": {*_MODELS, "intervals", "hidden_states", "timing", "steering"},
    "steering_table": {*_DATA, "timing", "pages"},
    "patching": _INTERVENTIONS,
    "free_writing": _INTERVENTIONS,
    "inconsistent_chains": _INTERVENTIONS,
    "patched_probes": {*_INTERVENTIONS, "probes", "patched_probes"},
    "patched_probes_table": {*_DATA, "timing", "pages"},
    "transfer": {*_DATA, "progress", "intervals", "tokens", "probes", "transfer"},
    "transfer_matrix": _FIGURES,
    "transfer_table": {*_DATA, "intervals", "timing", "pages"},
    "interventions_table": {*_DATA, "interventions", "pages"},
    "findings": {*_DATA, "findings", "pages", "machine"},
    "heatmap": _FIGURES,
    "overview": _FIGURES,
    "logit_lens_overview": _FIGURES,
    "forced_answers_overview": _FIGURES,
    "steering_overview": _FIGURES,
    "patching_heatmap": _FIGURES,
    "free_writing_overview": _FIGURES,
    "patched_probes_overview": _FIGURES,
    "interventions_overview": {*_FIGURES, "interventions"},
    "control": {*_FIGURES, "intervals", "controls"},
    "control_table": {*_DATA, "controls", "pages"},
    "explorer": {*_DATA, "timing", "pages", "run", "machine"},
    "study_page": {*_DATA, "pages", "run", "machine"},
    "wandb_run": {*_DATA, "timing", "run"},
    "plan": {"errors", "files", "formulas", "tokens", "models", "controls", "pages", "study"},
}
#: {script: modules that its code version must not contain}, though it may contain their folders.
MUST_NOT_HASH = {
    "heatmap": (
        "figures/overview.py",
        "figures/controls.py",
        "figures/control_curves.py",
        "figures/patching.py",
        "figures/interventions.py",
    ),
    "overview": (
        "figures/heatmap.py",
        "figures/controls.py",
        "figures/control_curves.py",
        "figures/logit_lens.py",
        "figures/forced_answers.py",
    ),
    "forced_answers_overview": ("figures/heatmap.py", "figures/overview.py"),
    "steering_overview": ("figures/heatmap.py", "figures/overview.py", "figures/patching.py"),
    "steering": (
        "hidden_states/decoding.py",
        "hidden_states/shards.py",
        "timing/table.py",
        "timing/steering.py",
        "models/training.py",
        "tokens/write_shards.py",
    ),
    "clocks_overview": ("figures/heatmap.py", "figures/overview.py", "figures/accuracy_curve.py"),
    "logit_lens_overview": (
        "figures/heatmap.py",
        "figures/overview.py",
        "figures/controls.py",
        "figures/control_curves.py",
    ),
    "control": ("figures/heatmap.py", "figures/overview.py"),
    "findings": ("timing/table.py", "formulas/sampling.py"),
    "ceilings": ("formulas/sampling.py", "formulas/problems.py"),
    "probes": ("tokens/prompts.py", "tokens/write_shards.py"),
    "hidden_states": (
        *("models/training.py", "models/hub.py", "models/unpacking.py", "tokens/prompts.py"),
        "tokens/task_positions.py",
    ),
    "logit_lens": (
        "hidden_states/decoding.py",
        "hidden_states/shards.py",
        "hidden_states/pass_check.py",
        "probes/fitting.py",
        "probes/lbfgs.py",
        "tokens/prompts.py",
    ),
    "forced_answers": (
        "hidden_states/decoding.py",
        "hidden_states/shards.py",
        "models/training.py",
        "tokens/write_shards.py",
    ),
    "patching": (
        "hidden_states/decoding.py",
        "hidden_states/shards.py",
        "interventions/inconsistent_chains.py",
        "tokens/write_shards.py",
    ),
    "free_writing": ("hidden_states/shards.py", "tokens/write_shards.py"),
    "transfer": ("probes/fitting.py", "probes/lbfgs.py"),
    "patched_probes": (
        "hidden_states/decoding.py",
        "hidden_states/shards.py",
        "interventions/patching.py",
        "interventions/patched_runs.py",
        "interventions/inconsistent_chains.py",
        "probes/fitting.py",
        "probes/lbfgs.py",
        "models/training.py",
        "tokens/write_shards.py",
    ),
    "patched_probes_overview": ("figures/heatmap.py", "figures/overview.py", "figures/patching.py"),
    "inconsistent_chains": (
        "hidden_states/shards.py",
        "interventions/patching.py",
        "interventions/patched_runs.py",
        "interventions/specs.py",
        "tokens/write_shards.py",
    ),
}


def part_of(source, package=PACKAGE):
    """The part of the package that a module belongs to; None for the package's own docstring."""
    first = source.relative_to(package).parts[0]
    return None if first == "__init__.py" else first.removesuffix(".py")


def imported_parts(source):
    """The parts of the package that a source names in imports, anywhere in it."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert not node.level, f"{source}: a relative import"
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            modules = [alias.name for alias in getattr(node, "names", [])]
        for module in modules:
            if module.startswith("think_to_talk."):
                yield module.split(".")[1]


def upward_imports(package):
    """{(module, part of the package)} of all imports below a package that break the order."""
    found = set()
    for source in package.rglob("*.py"):
        part = part_of(source, package)
        allowed = {part, *MAY_IMPORT[part]} if part else set()
        name = str(source.relative_to(package))
        found |= {(name, imported) for imported in set(imported_parts(source)) - allowed}
    return found


def test_a_module_imports_only_what_stands_above_it():
    assert upward_imports(PACKAGE) == set()


@pytest.mark.parametrize(
    ("statement", "part"),
    [
        ("from think_to_talk.probes import fitting", "probes"),
        ("from think_to_talk.figures.style import STYLE", "figures"),
        ("def late():\n    import think_to_talk.study.plan", "study"),
    ],
)
def test_an_import_from_below_is_found(tmp_path, statement, part):
    package = shutil.copytree(PACKAGE, tmp_path / "think_to_talk")
    with open(package / "tokens/layout.py", "a") as module:
        module.write(f"\n\n{statement}\n")
    assert upward_imports(package) == {("tokens/layout.py", part)}


@pytest.mark.parametrize("source", list(PACKAGE.rglob("__init__.py")), ids=lambda s: s.parent.name)
def test_an_init_file_holds_a_docstring_only(source):
    tree = ast.parse(source.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def hashed_modules(script):
    """The modules of the package that a script's code version contains, but the docstrings'."""
    sources = Code(SCRIPTS).sources(f"{script}.py")
    return {source for source in sources if PACKAGE in source.parents} - set(
        PACKAGE.rglob("__init__.py")
    )


def test_every_script_has_its_parts_named():
    assert {path.stem for path in SCRIPTS.glob("*.py")} - {"job"} == set(MAY_HASH)


@pytest.mark.parametrize("script", MAY_HASH)
def test_a_code_version_contains_only_what_its_script_needs(script):
    assert {part_of(module) for module in hashed_modules(script)} <= MAY_HASH[script]


@pytest.mark.parametrize(
    ("script", "module"),
    [(s, module) for s, modules in MUST_NOT_HASH.items() for module in modules],
)
def test_a_code_version_leaves_out_a_module(script, module):
    assert (PACKAGE / module).is_file()
    assert PACKAGE / module not in hashed_modules(script)
