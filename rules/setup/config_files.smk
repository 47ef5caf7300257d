"""Config files: the study's own and its overlays, checked before Snakemake merges them."""

import os
import sys
from pathlib import Path

# The workflow's own folder. `workflow.basedir` is another one where this workflow is a module.
REPOSITORY = Path(str(workflow.current_basedir)).parents[1]

if not REPOSITORY.is_dir():
    raise WorkflowError(
        f"{workflow.current_basedir}: this workflow runs from a folder of this machine: clone its "
        "repository, and give `module` the path of its Snakefile"
    )
sys.path.insert(0, f"{REPOSITORY}/workflow_scripts")

from think_to_talk.study import config_files
from think_to_talk.errors import InputError


def study_config():
    """The config file: the working folder's (`--directory`), or else the repository's.

    Overlays are checked too: Snakemake has read them, but accepts duplicate keys silently. A module
    is handed its configuration by the workflow that uses it, and Snakemake reads no other.
    """
    places = ["config.yaml", f"{REPOSITORY}/config.yaml"]
    config_file = next(filter(os.path.exists, places))
    own = [] if workflow.modifier.skip_configfile else [config_file]
    try:
        for file in [*own, *workflow.configfiles] if workflow.is_main_process else []:
            config_files.check_file(os.path.relpath(file))
    except InputError as error:
        raise WorkflowError(str(error)) from None
    if not workflow.modifier.skip_configfile:
        # Snakemake merges the overlays again, behind the file: its tasks and models come first.
        config.clear()
    return config_file
