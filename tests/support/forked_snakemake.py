"""The program of a fork that becomes `snakemake`: what it is to do stands in RUN.

The loader that a run starts for its jobs (`think_to_talk.run.loaded_libraries`) is a fork too.
"""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys


def fork_loader():
    """A process that becomes the loader once it is told to, and the socket that tells it.

    It is forked before Snakemake has threads.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = os.fork()
    if process:
        theirs.close()
        return process, ours
    ours.close()
    request, descriptors, *_ = socket.recv_fds(theirs, 2**20, 1)
    if not request:
        os._exit(0)
    program, environment = json.loads(request)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [program, str(descriptors[0])]
    del sys.path[0]
    runpy.run_path(program, run_name="__main__")


class ForkedLoader:
    """What `Loader` needs of the process that it starts."""

    def __init__(self, process):
        self._process = process

    def kill(self):
        os.kill(self._process, signal.SIGKILL)

    def wait(self):
        os.waitpid(self._process, 0)


def _is_first(program, connection):
    """Whether this is the program of a loader, and none has been handed over."""
    return program.endswith("/loaded_libraries.py") and connection.fileno() >= 0


def hand_over(process, connection):
    """Have `subprocess.Popen` take the forked process where it would start the run's loader."""

    class Popen(subprocess.Popen):
        def __new__(cls, *arguments, **options):
            match arguments:
                case [[_, "-P", str(program), _]] if _is_first(program, connection):
                    request = json.dumps([program, options["env"]]).encode()
                    with connection:
                        socket.send_fds(connection, [request], options["pass_fds"])
                    return ForkedLoader(process)
            return super().__new__(cls)

    subprocess.Popen = Popen


request = json.loads(os.environ.pop("RUN"))
os.chdir(request["folder"])
for descriptor, output in zip((1, 2), request["outputs"], strict=True):
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT), descriptor)
if request["runs_jobs"]:
    hand_over(*fork_loader())
# As `python -m snakemake` in that folder has them.
sys.path[0] = request["folder"]
sys.argv[1:] = request["arguments"]

from snakemake.cli import main  # noqa: E402

main()
