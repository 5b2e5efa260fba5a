"""Transitions in a store on this machine: the signatures that rules compare are read from the models' files first.

A server does that by itself.
"""

from __future__ import annotations

from typing import Any, TypeVar

from millstream.errors import MillstreamError
from millstream.operations import (
    CheckTransition,
    GetModelVersionDownloadUri,
    Operation,
    Principal,
    SetModelVersionSignature,
)
from millstream.operations.approvals import GATED_OPERATIONS
from millstream.stores.contract import Store
from millstream.stores.opening import scheme_of

A = TypeVar("A")

_SERVERS = ("http", "https", "databricks")


def execute(store: Store, operation: Operation[A], principal: Principal) -> A:
    """Carry out an operation on a registry, with what its rules need to know."""
    if isinstance(operation, GATED_OPERATIONS) and scheme_of(store.uri) not in _SERVERS:
        _read_signatures(store, operation, principal)
    return store.execute(operation, principal)


def _read_signatures(store: Store, operation: Any, principal: Principal) -> None:
    goal = (getattr(operation, "stage", None), getattr(operation, "alias", None))
    try:
        check = store.execute(CheckTransition(operation.name, operation.version, *goal), principal)
    except MillstreamError:  # the operation itself says what is wrong
        return
    for version in check.signatures_of:
        try:
            signature = _signature(store, operation.name, version)
        except MillstreamError:  # the rule says that the signature is not known
            continue
        if signature is not None:
            store.execute(SetModelVersionSignature(operation.name, version, signature), principal)


def _signature(store: Store, name: str, version: str) -> str | None:
    from millstream.artifacts.signatures import read_signature
    from millstream.artifacts.uris import artifact_store

    with artifact_store(store.execute(GetModelVersionDownloadUri(name, version)).artifact_uri) as files:
        return read_signature(files)
