"""Pipelines: entry points that need what others make, each run once for the same code, data and parameters."""

from __future__ import annotations

from millstream.projects.pipelines.options import Options

__all__ = ["Options"]
