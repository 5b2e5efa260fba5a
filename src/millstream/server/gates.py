"""Signatures for the rules that compare them: read from the models' files before a transition's own transaction.

Nothing of a model is loaded; its ``MLmodel`` file is read as text, through the artifact store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.artifacts.signatures import read_signature
from millstream.errors import MillstreamError
from millstream.operations import (
    OWNER,
    CheckTransition,
    Operation,
    Principal,
    SetModelVersionSignature,
)
from millstream.server.artifacts import Place
from millstream.server.logs import LOGGER

if TYPE_CHECKING:
    from millstream.server.application import Application

async def read_signatures(app: Application, operation: Operation[Any], principal: Principal) -> None:
    """Let the store know the signatures that a rule for this operation (of GATED_OPERATIONS) compares.

    A file that cannot be read leaves what is known of its version as it is.
    """
    name, version = operation.name, operation.version  # type: ignore[attr-defined]
    goal = (getattr(operation, "stage", None), getattr(operation, "alias", None))
    try:
        wanted = (await app.execution.answer(CheckTransition(name, version, *goal), principal)).signatures_of
    except MillstreamError:  # the operation itself says what is wrong
        return
    for number in wanted:
        try:
            place = await app.artifacts.of_version(name, number, principal)
            signature = await app.artifacts.in_thread(_read, place)
            if signature is not None:
                await app.execution.answer(SetModelVersionSignature(name, number, signature), OWNER)
        except MillstreamError as error:
            LOGGER.warning("no signature of a model version", extra={
                "facts": {"name": name, "version": number, "why": error.message}
            })


def _read(place: Place) -> str | None:
    return read_signature(place.store, place.prefix)
