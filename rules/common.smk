"""What all rules share: the checked study, its wildcards, path patterns and code versions."""

from snakemake.logging import logger
from think_to_talk.run.code_version import Code
from think_to_talk.study import configuration
from think_to_talk.study.needs import SIZES_CACHE, plan_study
from think_to_talk.study.plan import SPLITS, STUDIED_SPLITS

try:
    study, needs = plan_study(
        config,
        configuration.load_schema("config", f"{REPOSITORY}/schemas"),
        SIZES_CACHE,
    )
except InputError as error:
    raise WorkflowError(str(error)) from None
config |= configuration.as_written(study.config)  # In place, for jobs of a module too.

code = Code(f"{REPOSITORY}/workflow_scripts", ".snakemake/code.json")

# Every path pattern, in the order of the data.
FORMULAS = "results/formulas/seed-{seed}/{task}/{split}.jsonl"
PAIRS = "results/formulas/seed-{seed}/{task}/pairs/{edit}.jsonl"
INCONSISTENT_PAIRS = "results/formulas/seed-{seed}/{task}/inconsistent_pairs.jsonl"
CEILINGS = "results/formulas/ceilings/{task}.jsonl"
TRAINED = "results/models/{model}/seed-{seed}/{file}"
# What stands for a hub model, whose weights are in the cache of the hub's library.
SNAPSHOT = "results/models/{model}/snapshot.json"
UNPACKED = "results/models/{model}/unpacked/{file}"  # From a GGUF file.
MODEL_CHECK = "results/{model}/seed-{seed}/model_check.json"
TOKENS = "results/{model}/seed-{seed}/tokens/{task}/{split}/{shard}.safetensors"
HIDDEN_STATES = (
    "results/{model}/seed-{seed}/hidden_states/{task}/{split}/{shard}.safetensors"
)
SHARD_GENERATIONS = (
    "results/{model}/seed-{seed}/hidden_states/{task}/{split}/{shard}.jsonl"
)
GENERATIONS = "results/{model}/seed-{seed}/generations/{task}/{split}.jsonl"
PROBE_ROWS = "results/{model}/seed-{seed}/{probes}/{task}.jsonl"
PROBE_WEIGHTS = "results/{model}/seed-{seed}/{probes}/{task}.safetensors"
FORCED_ANSWERS = "results/{model}/seed-{seed}/forced_answers/{task}.jsonl"
FREE_WRITING = "results/{model}/seed-{seed}/free_writing/{task}.jsonl"
STEERING = "results/{model}/seed-{seed}/steering/{task}.jsonl"
LOGIT_LENS = "results/{model}/seed-{seed}/logit_lens/{task}.jsonl"
CLOCKS = "results/{model}/seed-{seed}/clocks.jsonl"
TIMING = "results/{model}/seed-{seed}/timing/{task}.jsonl"
PATCHING = "results/{model}/seed-{seed}/patching/{task}.jsonl"
INCONSISTENT_CHAINS = "results/{model}/seed-{seed}/inconsistent_chains/{task}.jsonl"
CONTROL = "results/{model}/controls/{control}.jsonl"
WANDB_RUN = "results/{model}/seed-{seed}/wandb.json"
WANDB_FOLDER = "results/{model}/seed-{seed}/wandb"
TABLE = "results/summary/{table}.{format}"
FIGURE = "results/summary/figures/{model}/{figure}.{format}"
EXPLORER = "results/summary/explorer.html"
STUDY_PAGE = "results/summary/study.html"
PLAN = "results/plan.md"
LOGS = "results/logs"


def filled(pattern, **values):
    """A path pattern with some of its wildcards filled in, and the others left."""
    for name, value in values.items():
        pattern = pattern.replace(f"{{{name}}}", value)
    return pattern


PROBES = filled(PROBE_ROWS, probes="probes")


def log_file(name):
    """The log of a rule's jobs. name: the rule's, and the wildcards that tell its jobs apart."""
    return f"{LOGS}/{name}.log"


def benchmark_file(name):
    """Where Snakemake writes time and memory of a rule's jobs; name: as of `log_file`."""
    return f"results/benchmarks/{name}.tsv"


def one_of(names):
    """A wildcard constraint: exactly these names (none at all if there are none)."""
    return "|".join(re.escape(name) for name in names) or "(?!)"


# Published probe rows have seeds of their own.
SEEDS = [*study.seeds, *(rows.seed for rows in study.published.values())]
# All that has probe rows.
PROBED_MODELS = [*study.models, *study.published]


wildcard_constraints:
    seed=one_of(map(str, SEEDS)),
    model=one_of(study.models),
    task=one_of(study.tasks),
    split=one_of(STUDIED_SPLITS),
    shard=r"\d{5}",


def script_version(script, *files):
    """A parameter that changes with the behaviour of a script and its modules, or with a file.

    Snakemake watches script files only, and reruns on comments and formatting too: the default
    profile turns its own `code` trigger off in favour of this one.
    """
    return code.version(script, *files)


def identity(*names):
    """A parameter function: the wildcards of these names, as the metadata of a shard."""
    return lambda wildcards: {name: str(wildcards[name]) for name in names}


def of_results(pattern, results):
    """The file of each result of the study (`study.results`, `study.probed_results`), in order."""
    return [pattern.format(**result) for result in results]


def of_tasks(pattern, tasks=study.tasks_of):
    """An input function: the file of each task of the model and seed of the wildcards."""
    return lambda wildcards: expand(pattern, **wildcards, task=tasks(wildcards.model))
