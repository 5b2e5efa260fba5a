"""The document of the API: complete, described, and the same as the tables."""

from __future__ import annotations

import re
from typing import Any

import pytest

from millstream.operations import OPERATIONS, Operation
from millstream.server.openapi import build
from millstream.server.routes import ROUTES, Route
from tests.servers.wire import call

DOCUMENT = build()


@pytest.mark.parametrize("kind", OPERATIONS, ids=lambda kind: kind.__name__)
def test_every_operation_is_there(kind: type[Operation[Any]]) -> None:
    prefix = "/ajax-api" if kind.endpoint.ajax_only else "/api"
    for method in kind.endpoint.methods:
        found = DOCUMENT["paths"][prefix + kind.endpoint.path][method.lower()]
        assert found["operationId"].partition("_")[0] == kind.__name__
        assert found["summary"] == kind.endpoint.summary
        assert found["x-permission"].startswith(kind.endpoint.needs.permission.name)
        fields = {parameter["name"] for parameter in found["parameters"]}
        for body in found.get("requestBody", {}).get("content", {}).values():
            fields |= set(body["schema"]["properties"])
        assert fields == set(kind.__struct_fields__)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.methods[0]} {route.path}")
def test_every_route_is_there(route: Route) -> None:
    for method in route.methods:
        assert DOCUMENT["paths"][route.paths[0].replace("*}", "}")][method.lower()]["summary"]


def test_every_field_is_described() -> None:
    nameless = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, facts in schema.get("properties", {}).items()
        if not facts.get("description")
    ]
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            nameless += [
                f"{method} {path} {parameter['name']}"
                for parameter in operation["parameters"]
                if not parameter["description"]
            ]
            for body in operation.get("requestBody", {}).get("content", {}).values():
                nameless += [
                    f"{method} {path} {field}"
                    for field, facts in body["schema"].get("properties", {}).items()
                    if not facts.get("description")
                ]
    assert nameless == [], "say what these mean in server/glossary.py"


def test_ids_of_operations_are_unique() -> None:
    names = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


def test_references_lead_somewhere(address: str) -> None:
    answer = call(address, "GET", "/openapi.json")
    assert (answer.status, answer.json()) == (200, DOCUMENT)
    for kind, name in re.findall(r"#/components/(\w+)/(\w+)", answer.text):
        assert name in DOCUMENT["components"][kind]


def test_the_page_lists_everything(address: str) -> None:
    answer = call(address, "GET", "/docs")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for kind in OPERATIONS:
        assert f'id="{kind.__name__}"' in answer.text
    assert (
        "<script" not in answer.text
        and "http" not in re.sub(r"https?://(s3|host)", "", answer.text).partition("<body")[0]
    )
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
