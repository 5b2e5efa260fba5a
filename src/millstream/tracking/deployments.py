"""Serving endpoints under the names of MLflow's deployment clients."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from millstream.entities.endpoint import EndpointLimits, Share
from millstream.errors import InvalidValue, NotSupported
from millstream.operations import EndpointAnswer
from millstream.tracking.client import MlflowClient
from millstream.tracking.client.endpoints import EndpointCaller, payload

__all__ = ["DeployClient", "get_deploy_client"]

_SETTINGS = frozenset({
    "model", "enabled", "traffic", "serves", "workers", "replicas", "env_manager", "idle_seconds", "shadow", "limits",
})


def get_deploy_client(target_uri: str | None = None) -> DeployClient:
    """A client of the endpoints of a tracking server or store, that of the registry in use unless one is given."""
    return DeployClient(target_uri)


class DeployClient:
    """Endpoints and predictions by them. Endpoints are dictionaries here, as the server tells them as JSON."""

    def __init__(self, target_uri: str | None = None) -> None:
        self._client = MlflowClient(target_uri, target_uri)
        self.target_uri = self._client.registry_uri

    def create_endpoint(self, name: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
        """Create an endpoint with these settings: ``model`` (the name of the endpoint unless given), ``traffic`` as a
        mapping of targets to weights, ``workers``, ``env_manager`` and so on. Raises InvalidValue for others."""
        settings = _checked(config)
        return _told(self._client.create_endpoint(name, settings.pop("model", None), **settings))

    def update_endpoint(self, endpoint: str, config: dict[str, Any] | None = None) -> dict[str, Any]:
        """Change these settings of an endpoint."""
        settings = _checked(config)
        if settings.pop("model", None) is not None:
            raise InvalidValue("an endpoint keeps its model", hint="create another endpoint")
        return _told(self._client.update_endpoint(endpoint, **settings))

    def delete_endpoint(self, endpoint: str) -> None:
        """Remove an endpoint; requests under way are answered."""
        self._client.delete_endpoint(endpoint)

    def list_endpoints(self) -> list[dict[str, Any]]:
        """Every endpoint, by name."""
        found: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            page = self._client.list_endpoints(max_results=1_000, page_token=token)
            found += [msgspec.to_builtins(one) for one in page]
            token = page.token
            if not token:
                return found

    def get_endpoint(self, endpoint: str) -> dict[str, Any]:
        """An endpoint with the versions that it serves."""
        return _told(self._client.get_endpoint(endpoint))

    def predict(
        self, deployment_name: str | None = None, inputs: Any = None, endpoint: str | None = None
    ) -> Any:
        """The answer of an endpoint to ``inputs``, as JSON's types, such as ``{"predictions": […]}``.

        ``inputs`` are a DataFrame, an array, a list, or a request's body as a dictionary. ``deployment_name`` is a
        version, stage, ``@alias`` or ``latest`` of the endpoint; alone it names the endpoint.
        """
        name = endpoint or deployment_name
        if not name:
            raise InvalidValue("no endpoint is named", hint="predict(endpoint=…, inputs=…)")
        caller = EndpointCaller(self._client._registry)
        try:
            version = deployment_name if endpoint else None
            return json.loads(caller.ask(name, payload(inputs), version=version))
        finally:
            caller.close()

    def create_deployment(
        self, name: str, model_uri: str, flavor: str | None = None, config: dict[str, Any] | None = None,
        endpoint: str | None = None,
    ) -> dict[str, Any]:
        """Serve ``models:/<name>/<version, stage>`` or ``models:/<name>@<alias>`` at an endpoint named ``name``."""
        model, target = _registered(model_uri)
        settings = {"serves": "traffic", **_checked(config), "traffic": [Share(target, 100.0)]}
        settings.pop("model", None)
        made = self._client.create_endpoint(endpoint or name, model, **settings)
        return {"name": made.endpoint.name, "flavor": flavor or "python_function", **_told(made)}

    def update_deployment(
        self, name: str, model_uri: str | None = None, flavor: str | None = None,
        config: dict[str, Any] | None = None, endpoint: str | None = None,
    ) -> dict[str, Any]:
        """Serve another version at the endpoint of a deployment, or change its settings."""
        settings = _checked(config)
        if model_uri is not None:
            settings["traffic"] = [Share(_registered(model_uri)[1], 100.0)]
        return self.update_endpoint(endpoint or name, settings)

    def delete_deployment(
        self, name: str, config: dict[str, Any] | None = None, endpoint: str | None = None
    ) -> None:
        """Remove the endpoint of a deployment."""
        self.delete_endpoint(endpoint or name)

    def list_deployments(self, endpoint: str | None = None) -> list[dict[str, Any]]:
        """The endpoints, which are the deployments here."""
        return [one for one in self.list_endpoints() if endpoint in (None, one["name"])]

    def get_deployment(self, name: str, endpoint: str | None = None) -> dict[str, Any]:
        """The endpoint of a deployment."""
        return self.get_endpoint(endpoint or name)

    def explain(
        self, deployment_name: str | None = None, df: Any = None, endpoint: str | None = None
    ) -> Any:
        """Endpoints predict; they do not explain. Raises NotSupported."""
        raise NotSupported("an endpoint does not explain its predictions",
                           hint="millstream.evaluate(…) explains a model with shap")


def _checked(config: dict[str, Any] | None) -> dict[str, Any]:
    settings = dict(config or {})
    unknown = sorted(settings.keys() - _SETTINGS)
    if unknown:
        raise InvalidValue.of("config", unknown[0], f"it is none of {', '.join(sorted(_SETTINGS))}")
    if isinstance(settings.get("limits"), dict):
        settings["limits"] = EndpointLimits(**settings["limits"])
    return settings


def _registered(model_uri: str) -> tuple[str, str]:
    """The name and the target of an address of a registered model."""
    rest = model_uri.removeprefix("models:/")
    name, separator, target = rest.partition("/")
    if rest != model_uri and separator and target:
        return name, target
    name, separator, alias = rest.partition("@")
    if rest != model_uri and separator and alias:
        return name, f"@{alias}"
    raise InvalidValue.of("model_uri", model_uri, "endpoints serve versions of registered models",
                          hint="register the model, and name it like models:/loan/3, models:/loan/Production or "
                               "models:/loan@champion")


def _told(answer: EndpointAnswer) -> dict[str, Any]:
    endpoint: dict[str, Any] = msgspec.to_builtins(answer.endpoint)
    return {**endpoint, "versions": msgspec.to_builtins(answer.versions)}
