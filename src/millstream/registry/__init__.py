"""Registered models from the running program: registered, found and tagged."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from millstream.entities import PagedList
from millstream.entities.model_registry import ModelVersion, RegisteredModel
from millstream.errors import NotSupported
from millstream.tracking.client import MlflowClient
from millstream.tracking.registering import register_version

__all__ = ["register_model", "search_model_versions", "search_registered_models", "set_model_version_tag"]

T = TypeVar("T")

_PAGE = 1_000


def register_model(
    model_uri: str | os.PathLike[str], name: str, await_registration_for: int | None = 300, *,
    tags: dict[str, Any] | None = None, env_pack: object = None,
) -> ModelVersion:
    """Make a model the next version of the registered model ``name``, which is created if need be.

    ``model_uri`` is ``runs:/<run id>/<name>``, ``models:/<model id>``, a version of another registered model
    (``models:/<name>/<version>``, copied), or a place of artifacts. Raises RunNotFound, LoggedModelNotFound,
    RegisteredModelNotFound, ArtifactNotFound for a run that has no model there, and InvalidValue for a place that the
    registry does not take.
    """
    if env_pack is not None:
        raise NotSupported("packed environments are Databricks' own", hint="leave env_pack out")
    return register_version(model_uri, name, await_registration_for, MlflowClient(), tags)


def search_registered_models(
    max_results: int | None = None, filter_string: str | None = None, order_by: list[str] | None = None
) -> list[RegisteredModel]:
    """The registered models that match, all of them unless ``max_results`` says how many."""
    client = MlflowClient()
    return _all(lambda size, token: client.search_registered_models(filter_string, size, order_by, token), max_results)


def search_model_versions(
    max_results: int | None = None, filter_string: str | None = None, order_by: list[str] | None = None
) -> list[ModelVersion]:
    """The versions that match, all of them unless ``max_results`` says how many; changed last first."""
    client = MlflowClient()
    return _all(lambda size, token: client.search_model_versions(filter_string, size, order_by, token), max_results)


def _all(search: Callable[[int, str | None], PagedList[T]], wanted: int | None) -> list[T]:
    found: list[T] = []
    token = None
    while wanted is None or len(found) < wanted:
        page = search(_PAGE if wanted is None else min(_PAGE, wanted - len(found)), token)
        found += page
        token = page.token
        if not token:
            break
    return found


def set_model_version_tag(name: str, version: str | None = None, key: str | None = None, value: Any = None) -> None:
    """Set a tag of a version."""
    MlflowClient().set_model_version_tag(name, version, key, value)
