"""What the fields of serving endpoints and their hosts mean."""

from __future__ import annotations

_ENDPOINT = "The name of the endpoint."
_VERSION = "The number of a version of the registered model, as text."
_REVISION = "The revision that the change is meant for: refused when somebody has changed the endpoint since."
_SETTINGS = {
    "enabled": "Whether it is switched on.",
    "traffic": "The shares of the traffic; without any, Production gets all, else the newest version.",
    "serves": "Which versions have scoring processes: all that are not archived, or those that traffic names.",
    "workers": "Processes that predict, in each replica.",
    "replicas": "Scoring processes of each version.",
    "env_manager": "Where versions run: in environments that uv builds (uv, virtualenv, conda), or the host's (local).",
    "idle_seconds": "After so many seconds without a request a version without traffic ends; 0 for never.",
    "shadow": "Targets that get copies of requests.",
    "limits": "What requests may take.",
}
_CANARY = {
    "version": "The version that takes over.",
    "steps": "Its shares of the traffic, one after the other.",
    "max_error_rate": "By how much its share of failed answers, from 0 to 1, may exceed that of the others.",
    "min_requests": "How many answers it gives in a step before it is judged.",
    "max_seconds": "What 95 % of its answers may take, in seconds; unset for no limit.",
}
_HOST = {
    "host": "The id of the host, made when it began.",
    "address": "The address by which it is reached.",
    "node": "The name of its machine.",
    "pid": "Its process.",
    "started": "When it began, in milliseconds since the epoch.",
    "state": "READY, or STOPPING when it takes no more requests.",
}
_REPLICA = {
    "host": "The id of the host that it runs on.",
    "endpoint": _ENDPOINT,
    "version": _VERSION,
    "number": "Which one it is of its version, from 0.",
    "state": "STARTING, READY, DRAINING, IDLE, FAILED or STOPPED.",
    "since": "When it came into its state, in milliseconds since the epoch.",
    "restarts": "How often in a row it had to be started again.",
    "pid": "Its process, while it has one.",
    "port": "The port at which its host reaches it.",
    "error": "What is wrong with it.",
    "log": "Its last lines; unset when there are no new ones.",
}
_TABLE: dict[str, dict[str, str]] = {
    "Share": {
        "target": "A version, a stage, @alias, or latest.",
        "weight": "Its weight, relative to the others.",
    },
    "CanaryStep": {
        "percent": "The canary's percent of the traffic.",
        "seconds": "How long the step lasts at least.",
    },
    "EndpointLimits": {
        "body_bytes": "The largest request; the host's limit unless given.",
        "seconds": "The time from a request to its answer; the host's unless given.",
        "requests": "Requests under way at one time; more are asked to come back.",
    },
    "Canary": {
        **_CANARY,
        "state": "RUNNING, PROMOTED, ROLLED_BACK or STOPPED.",
        "step": "The step under way, from 0.",
        "since": "When that began, in milliseconds since the epoch.",
        "reason": "Why it came to this.",
    },
    "ServingEndpoint": {
        **_SETTINGS,
        "name": _ENDPOINT,
        "model": "The registered model whose versions it serves.",
        "generation": "How often its processes were replaced on request.",
        "revision": "A number that grows with each change of its settings.",
        "creation_timestamp": "When it was created, in milliseconds since the epoch.",
        "last_updated_timestamp": "When its settings were changed last, in milliseconds since the epoch.",
        "user_id": "Who created it.",
        "state": "OFF, STOPPING, WAITING, STARTING, READY, DEGRADED or FAILED.",
        "canary": "The canary under way, or the last one.",
        "reason": "What is wrong, or what it waits for.",
    },
    "Replica": _REPLICA,
    "ReplicaReport": _REPLICA,
    "ServedVersion": {
        "version": _VERSION,
        "stage": "Its stage.",
        "aliases": "The aliases that stand for it.",
        "percent": "Its percent of the traffic, by the rule.",
        "shadow": "Whether it gets copies of requests.",
        "state": "The best state of its replicas.",
        "replicas": "Its scoring processes.",
    },
    "ServingHost": {
        **_HOST,
        "beat": "When it was heard of last, in milliseconds since the epoch.",
        "alive": "Whether it was heard of lately and takes requests.",
    },
    "EndpointEvent": {
        "sequence": "Its number among the events of the endpoint, from 1.",
        "kind": "What happened, such as endpoint.canary_rolled_back.",
        "timestamp": "When, in milliseconds since the epoch.",
        "user_id": "Who did it.",
        "version": "The version that it is about.",
        "detail": "What was changed, or why.",
    },
    "ReplicaLog": {
        "host": _REPLICA["host"],
        "version": _VERSION,
        "number": _REPLICA["number"],
        "text": "Its last lines.",
    },
    "PlannedVersion": {
        "version": _VERSION,
        "stage": "Its stage.",
        "aliases": "The aliases that stand for it.",
    },
    "PlannedEndpoint": {
        "endpoint": "The endpoint.",
        "versions": "Every version of its model.",
    },
    "EndpointAnswer": {
        "endpoint": "The endpoint.",
        "versions": "The versions that it serves, or is to serve.",
        "hosts": "The hosts that live.",
    },
    "EndpointPage": {"endpoints": "The endpoints, by name."},
    "EndpointHistory": {"events": "What has happened, the newest first."},
    "EndpointLogs": {"logs": "The last lines of each scoring process."},
    "ServingHosts": {"hosts": "The hosts, those that live first."},
    "ServingPlan": {
        "token": "What stands for this state of things.",
        "changed": "Whether it has changed since the token that was sent.",
        "endpoints": "The endpoints that are switched on, if it has changed.",
    },
    "CreateEndpoint": {
        **_SETTINGS,
        "name": "The name of the endpoint, which no other has.",
        "model": "The registered model whose versions it serves.",
    },
    "UpdateEndpoint": {**_SETTINGS, "name": _ENDPOINT, "revision": _REVISION},
    "GetEndpoint": {"name": _ENDPOINT},
    "ListEndpoints": {"model": "Only the endpoints of this registered model."},
    "DeleteEndpoint": {"name": _ENDPOINT},
    "RestartEndpoint": {"name": _ENDPOINT},
    "EnableServing": {
        "name": "The registered model.",
        "env_manager": "Where versions run: uv unless given for a new endpoint, as before for one that is there.",
    },
    "DisableServing": {"name": "The registered model."},
    "StartCanary": {**_CANARY, "name": _ENDPOINT, "revision": _REVISION},
    "StepCanary": {"name": _ENDPOINT, "revision": _REVISION, "reason": "Why it goes on."},
    "EndCanary": {
        "name": _ENDPOINT,
        "outcome": "PROMOTED, ROLLED_BACK or STOPPED.",
        "reason": "Why.",
        "revision": _REVISION,
    },
    "ListEndpointEvents": {"name": _ENDPOINT},
    "GetEndpointLogs": {"name": _ENDPOINT, "version": "Only the scoring processes of this version."},
    "ReadServingPlan": {"token": "The token that was told last."},
    "BeatServingHost": {**_HOST, "replicas": "All its scoring processes; unset when nothing has changed."},
    "EndServingHost": {"host": _HOST["host"]},
    "ask_endpoint": {"name": _ENDPOINT},
    "ask_version": {"name": "The registered model.", "version": "A version, a stage, @alias, or latest."},
}

ENDPOINTS = {f"{owner}.{field}": text for owner, fields in _TABLE.items() for field, text in fields.items()}
