"""Where entry points run: this machine, containers, clusters, and what installed plug-ins offer."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from millstream.projects.backends.contract import Backend

__all__ = ["BACKENDS", "find"]

# The name of each of ours, the module that holds it and its class; imported when it is asked for.
BACKENDS = {
    "local": "local:LocalBackend",
    "docker": "docker:DockerBackend",
    "kubernetes": "kubernetes:KubernetesBackend",
    "databricks": "databricks:DatabricksBackend",
    "spark": "spark:SparkBackend",
    "ray": "ray:RayBackend",
}


def find(name: str) -> Backend:
    """The backend of this name: one of ours, else one that an installed distribution offers under the groups
    ``millstream.project_backend`` and ``mlflow.project_backend``.

    Raises InvalidValue naming those there are.
    """
    where = BACKENDS.get(name)
    if where is not None:
        module, _, attribute = where.partition(":")
        backend: Backend = getattr(importlib.import_module(f"millstream.projects.backends.{module}"), attribute)()
        return backend
    from millstream.projects.backends import plugins

    found = plugins.find(name)
    if found is None:
        known = ", ".join(sorted({*BACKENDS, *plugins.names()}))
        raise InvalidValue(f"there is no project backend {name!r}; there are {known}",
                           hint="install the distribution that offers it, or name one of these")
    return found
