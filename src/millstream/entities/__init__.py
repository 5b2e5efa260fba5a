"""What users talk about: frozen snapshots, the same in every store and on the wire."""

from millstream.entities.artifact import FileInfo
from millstream.entities.base import Entity, PagedList
from millstream.entities.dataset import (
    Dataset,
    DatasetInput,
    DatasetSummary,
    LoggedModelInput,
    LoggedModelOutput,
    RunInputs,
    RunOutputs,
)
from millstream.entities.enums import LifecycleStage, LoggedModelStatus, RunStatus, SourceType, ViewType
from millstream.entities.experiment import Experiment
from millstream.entities.logged_model import (
    LoggedModel,
    LoggedModelData,
    LoggedModelInfo,
    LoggedModelParameter,
    LoggedModelTag,
)
from millstream.entities.metric import ExperimentTag, InputTag, Metric, MetricWithRunId, Param, RunTag
from millstream.entities.run import Run, RunData, RunInfo
from millstream.entities.webhook import Webhook, WebhookEvent, WebhookStatus, WebhookTestResult

__all__ = [
    "Dataset",
    "DatasetInput",
    "DatasetSummary",
    "Entity",
    "Experiment",
    "ExperimentTag",
    "FileInfo",
    "InputTag",
    "LifecycleStage",
    "LoggedModel",
    "LoggedModelData",
    "LoggedModelInfo",
    "LoggedModelInput",
    "LoggedModelOutput",
    "LoggedModelParameter",
    "LoggedModelStatus",
    "LoggedModelTag",
    "Metric",
    "MetricWithRunId",
    "PagedList",
    "Param",
    "Run",
    "RunData",
    "RunInfo",
    "RunInputs",
    "RunOutputs",
    "RunStatus",
    "RunTag",
    "SourceType",
    "ViewType",
    "Webhook",
    "WebhookEvent",
    "WebhookStatus",
    "WebhookTestResult",
]
