"""The command `apptainer`, which also writes down how it is called."""

import os
import subprocess

# A rule's script, as Snakemake calls it in an image.
JOB = "/.snakemake/scripts/"
# One line per call, though arguments may have line breaks; one write, as calls run side by side.
WRAPPER = """#!/bin/sh
call=$(printf '%s ' "$@" | tr '\\n' ' ')
printf '%s\\n' "$call" >> {calls}
exec {command} "$@"
"""


def run(*command, **settings):
    """What a command says; it is shown if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **settings,
    )
    assert done.returncode == 0, f"{command}:\n{done.stdout[-5000:]}"
    return done.stdout


class Apptainer:
    """A folder, to be first on the PATH, with a command that passes its arguments on."""

    def __init__(self, folder, *command):
        self._calls = folder / "calls"
        self._calls.touch()
        wrapper = folder / "apptainer"
        wrapper.write_text(
            WRAPPER.format(calls=self._calls, command=" ".join(f"'{word}'" for word in command))
        )
        wrapper.chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def jobs(self):
        """The calls that ran a rule's script, since this was last asked."""
        calls = self._calls.read_text().splitlines()
        self._calls.write_text("")
        return [call for call in calls if JOB in call]
