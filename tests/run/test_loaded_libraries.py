"""Jobs as forks of a process that has their libraries: each is what Python would make of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from support.processes import is_running, wait_for

from think_to_talk.run import loaded_libraries
from think_to_talk.run.loaded_libraries import Loader, LoaderError, run_loader


@pytest.fixture
def loader():
    """A loader of two small modules, one of which is not installed."""
    loader = Loader([("colorsys", "hls_to_rgb"), ("no_such_library", None)])
    yield loader
    loader.close()


@pytest.fixture
def script(tmp_path):
    """Write a script."""

    def write(text):
        path = tmp_path / "script.py"
        path.write_text(text)
        return path

    return write


def run(loader, script, **environment):
    return loader.start(script, {**os.environ, **environment}).wait()


def test_a_job_has_its_libraries_and_runs_as_a_program(loader, script, tmp_path):
    job = script(
        "import os, sys\n"
        "with open(os.environ['SAID'], 'w') as file:\n"
        "    print(__name__, sys.argv, sys.path[0], 'colorsys' in sys.modules, file=file)\n"
    )
    assert run(loader, job, SAID=str(tmp_path / "said")) == 0
    said = (tmp_path / "said").read_text().strip()
    assert said == f"__main__ {[str(job)]} {tmp_path} True"


def test_its_name_says_which_script_it_runs(loader, tmp_path):
    job = tmp_path / "tmp1_2.forced_answers_table.py"
    job.write_text("import sys; sys.exit(open('/proc/self/comm').read() != 'job:forced_answ\\n')")
    assert run(loader, job) == 0


def test_variables_are_those_of_the_job_and_no_others(loader, script, monkeypatch):
    monkeypatch.setenv("OF_THE_CONTROLLER", "1")
    job = script("import os, sys; sys.exit('OF_THE_CONTROLLER' in os.environ)")
    assert loader.start(job, {"PATH": os.environ["PATH"]}).wait() == 0


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 0),
        ("import sys; sys.exit(3)", 3),
        ("1 / 0", 1),
        ("raise SystemExit('a message')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", 1),
    ],
)
def test_it_ends_as_the_script_does(loader, script, text, status):
    assert run(loader, script(text)) in (status, -signal.SIGINT if "SIGINT" in text else status)


def test_a_job_that_has_ended_can_be_looked_up_until_it_is_waited_for(loader, script):
    """Snakemake's benchmarks look it up, and fail if there is no such process."""
    job = loader.start(script(""), dict(os.environ))
    wait_for(lambda: psutil.Process(job.process).status() == psutil.STATUS_ZOMBIE)
    assert job.wait() == 0
    assert not psutil.pid_exists(job.process)


@pytest.mark.parametrize("ending", ["", "; import sys; sys.exit()", "; raise SystemExit(0)"])
def test_what_is_left_for_the_end_is_done(loader, script, tmp_path, ending):
    """Functions that are registered, threads that still run, and what waits to be written."""
    job = script(
        "import atexit, os, sys, threading, time\n"
        f"os.dup2(os.open({str(tmp_path / 'said')!r}, os.O_WRONLY | os.O_CREAT), 1)\n"
        "def slowly():\n"
        "    time.sleep(0.2)\n"
        "    print('thread', end=' ')\n"
        "atexit.register(lambda: print('registered'))\n"
        "threading.Thread(target=slowly).start()\n"
        f"print('script', end=' '){ending}\n"
    )
    assert run(loader, job) == 0
    assert (tmp_path / "said").read_text() == "script thread registered\n"


def test_nothing_is_freed_at_the_end_of_a_job(loader, script, tmp_path):
    """It would take longer than a small job."""
    job = script(
        "from pathlib import Path\n"
        "class Freed:\n"
        "    def __del__(self, write=Path.touch):\n"
        f"        write(Path({str(tmp_path / 'freed')!r}))\n"
        "freed = Freed()\n"
    )
    assert run(loader, job) == 0
    assert not (tmp_path / "freed").exists()


def test_several_run_at_once(loader, script, tmp_path):
    job = script(
        "import os, pathlib, time\n"
        "own, other = (pathlib.Path(os.environ[name]) for name in ('OWN', 'OTHER'))\n"
        "own.touch()\n"
        "while not other.exists():\n"
        "    time.sleep(0.01)\n"
    )
    files = str(tmp_path / "a"), str(tmp_path / "b")
    jobs = [
        loader.start(job, {**os.environ, "OWN": own, "OTHER": other})
        for own, other in (files, files[::-1])
    ]
    assert [job.wait() for job in jobs] == [0, 0]


def test_a_job_with_several_cores_computes_with_as_many_threads(script):
    loader = Loader([("torch", None)])
    job = script("import sys, torch; sys.exit(torch.get_num_threads())")
    try:
        assert run(loader, job, OMP_NUM_THREADS="1") == 1
        assert run(loader, job, OMP_NUM_THREADS="2") == 2
    finally:
        loader.close()


def test_it_says_when_all_is_imported(script, tmp_path, monkeypatch):
    (tmp_path / "slow_library.py").write_text(
        "import pathlib, time\n"
        f"while not pathlib.Path({str(tmp_path / 'go')!r}).exists():\n"
        "    time.sleep(0.01)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    loader = Loader([("slow_library", None)])
    assert not loader.is_ready()
    (tmp_path / "go").touch()
    wait_for(loader.is_ready)
    assert loader.is_ready(), "asking takes nothing away"
    loader.close()


WAITING = "import time\nwhile True:\n    time.sleep(0.01)\n"


def test_a_loader_that_ends_takes_no_job_with_it_and_starts_no_more(loader, script, tmp_path):
    go = tmp_path / "go"
    waits = f"import os, time\nwhile not os.path.exists({str(go)!r}):\n    time.sleep(0.01)\n"
    job = loader.start(script(waits), os.environ)
    loader._process.kill()
    loader._process.wait()
    with pytest.raises(LoaderError):
        loader.start(script(""), os.environ)
    go.touch()
    assert job.wait() == 0


def test_a_job_whose_keeper_is_killed_is_killed(loader, script):
    job = loader.start(script(WAITING), os.environ)
    with open(f"/proc/{job.process}/stat") as stat:
        keeper = int(stat.read().rpartition(")")[2].split()[1])
    os.kill(keeper, signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    wait_for(lambda: not is_running(job.process))


def test_a_loader_ends_with_its_controller(script):
    """Also if that is killed."""
    folder = Path(loaded_libraries.__file__).parents[2]
    program = (
        f"import sys; sys.path.insert(0, {str(folder)!r})\n"
        "from think_to_talk.run.loaded_libraries import Loader\n"
        "print(Loader([])._process.pid, flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as controller:
        number = int(controller.stdout.readline())
        assert is_running(number)
        controller.kill()
    wait_for(lambda: not is_running(number))


def test_a_run_begins_its_loader_when_it_is_first_asked_for():
    begun = []

    class Kept:
        def close(self):
            begun.append("closed")

    def begin():
        begun.append("begun")
        return Kept()

    with run_loader(begin) as find:
        assert begun == []
        assert find() is find()
        assert begun == ["begun"]
    assert begun == ["begun", "closed"]


def test_a_run_may_have_none():
    with run_loader(lambda: None) as find:
        assert find() is None
