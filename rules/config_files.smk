"""The study's config file, and that it and the overlays can be read."""

import os
import sys

sys.path.insert(0, f"{workflow.basedir}/workflow_scripts")

from think_to_talk import yaml_files
from think_to_talk.errors import InputError


def study_config():
    """The config file: a study in a folder of its own (`--directory`) may bring one.

    Snakemake has read the overlays already, but says nothing of a key that is there twice.
    """
    places = ["config.yaml", f"{workflow.basedir}/config.yaml"]
    own = next(filter(os.path.exists, places))
    try:
        for file in [own, *workflow.configfiles] if workflow.is_main_process else []:
            yaml_files.check_file(os.path.relpath(file))
    except InputError as error:
        raise WorkflowError(str(error)) from None
    return own
