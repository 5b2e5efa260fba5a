"""Figures of the machine while a run trains, under the keys that MLflow gives them."""

from __future__ import annotations

from millstream.tracking.system_metrics.sampler import SystemMetricsSampler, next_step

__all__ = ["SystemMetricsSampler", "next_step"]
