"""Writes ``ui/src/api/schema.ts``: the operations of the server with their types, as its OpenAPI document has them.

``npm --prefix ui run types`` runs this; no server is needed. A test holds the file to the document.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from millstream.operations import OPERATIONS
from millstream.server.openapi import build

TARGET = Path(__file__).resolve().parents[1] / "ui" / "src" / "api" / "schema.ts"
_HEAD = """\
// Made by tools/ui_types.py from the server's OpenAPI document: `npm run types` writes it again.
import type { Operation } from "@/api/operation";
import type { Figure } from "@/base/format";
"""
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_ALIASES = {"string": "string", "integer": "number", "boolean": "boolean", "null": "null", "number": "Figure"}


def text() -> str:
    """The content of the file."""
    document = build()
    schemas: dict[str, Any] = document["components"]["schemas"]
    parts = [_HEAD]
    for name in sorted(schemas):
        parts.append(_interface(name, schemas[name]))
    for kind in sorted(OPERATIONS, key=lambda kind: kind.__name__):
        endpoint = kind.endpoint
        path = ("/ajax-api" if endpoint.ajax_only else "/api") + endpoint.path
        told = document["paths"][path][endpoint.method.lower()]
        properties: dict[str, Any] = {}
        required: list[str] = []
        for parameter in told["parameters"]:
            properties[parameter["name"]] = parameter["schema"]
            if parameter.get("required"):
                required.append(parameter["name"])
        if "requestBody" in told:
            body = told["requestBody"]["content"]["application/json"]["schema"]
            properties |= body["properties"]
            required += body.get("required", [])
        answer = endpoint.answer.__name__ if endpoint.answer else "object"
        request = _object(properties, required)
        parts.append(
            f"/** {endpoint.summary} */\n"
            f"export const {kind.__name__}: Operation<{request}, {answer}> = "
            f'{{ method: "{endpoint.method}", path: "{path}" }};\n'
        )
    return "\n".join(parts)


def _interface(name: str, schema: dict[str, Any]) -> str:
    if schema.get("type") == "object" and "properties" in schema:
        fields = _object(schema["properties"], schema.get("required", []), lines=True)
        return f"export interface {name} {fields}\n"
    return f"export type {name} = {_type(schema)};\n"


def _object(properties: dict[str, Any], required: list[str], *, lines: bool = False) -> str:
    made = [
        f"{name if _NAME.fullmatch(name) else json.dumps(name)}{'' if name in required else '?'}: {_type(schema)};"
        for name, schema in properties.items()
    ]
    if lines:
        return "{\n" + "".join(f"  {field}\n" for field in made) + "}"
    return "{ " + " ".join(made) + " }" if made else "object"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " | ".join(dict.fromkeys(_type(part) for part in schema[several]))
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return " | ".join(_ALIASES[part] for part in kind)
    if kind == "array":
        if "prefixItems" in schema:
            return "[" + ", ".join(_type(part) for part in schema["prefixItems"]) + "]"
        items = _type(schema["items"]) if schema.get("items") else "unknown"
        return f"({items})[]" if " | " in items else f"{items}[]"
    if kind == "object":
        if schema.get("properties"):
            return _object(schema["properties"], schema.get("required", []))
        values = schema.get("additionalProperties")
        return f"Record<string, {_type(values) if isinstance(values, dict) and values else 'unknown'}>"
    return _ALIASES.get(str(kind), "unknown")


def main() -> None:
    TARGET.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
