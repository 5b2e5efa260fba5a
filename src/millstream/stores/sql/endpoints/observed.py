"""Operations on hosts and replicas: what is observed, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from sqlalchemy import Row, delete, insert, select, update

from millstream.entities.endpoint import HOST_LIFE_MS, ReplicaLog, ReplicaState
from millstream.errors import InvalidValue
from millstream.operations import (
    BeatServingHost,
    EndpointLogs,
    EndServingHost,
    GetEndpointLogs,
    ListServingHosts,
    ReplicaReport,
    ServingHosts,
)
from millstream.operations.limits import check_text
from millstream.stores.sql.driver import many
from millstream.stores.sql.endpoints.changes import note
from millstream.stores.sql.endpoints.reading import find_endpoint, hosts
from millstream.stores.sql.endpoints.tables import endpoints, serving_hosts, serving_replicas
from millstream.stores.sql.registry.reading import version_number
from millstream.stores.sql.transaction import Transaction, executes, now_ms

# Hosts that died are remembered for so long.
_FORGOTTEN_MS = 3_600_000
_LOG_LENGTH = 100_000
_ERROR_LENGTH = 4_000
_UPSERT = (
    "INSERT INTO serving_replicas (host, endpoint, version, number, state, since, restarts, pid, port, error, log)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (host, endpoint, version, number) DO UPDATE SET"
    " state = excluded.state, since = excluded.since, restarts = excluded.restarts, pid = excluded.pid,"
    " port = excluded.port, error = excluded.error, log = COALESCE(excluded.log, serving_replicas.log)"
)
_STATES = frozenset(value for name, value in vars(ReplicaState).items() if name.isupper())


@executes(ListServingHosts)
def listing(transaction: Transaction, operation: ListServingHosts) -> ServingHosts:
    return ServingHosts(list(hosts(transaction).values()))


@executes(BeatServingHost)
def beat(transaction: Transaction, operation: BeatServingHost) -> None:
    split = urlsplit(operation.address)
    if split.scheme not in ("http", "https") or not split.hostname:
        raise InvalidValue.of("address", operation.address, "it is no http address")
    now, table = now_ms(), serving_hosts
    values = {
        "address": check_text(operation.address, 1_000, "address").rstrip("/"),
        "node": check_text(operation.node, 500, "node"), "pid": operation.pid, "state": operation.state, "beat": now,
    }
    found = transaction.connection.execute(select(table.c.id).where(table.c.host == operation.host)).scalar()
    if found is None:
        # Whoever had this address before has gone.
        gone = (table.c.beat < now - _FORGOTTEN_MS) | (table.c.address == values["address"])
        transaction.connection.execute(delete(table).where(gone))
        made = insert(table).values(host=check_text(operation.host, 100, "host"), started=operation.started, **values)
        found = transaction.connection.execute(made.returning(table.c.id)).scalar_one()
    else:
        transaction.connection.execute(update(table).where(table.c.id == found).values(**values))
    if operation.replicas is not None:
        _report(transaction, int(found), operation.replicas)


def _report(transaction: Transaction, host: int, reports: Sequence[ReplicaReport]) -> None:
    """Put what a host reports in the place of what it reported before; what became of replicas is an event."""
    table, numbers = serving_replicas, _numbers(transaction, {report.endpoint for report in reports})
    before = {
        (row.endpoint, row.version, row.number): row
        for row in transaction.connection.execute(select(table).where(table.c.host == host))
    }
    rows = {}
    for report in reports:
        if report.state not in _STATES:
            raise InvalidValue.of("state", report.state, f"it is none of {', '.join(sorted(_STATES))}")
        endpoint = numbers.get(report.endpoint)
        if endpoint is None:
            continue  # it was deleted meanwhile
        key = (endpoint, version_number(report.version), report.number)
        log = None if report.log is None else report.log[-_LOG_LENGTH:]
        error = None if report.error is None else report.error[:_ERROR_LENGTH]
        rows[key] = (
            host, *key, report.state, report.since, report.restarts, report.pid, report.port, error, log,
        )
        _tell(transaction, report, before.get(key))
    for endpoint, version, number in before.keys() - rows.keys():
        transaction.connection.execute(
            delete(table).where(
                table.c.host == host, table.c.endpoint == endpoint, table.c.version == version,
                table.c.number == number,
            )
        )
    many(transaction.connection, _UPSERT, list(rows.values()))


def _tell(transaction: Transaction, report: ReplicaReport, before: Row[tuple[object, ...]] | None) -> None:
    """Write down that a replica became ready or failed, once for each time that it did."""
    state = None if before is None else before.state
    if report.state == state or report.state not in (ReplicaState.READY, ReplicaState.FAILED):
        return
    if report.state == ReplicaState.FAILED and report.restarts and state != ReplicaState.READY:
        return  # it fails again and again: its reason stands in its status
    kind = "endpoint.replica_ready" if report.state == ReplicaState.READY else "endpoint.replica_failed"
    row = find_endpoint(transaction, report.endpoint, change=True)
    note(transaction, row, kind, version=report.version, detail=report.error)


def _numbers(transaction: Transaction, names: set[str]) -> dict[str, int]:
    query = select(endpoints.c.name, endpoints.c.id).where(endpoints.c.name.in_(sorted(names)))
    return {row.name: row.id for row in transaction.connection.execute(query)}


@executes(EndServingHost)
def end(transaction: Transaction, operation: EndServingHost) -> None:
    transaction.connection.execute(delete(serving_hosts).where(serving_hosts.c.host == operation.host))


@executes(GetEndpointLogs)
def logs(transaction: Transaction, operation: GetEndpointLogs) -> EndpointLogs:
    table, row = serving_replicas, find_endpoint(transaction, operation.name)
    query = select(table, serving_hosts.c.host.label("host_id")).join(serving_hosts, serving_hosts.c.id == table.c.host)
    query = query.where(table.c.endpoint == row.id, serving_hosts.c.beat > now_ms() - HOST_LIFE_MS)
    if operation.version is not None:
        query = query.where(table.c.version == version_number(operation.version))
    rows = transaction.connection.execute(query.order_by(table.c.version, table.c.host, table.c.number))
    return EndpointLogs([ReplicaLog(one.host_id, str(one.version), one.number, one.log or "") for one in rows])
