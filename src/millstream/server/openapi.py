"""``/openapi.json``: the API as an OpenAPI 3.1 document, made from the tables of operations and routes."""

from __future__ import annotations

import inspect
import re
from functools import lru_cache
from typing import Any

import msgspec

from millstream._version import VERSION
from millstream.errors import HTTP_STATUS
from millstream.operations import OPERATIONS, Needs, Operation, Permission
from millstream.server.glossary import describe
from millstream.server.messages import Reply, Request
from millstream.server.routes import ROUTES, Pattern, Route

_REF = "#/components/schemas/{name}"
_JSON = "application/json"
_QUERIED = ("GET", "DELETE")


async def document(request: Request) -> Reply:
    """The document of this server."""
    return Reply(_printed(), headers=[(b"cache-control", b"no-cache")])


@lru_cache(maxsize=1)
def _printed() -> bytes:
    return msgspec.json.encode(build())


def build() -> dict[str, Any]:
    """The document as plain values."""
    schemas = _schemas()
    paths: dict[str, dict[str, Any]] = {}
    for kind in OPERATIONS:
        endpoint = kind.endpoint
        prefix = "/ajax-api" if endpoint.ajax_only else "/api"
        for method in endpoint.methods:
            paths.setdefault(prefix + endpoint.path, {})[method.lower()] = _operation(kind, method, schemas)
    for route in ROUTES:
        for method in route.methods:
            path = route.paths[0].replace("*}", "}")
            paths.setdefault(path, {})[method.lower()] = _route(route, method)
    requests = {kind.__name__ for kind in OPERATIONS}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Millstream",
            "version": VERSION,
            "description": "Tracking of machine-learning work. Operations that MLflow has live at its paths and speak "
                           "its protocol; those under /api/v1 are ours. Every path under /api is under /ajax-api too.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": group} for group in dict.fromkeys(kind.endpoint.group for kind in OPERATIONS)],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in schemas.items() if name not in requests} | {"Error": _ERROR},
            "responses": {"Error": {"description": "What was wrong, and the next step.",
                                    "content": {_JSON: {"schema": {"$ref": _REF.format(name="Error")}}}}},
        },
    }


_ERROR = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {
        "error_code": {"type": "string", "enum": list(HTTP_STATUS), "description": "The code that clients decide by."},
        "message": {"type": "string", "description": "What is wrong."},
        "hint": {"type": "string", "description": "The next step."},
        "error_class": {"type": "string", "description": "The class of the error in the Python package."},
    },
}


def _schemas() -> dict[str, Any]:
    """Every request, answer and entity, with its fields described."""
    types: list[Any] = list(OPERATIONS)
    types += [kind.endpoint.answer for kind in OPERATIONS if kind.endpoint.answer is not None]
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    for name, schema in schemas.items():
        schema["description"] = inspect.cleandoc(schema.get("description", ""))
        for field, facts in schema.get("properties", {}).items():
            _describe(name, field, facts)
        if not schema.get("required", True):
            del schema["required"]
    return schemas


def _describe(owner: str, field: str, facts: dict[str, Any]) -> None:
    told = describe(owner, field)
    if told:
        facts["description"] = told
    for part in (facts, *facts.get("anyOf", ()), facts.get("items", {})):
        if part.get("type") == "integer":
            part["format"] = "int64"
            part.pop("minimum", None)
            part.pop("maximum", None)


def _operation(kind: type[Operation[Any]], method: str, schemas: dict[str, Any]) -> dict[str, Any]:
    endpoint = kind.endpoint
    schema = schemas[kind.__name__]
    required = schema.get("required", [])
    made: dict[str, Any] = {
        "operationId": kind.__name__ if method == endpoint.method else f"{kind.__name__}_{method.lower()}",
        "tags": [endpoint.group],
        "summary": endpoint.summary,
        "description": schema["description"],
        "x-permission": _permission(endpoint.needs),
        "parameters": [_in_path(name, schema["properties"][name]) for name in endpoint.path_fields],
        "responses": {
            "200": {
                "description": "Done." if endpoint.answer is None else _summary(schemas[endpoint.answer.__name__]),
                "content": {_JSON: {"schema": {"type": "object"} if endpoint.answer is None
                                    else {"$ref": _REF.format(name=endpoint.answer.__name__)}}},
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
    }
    others = {name: facts for name, facts in schema["properties"].items() if name not in endpoint.path_fields}
    if method in _QUERIED:
        made["parameters"] += [
            {"name": name, "in": "query", "required": name in required, "description": facts.get("description", ""),
             "schema": {key: fact for key, fact in facts.items() if key != "description"}}
            for name, facts in others.items()
        ]
    elif others:
        body = {"type": "object", "properties": others}
        if wanted := [name for name in required if name in others]:
            body["required"] = wanted
        made["requestBody"] = {"required": True, "content": {_JSON: {"schema": body}}}
    return made


def _id_of(route: Route) -> str:
    """The name of what answers; where it answers several paths, with what tells this one apart."""
    if sum(other.handler == route.handler for other in ROUTES) == 1:
        return route.name
    return route.name + re.sub(r"\W+", "_", route.path).rstrip("_")


def _route(route: Route, method: str) -> dict[str, Any]:
    fields = Pattern(route.path).fields
    text = {"type": "string"}
    suffix = "" if method == route.methods[0] else f"_{method.lower()}"
    made: dict[str, Any] = {
        "operationId": _id_of(route) + suffix,
        "tags": [route.handler.partition(":")[0]],
        "summary": (inspect.getdoc(route.load()) or "").split("\n")[0],
        "x-permission": _permission(route.needs),
        "parameters": [
            _in_path(name, {**text, "description": describe(route.name, name) or ""}) for name in fields
        ] + [
            {"name": name, "in": "query", "description": describe(route.name, name) or "", "schema": text}
            for name in (route.query if method == "GET" or "graphql" not in route.handler else ())
        ],
        "responses": {
            "200": {"description": "Done."},
            "default": {"$ref": "#/components/responses/Error"},
        },
    }
    if method in ("PUT", "POST"):
        is_json = method == "POST" and ("/mpu/" in route.path or route.path == "/graphql")
        made["requestBody"] = {"content": (
            {_JSON: {"schema": {"type": "object"}}} if is_json else {"application/octet-stream": {"schema": {}}}
        )}
    return made


def _in_path(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": facts.get("description", ""),
            "schema": {key: fact for key, fact in facts.items() if key != "description"}}


def _permission(needs: Needs) -> str:
    if needs.permission in (Permission.PUBLIC, Permission.SIGNED_IN, Permission.ADMIN) or needs.field is None:
        return needs.permission.name
    return f"{needs.permission.name} on {needs.on.value} {needs.field}"


def _summary(schema: dict[str, Any]) -> str:
    return str(schema["description"]).split("\n")[0]
