"""Figures of graphics processors: NVIDIA through ``pynvml`` (package nvidia-ml-py), AMD through ``pyrsmi``.

Sources: the NVML API reference (https://docs.nvidia.com/deploy/nvml-api) and the pyrsmi README
(https://github.com/ROCm/pyrsmi). A reader that cannot be opened is no error: most machines have none.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

logger = logging.getLogger(__name__)

MEGABYTE = 1e6


class Gpus(ABC):
    """All processors of one maker, numbered from 0."""

    @abstractmethod
    def sample(self) -> dict[str, float]:
        """The figures of this moment, keyed ``gpu_<number>_<figure>``; one that a device does not have is left out."""

    @abstractmethod
    def describe(self) -> list[dict[str, Any]]:
        """``{"name", "memory_bytes"}`` of each device."""

    @abstractmethod
    def close(self) -> None:
        """Give the driver back."""


def open_gpus() -> Iterator[Gpus]:
    """A reader for each maker whose library is installed and whose driver answers."""
    for module, kind in (("pynvml", Nvidia), ("pyrsmi", Amd)):
        if importlib.util.find_spec(module) is None:
            continue
        try:
            yield kind()
        except Exception as error:  # each driver has errors of its own: no library, no device, no permission
            logger.debug("no GPU figures from %s: %s", module, error)


class Nvidia(Gpus):
    """Devices that NVML lists. Raises ``pynvml.NVMLError`` when there is no driver."""

    def __init__(self) -> None:
        self._nvml = importlib.import_module("pynvml")
        self._nvml.nvmlInit()
        self._devices = [self._nvml.nvmlDeviceGetHandleByIndex(i) for i in range(self._nvml.nvmlDeviceGetCount())]

    def sample(self) -> dict[str, float]:
        """Memory, utilization and power of each device."""
        nvml = self._nvml
        figures: dict[str, float] = {}
        for number, device in enumerate(self._devices):
            if memory := _read(nvml.nvmlDeviceGetMemoryInfo, device):
                figures[f"gpu_{number}_memory_usage_percentage"] = 100 * memory.used / memory.total
                figures[f"gpu_{number}_memory_usage_megabytes"] = memory.used / MEGABYTE
            if utilization := _read(nvml.nvmlDeviceGetUtilizationRates, device):
                figures[f"gpu_{number}_utilization_percentage"] = float(utilization.gpu)
            milliwatts = _read(nvml.nvmlDeviceGetPowerUsage, device)
            if milliwatts is not None:
                figures[f"gpu_{number}_power_usage_watts"] = milliwatts / 1000
                if limit := _read(nvml.nvmlDeviceGetEnforcedPowerLimit, device):
                    figures[f"gpu_{number}_power_usage_percentage"] = 100 * milliwatts / limit
        return figures

    def describe(self) -> list[dict[str, Any]]:
        """Name and memory of each device."""
        found = []
        for device in self._devices:
            name = self._nvml.nvmlDeviceGetName(device)
            memory = int(self._nvml.nvmlDeviceGetMemoryInfo(device).total)
            found.append({"name": name.decode() if isinstance(name, bytes) else name, "memory_bytes": memory})
        return found

    def close(self) -> None:
        """Shut NVML down; it counts its openings."""
        self._nvml.nvmlShutdown()


class Amd(Gpus):
    """Devices that ROCm lists. Raises RuntimeError or OSError when there is no driver."""

    def __init__(self) -> None:
        self._rocm = importlib.import_module("pyrsmi.rocml")
        self._rocm.smi_initialize()
        self._count = int(self._rocm.smi_get_device_count())

    def sample(self) -> dict[str, float]:
        """Memory, utilization and power of each device; ROCm tells no power limit."""
        rocm = self._rocm
        figures: dict[str, float] = {}
        for number in range(self._count):
            used = _read(rocm.smi_get_device_memory_used, number)
            total = _read(rocm.smi_get_device_memory_total, number)
            if used is not None and total:
                figures[f"gpu_{number}_memory_usage_percentage"] = 100 * used / total
                figures[f"gpu_{number}_memory_usage_megabytes"] = used / MEGABYTE
            utilization = _read(rocm.smi_get_device_utilization, number)
            if utilization is not None and utilization >= 0:
                figures[f"gpu_{number}_utilization_percentage"] = float(utilization)
            watts = _read(rocm.smi_get_device_average_power, number)
            if watts is not None and watts >= 0:
                figures[f"gpu_{number}_power_usage_watts"] = float(watts)
        return figures

    def describe(self) -> list[dict[str, Any]]:
        """Name and memory of each device."""
        return [
            {
                "name": str(self._rocm.smi_get_device_name(number)),
                "memory_bytes": int(self._rocm.smi_get_device_memory_total(number)),
            }
            for number in range(self._count)
        ]

    def close(self) -> None:
        """Shut the library down."""
        self._rocm.smi_shutdown()


def _read(function: Callable[[Any], Any], device: Any) -> Any:
    try:
        return function(device)
    except Exception:  # a card without that sensor
        return None
