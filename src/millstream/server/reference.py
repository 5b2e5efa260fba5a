"""``/docs``: the operations of this server on one page, made from the OpenAPI document."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

from millstream.server.markup import Child, Markup, page, table, tag
from millstream.server.messages import Reply, Request
from millstream.server.openapi import build

_ROUTES = {
    "files": "Files", "graphql": "GraphQL", "info": "About the server", "meter": "Figures", "openapi": "The API itself",
    "pages": "Pages", "reference": "The API itself",
}


async def page_of_operations(request: Request) -> Reply:
    """All operations, by group, with their fields."""
    prefix = request.app.config.static_prefix
    return page(
        "API",
        tag("nav", tag("a", "Experiments", href=f"{prefix}/")),
        tag("h1", "The API of this server"),
        tag("p", "Send JSON with ", tag("code", "Content-Type: application/json"),
            "; answers are JSON. An error has an ", tag("code", "error_code"), ", a ", tag("code", "message"),
            " and often a ", tag("code", "hint"),
            ". The same for programs: ", tag("a", "/openapi.json", href=f"{prefix}/openapi.json"), "."),
        _body(),
    )


@lru_cache(maxsize=1)
def _body() -> Markup:
    document = build()
    groups: dict[str, list[Markup]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            group = operation["tags"][0]
            title = _ROUTES.get(group, group.replace("_", " ").capitalize())
            groups.setdefault(title, []).append(_operation(method, path, operation, document["components"]["schemas"]))
    contents = tag("p", *([tag("a", name, href=f"#{_anchor(name)}"), " · "] for name in groups))
    return Markup(contents + Markup("".join(
        tag("section", tag("h2", name, id=_anchor(name)), *operations) for name, operations in groups.items()
    )))


def _operation(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> Markup:
    rows: list[list[Child]] = [
        [tag("code", field["name"]), field["in"], _kind(field["schema"]), "yes" if field.get("required") else "",
         field["description"]]
        for field in operation["parameters"]
    ]
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        schema = body["schema"]
        rows += [
            [tag("code", name), "body", _kind(facts), "yes" if name in schema.get("required", ()) else "",
             facts.get("description")]
            for name, facts in schema.get("properties", {}).items()
        ]
        if not schema.get("properties"):
            rows.append(["", "body", kind, "", ""])
    answer = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
    answered = schemas.get(str(answer.get("$ref", "")).rpartition("/")[2], {})
    return tag(
        "article",
        tag("h3", tag("span", method.upper(), class_="method"), tag("code", path), id=operation["operationId"]),
        tag("p", inspect.cleandoc(operation.get("description") or operation["summary"]).replace("``", "")),
        tag("p", f"Needs {operation['x-permission']}.", class_="soft"),
        table(["Field", "In", "Type", "Required", "Meaning"], rows) if rows else None,
        tag("p", "Answers ", *([tag("code", name), f" ({_kind(facts)}); "]
                               for name, facts in answered.get("properties", {}).items())) if answered else None,
    )


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any")


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")
