"""Objectives for other processes, which import this module and so nothing that is slow to import."""

from __future__ import annotations

import os
import signal
from typing import Any

import millstream


def square(config: dict[str, Any]) -> dict[str, float]:
    """The parameter squared."""
    print("trying", config["x"])
    millstream.log_metric("inside", config["x"])
    return {"value": config["x"] ** 2, "process": os.getpid()}


def dies_at_even_numbers(config: dict[str, Any]) -> float:
    """The parameter; in trial 0 the process dies, trial 2 raises, and trial 4 has no number to tell."""
    run = millstream.last_active_run()
    assert run is not None
    number = int(run.data.tags["number"])
    if number == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 2:
        raise ValueError(f"no luck with {number}")
    return float(config["x"]) if number != 4 else float("nan")
