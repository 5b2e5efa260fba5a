"""What a host tells of an endpoint by itself, without the store."""

from __future__ import annotations

from typing import Any

from millstream.errors import ServingEndpointNotFound
from millstream.serving.endpoints.meter import Meter
from millstream.serving.endpoints.supervisor import Supervisor


def status_of(name: str, supervisor: Supervisor, meter: Meter) -> dict[str, Any]:
    """What this host does for an endpoint. Raises ServingEndpointNotFound for one that is not switched on."""
    table = supervisor.tables.get(name)
    if table is None:
        raise ServingEndpointNotFound(f"no endpoint named {name!r} is switched on",
                                      hint="`millstream endpoints list` shows them")
    return {
        "name": name,
        "model": table.model,
        "traffic": table.traffic,
        "targets": {target: next(iter(found)) for target, found in table.targets.items()},
        "shadow": table.copies,
        "figures": meter.figures(name),
        "replicas": [
            {"version": one.slot.version, "number": one.slot.number, "state": one.state, "pid": one.pid,
             "port": one.port, "restarts": one.restarts, "requests": one.in_flight, "error": one.error}
            for one in supervisor.scorings.values() if one.slot.endpoint == name
        ],
    }
