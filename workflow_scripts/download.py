"""Download a hub model into the hub's cache, check that it is complete, and write its manifest."""

from pathlib import Path

import job
from think_to_talk.models.hub import download

with job.running(globals()) as this:
    download(
        this.wildcards.model,
        this.params.repository,
        this.params.revision,
        this.config["models"][this.wildcards.model].get("architecture"),
        Path(this.output.manifest),
        trust_remote_code=this.params.trust_remote_code,
    )
