"""Config files: the study's own and its overlays, checked before Snakemake merges them."""

import os
import sys

sys.path.insert(0, f"{workflow.basedir}/workflow_scripts")

from think_to_talk.study import config_files
from think_to_talk.errors import InputError


def study_config():
    """The config file: the working folder's (`--directory`), or else the repository's.

    Overlays are checked too: Snakemake has read them, but accepts duplicate keys silently.
    """
    places = ["config.yaml", f"{workflow.basedir}/config.yaml"]
    config_file = next(filter(os.path.exists, places))
    try:
        for file in (
            [config_file, *workflow.configfiles] if workflow.is_main_process else []
        ):
            config_files.check_file(os.path.relpath(file))
    except InputError as error:
        raise WorkflowError(str(error)) from None
    if not workflow.modifier.skip_configfile:
        # Snakemake merges the overlays again, behind the file: its tasks and models come first.
        config.clear()
    return config_file
