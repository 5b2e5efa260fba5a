"""Rows of endpoints found by name, and made into entities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, select

from millstream.entities.endpoint import (
    HOST_LIFE_MS,
    Canary,
    EndpointLimits,
    EndpointState,
    PlannedVersion,
    Replica,
    ReplicaState,
    ServedVersion,
    ServingEndpoint,
    ServingHost,
    Share,
    shadows,
    wanted_versions,
    weights,
)
from millstream.errors import ServingEndpointNotFound
from millstream.operations import EndpointAnswer
from millstream.stores.sql.endpoints.tables import endpoints, serving_hosts, serving_replicas
from millstream.stores.sql.registry.tables import model_versions, registered_model_aliases, registered_models
from millstream.stores.sql.transaction import Transaction, now_ms

_CHUNK = 500


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is desired of an endpoint, as the column ``settings`` keeps it."""

    traffic: list[Share]
    serves: str
    workers: int
    replicas: int
    env_manager: str
    idle_seconds: float
    shadow: list[str]
    limits: EndpointLimits
    generation: int = 0
    canary: Canary | None = None

    def text(self) -> str:
        """The column."""
        return msgspec.json.encode(self).decode()


def settings_of(row: Row[Any]) -> Settings:
    """What the row of an endpoint says."""
    return msgspec.json.decode(row.settings, type=Settings)


ROWS = select(endpoints, registered_models.c.name.label("model_name")).join(
    registered_models, registered_models.c.id == endpoints.c.model
)


def find_endpoint(transaction: Transaction, name: str, *, change: bool = False) -> Row[Any]:
    """The row of an endpoint, with its ``model_name``; one that is about to change waits for others who change it."""
    query = ROWS.where(endpoints.c.name == name)
    row = transaction.connection.execute(query.with_for_update(of=endpoints) if change else query).one_or_none()
    if row is None:
        raise ServingEndpointNotFound(
            f"there is no endpoint named {name!r}",
            hint="`millstream endpoints list` shows those that are there; `millstream endpoints create` makes one",
        )
    return row


def versions_of(transaction: Transaction, models: Iterable[int]) -> dict[int, list[PlannedVersion]]:
    """Every version of each of these models, the oldest first."""
    numbers = sorted(set(models))
    aliases: dict[tuple[int, int], list[str]] = defaultdict(list)
    made: dict[int, list[PlannedVersion]] = defaultdict(list)
    for start in range(0, len(numbers), _CHUNK):
        chunk = numbers[start : start + _CHUNK]
        named = registered_model_aliases
        query = select(named).where(named.c.model.in_(chunk)).order_by(named.c.alias)
        for found in transaction.connection.execute(query):
            aliases[found.model, found.version].append(found.alias)
        table = model_versions
        columns = select(table.c.model, table.c.version, table.c.stage)
        query = columns.where(table.c.model.in_(chunk)).order_by(table.c.model, table.c.version)
        for row in transaction.connection.execute(query):
            made[row.model].append(
                PlannedVersion(str(row.version), row.stage, aliases.get((row.model, row.version), []))
            )
    return made


def hosts(transaction: Transaction) -> dict[int, ServingHost]:
    """Number of the row → host, those that live first, then the one that began first."""
    alive_after = now_ms() - HOST_LIFE_MS
    rows = transaction.connection.execute(select(serving_hosts).order_by(serving_hosts.c.id)).all()
    made = {
        row.id: ServingHost(
            host=row.host, address=row.address, node=row.node, pid=row.pid, started=row.started, beat=row.beat,
            alive=row.beat > alive_after and row.state == "READY", state=row.state,
        )
        for row in rows
    }
    return dict(sorted(made.items(), key=lambda item: not item[1].alive))


def replicas_of(
    transaction: Transaction, rows: Sequence[Row[Any]], known: dict[int, ServingHost]
) -> dict[int, list[Replica]]:
    """Number of an endpoint → its replicas on hosts that were heard of lately, the oldest version first."""
    names = {row.id: row.name for row in rows}
    heard = [number for number, host in known.items() if host.beat > now_ms() - HOST_LIFE_MS]
    made: dict[int, list[Replica]] = defaultdict(list)
    table = serving_replicas
    numbers = list(names)
    for start in range(0, len(numbers), _CHUNK):
        query = select(table).where(table.c.endpoint.in_(numbers[start : start + _CHUNK]), table.c.host.in_(heard))
        order = query.order_by(table.c.endpoint, table.c.version, table.c.host, table.c.number)
        for row in transaction.connection.execute(order):
            made[row.endpoint].append(
                Replica(
                    host=known[row.host].host, endpoint=names[row.endpoint], version=str(row.version),
                    number=row.number, state=row.state, since=row.since, restarts=row.restarts, pid=row.pid,
                    port=row.port, error=row.error,
                )
            )
    return made


def load_endpoints(transaction: Transaction, rows: Sequence[Row[Any]]) -> list[EndpointAnswer]:
    """The endpoints of these rows, in their order, with the versions that each serves."""
    known = hosts(transaction)
    versions = versions_of(transaction, [row.model for row in rows])
    replicas = replicas_of(transaction, rows, known)
    alive = [host for host in known.values() if host.alive]
    return [_answer(row, versions.get(row.model, []), replicas.get(row.id, []), alive) for row in rows]


def endpoint_of(row: Row[Any], state: str = "", reason: str | None = None) -> ServingEndpoint:
    """The endpoint of a row."""
    told = settings_of(row)
    return ServingEndpoint(
        name=row.name, model=row.model_name, enabled=row.enabled, traffic=told.traffic, serves=told.serves,
        workers=told.workers, replicas=told.replicas, env_manager=told.env_manager, idle_seconds=told.idle_seconds,
        shadow=told.shadow, generation=told.generation, revision=row.revision,
        creation_timestamp=row.creation_timestamp, last_updated_timestamp=row.last_updated_timestamp,
        user_id=row.user_id, state=state, limits=told.limits, canary=told.canary, reason=reason,
    )


def _answer(
    row: Row[Any], versions: list[PlannedVersion], replicas: list[Replica], alive: list[ServingHost]
) -> EndpointAnswer:
    endpoint = endpoint_of(row)
    shares, copied = weights(endpoint, versions), shadows(endpoint, versions)
    of_version: dict[str, list[Replica]] = defaultdict(list)
    for replica in replicas:
        of_version[replica.version].append(replica)
    known = {one.version: one for one in versions}
    served = [
        ServedVersion(
            version=version, stage=known[version].stage if version in known else "",
            aliases=known[version].aliases if version in known else [],
            percent=shares.get(version, 0.0) if row.enabled else 0.0, shadow=version in copied and row.enabled,
            state=_state_of_version(of_version.get(version, [])), replicas=of_version.get(version, []),
        )
        for version in sorted({*wanted_versions(endpoint, versions), *of_version}, key=int)
    ]
    state, reason = _state(row.enabled, shares, served, alive)
    return EndpointAnswer(endpoint_of(row, state, reason), served, alive)


def _state_of_version(replicas: Sequence[Replica]) -> str:
    states = {replica.state for replica in replicas}
    order = (ReplicaState.READY, ReplicaState.IDLE, ReplicaState.STARTING, ReplicaState.FAILED, ReplicaState.DRAINING)
    return next((state for state in order if state in states), ReplicaState.STOPPED)


def _state(
    enabled: bool, shares: dict[str, float], served: Sequence[ServedVersion], alive: Sequence[ServingHost]
) -> tuple[str, str | None]:
    running = [one for one in served if any(replica.pid for replica in one.replicas)]
    if not enabled:
        return (EndpointState.STOPPING if running else EndpointState.OFF), None
    if not alive:
        return EndpointState.WAITING, "no serving host lives: start one with `millstream endpoints host`"
    if not shares:
        return EndpointState.WAITING, "the model has no version that is not archived"
    by_version = {one.version: one for one in served}
    takers = [by_version[version] for version in shares]
    failed = [replica for one in served for replica in one.replicas if replica.state == ReplicaState.FAILED]
    troubled = failed or [replica for one in served for replica in one.replicas if replica.error]
    reason = f"version {troubled[0].version}: {troubled[0].error}" if troubled else None
    fine = (ReplicaState.READY, ReplicaState.IDLE)
    if any(one.state == ReplicaState.READY for one in takers):
        whole = all(one.state in fine for one in served if one.percent or one.state != ReplicaState.DRAINING)
        return (EndpointState.READY if whole and not failed else EndpointState.DEGRADED), reason
    if any(one.state in (ReplicaState.STARTING, ReplicaState.STOPPED) for one in takers):
        return EndpointState.STARTING, reason
    return EndpointState.FAILED, reason
