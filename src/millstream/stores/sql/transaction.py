"""What an operation works with inside a transaction, and the table of who executes what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, select

from millstream.errors import ExperimentNotFound, InvalidValue, RunNotFound
from millstream.operations import Operation, Principal
from millstream.stores.sql.keys import Keys
from millstream.stores.sql.schema import experiments, runs

T = TypeVar("T", bound=Operation[Any])
Execute = Callable[["Transaction", Any], Any]
_Executor = TypeVar("_Executor", bound=Callable[..., Any])


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def under(root: str, *parts: str) -> str:
    """An artifact URI below ``root``; a query of the root stays behind the path."""
    path, mark, query = root.partition("?")
    return "/".join([path.rstrip("/") if not path.endswith(":/") else path[:-1], *parts]) + mark + query


@dataclass
class Transaction:
    """A connection with a transaction under way, and what belongs to its store."""

    connection: Connection
    keys: Keys
    artifact_root: str
    principal: Principal
    entered: dict[str, int] = field(default_factory=dict)
    # Whether webhooks are to be told of something.
    published: bool = False

    def key(self, name: str) -> int | None:
        """The number of a key's text, None where nobody has used it yet."""
        return self.entered.get(name) or self.keys.find(self.connection, [name]).get(name)

    def enter_keys(self, names: Iterable[str]) -> dict[str, int]:
        """The numbers of these texts; new ones are entered."""
        wanted = set(names)
        missing = wanted - self.entered.keys()
        if missing:
            self.entered.update(self.keys.enter(self.connection, missing))
        return self.entered


EXECUTORS: dict[type[Operation[Any]], Execute] = {}


def executes(kind: type[Operation[Any]]) -> Callable[[_Executor], _Executor]:
    """Enter a function as the one that carries out operations of ``kind``."""

    def enter(function: _Executor) -> _Executor:
        EXECUTORS[kind] = function
        return function

    return enter


def experiment_number(experiment_id: str) -> int:
    """The number of an experiment id. Raises InvalidValue for a text that cannot be one, ExperimentNotFound for a
    number that none can have."""
    try:
        number = int(experiment_id)
    except ValueError:
        raise InvalidValue.of(
            "experiment_id",
            experiment_id,
            "the id of an experiment is a whole number",
            hint="find it by its name: get_experiment_by_name(…)",
        ) from None
    if not 0 <= number < 2**63:
        raise no_experiment(experiment_id)
    return number


def no_experiment(experiment_id: str) -> ExperimentNotFound:
    """The error for an experiment id that names nothing."""
    return ExperimentNotFound(f"No Experiment with id={experiment_id} exists")


def find_experiment(transaction: Transaction, experiment_id: str, *, active: bool = False) -> Row[Any]:
    """The row of an experiment; with ``active``, InvalidValue when it lies in the trash."""
    row = transaction.connection.execute(
        select(experiments).where(experiments.c.id == experiment_number(experiment_id))
    ).one_or_none()
    if row is None:
        raise no_experiment(experiment_id)
    if active and row.deleted_time is not None:
        raise InvalidValue(
            f"The experiment {experiment_id} must be in the 'active' state. Current state is deleted.",
            hint=f"restore it: `millstream experiments restore --experiment-id {experiment_id}`",
        )
    return row


def no_run(run_id: str) -> RunNotFound:
    """The error for a run id that names nothing."""
    return RunNotFound(f"Run with id={run_id} not found")


def deleted_run(run_id: str) -> InvalidValue:
    """The error for a write to a run in the trash."""
    return InvalidValue(
        f"The run {run_id} must be in the 'active' state. Current state is deleted.",
        hint=f"restore it: `millstream runs restore --run-id {run_id}`",
    )


def find_run(transaction: Transaction, run_id: str, *, active: bool = False) -> Row[Any]:
    """The row of a run; with ``active``, InvalidValue when it lies in the trash."""
    row = transaction.connection.execute(select(runs).where(runs.c.run_id == run_id)).one_or_none()
    if row is None:
        raise no_run(run_id)
    if active and row.deleted_time is not None:
        raise deleted_run(run_id)
    return row
