"""Mutation testing: change one thing in the code, and see whether a test fails.

cosmic-ray makes the mutants of an area's modules. A seeded sample of them is tried, one for each
place in the code and kind of change, each with the area's fast tests until the first one fails. A
fork of a process that has imported the libraries already imports the mutated text; nothing on disk
changes. A mutant that survives needs a test, unless it behaves the same or changes only cost.

It needs a package that is not among those of the tests, in an environment that has those:

    pip install cosmic-ray==8.7.0
    python tests/mutation/run.py timing --sample 20
"""

import argparse
import ast
import contextlib
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest
import transformers  # noqa: F401  (imported once, before the forks; torch with it)
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = "workflow_scripts/think_to_talk"
BASELINE = Path(tempfile.mkdtemp()) / "baseline.json"

#: {area: (modules of the package, tests)}.
AREAS = {
    "formulas": (
        ["formulas/" + name for name in ("templates", "problems", "sampling", "counterfactuals")]
        + ["formulas/edits", "formulas/altered_chains", "formulas/expressions"],
        ["tests/formulas"],
    ),
    "prompts": (["tokens/prompts", "tokens/layout"], ["tests/tokens"]),
    "decoding": (["hidden_states/decoding", "hidden_states/verification"], ["tests/hidden_states"]),
    "shards": (
        ["files/shards", "tokens/shards", "tokens/write_shards", "hidden_states/shards"],
        ["tests/files/test_shards.py", "tests/hidden_states/test_shards.py"],
    ),
    "probes": (
        [
            "probes/" + name
            for name in (
                *("fitting", "training", "scoring", "objective", "lbfgs", "positions"),
                *("solvers", "cut", "heldout", "accuracy"),
            )
        ],
        ["tests/probes"],
    ),
    "timing": (
        [
            "timing/" + name
            for name in ("best_probes", "roles", "symbol_axis", "table", "bootstrap")
        ],
        ["tests/timing", "tests/pages", "tests/figures"],
    ),
    "findings": (
        ["findings/table", "pages/findings", "formulas/derivations"],
        ["tests/findings", "tests/pages/test_findings.py", "tests/formulas/test_derivations.py"],
    ),
    "logit lens": (
        ["tokens/digits", "logit_lens/head", "logit_lens/reading"],
        ["tests/logit_lens", "tests/tokens/test_digits.py"],
    ),
    "forced answers": (
        [
            *("formulas/cuts", "forced_answers/chains", "forced_answers/cut_prompts"),
            *("forced_answers/number_prompts", "forced_answers/whole_numbers"),
            *("forced_answers/reading", "timing/forced"),
        ],
        ["tests/forced_answers", "tests/formulas/test_cuts.py", "tests/timing/test_forced.py"],
    ),
    "steering": (
        [
            *("formulas/steered_chains", "tokens/results", "timing/steering"),
            *("steering/" + name for name in ("directions", "places", "steered_runs")),
            *("steering/" + name for name in ("targets", "rows")),
        ],
        [
            *("tests/steering", "tests/formulas/test_steered_chains.py"),
            *("tests/tokens/test_results.py", "tests/timing/test_steering.py"),
        ],
    ),
    "patching": (
        ["interventions/" + name for name in ("patched_runs", "specs", "patching")],
        ["tests/interventions"],
    ),
    "probes on patched runs": (
        [
            *("probes/stored", "patched_probes/runs", "patched_probes/rows"),
            "timing/patched",
        ],
        ["tests/patched_probes", "tests/timing/test_patched.py"],
    ),
    "wordings": (
        ["formulas/wordings", "formulas/wording_entries"],
        [
            *("tests/formulas/test_wordings.py", "tests/formulas/test_any_wordings.py"),
            *("tests/tokens/test_worded.py", "tests/study/test_worded_tasks.py"),
        ],
    ),
    "free text": (
        ["formulas/free_text", "formulas/answer_patterns", "formulas/spans", "tokens/spans"],
        [
            *("tests/formulas/test_free_text.py", "tests/tokens/test_spans.py"),
            *("tests/tokens/test_bad_free_text.py", "tests/hidden_states/test_free_text.py"),
        ],
    ),
    "ragged rows": (
        ["tokens/ragged", "hidden_states/ragged"],
        ["tests/tokens/test_ragged.py", "tests/hidden_states/test_ragged.py"],
    ),
    "transfer": (
        ["timing/transfer", "study/transfers"],
        ["tests/timing/test_transfer.py", "tests/study/test_transfers.py"],
    ),
    "sizes": (
        ["study/memory", "study/work", "models/sizes"],
        [
            *("tests/study/test_memory.py", "tests/study/test_work.py"),
            *("tests/study/test_plan.py", "tests/models/test_sizes.py"),
        ],
    ),
}


def operators():
    """Names of cosmic-ray's operators that need no arguments; `is` for `==` is no mutant."""
    names = [name for name in operator_names() if "Variable" not in name]
    return [name for name in names if name.rsplit("_", 1)[-1] not in ("Is", "IsNot")]


def behaviour(source):
    """The syntax tree without annotations, which nothing evaluates."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
        if isinstance(node, ast.FunctionDef):
            node.returns = None
    return ast.dump(tree)


def places(path, seed):
    """Each place of a module that can change, and how it would: one choice for a kind of change.

    The order is random. Order and choice depend on the text of the line, not on where it stands.
    """
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    found = {}
    for name in operators():
        operator, occurrence = get_operator(name)(), 0
        for node in ast_nodes(get_ast(source)):
            for (line, column), _ in operator.mutation_positions(node):
                indent = len(lines[line - 1]) - len(lines[line - 1].lstrip())
                place = (lines[line - 1].strip(), column - indent, name.split("_")[0])
                found.setdefault((place, line), []).append((name, occurrence))
                occurrence += 1
    for (place, line), candidates in found.items():
        generator = random.Random(f"{seed} {place}")
        yield generator.random(), path, line, *generator.choice(candidates)


def mutant(path, line, operator, occurrence):
    """The mutant of a place, or None where it cannot differ from the module."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    mutated = mutate_code(source, get_operator(operator)(), occurrence)
    try:
        if "TYPE_CHECKING" in lines[line - 1] or behaviour(mutated) == behaviour(source):
            return None
    except SyntaxError:
        return None
    both = zip(lines, mutated.splitlines(), strict=False)
    before, after = next((old.strip(), new.strip()) for old, new in both if old != new)
    return {"path": str(path), "line": line, "before": before, "after": after, "source": mutated}


class FastestFirst:
    """A pytest plugin that keeps the time of each test, and runs the fastest modules first."""

    def __init__(self, seconds):
        self.seconds = seconds

    def pytest_collection_modifyitems(self, items):
        files = {}
        for item in items:
            files[item.path] = files.get(item.path, 0) + self.seconds.get(item.nodeid, 0)
        items.sort(key=lambda item: (files[item.path], self.seconds.get(item.nodeid, 0)))

    def pytest_runtest_logreport(self, report):
        if report.when == "call":
            self.seconds[report.nodeid] = report.duration


def outcome(mutated, tests, seconds, limit):
    """Run the tests in a fork, on the mutant if one is given: killed, timeout or survived."""
    pid = os.fork()
    if pid:
        status = os.waitpid(pid, 0)[1]
        if os.WIFSIGNALED(status):
            return "timeout"
        return "killed" if os.WEXITSTATUS(status) else "survived"
    signal.alarm(limit)
    sys.dont_write_bytecode = True
    original = SourceFileLoader.get_code

    def get_code(loader, name):
        if mutated and loader.path == mutated["path"]:
            return compile(mutated["source"], loader.path, "exec")
        return original(loader, name)

    SourceFileLoader.get_code = get_code
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        plugin = FastestFirst(seconds)
        # Those of `make test`.
        options = ["-x", "-q", "-m", "not service and not thorough", "-p", "no:cacheprovider"]
        options.append(f"--basetemp={folder}/tests")
        code = pytest.main([*options, *tests], plugins=[plugin])
    if not mutated:
        names = [
            n for n, m in sys.modules.items() if "-packages" in (getattr(m, "__file__", 0) or "")
        ]
        BASELINE.write_text(json.dumps({"seconds": plugin.seconds, "modules": names}))
    os._exit(int(code))


def baseline():
    """The seconds of each test on the unchanged code; what it imported of others is imported."""
    found = json.loads(BASELINE.read_text())
    for name in found["modules"]:
        if not name.startswith(("pytest", "_pytest", "test")):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    return found["seconds"]


def main():
    """Try a sample of an area's mutants: a line of JSON for each, then the share killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("area", choices=AREAS)
    parser.add_argument("--sample", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    modules, tests = AREAS[arguments.area]
    paths = [REPOSITORY / PACKAGE / f"{module}.py" for module in modules]
    os.chdir(REPOSITORY)
    began = time.monotonic()
    if outcome(None, tests, {}, 3600) != "survived":
        raise SystemExit("the tests fail on the code as it is")
    limit = 30 + 3 * int(time.monotonic() - began)
    seconds = baseline()
    tried, lived = 0, 0
    for _, *place in sorted(place for path in paths for place in places(path, arguments.seed)):
        if tried < arguments.sample and (mutated := mutant(*place)):
            result = outcome(mutated, tests, seconds, limit)
            tried, lived = tried + 1, lived + (result == "survived")
            del mutated["source"]
            print(json.dumps({"outcome": result, **mutated}), flush=True)
    print(f"{arguments.area}: {tried - lived} of {tried} mutants killed")


if __name__ == "__main__":
    main()
