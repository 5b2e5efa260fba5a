"""A run: who, when and where (info), what was measured (data), what was read and made (inputs, outputs)."""

from __future__ import annotations

from typing import Any

import msgspec

from millstream.entities.base import Entity
from millstream.entities.dataset import RunInputs, RunOutputs
from millstream.entities.metric import Metric, Param, RunTag
from millstream.entities.shown import count, duration, moment, page, pairs


class RunInfo(Entity, frozen=True):
    """The facts of a run. Times are in milliseconds since the epoch; ``end_time`` is None while it runs.

    ``run_uuid`` repeats ``run_id`` for clients older than MLflow 1.0. Fields without a default in the protocol are sent
    even when they hold it (a default_factory keeps msgspec from leaving them out).
    """

    run_id: str
    experiment_id: str
    user_id: str | None = None
    status: str = msgspec.field(default_factory=lambda: "RUNNING")
    start_time: int | None = None
    end_time: int | None = None
    lifecycle_stage: str = msgspec.field(default_factory=lambda: "active")
    artifact_uri: str | None = None
    run_name: str | None = None
    run_uuid: str | None = None

    def __post_init__(self) -> None:
        if self.run_uuid is None:
            msgspec.structs.force_setattr(self, "run_uuid", self.run_id)


class RunData(Entity, frozen=True):
    """What a run has logged: the last point of each metric, its parameters and its tags.

    The lists are the stored facts; ``metrics``, ``params`` and ``tags`` give the dictionaries that users read.
    """

    metric_list: list[Metric] = msgspec.field(default_factory=list, name="metrics")
    param_list: list[Param] = msgspec.field(default_factory=list, name="params")
    tag_list: list[RunTag] = msgspec.field(default_factory=list, name="tags")

    @property
    def metrics(self) -> dict[str, float]:
        """Metric key → last value (at the greatest step, then timestamp, then value)."""
        return {metric.key: metric.value for metric in self.metric_list}

    @property
    def params(self) -> dict[str, str]:
        """Parameter key → text."""
        return {param.key: param.value for param in self.param_list}

    @property
    def tags(self) -> dict[str, str]:
        """Tag key → text."""
        return {tag.key: tag.value for tag in self.tag_list}

    def to_dictionary(self) -> dict[str, Any]:
        """The three dictionaries in one."""
        return {"metrics": self.metrics, "params": self.params, "tags": self.tags}


class Run(Entity, frozen=True):
    """A run as it stood when it was read."""

    info: RunInfo
    data: RunData = msgspec.field(default_factory=lambda: RunData())
    inputs: RunInputs = msgspec.field(default_factory=lambda: RunInputs())
    outputs: RunOutputs = RunOutputs()

    def to_dictionary(self) -> dict[str, Any]:
        """Nested plain dictionaries, in the shape MLflow's users know."""
        made: dict[str, Any] = {"info": dict(self.info), "data": self.data.to_dictionary()}
        made["inputs"] = {
            "dataset_inputs": [msgspec.to_builtins(used) for used in self.inputs.dataset_inputs],
            "model_inputs": [msgspec.to_builtins(used) for used in self.inputs.model_inputs],
        }
        made["outputs"] = {"model_outputs": [msgspec.to_builtins(out) for out in self.outputs.model_outputs]}
        return made

    def __repr__(self) -> str:
        info, data = self.info, self.data
        counted = f"{count(len(data.metric_list), 'metric')}, {count(len(data.param_list), 'param')}"
        return f"<{type(self).__name__} {info.run_name or info.run_id}: {info.status}, {counted}, id {info.run_id}>"

    def __str__(self) -> str:
        info = self.info
        took = duration(info.end_time - info.start_time) if info.end_time and info.start_time else ""
        free = {key: text for key, text in self.data.tags.items() if not key.startswith(("mlflow.", "millstream."))}
        return page(
            f"Run {info.run_name or info.run_id}",
            [
                ("id", info.run_id),
                ("experiment", info.experiment_id),
                ("status", info.status + (", deleted" if info.lifecycle_stage != "active" else "")),
                ("started", moment(info.start_time) + (f", took {took}" if took else "")),
                ("user", info.user_id or ""),
                ("note", self.data.tags.get("mlflow.note.content", "")),
                ("metrics", pairs(self.data.metrics)),
                ("params", pairs(self.data.params)),
                ("tags", pairs(free)),
                ("artifacts", info.artifact_uri or ""),
            ],
        )
