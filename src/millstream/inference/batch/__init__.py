"""Batch jobs: a model over data at its times, each execution a run that says what it read and wrote."""

from __future__ import annotations

from millstream.inference.batch.execution import Execution, execute
from millstream.inference.batch.jobs import BatchJob, read_job
from millstream.inference.batch.schedule import Schedule

__all__ = ["BatchJob", "Execution", "Schedule", "execute", "read_job"]
