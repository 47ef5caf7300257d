"""The name of the processor, from what Linux says of it, or from the system."""

import platform

import pytest

from think_to_talk.machine import processor


@pytest.fixture(autouse=True)
def x86(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(platform, "processor", lambda: "")


def test_linux_names_the_processor_once_per_core(tmp_path):
    file = tmp_path / "cpuinfo"
    core = "vendor_id\t: AuthenticAMD\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9654 96-Core\n\n"
    file.write_text(2 * core)
    assert processor(file) == "AMD EPYC 9654 96-Core (x86_64)"


def test_other_systems_name_it_themselves(monkeypatch, tmp_path):
    monkeypatch.setattr(platform, "processor", lambda: "Apple M3")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert processor(tmp_path / "none") == "Apple M3 (arm64)"


def test_without_a_name_there_is_the_architecture(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nBogoMIPS\t: 2100.00\n")
    assert processor(tmp_path / "cpuinfo") == processor(tmp_path / "none") == "x86_64"
