"""The page of a scoring server and its OpenAPI document, made from the model's signature and input example."""

from __future__ import annotations

import base64
import hashlib
import json
from html import escape
from typing import Any
from urllib.parse import quote

from millstream._version import VERSION
from millstream.models.mlmodel import Model
from millstream.models.schema import ColSpec, Schema, TensorSpec
from millstream.models.types import AnyType, Array, DataType, Map, Object
from millstream.serving.forms import CSV, JSON, PARQUET

SHOWN_CHARACTERS = 4000
_OF_TYPES: dict[DataType, dict[str, Any]] = {
    DataType.boolean: {"type": "boolean"},
    DataType.integer: {"type": "integer", "format": "int32"},
    DataType.long: {"type": "integer", "format": "int64"},
    DataType.float: {"type": "number", "format": "float"},
    DataType.double: {"type": "number", "format": "double"},
    DataType.string: {"type": "string"},
    DataType.binary: {"type": "string", "contentEncoding": "base64"},
    DataType.datetime: {"type": "string", "format": "date-time"},
}


def document(name: str, model: Model, example: Any) -> dict[str, Any]:
    """The OpenAPI 3.1 document of a server with this model; ``example`` is the body of a request, or None."""
    signature = model.signature
    inputs = signature.inputs if signature is not None else None
    outputs = signature.outputs if signature is not None else None
    content: dict[str, Any] = {JSON: {"schema": {"$ref": "#/components/schemas/Request"}}, CSV: {}, PARQUET: {}}
    if example is not None:
        content[JSON]["example"] = example
    answers = {
        "200": {"description": "The predictions.",
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Predictions"}}}},
        **{status: {"description": told, "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}}
           for status, told in _STATUSES.items()},
    }
    text = {"200": {"description": "Yes."}}
    model_path = f"/v2/models/{quote(name)}"
    paths: dict[str, Any] = {
        "/invocations": {"post": {"summary": "Predict.", "operationId": "invocations",
                                  "requestBody": {"required": True, "content": content}, "responses": answers}},
        f"{model_path}/infer": {"post": {
            "summary": "Predict by the open inference protocol.", "operationId": "infer",
            "requestBody": {"required": True, "content": {JSON: {"schema": _INFER}}},
            "responses": {**answers, "200": {"description": "The outputs, as tensors."}},
        }},
    }
    for path, told in (
        ("/ping", "Whether the server answers."), ("/health", "Whether the server answers."),
        ("/version", "The version of MLflow whose protocol this is."), ("/metrics", "Figures for Prometheus."),
        ("/openapi.json", "This document."), ("/v2", "The server."), ("/v2/health/live", "Whether the server lives."),
        ("/v2/health/ready", "Whether it is ready."), (model_path, "The model, its inputs and outputs."),
        (f"{model_path}/ready", "Whether the model is ready."),
    ):
        paths[path] = {"get": {"summary": told, "operationId": path.strip("/").replace("/", "_").replace(".", "_"),
                               "responses": text}}
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": model.model_uuid or VERSION,
                 "description": "A model behind HTTP, by MLflow's protocol and the open inference protocol."},
        "paths": paths,
        "components": {"schemas": {
            "Request": _request(inputs, signature.params if signature is not None else None),
            "Predictions": {"type": "object", "required": ["predictions"],
                            "properties": {"predictions": {"type": "array", "items": _row(outputs)}
                                           if outputs is not None and not outputs.is_tensor_spec() else {}}},
            "Error": {"type": "object", "required": ["error_code", "message"], "properties": {
                "error_code": {"type": "string"}, "message": {"type": "string", "description": "What is wrong."},
                "hint": {"type": "string", "description": "The next step."},
                "error_class": {"type": "string"},
            }},
        }},
    }


_STATUSES = {
    "400": "The data are not what the model takes; the message names column and type.",
    "413": "The body is larger than this server reads.",
    "415": "The content type is not read, or not in UTF-8.",
    "429": "Too many requests wait already; Retry-After says when to come back.",
    "504": "The prediction was not there in time.",
}
_INFER = {
    "type": "object", "required": ["inputs"],
    "properties": {
        "id": {"type": "string"}, "parameters": {"type": "object"},
        "inputs": {"type": "array", "items": {
            "type": "object", "required": ["name", "shape", "datatype", "data"],
            "properties": {"name": {"type": "string"}, "shape": {"type": "array", "items": {"type": "integer"}},
                           "datatype": {"type": "string"}, "data": {"type": "array"}},
        }},
    },
}


def _request(schema: Schema | None, params: Any) -> dict[str, Any]:
    row = _row(schema)
    forms: dict[str, Any] = {
        "dataframe_split": {"type": "object", "required": ["data"], "properties": {
            "columns": {"type": "array", "items": {"type": "string"}},
            "data": {"type": "array", "items": {"type": "array"}},
        }},
        "dataframe_records": {"type": "array", "items": row},
        "instances": {"type": "array", "items": row},
        "inputs": {},
    }
    if schema is not None and not schema.is_tensor_spec() and schema.has_input_names():
        forms["dataframe_split"]["properties"]["columns"]["default"] = [str(name) for name in schema.input_names()]
    more: dict[str, Any] = {}
    if params is not None:
        more["params"] = {"type": "object", "properties": {
            one.name: {**_type(one.dtype), "default": one.default} if one.shape is None else {"default": one.default}
            for one in params
        }}
    return {"oneOf": [{"type": "object", "required": [form], "properties": {form: facts, **more}}
                      for form, facts in forms.items()]}


def _row(schema: Schema | None) -> dict[str, Any]:
    """The JSON schema of one row."""
    if schema is None:
        return {}
    if not schema.has_input_names():
        (first, *others) = schema
        return {} if others else _spec(first)
    return {"type": "object", "properties": {str(spec.name): _spec(spec) for spec in schema},
            "required": [str(spec.name) for spec in schema if spec.required]}


def _spec(spec: ColSpec | TensorSpec) -> dict[str, Any]:
    if isinstance(spec, ColSpec):
        return _type(spec.type)
    kind = {"f": "number", "i": "integer", "u": "integer", "b": "boolean"}.get(spec.type.kind, "string")
    made: dict[str, Any] = {"type": kind}
    for length in reversed(spec.shape[1:]):
        made = {"type": "array", "items": made}
        if length >= 0:
            made |= {"minItems": length, "maxItems": length}
    return made


def _type(kind: Any) -> dict[str, Any]:
    if isinstance(kind, DataType):
        return _OF_TYPES[kind]
    if isinstance(kind, Array):
        return {"type": "array", "items": _type(kind.dtype)}
    if isinstance(kind, Map):
        return {"type": "object", "additionalProperties": _type(kind.value_type)}
    if isinstance(kind, Object):
        return {"type": "object", "properties": {part.name: _type(part.dtype) for part in kind.properties},
                "required": [part.name for part in kind.properties if part.required]}
    assert isinstance(kind, AnyType)
    return {}


_STYLE = (
    ":root{color-scheme:light dark}body{margin:0 auto;padding:1rem 1.5rem 3rem;max-width:60rem;"
    "font:14px/1.5 system-ui,sans-serif}h1{font-size:1.5rem}h2{font-size:1.1rem;margin:1.75rem 0 .5rem}"
    "pre,code{font-family:ui-monospace,monospace;font-size:.92em}pre{overflow-x:auto;padding:.75rem;"
    "border:1px solid #8886}table{border-collapse:collapse}th,td{border:1px solid #8886;padding:.25rem .6rem;"
    "text-align:left}"
)
POLICY = (
    "default-src 'none'; style-src 'sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; base-uri 'none'; frame-ancestors 'self'"
)


def page(name: str, model: Model, example: Any, address: str) -> bytes:
    """The page at ``/``: what the model takes and gives, and a request to try. No script, nothing from elsewhere."""
    signature = model.signature
    parts = [f"<h1>{escape(name)}</h1>"]
    for title, specs in (
        ("Takes", signature.inputs if signature is not None else None),
        ("Gives", signature.outputs if signature is not None else None),
        ("Params", signature.params if signature is not None else None),
    ):
        if specs is not None:
            rows = "".join(_line(spec) for spec in specs)
            parts.append(f"<h2>{title}</h2><table><tr><th>Name</th><th>Type</th><th></th></tr>{rows}</table>")
    if signature is None:
        parts.append("<p>The model has no signature: it is given what a request holds.</p>")
    if example is not None:
        body = json.dumps(example, ensure_ascii=False)
        if len(body) <= SHOWN_CHARACTERS:
            quoted = body.replace("'", "'\\''")
            command = f"curl {address}/invocations -H 'Content-Type: application/json' \\\n  -d '{quoted}'"
            parts.append(f"<h2>Try it</h2><pre>{escape(command)}</pre>")
    parts.append("<p>All calls: <a href='/openapi.json'>/openapi.json</a> · Figures: <a href='/metrics'>/metrics</a>"
                 f" · Millstream {escape(VERSION)}</p>")
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><title>{escape(name)}</title>"
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    ).encode("utf-8", "replace")


def _line(spec: Any) -> str:
    kind = spec.dtype if hasattr(spec, "default") else spec.type
    shown = f"{kind} {list(spec.shape)}" if isinstance(spec, TensorSpec) else repr(kind)
    note = f"default {spec.default!r}" if hasattr(spec, "default") else "" if spec.required else "optional"
    name = "" if spec.name is None else str(spec.name)
    return f"<tr><td>{escape(name)}</td><td>{escape(shown)}</td><td>{escape(note)}</td></tr>"
