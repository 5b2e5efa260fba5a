"""Choices for this process under the names that MLflow's users know; each changes one of :mod:`millstream.settings`."""

from __future__ import annotations

from millstream import settings
from millstream.errors import InvalidValue
from millstream.tracking.stores import (
    get_registry_uri,
    get_tracking_uri,
    is_tracking_uri_set,
    set_registry_uri,
    set_tracking_uri,
)

__all__ = [
    "disable_system_metrics_logging",
    "enable_async_logging",
    "enable_system_metrics_logging",
    "get_registry_uri",
    "get_tracking_uri",
    "is_tracking_uri_set",
    "set_registry_uri",
    "set_system_metrics_node_id",
    "set_system_metrics_samples_before_logging",
    "set_system_metrics_sampling_interval",
    "set_tracking_uri",
]


def enable_async_logging(enable: bool = True) -> None:
    """Log through the outbox (the default), or with False send each call before it returns; for runs yet to start."""
    settings.ENABLE_ASYNC_LOGGING.set(enable)


def enable_system_metrics_logging() -> None:
    """Log figures of processor, memory, disk, network and GPU with every run started from now on."""
    settings.ENABLE_SYSTEM_METRICS_LOGGING.set(True)


def disable_system_metrics_logging() -> None:
    """Log no system metrics with runs started from now on."""
    settings.ENABLE_SYSTEM_METRICS_LOGGING.set(False)


def set_system_metrics_sampling_interval(interval: float | None) -> None:
    """Take a sample of system metrics every ``interval`` seconds; None for the default."""
    if interval is None:
        settings.SYSTEM_METRICS_SAMPLING_INTERVAL.unset()
        return
    if interval <= 0:
        raise InvalidValue.of("interval", interval, "it is a number of seconds above zero")
    settings.SYSTEM_METRICS_SAMPLING_INTERVAL.set(interval)


def set_system_metrics_samples_before_logging(samples: int | None) -> None:
    """Log the mean of so many samples as one point; None for the default."""
    if samples is None:
        settings.SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING.unset()
        return
    if samples <= 0:
        raise InvalidValue.of("samples", samples, "it is a whole number above zero")
    settings.SYSTEM_METRICS_SAMPLES_BEFORE_LOGGING.set(samples)


def set_system_metrics_node_id(node_id: str | None) -> None:
    """Log system metrics as those of this machine: ``system/<node_id>/…``; None for no name."""
    if node_id is None:
        settings.SYSTEM_METRICS_NODE_ID.unset()
    else:
        settings.SYSTEM_METRICS_NODE_ID.set(node_id)
