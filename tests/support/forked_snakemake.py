"""The program of a fork that becomes `snakemake`: what it is to do stands in DRY_RUN."""

import json
import os
import sys

request = json.loads(os.environ.pop("DRY_RUN"))
os.chdir(request["folder"])
for descriptor, output in zip((1, 2), request["outputs"], strict=True):
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), descriptor)
# As `python -m snakemake` in that folder has them.
sys.path[0] = request["folder"]
sys.argv[1:] = request["arguments"]

from snakemake.cli import main  # noqa: E402

main()
