"""The client's calls on what is recorded of served models: requests, outcomes, figures, monitors, alerts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from millstream.entities import PagedList
from millstream.entities.monitoring import (
    Alert,
    AlertAction,
    Monitor,
    MonitorSettings,
    Outcome,
    RequestRecord,
    ServiceFigures,
    Threshold,
    WindowFindings,
)
from millstream.errors import InvalidValue
from millstream.operations import (
    DeleteMonitor,
    GetMonitor,
    GetServiceFigures,
    ListAlerts,
    ListFindings,
    ListMonitors,
    RecordOutcomes,
    SearchRequests,
    SetMonitor,
)
from millstream.tracking.client.registry import RegistryCalls

_OUTCOMES = 10_000
_SETTINGS = tuple(field.name for field in msgspec.structs.fields(MonitorSettings))


class MonitoringCalls(RegistryCalls):
    """What endpoints are asked and answer, and what watches them. Beyond MLflow."""

    def set_monitor(
        self, endpoint: str, *, thresholds: Mapping[str, float] | Sequence[Threshold] | None = None,
        actions: Sequence[AlertAction | str] | None = None, **settings: Any,
    ) -> Monitor:
        """Watch an endpoint with these settings, and the usual ones for the rest.

        ``settings`` are the fields of :class:`~millstream.entities.monitoring.MonitorSettings`. ``thresholds`` map
        statistics to limits (``{"psi": 0.25, "accuracy": 0.9}``); for one column give
        ``Threshold("psi", 0.25, "income")``. ``actions`` are ``"webhook"`` and ``AlertAction("tag", key, value)``.
        Raises InvalidValue.
        """
        unknown = settings.keys() - set(_SETTINGS)
        if unknown:
            raise InvalidValue(f"a monitor has no setting {min(unknown)!r}", hint=f"it has {', '.join(_SETTINGS)}")
        if isinstance(thresholds, Mapping):
            settings["thresholds"] = [Threshold(name, limit) for name, limit in thresholds.items()]
        elif thresholds is not None:
            settings["thresholds"] = list(thresholds)
        if actions is not None:
            settings["actions"] = [AlertAction(one) if isinstance(one, str) else one for one in actions]
        try:
            made = msgspec.convert(msgspec.to_builtins(settings), MonitorSettings)
        except msgspec.ValidationError as error:
            raise InvalidValue(f"these are no settings of a monitor: {error}") from None
        return self._ask(SetMonitor(endpoint, made)).monitor

    def get_monitor(self, endpoint: str) -> Monitor:
        """The monitor of an endpoint. Raises MonitorNotFound."""
        return self._ask(GetMonitor(endpoint)).monitor

    def list_monitors(self, max_results: int = 1_000, page_token: str | None = None) -> PagedList[Monitor]:
        """One page of the monitors, by endpoint."""
        page = self._ask(ListMonitors(max_results, page_token))
        return PagedList(page.monitors, page.next_page_token)

    def delete_monitor(self, endpoint: str) -> None:
        """Stop watching an endpoint, and remove what was recorded of it. Raises MonitorNotFound."""
        self._ask(DeleteMonitor(endpoint))

    def search_requests(
        self, endpoint: str, *, max_results: int = 100, page_token: str | None = None, **conditions: Any
    ) -> PagedList[RequestRecord]:
        """One page of the requests to an endpoint, the newest first.

        ``conditions`` are the fields of :class:`~millstream.operations.SearchRequests`: ``version``, ``request_id``,
        ``start_time``, ``least_status``, ``with_outcome``, ``with_bodies``, and so on.
        """
        page = self._ask(SearchRequests(endpoint, max_results=max_results, page_token=page_token, **conditions))
        return PagedList(page.requests, page.next_page_token)

    def log_outcomes(self, endpoint: str, outcomes: Mapping[str, Any]) -> list[str]:
        """Say what really happened after requests: their ids → a value, or a list of one value a row.

        Returns the ids that the request log does not have: they were not in the sample, or are removed already.
        """
        given = [Outcome(name, json.dumps(_plain(value))) for name, value in outcomes.items()]
        unknown: list[str] = []
        for start in range(0, len(given), _OUTCOMES):
            unknown += self._ask(RecordOutcomes(endpoint, given[start:start + _OUTCOMES])).unknown
        return unknown

    def get_service_figures(
        self, endpoint: str, start_time: int, end_time: int, *, step_minutes: int = 1, model: str | None = None,
        version: str | None = None,
    ) -> list[ServiceFigures]:
        """Requests, errors and latency of each version between two times, in steps of minutes."""
        asked = GetServiceFigures(endpoint, start_time, end_time, step_minutes, model, version)
        return self._ask(asked).figures

    def list_findings(
        self, endpoint: str, *, version: str | None = None, column: str | None = None, statistic: str | None = None,
        max_results: int = 100, page_token: str | None = None,
    ) -> PagedList[WindowFindings]:
        """One page of the windows that were looked at, the newest first, with what was found in them."""
        page = self._ask(ListFindings(endpoint, None, version, column, statistic, max_results=max_results,
                                      page_token=page_token))
        return PagedList(page.windows, page.next_page_token)

    def list_alerts(
        self, endpoint: str | None = None, *, version: str | None = None, only_open: bool = False,
        max_results: int = 100, page_token: str | None = None,
    ) -> PagedList[Alert]:
        """One page of the alerts of an endpoint, or of all, the newest first."""
        page = self._ask(ListAlerts(endpoint, None, version, only_open, max_results, page_token))
        return PagedList(page.alerts, page.next_page_token)


def _plain(value: Any) -> Any:
    """An outcome in JSON's types: arrays and numbers of numpy become lists and Python's numbers."""
    return value.tolist() if hasattr(value, "tolist") else value
