"""The client's calls on serving endpoints: what they serve, and predictions by them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from millstream.entities import PagedList
from millstream.entities.endpoint import (
    SERVES_ALL,
    CanaryStep,
    EndpointEvent,
    EndpointLimits,
    ReplicaLog,
    ServingEndpoint,
    ServingHost,
    Share,
)
from millstream.errors import NotServing
from millstream.operations import (
    CreateEndpoint,
    DeleteEndpoint,
    DisableServing,
    EnableServing,
    EndCanary,
    EndpointAnswer,
    GetEndpoint,
    GetEndpointLogs,
    ListEndpointEvents,
    ListEndpoints,
    ListServingHosts,
    RestartEndpoint,
    StartCanary,
    UpdateEndpoint,
)
from millstream.stores.contract import Store
from millstream.tracking.client.registry import RegistryCalls

if TYPE_CHECKING:
    from millstream.stores.http.transport import Transport

Rule = Mapping[str, float] | Sequence[Share]
Steps = Sequence[CanaryStep | tuple[float, float]]
_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class EndpointCaller:
    """Asks endpoints for predictions: through the tracking server where there is one, else a host that lives."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hosts: dict[str, Transport] = {}

    def ask(
        self, endpoint: str, body: bytes, content_type: str = "application/json", *, version: str | None = None,
        session: str | None = None, timeout: float | None = None,
    ) -> bytes:
        """The answer of an endpoint to a request, by its traffic rule, or of a ``version`` (stage, @alias, latest).

        Requests of one ``session`` stay with one version. Raises ServingEndpointNotFound, NotServing, and what the
        scoring process answers.
        """
        path = f"/endpoints/{quote(endpoint, safe='')}/invocations"
        if version is not None:
            model = self._store.execute(GetEndpoint(endpoint)).endpoint.model
            path = f"/model/{quote(model, safe='')}/{quote(version, safe='')}/invocations"
        headers = {"Content-Type": content_type}
        if session is not None:
            headers["X-Millstream-Session"] = session
        sent = self._transport(endpoint).request(
            "POST", path, body=body, headers=headers, timeout=timeout, retry=True
        )
        return sent.data

    def _transport(self, endpoint: str) -> Transport:
        own: Transport | None = getattr(self._store, "transport", None)
        if own is not None:
            return own
        found = self._store.execute(GetEndpoint(endpoint)).hosts
        if not found:
            raise NotServing("no serving host lives", hint="start one with `millstream endpoints host`")
        from millstream.stores.http.transport import Transport

        address = found[0].address
        if address not in self._hosts:
            self._hosts[address] = Transport(address, sign_in=False)
        return self._hosts[address]

    def close(self) -> None:
        """Close the connections."""
        for transport in self._hosts.values():
            transport.close()
        self._hosts.clear()


def payload(inputs: Any) -> bytes:
    """The body of a request with these inputs: a pandas DataFrame, an array, a list, or a body as a dictionary.

    A dictionary without ``dataframe_split``, ``dataframe_records``, ``instances`` or ``inputs`` holds named inputs.
    """
    if isinstance(inputs, (bytes, bytearray)):
        return bytes(inputs)
    if isinstance(inputs, str):
        return inputs.encode()
    if hasattr(inputs, "to_json"):
        table = inputs.to_frame() if hasattr(inputs, "to_frame") else inputs
        split = table.to_json(orient="split", date_format="iso", double_precision=15)
        return f'{{"dataframe_split": {split}}}'.encode()
    if isinstance(inputs, Mapping):
        plain = {str(name): _plain(value) for name, value in inputs.items()}
        return json.dumps(plain if any(name in plain for name in _FORMS) else {"inputs": plain}).encode()
    return json.dumps({"inputs": _plain(inputs)}).encode()


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _shares(rule: Rule) -> list[Share]:
    if isinstance(rule, Mapping):
        return [Share(target, float(weight)) for target, weight in rule.items()]
    return list(rule)


class EndpointCalls(RegistryCalls):
    """Serving endpoints: registered models served under names that stay while versions come and go."""

    def create_endpoint(
        self, name: str, model: str | None = None, *, enabled: bool = True, traffic: Rule = (),
        serves: str = SERVES_ALL, workers: int = 1, replicas: int = 1, env_manager: str = "uv",
        idle_seconds: float = 0.0, shadow: Sequence[str] = (), limits: EndpointLimits | None = None,
    ) -> EndpointAnswer:
        """Create an endpoint for a registered model, the one of its name unless given.

        ``traffic`` maps targets (a version, a stage, ``@alias`` or ``latest``) to weights; without any, Production gets
        all, else the newest version. Raises AlreadyExists, RegisteredModelNotFound and InvalidValue.
        """
        return self._ask(CreateEndpoint(
            name, model or name, enabled, _shares(traffic), serves, workers, replicas, env_manager, idle_seconds,
            list(shadow), limits or EndpointLimits(),
        ))

    def get_endpoint(self, name: str) -> EndpointAnswer:
        """An endpoint, the versions that it serves with their replicas, and the hosts that live."""
        return self._ask(GetEndpoint(name))

    def list_endpoints(
        self, model: str | None = None, max_results: int = 100, page_token: str | None = None
    ) -> PagedList[ServingEndpoint]:
        """A page of endpoints by name, all of them or those of a registered model."""
        page = self._ask(ListEndpoints(model, max_results, page_token))
        return PagedList(page.endpoints, page.next_page_token)

    def update_endpoint(
        self, name: str, *, revision: int | None = None, enabled: bool | None = None, traffic: Rule | None = None,
        serves: str | None = None, workers: int | None = None, replicas: int | None = None,
        env_manager: str | None = None, idle_seconds: float | None = None, shadow: Sequence[str] | None = None,
        limits: EndpointLimits | None = None,
    ) -> EndpointAnswer:
        """Change what is given of an endpoint. Raises Conflict when it is at another ``revision`` by now."""
        return self._ask(UpdateEndpoint(
            name, revision, enabled, None if traffic is None else _shares(traffic), serves, workers, replicas,
            env_manager, idle_seconds, None if shadow is None else list(shadow), limits,
        ))

    def delete_endpoint(self, name: str) -> None:
        """Remove an endpoint; requests under way are answered."""
        self._ask(DeleteEndpoint(name))

    def enable_serving(self, model: str, env_manager: str | None = None) -> EndpointAnswer:
        """Serve every version of a registered model that is not archived, at an endpoint of the model's name."""
        return self._ask(EnableServing(model, env_manager))

    def disable_serving(self, model: str) -> list[ServingEndpoint]:
        """Switch off every endpoint of a registered model, and return them."""
        return self._ask(DisableServing(model)).endpoints

    def restart_endpoint(self, name: str) -> EndpointAnswer:
        """Replace the scoring processes of an endpoint, while requests go on being answered."""
        return self._ask(RestartEndpoint(name))

    def start_canary(
        self, name: str, version: str | int, steps: Steps = ((5, 60), (25, 60), (50, 60)), *,
        max_error_rate: float = 0.05, min_requests: int = 20, max_seconds: float | None = None,
        revision: int | None = None,
    ) -> EndpointAnswer:
        """Give a version more and more of an endpoint's traffic, in steps of (percent, seconds), as long as it does
        well; see :class:`millstream.entities.endpoint.Canary`."""
        made = [one if isinstance(one, CanaryStep) else CanaryStep(*one) for one in steps]
        return self._ask(StartCanary(
            name, str(version), made, max_error_rate, min_requests, max_seconds, revision
        ))

    def end_canary(self, name: str, outcome: str, reason: str | None = None) -> EndpointAnswer:
        """End the canary of an endpoint: PROMOTED, ROLLED_BACK or STOPPED."""
        return self._ask(EndCanary(name, outcome, reason))

    def get_endpoint_history(
        self, name: str, max_results: int = 100, page_token: str | None = None
    ) -> PagedList[EndpointEvent]:
        """A page of what has happened to an endpoint, the newest first."""
        page = self._ask(ListEndpointEvents(name, max_results, page_token))
        return PagedList(page.events, page.next_page_token)

    def get_endpoint_logs(self, name: str, version: str | int | None = None) -> list[ReplicaLog]:
        """The last lines of the scoring processes of an endpoint, of one version if given."""
        return self._ask(GetEndpointLogs(name, None if version is None else str(version))).logs

    def list_serving_hosts(self) -> list[ServingHost]:
        """The hosts that serve endpoints, those that live first."""
        return self._ask(ListServingHosts()).hosts

    def query_endpoint(
        self, name: str, inputs: Any, *, version: str | int | None = None, session: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        """The predictions of an endpoint for ``inputs`` (see :func:`payload`), as JSON's types.

        The traffic rule says which version answers, unless ``version`` does. Raises NotServing, and what the scoring
        process says of the inputs.
        """
        caller = EndpointCaller(self._registry)
        try:
            answer = caller.ask(
                name, payload(inputs), version=None if version is None else str(version), session=session,
                timeout=timeout,
            )
        finally:
            caller.close()
        return json.loads(answer)
