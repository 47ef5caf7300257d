"""The machine that results are made on."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def processor(cpuinfo: str | Path = "/proc/cpuinfo") -> str:
    """The name of the processor, as the system gives it, with its architecture.

    cpuinfo: the file in which Linux describes the processors; other systems have none.
    """
    try:
        text = Path(cpuinfo).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    name = model[1].strip() if model else platform.processor()
    architecture = platform.machine()
    return architecture if name in ("", architecture) else f"{name} ({architecture})"


def device_name(device: torch.device) -> str:
    """The name of the GPU that a device is, or of the processor."""
    if device.type != "cuda":
        return processor()
    import torch

    return torch.cuda.get_device_name(device)
