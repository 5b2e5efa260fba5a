"""Sending one operation to a store, and what its answer means for what was sent.

An answer is one of three things. *Taken*: done. *Not now*: the server is away, busy, broken or does not know us (no
answer, 5xx, 429, 401, 403, or something in between that answers in its place); what was sent stays where it is.
*Refused*: the store will never take it; the bad entries are found, put aside with the reason, and the others go in.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from millstream.entities import Metric, Param, RunTag
from millstream.errors import (
    Conflict,
    EndpointNotFound,
    IntegrityError,
    InvalidState,
    InvalidValue,
    MethodNotAllowed,
    MillstreamError,
    NotFound,
    NotSupported,
    PermissionDenied,
    StoreUnavailable,
    TooManyRequests,
    Unauthenticated,
)
from millstream.operations import LogBatch, Operation, UpdateRun
from millstream.operations.codec import encode_request
from millstream.tracking.outbox.segment import plain

if TYPE_CHECKING:
    from millstream.stores.contract import Store

REFUSED_SUFFIX = ".refused.jsonl"
_KEYS_SHOWN = 20
_NOT_NOW = (StoreUnavailable, TooManyRequests, Unauthenticated, PermissionDenied, EndpointNotFound, MethodNotAllowed)
_FINAL = (NotSupported, InvalidState, IntegrityError)

Execute = Callable[[Operation[Any]], Any]


def once(store: Store) -> Execute:
    """How the store sends an operation without trying again by itself, where it does."""
    sends: Execute = getattr(store, "execute_once", store.execute)
    return sends


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """Entries of a run that the store will never take, and why.

    ``entries`` counts them; ``keys`` names the first of them (empty for a change of the run itself); ``time`` is in
    milliseconds since the epoch. The whole request stands, as it was sent, in the file ``kept_in``, one JSON object a
    line; ``request`` holds it only while no file could be written.
    """

    uri: str
    run_id: str
    operation: str
    entries: int
    keys: list[str]
    error_code: str
    reason: str
    time: int
    hint: str | None = None
    kept_in: str | None = None
    request: Any = None


def is_not_now(error: MillstreamError) -> bool:
    """Whether the same request may be taken later."""
    if isinstance(error, _NOT_NOW):
        return True
    return error.get_http_status_code() >= 500 and not isinstance(error, _FINAL)


def deliver(execute: Execute, operation: LogBatch | UpdateRun) -> list[tuple[LogBatch | UpdateRun, MillstreamError]]:
    """Send ``operation``; returns the parts of it that were refused, each with the error.

    Raises what :func:`is_not_now` holds for, the error of a store that takes no batch at all, and anything that is not
    a MillstreamError. Then all of it is to be sent again, whatever was taken before: the store recognises what it has.
    """
    try:
        execute(operation)
    except MillstreamError as error:
        if is_not_now(error):
            raise
        if not isinstance(operation, LogBatch):
            _doubt(execute, operation.run_id, error)
            return [(operation, error)]
        at_fault = _doubt(execute, operation.run_id, error)
        return _divided(execute, operation, error) if at_fault else [(operation, error)]
    return []


def _doubt(execute: Execute, run_id: str, error: MillstreamError) -> bool:
    """Ask with a batch of nothing whether the entries are at fault (True) or the run (False).

    Raises ``error`` when it is neither: then it is not the store that answers, or not one that takes batches.
    """
    try:
        execute(LogBatch(run_id))
    except (InvalidValue, NotFound, InvalidState, Conflict):
        return False
    except MillstreamError as fault:
        raise (fault if is_not_now(fault) else error) from None
    return True


def _divided(
    execute: Execute, batch: LogBatch, error: MillstreamError
) -> list[tuple[LogBatch | UpdateRun, MillstreamError]]:
    """Send the halves of a refused batch, and so on, down to the entries that are refused by themselves."""
    entries: list[Metric | Param | RunTag] = [*batch.metrics, *batch.params, *batch.tags]
    if len(entries) <= 1:
        return [(batch, error)]
    refused: list[tuple[LogBatch | UpdateRun, MillstreamError]] = []
    middle = len(entries) // 2
    for half in (entries[:middle], entries[middle:]):
        part = LogBatch(
            batch.run_id,
            [entry for entry in half if isinstance(entry, Metric)],
            [entry for entry in half if isinstance(entry, Param)],
            [entry for entry in half if isinstance(entry, RunTag)],
        )
        try:
            execute(part)
        except MillstreamError as fault:
            if is_not_now(fault):
                raise
            refused += _divided(execute, part, fault)
    return refused


def refusal(uri: str, operation: LogBatch | UpdateRun, error: MillstreamError) -> Refusal:
    """The note of a refused operation, with the request in it."""
    keys: list[str] = []
    entries = 1
    if isinstance(operation, LogBatch):
        named: list[Metric | Param | RunTag] = [*operation.metrics, *operation.params, *operation.tags]
        entries = len(named)
        keys = list(dict.fromkeys(entry.key for entry in named))[:_KEYS_SHOWN]
    body = encode_request(operation)[2]
    return Refusal(
        uri=uri, run_id=operation.run_id, operation=type(operation).__name__, entries=entries, keys=keys,
        error_code=error.error_code, reason=error.message, time=time.time_ns() // 1_000_000, hint=error.hint,
        request=msgspec.Raw(body or b"{}"),
    )


def keep(directory: str, note: Refusal) -> Refusal:
    """Write a refusal to the run's file of refusals; returns it without the request, which stands there now.

    Where the file cannot be written, the refusal comes back whole.
    """
    path = os.path.join(directory, plain(note.run_id) + REFUSED_SUFFIX)
    line = msgspec.json.encode(note) + b"\n"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_EX)
            before = os.fstat(fd).st_size
            if os.write(fd, line) != len(line):
                os.ftruncate(fd, before)
                return note
        finally:
            os.close(fd)
    except OSError:
        return note
    return msgspec.structs.replace(note, kept_in=path, request=None)


def kept(path: str) -> list[Refusal]:
    """The refusals in a file; lines that cannot be read are left out."""
    notes = []
    with open(path, "rb") as lines:
        for line in lines:
            try:
                note = msgspec.json.decode(line, type=Refusal)
            except msgspec.MsgspecError:
                continue
            notes.append(msgspec.structs.replace(note, kept_in=path, request=None))
    return notes
