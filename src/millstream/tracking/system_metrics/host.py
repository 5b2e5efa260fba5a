"""Figures of the machine: processors, memory, disk and network, through ``psutil``."""

from __future__ import annotations

import os
from typing import Any

import psutil

MEGABYTE = 1e6


class Host:
    """Network figures count from the moment this is made, processor figures from one sample to the next."""

    def __init__(self) -> None:
        psutil.cpu_percent()  # the first answer of psutil only starts its clock
        self._network = _network()

    def sample(self) -> dict[str, float]:
        """The figures of this moment: percent of all processors, megabytes of 10**6 bytes."""
        memory = psutil.virtual_memory()
        disk = psutil.disk_usage(os.sep)
        figures = {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "system_memory_usage_megabytes": memory.used / MEGABYTE,
            "system_memory_usage_percentage": memory.percent,
            "disk_usage_percentage": disk.percent,
            "disk_usage_megabytes": disk.used / MEGABYTE,
            "disk_available_megabytes": disk.free / MEGABYTE,
        }
        received, sent = _network()
        figures["network_receive_megabytes"] = (received - self._network[0]) / MEGABYTE
        figures["network_transmit_megabytes"] = (sent - self._network[1]) / MEGABYTE
        return figures


def _network() -> tuple[int, int]:
    counters: Any = psutil.net_io_counters()  # None where a sandbox hides the interfaces, whatever the types say
    return (counters.bytes_recv, counters.bytes_sent) if counters else (0, 0)
