"""What all rules share: the checked configuration, paths, wildcards and code versions."""

import itertools
import os
from pathlib import Path

from snakemake.logging import logger
from think_to_talk import configuration, models
from think_to_talk.datasets import PROMPTED_SPLITS, SPLIT_SEED_OFFSETS
from think_to_talk.planning import plan_study
from think_to_talk.provenance import code_version
from think_to_talk.versions import required_packages

try:
    study = plan_study(
        config, configuration.load_schema("config", f"{workflow.basedir}/schemas")
    )
except InputError as error:
    raise WorkflowError(str(error)) from None
config = study.config

if workflow.is_main_process:
    for trusted in study.trusted_models():
        logger.warning(
            f"models.{trusted}.trust_remote_code: Python code that comes with this checkpoint may "
            "be run, and can do all that you can"
        )

# The default image is the repository's, whatever folder the study is in.
if not Path(config["container"]).is_absolute() and "://" not in config["container"]:
    places = [Path(), Path(workflow.basedir)]
    images = [str(place / config["container"]) for place in places]
    config["container"] = next(filter(os.path.exists, images), config["container"])

GENERATED_TASKS = [
    name for name, task in config["tasks"].items() if "equations" in task
]
DATASET_TASKS = [name for name, task in config["tasks"].items() if "files" in task]


def models_of_kind(kind):
    """The names of the models of one kind; an untrained copy is of none."""
    return [
        name
        for name in study.controlled_models
        if config["models"][name]["kind"] == kind
    ]


SPLITS = list(SPLIT_SEED_OFFSETS)
# The splits that a model reads; the others serve few-shot prompts and training.
STUDIED_SPLITS = PROMPTED_SPLITS

# The files of a checkpoint that the study trains.
TRAINED_FILES = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
]
# What each solver reads of the config's `probes`: changing another's keys reruns nothing.
CONVERGED_KEYS = ["penalty", "tolerance", "max_iterations"]
SOLVER_KEYS = {
    "lbfgs": CONVERGED_KEYS,
    "sklearn": CONVERGED_KEYS,
    "sgd": ["learning_rate", "epochs"],
}
# What the probes of each folder are trained to say.
PROBE_LABELS = {"probes": "answers", "control_probes": "control"}
TIMING = "results/{model}/seed-{seed}/timing/{task}.jsonl"
PROBES = "results/{model}/seed-{seed}/probes/{task}.jsonl"
# What a control sets beside the probes of each seed and task of a model, if anything.
BESIDE = {
    "labels": "results/{model}/seed-{seed}/control_probes/{task}.jsonl",
    "untrained": f"results/{{model}}{configuration.UNTRAINED_SUFFIX}/seed-{{seed}}/probes/{{task}}.jsonl",
    "wrong_rows": "results/{model}/seed-{seed}/generations/{task}/test.jsonl",
    "seeds": TIMING,
}
# What the explorer's page consists of beside code.
EXPLORER_PARTS = [
    f"think_to_talk/explorer/page.{kind}" for kind in ("html", "css", "js")
]
# Formats of tables of the study, and of figures.
TABLE = {
    "rows": "results/summary/{table}.jsonl",
    "csv": "results/summary/{table}.csv",
    "markdown": "results/summary/{table}.md",
    "html": "results/summary/{table}.html",
}
FORMATS = ["png", "svg"]
FORMULAS = "results/formulas/seed-{seed}/{task}/{split}.jsonl"
# Pairs of problems for interventions.
PAIRS = "results/formulas/seed-{seed}/{task}/pairs/{edit}.jsonl"
INCONSISTENT_PAIRS = "results/formulas/seed-{seed}/{task}/inconsistent_pairs.jsonl"
PATCHING = "results/{model}/seed-{seed}/patching/{task}.jsonl"
INCONSISTENT_CHAINS = "results/{model}/seed-{seed}/inconsistent_chains/{task}.jsonl"
# The packages whose versions are written down with results.
PACKAGES = required_packages(
    *(f"{workflow.basedir}/envs/{file}" for file in ("requirements.in", "torch.txt"))
)
# What stands for a hub model, whose weights are in the hub's own cache.
SNAPSHOT = "results/models/{model}/snapshot.json"


def one_of(names):
    """A wildcard constraint: exactly these names (none at all if there are none)."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


wildcard_constraints:
    seed=one_of(map(str, config["seeds"])),
    model=one_of(config["models"]),
    task=one_of(config["tasks"]),
    split=one_of(STUDIED_SPLITS),
    shard=r"\d{5}",


def script_version(script, *files):
    """A parameter that changes when the behaviour of a script or of its modules does, or a file.

    Snakemake watches script files only, and reruns on comments and formatting too: the default
    profile turns its own `code` trigger off in favour of this one.
    """
    scripts = Path(workflow.basedir, "workflow_scripts")
    return code_version(scripts / script, *(scripts / file for file in files))


def reported(path, caption, **place):
    """An output that the report shows, with a caption of report/, in its place among the others."""
    return report(path, caption=f"../report/{caption}.rst", **place)


def table_files(table, caption):
    """The outputs of a table of the study, by their kinds; the report shows it."""
    files = {kind: path.format(table=table) for kind, path in TABLE.items()}
    place = {"category": "Tables", "labels": {"what": table}}
    return {**files, "html": reported(files["html"], caption, **place)}


def figure_files(figure, caption, **place):
    """The outputs of a figure of a model, in all formats; the report shows one, among the model's.

    figure: its path below the model's, without an ending. place: more of its place in the report.
    """
    files = [
        f"results/summary/figures/{{model}}/{figure}.{format}" for format in FORMATS
    ]
    shown = reported(files[-1], caption, category="{model}", **place)
    return [*files[:-1], shown]


def shard_paths(stage, split, suffix="safetensors"):
    """An input function: all shards of a stage for the task of the wildcards."""

    def paths(wildcards):
        pattern = f"results/{{model}}/seed-{{seed}}/{stage}/{{task}}/{split}/{{shard}}.{suffix}"
        return expand(
            pattern, **dict(wildcards), shard=study.shards(wildcards.task, split)
        )

    return paths


def deleted_unless_kept(path):
    """An output that is deleted once no job needs it any more, unless the config keeps it."""
    return path if config["keep_hidden_states"] else temp(path)


def model_setting(key):
    """A parameter function: one key of the model's entry."""
    return lambda wildcards: config["models"][wildcards.model].get(key)


def trusts_code(wildcards):
    """A parameter function: whether Python code that comes with the checkpoint may be run."""
    return study.trusts_code(wildcards.model)


def identity(*names):
    """A parameter function: the wildcards of these names, as the metadata of a shard."""
    return lambda wildcards: {name: str(wildcards[name]) for name in names}


def without_edits(task):
    """A task's entry but for its edits, on which only pairs depend."""
    return {
        key: value for key, value in config["tasks"][task].items() if key != "edits"
    }


def template_of(wildcards):
    """A parameter function: what problems of the task are drawn from."""
    return without_edits(wildcards.task)


def numbered_identity(wildcards):
    """A parameter function: model, seed (a number) and task, as in the rows of tables."""
    return {
        "model": wildcards.model,
        "seed": int(wildcards.seed),
        "task": wildcards.task,
    }


def all_splits(wildcards):
    """The problems of a task's splits."""
    return expand(FORMULAS, **wildcards, split=SPLITS)


def held_out_files(wildcards):
    """All problems of the tasks that a model is trained on: none of them may be among its own."""
    files = []
    for task in config["models"][wildcards.model]["training"]["tasks"]:
        of_task = {"seed": wildcards.seed, "task": task}
        files += expand(FORMULAS, **of_task, split=SPLITS)
        # Whether they are switched on or not: that must not train the model anew.
        files += expand(PAIRS, **of_task, edit=config["tasks"][task]["edits"])
        if study.has_results(task):
            files += expand(INCONSISTENT_PAIRS, **of_task)
    return files


def held_out_valid(wildcards):
    """The problems on which a trained model's exact match is measured, per task."""
    tasks = config["models"][wildcards.model]["training"]["tasks"]
    return expand(FORMULAS, seed=wildcards.seed, task=tasks, split="valid")


def model_checkpoint(wildcards):
    """The folder, GGUF file or hub manifest that stands for a model's checkpoint.

    An untrained copy has that of its model, of which it does not read the weights.
    """
    owner = study.checkpoint_owner(wildcards.model)
    model = config["models"][owner]
    if model["kind"] == "train":
        return f"results/models/{owner}/seed-{wildcards.seed}/"
    if model["kind"] == "hub":
        return SNAPSHOT.format(model=owner)
    return model["path"]


def model_files(wildcards):
    """The files that a model is loaded from: its checkpoint's; of a hub model, its manifest."""
    if study.is_untrained(wildcards.model):
        return tokenizer_files(wildcards)
    return checkpoint_files(wildcards)


def untrained_seed(wildcards):
    """The seed of an untrained copy's weights; None for any other model."""
    return int(wildcards.seed) if study.is_untrained(wildcards.model) else None


def checkpoint_files(wildcards):
    """The files of a model's checkpoint; of a hub model, its manifest."""
    source = model_checkpoint(wildcards)
    kind = config["models"][wildcards.model]["kind"]
    if kind == "train":
        return [source + file for file in TRAINED_FILES]
    if kind == "hub":
        return [source]
    return [str(file) for file in models.checkpoint_files(source)]


def tokenizer_files(wildcards):
    """The files of a checkpoint but for its weights; a GGUF file holds both."""
    return [
        file
        for file in checkpoint_files(wildcards)
        if not file.endswith(".safetensors")
    ]


def probe_settings(wildcards):
    """How the probes are fitted."""
    probes = study.probes(wildcards.model)
    keys = ["train_on", "min_train_rows", *SOLVER_KEYS[probes["solver"]]]
    settings = {"solver": probes["solver"], **{key: probes[key] for key in keys}}
    if probes["solver"] == "sgd":
        settings["seed"] = int(wildcards.seed)
    return settings


def seeds_and_tasks(wildcards):
    """The (seed, task) of each of the files that a control of a model reads."""
    return [
        (seed, task)
        for seed in config["seeds"]
        for task in study.tasks(wildcards.model)
    ]


def of_seeds_and_tasks(pattern, wildcards):
    """The file of each, in that order; none if there is no pattern."""
    if pattern is None:
        return []
    return [
        pattern.format(model=wildcards.model, seed=seed, task=task)
        for seed, task in seeds_and_tasks(wildcards)
    ]


def control_options(wildcards):
    """What a control reads of the config: changing another's reruns nothing."""
    if wildcards.control == "thresholds":
        return {"thresholds": config["controls"]["thresholds"]}
    return {}


def shown_config():
    """The configuration as people are shown it: what results depend on."""
    models = {
        name: {
            key: value
            for key, value in entry.items()
            # Where a package is installed on this machine is nobody's business.
            if key != "path" or "package" not in entry
        }
        for name, entry in config["models"].items()
    }
    unseen = ("container", "gpus", "keep_hidden_states", "wandb")
    shown = {key: value for key, value in config.items() if key not in unseen}
    return {**shown, "models": models}


def all_controls():
    """The tables of the controls that are switched on, and their figures of all models."""
    tables = expand(
        list(TABLE.values()),
        table=[f"controls/{control}" for control in study.controls],
    )
    figures = expand(
        "results/summary/figures/{model}/{control}.{format}",
        model=study.controlled_models,
        control=study.controls,
        format=FORMATS,
    )
    return tables + figures


def all_results(tasks=study.tasks):
    """All models, seeds and tasks of the study, as in the rows of tables.

    tasks: those of a model that count; as a function.
    """
    return [
        {"model": model, "seed": seed, "task": task}
        for model in config["models"]
        for seed in config["seeds"]
        for task in tasks(model)
    ]


def of_all_results(pattern, tasks=study.tasks):
    """An input function: the file of each of `all_results`, in that order."""
    return lambda _wildcards: [
        pattern.format(**result) for result in all_results(tasks)
    ]


def all_figures():
    """The figures of all models, seeds and tasks."""
    return [
        f"results/summary/figures/{model}/seed-{seed}/{figure}.{format}"
        for model in config["models"]
        for seed in config["seeds"]
        for figure in [*study.tasks(model), "overview"]
        for format in FORMATS
    ]


def edited_pairs(wildcards):
    """The pair files of a task, one per edit."""
    return expand(PAIRS, **wildcards, edit=config["tasks"][wildcards.task]["edits"])


def all_interventions():
    """The tables and figures of interventions; none if the config switches them off."""
    intervened = {
        model: (study.patched_tasks(model), study.inconsistent_tasks(model))
        for model in config["models"]
    }
    wanted = []
    for model, seed in itertools.product(intervened, config["seeds"]):
        patched, inconsistent = intervened[model]
        figures = [f"patching/{task}" for task in patched]
        figures += ["interventions"] if patched or inconsistent else []
        wanted += expand(
            f"results/summary/figures/{model}/seed-{seed}/{{figure}}.{{format}}",
            figure=figures,
            format=FORMATS,
        )
    return wanted and [*wanted, *rules.interventions_table.output]
