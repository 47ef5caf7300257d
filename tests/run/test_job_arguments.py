"""A job as arguments of a command line."""

from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles, OutputFiles, Params

from think_to_talk.errors import InputError
from think_to_talk.run.job_arguments import names_read, read_arguments, written_arguments

SCRIPT = """
with job.running(globals()) as this:
    settings = {**this.params.settings}
    gpu = getattr(this.resources, "gpu", 0)
    name = this.config["models"]
    files = job.table_files(this.output)
    for path in this.input:
        read(path, this.params.settings, this.threads)
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def test_what_a_script_reads_is_read_from_its_text(script):
    assert names_read(script) == {
        "input": ["*"],
        "output": ["csv", "markdown", "html"],
        "params": ["settings"],
        "resources": ["gpu"],
        "config": ["models"],
    }


def test_what_snakemake_gives_is_written_and_read_back(script):
    settings = {"rate": 1e-05, "names": ["a b", "c'"], "none": None, "on": True, "text": "1"}
    # As Snakemake builds it from `train=["a", "b"], test="c"`.
    files = InputFiles(["a", "b", "c"])
    files._set_name("train", 0, end=2)
    files._set_name("test", 2)
    job = SimpleNamespace(
        input=files,
        output=OutputFiles(fromdict={"csv": "t.csv", "markdown": "t.md", "html": "t", "rows": "r"}),
        params=Params(fromdict={"settings": settings, "code": "0ff1ce"}),
        resources={"mem_mb": 500},
        config={"models": {"a": 1}, "other": 2},
        threads=2,
    )

    written = written_arguments(script, job)
    assert written[0] == "input.train=[a, b]"
    assert not any("code" in argument or "mem_mb" in argument for argument in written)
    read = read_arguments(written)
    assert read["input"].train == ["a", "b"]
    assert list(read["input"]) == [["a", "b"], "c"]
    assert read["output"][1] == "t.md"
    assert read["params"].settings == settings
    assert read["config"]["models"] == {"a": 1}
    assert read["threads"] == 2
    assert getattr(read["resources"], "gpu", 0) == 0


def test_files_without_names_keep_their_order(script):
    job = SimpleNamespace(
        **{"input": InputFiles(["a", "b"]), "output": {}, "params": {}, "resources": {}},
        **{"config": {}, "threads": 1},
    )
    written = written_arguments(script, job)
    assert written == ["input.0=a", "input.1=b", "threads=1"]
    assert list(read_arguments(written)["input"]) == ["a", "b"]


@pytest.mark.parametrize(
    "read", [lambda job: job["output"].rows, lambda job: job["output"]["rows"]]
)
def test_a_missing_argument_is_named_in_a_line(read):
    with pytest.raises(
        InputError, match=r"^argument output\.rows: missing; expected output\.rows="
    ):
        read(read_arguments([]))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("threshold", "argument 'threshold': expected input|"),
        ("params=1", "argument 'params=1': expected input|"),
        ("log.a=1", "argument 'log.a=1': expected input|"),
        ("params.a=[", "argument 'params.a=[': its value is not YAML"),
    ],
)
def test_what_is_no_argument_is_refused_in_a_line(argument, message):
    with pytest.raises(InputError) as refused:
        read_arguments([argument])
    assert message in str(refused.value)
