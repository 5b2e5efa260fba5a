"""The client: every call on a tracking store, explicit about ids, without a run that is active by itself."""

from __future__ import annotations

from millstream.tracking.client.approvals import ApprovalCalls
from millstream.tracking.client.artifacts import ArtifactCalls
from millstream.tracking.client.endpoints import EndpointCalls
from millstream.tracking.client.experiments import ExperimentCalls
from millstream.tracking.client.logged_models import LoggedModelCalls
from millstream.tracking.client.monitoring import MonitoringCalls
from millstream.tracking.client.runs import RunCalls
from millstream.tracking.client.webhooks import WebhookCalls

__all__ = ["MlflowClient"]


class MlflowClient(
    ExperimentCalls, RunCalls, ArtifactCalls, LoggedModelCalls, ApprovalCalls, WebhookCalls, EndpointCalls,
    MonitoringCalls,
):
    """All that can be asked of a tracking store, under the names that MLflow's users know.

    A client speaks to ``tracking_uri``, or to the tracking URI of the moment when it is made. It may be used by any
    number of threads. Every call raises the errors of :mod:`millstream.errors`; what it reads includes everything
    that this process has logged before.
    """

    def __init__(self, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        super().__init__(tracking_uri, registry_uri)

    def __repr__(self) -> str:
        return f"MlflowClient({self._tracking_uri!r})"
