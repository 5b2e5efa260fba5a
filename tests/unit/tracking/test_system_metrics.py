from __future__ import annotations

import queue
import sys
import types
from dataclasses import dataclass

import psutil
import pytest

from millstream.errors import InvalidValue
from millstream.tracking.system_metrics import SystemMetricsSampler, next_step
from millstream.tracking.system_metrics.gpu import open_gpus
from millstream.tracking.system_metrics.host import Host

Logged = tuple[dict[str, float], int, int]

# The keys that MLflow 3.17.2 logs on a machine without GPUs.
HOST_KEYS = {
    "system/cpu_utilization_percentage",
    "system/disk_available_megabytes",
    "system/disk_usage_megabytes",
    "system/disk_usage_percentage",
    "system/network_receive_megabytes",
    "system/network_transmit_megabytes",
    "system/system_memory_usage_megabytes",
    "system/system_memory_usage_percentage",
}
GPU_FIGURES = {
    "memory_usage_percentage", "memory_usage_megabytes", "utilization_percentage", "power_usage_watts",
    "power_usage_percentage",
}


class Sink:
    """Keeps what was logged, and waits for the next."""

    def __init__(self) -> None:
        self.points: queue.Queue[Logged] = queue.Queue()

    def __call__(self, metrics: dict[str, float], step: int, timestamp: int) -> None:
        self.points.put((metrics, step, timestamp))

    def take(self) -> Logged:
        return self.points.get(timeout=30)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SAMPLING_INTERVAL", "SAMPLES_BEFORE_LOGGING", "NODE_ID"):
        monkeypatch.delenv(f"MLFLOW_SYSTEM_METRICS_{name}", raising=False)
        monkeypatch.delenv(f"MILLSTREAM_SYSTEM_METRICS_{name}", raising=False)


def test_keys_steps_and_timestamps() -> None:
    sink = Sink()
    with SystemMetricsSampler(sink, interval=0.01):
        points = [sink.take() for _ in range(3)]
    assert [step for _, step, _ in points] == [0, 1, 2]
    assert all(set(metrics) >= HOST_KEYS for metrics, _, _ in points)
    assert points[0][2] <= points[1][2] <= points[2][2]
    metrics = points[0][0]
    assert 0 <= metrics["system/cpu_utilization_percentage"] <= 100
    assert 0 < metrics["system/system_memory_usage_megabytes"] <= psutil.virtual_memory().total / 1e6
    assert metrics["system/network_receive_megabytes"] >= 0


def test_a_point_is_the_mean_of_its_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter(range(1000))
    monkeypatch.setattr(Host, "sample", lambda self: {"cpu_utilization_percentage": float(next(readings))})
    sink = Sink()
    with SystemMetricsSampler(sink, interval=0.001, samples=4):
        assert sink.take()[0] == {"system/cpu_utilization_percentage": 1.5}
        assert sink.take()[0] == {"system/cpu_utilization_percentage": 5.5}


def test_a_resumed_run_counts_on() -> None:
    @dataclass
    class Latest:
        key: str
        step: int

    assert next_step([]) == 0
    first = next_step([Latest("loss", 900), Latest("system/cpu_utilization_percentage", 6), Latest("system/n/x", 4)])
    assert first == 7
    sink = Sink()
    with SystemMetricsSampler(sink, interval=0.001, first_step=first):
        assert sink.take()[1] == 7
        assert sink.take()[1] == 8


def test_a_node_has_its_own_keys() -> None:
    sink = Sink()
    with SystemMetricsSampler(sink, interval=0.001, node_id="worker-2"):
        metrics = sink.take()[0]
    assert {key.replace("system/worker-2/", "system/") for key in metrics} >= HOST_KEYS
    assert all(key.startswith("system/worker-2/") for key in metrics)


def test_settings_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.001")
    monkeypatch.setenv("MILLSTREAM_SYSTEM_METRICS_NODE_ID", "n1")
    sink = Sink()
    with SystemMetricsSampler(sink):
        assert "system/n1/cpu_utilization_percentage" in sink.take()[0]


def test_a_run_too_short_for_a_point_gets_one() -> None:
    sink = Sink()
    with SystemMetricsSampler(sink, interval=3600):
        pass
    metrics, step, _ = sink.take()
    assert set(metrics) >= HOST_KEYS
    assert step == 0
    assert sink.points.empty()


def test_stopping_ends_the_thread_and_stopping_again_is_nothing() -> None:
    sampler = SystemMetricsSampler(Sink(), interval=3600)
    sampler.start()
    sampler.stop()
    assert not sampler._thread.is_alive()
    sampler.stop()


def test_stopping_what_never_started_is_nothing() -> None:
    SystemMetricsSampler(Sink()).stop()


@pytest.mark.parametrize("wrong", [{"interval": 0.0}, {"interval": -1.0}, {"samples": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidValue):
        SystemMetricsSampler(Sink(), **wrong)  # type: ignore[arg-type]


def test_a_log_that_fails_is_reported_once_and_sampling_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink()

    def log(metrics: dict[str, float], step: int, timestamp: int) -> None:
        sink(metrics, step, timestamp)
        raise RuntimeError("the run is deleted")

    with SystemMetricsSampler(log, interval=0.001):
        assert [sink.take()[1] for _ in range(3)] == [0, 1, 2]
    assert caplog.text.count("the run is deleted") == 1


def test_a_source_that_fails_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(self: Host) -> dict[str, float]:
        raise OSError("no /proc")

    monkeypatch.setattr(Host, "sample", fail)
    monkeypatch.setitem(sys.modules, "pynvml", nvml())
    sink = Sink()
    with SystemMetricsSampler(sink, interval=0.001):
        assert {key.split("_")[0] for key in sink.take()[0]} == {"system/gpu"}
    assert "no /proc" in caplog.text


def nvml() -> types.ModuleType:
    """The part of NVML's binding that is used, for machines without the hardware: two cards, one without sensors."""
    module = types.ModuleType("pynvml")
    module.__spec__ = types.SimpleNamespace(name="pynvml")  # type: ignore[assignment]
    closed: list[bool] = []

    class NVMLError(Exception):
        pass

    def sensor(value: object) -> object:
        def read(device: int) -> object:
            if device == 1:
                raise NVMLError("Not Supported")
            return value

        return read

    memory = types.SimpleNamespace(used=6_000_000_000, total=24_000_000_000)
    vars(module).update(
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: closed.append(True),
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=lambda device: memory,
        nvmlDeviceGetUtilizationRates=sensor(types.SimpleNamespace(gpu=80)),
        nvmlDeviceGetPowerUsage=sensor(210_000),
        nvmlDeviceGetEnforcedPowerLimit=sensor(350_000),
        nvmlDeviceGetName=lambda device: b"Card",
        closed=closed,
    )
    return module


def test_figures_of_nvidia_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    module = nvml()
    monkeypatch.setitem(sys.modules, "pynvml", module)
    (gpus,) = list(open_gpus())
    figures = gpus.sample()
    assert {key.removeprefix("gpu_0_") for key in figures if key.startswith("gpu_0_")} == GPU_FIGURES
    assert figures["gpu_0_memory_usage_percentage"] == 25.0
    assert figures["gpu_0_memory_usage_megabytes"] == 6000.0
    assert figures["gpu_0_utilization_percentage"] == 80.0
    assert figures["gpu_0_power_usage_watts"] == 210.0
    assert figures["gpu_0_power_usage_percentage"] == 60.0
    assert {key for key in figures if key.startswith("gpu_1_")} == {
        "gpu_1_memory_usage_percentage", "gpu_1_memory_usage_megabytes"
    }
    assert gpus.describe() == [{"name": "Card", "memory_bytes": 24_000_000_000}] * 2
    gpus.close()
    assert vars(module)["closed"] == [True]


def test_figures_of_amd_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = types.ModuleType("pyrsmi"), types.ModuleType("pyrsmi.rocml")
    package.__spec__ = types.SimpleNamespace(name="pyrsmi")  # type: ignore[assignment]
    vars(module).update(
        smi_initialize=lambda: None,
        smi_shutdown=lambda: None,
        smi_get_device_count=lambda: 1,
        smi_get_device_memory_used=lambda device: 8_000_000_000,
        smi_get_device_memory_total=lambda device: 64_000_000_000,
        smi_get_device_utilization=lambda device: 33,
        smi_get_device_average_power=lambda device: 120.5,
        smi_get_device_name=lambda device: "Accelerator",
    )
    monkeypatch.setitem(sys.modules, "pyrsmi", package)
    monkeypatch.setitem(sys.modules, "pyrsmi.rocml", module)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    (gpus,) = list(open_gpus())
    assert gpus.sample() == {
        "gpu_0_memory_usage_percentage": 12.5,
        "gpu_0_memory_usage_megabytes": 8000.0,
        "gpu_0_utilization_percentage": 33.0,
        "gpu_0_power_usage_watts": 120.5,
    }
    assert gpus.describe() == [{"name": "Accelerator", "memory_bytes": 64_000_000_000}]
    gpus.close()
