"""What the commands of ``millstream registry`` share: which registry, and which stage or alias."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from millstream import settings
from millstream.cli.output import tracking_store

if TYPE_CHECKING:
    from collections.abc import Callable

    from millstream.operations import Operation
    from millstream.stores.contract import Store

A = TypeVar("A")
F = TypeVar("F", bound="Callable[..., Any]")

STAGES = click.Choice(["None", "Staging", "Production", "Archived"], case_sensitive=False)


def with_registry_uri(command: F) -> F:
    """The option that names the registry a command works on."""
    return click.option(
        "--registry-uri", metavar="URI",
        help=f"Where registered models are kept.  [default: {settings.REGISTRY_URI.variables[0]}, or the tracking URI]",
    )(command)


def with_holder(command: F) -> F:
    """The options that name a stage or an alias."""
    command = click.option("--alias", help="An alias.")(command)
    return click.option("--stage", type=STAGES, help="A stage.")(command)


def registry_store(uri: str | None) -> AbstractContextManager[Store]:
    """The registry of ``uri``, or of the settings; closed at the end."""
    from millstream.tracking.stores import get_registry_uri

    return tracking_store(uri or get_registry_uri())


def carry_out(store: Store, operation: Operation[A]) -> A:
    """Carry out an operation as the person at this terminal."""
    from millstream.tracking import gates
    from millstream.tracking.stores import acting

    return gates.execute(store, operation, acting())


def one_of(stage: str | None, alias: str | None) -> str:
    """The stage or the alias in words; exactly one of the two is to be given."""
    if (stage is None) == (alias is None):
        raise click.UsageError("name either a --stage or an --alias")
    return f"the stage {stage}" if stage is not None else f"the alias {alias}"
