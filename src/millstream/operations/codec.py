"""The one place that knows the wire: MLflow's JSON, which is protocol buffers printed as JSON.

What that means for a decoder: whole numbers may come as text, NaN and the infinities come as text, null means unset,
names may come in camelCase, unknown fields are ignored, an enumeration may come as its number, and a required text that
is empty counts as missing. What it means for an encoder: unset fields are left out and non-finite numbers are text.
Nothing of this reaches a store.

Source: the proto3 JSON mapping of Protocol Buffers, and the recorded exchanges in ``tests/clients/corpus``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from millstream.entities import RunStatus, ViewType
from millstream.errors import BadRequest, InvalidValue, MissingValue
from millstream.operations.table import Operation

A = TypeVar("A")
Kind = TypeVar("Kind", bound=Operation[Any])

_ENCODE = msgspec.json.Encoder().encode
_RENAMED = {"run_uuid": "run_id"}  # what clients before MLflow 1.0 call it; newer ones send both
_ENUMS = {"run_view_type": ViewType.to_string, "view_type": ViewType.to_string, "status": RunStatus.to_string}
_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_CAMEL_NAME = re.compile(rb'"[a-z]+[A-Z][A-Za-z]*"\s*:')
_WHERE = re.compile(r" - at `\$\.?(?P<where>.*)`$")
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_KINDS = {
    "int": "a whole number of 64 bits",
    "float": "a number",
    "str": "a string",
    "array": "a list",
    "object": "an object",
    "bool": "true or false",
}


class _Form:
    """What the codec knows of one type of request."""

    def __init__(self, kind: type[Operation[Any]]) -> None:
        fields = msgspec.structs.fields(kind)
        self.kind = kind
        self.decode = msgspec.json.Decoder(kind, strict=False).decode
        self.lists = frozenset(field.name for field in fields if "list[" in str(field.type))
        self.required_texts = tuple(field.name for field in fields if field.required and field.type is str)
        # A client writes all names in one style: where a required name tells snake_case from camelCase, decoding does.
        self.style_shows = any(field.required and "_" in field.name for field in fields)
        self.path_fields = kind.endpoint.path_fields
        answer = kind.endpoint.answer
        self.decode_answer = msgspec.json.Decoder(answer, strict=False).decode if answer else None


@cache
def _form(kind: type[Operation[Any]]) -> _Form:
    return _Form(kind)


def decode_request(
    kind: type[Kind], *, query: Sequence[tuple[str, str]] = (), body: bytes = b"", path: Mapping[str, str] | None = None
) -> Kind:
    """The operation that a request describes.

    ``path`` holds the decoded fields of the path, ``query`` the decoded pairs of the query, ``body`` JSON text.
    Raises BadRequest for a body that is no JSON object, MissingValue and InvalidValue for fields.
    """
    form = _form(kind)
    made: Any
    plain = b"\\u0000" not in body and (form.style_shows or not _CAMEL_NAME.search(body))
    if body and plain and not query and not path:
        try:
            made = form.decode(body)
        except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            made = _decode_slowly(form, query, body, path)
    else:
        made = _decode_slowly(form, query, body, path)
    for name in form.required_texts:
        if not getattr(made, name):
            raise MissingValue.named(name)
    return made  # type: ignore[no-any-return]


def _decode_slowly(
    form: _Form, query: Sequence[tuple[str, str]], body: bytes, path: Mapping[str, str] | None
) -> Operation[Any]:
    values: dict[str, Any] = {}
    given = {name.removesuffix("[]") for name, _ in query}
    for name, text in query:
        name = _current_name(name.removesuffix("[]"), given)
        if name in form.lists:
            values.setdefault(name, []).append(text)
        else:
            values.setdefault(name, text)
    if body:
        values.update(_plain(_parse(body)))
    if path:
        values.update(path)
    _refuse_nul(values, "")
    try:
        made: Operation[Any] = msgspec.convert(values, form.kind, strict=False)
        return made
    except msgspec.ValidationError as error:
        raise _explained(str(error), values) from None


def _parse(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(
            f"the request body is not JSON: {error}", hint="send a JSON object, encoded as UTF-8"
        ) from None
    if not isinstance(parsed, dict):
        raise BadRequest(
            f"the request body is a JSON {type(parsed).__name__}, not an object",
            hint='send a JSON object such as {"run_id": "…"}',
        )
    return parsed


def _plain(value: Any) -> Any:
    """The same JSON without nulls, with snake_case names and enumerations by name."""
    if isinstance(value, list):
        return [_plain(item) for item in value if item is not None]
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for name, item in value.items():
        if item is None:
            continue
        name = _CAMEL.sub(lambda match: "_" + match.group(1).lower(), name)
        if name in _ENUMS and isinstance(item, int) and not isinstance(item, bool):
            try:
                item = _ENUMS[name](item)
            except KeyError:
                raise InvalidValue.of(name, item, "no such number") from None
        made[_current_name(name, value.keys())] = _plain(item)
    return made


def _current_name(name: str, given: Collection[str]) -> str:
    """What a field is called today; a former name does not count beside the present one."""
    current = _RENAMED.get(name, name)
    return name if current in given else current


def _refuse_nul(value: Any, where: str) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidValue.of(where, value, "text may not hold the NUL character")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidValue.of(
                where, value.encode("utf-8", "backslashreplace").decode(), "text holds half of a surrogate pair"
            ) from None
    elif isinstance(value, dict):
        for name, item in value.items():
            _refuse_nul(item, f"{where}.{name}" if where else name)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_nul(item, f"{where}[{index}]")


def _explained(message: str, values: dict[str, Any]) -> InvalidValue:
    """What msgspec says, in the protocol's words."""
    found = _WHERE.search(message)
    where = found.group("where") if found else ""
    reason = message[: found.start()] if found else message
    missing = _MISSING.match(reason)
    if missing:
        field = missing.group("field")
        return MissingValue.named(f"{where}.{field}" if where else field)
    value: Any = values
    for part in re.findall(r"[^.\[\]]+", where):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, ValueError, TypeError):
            break
    expected = re.search(r"Expected `(\w+)", reason)
    words = f"expected {_KINDS.get(expected.group(1), expected.group(1))}" if expected else reason
    return InvalidValue.of(where or "request", value, words)


def _finite(value: Any) -> Any:
    """The same builtins with NaN and the infinities as the protocol's texts."""
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value


def _encode(value: msgspec.Struct) -> bytes:
    text = _ENCODE(value)
    # msgspec prints a number that JSON does not have as null. Inside a text the quotes would be escaped, so this looks
    # only at fields; a false alarm (a list of values beside a text that says null) costs time, nothing else.
    if b'"value":null' in text or (b'"values":[' in text and b"null" in text):
        return _ENCODE(_finite(msgspec.to_builtins(value)))
    return text


def encode_answer(answer: msgspec.Struct | None) -> bytes:
    """The JSON text that answers a request; ``{}`` for an operation that answers nothing."""
    return b"{}" if answer is None else _encode(answer)


def encode_request(operation: Operation[Any]) -> tuple[str, list[tuple[str, str]], bytes | None]:
    """``(path, query, body)`` of a request by the operation's own method; ``path`` begins after ``/api``."""
    endpoint = operation.endpoint
    form = _form(type(operation))
    if endpoint.method == "POST" and not form.path_fields:
        return endpoint.path, [], _encode(operation)
    values = _finite(msgspec.to_builtins(operation))
    path, rest = endpoint.path, dict(values)
    for name in form.path_fields:
        path = path.replace(f"{{{name}}}", quote(str(rest.pop(name)), safe=""))
    if endpoint.method == "GET":
        return path, [pair for name, item in rest.items() for pair in _pairs(name, item)], None
    # MLflow's servers read every field in the body, those of the path too, also of a DELETE.
    return path, [], _ENCODE(values) if rest or endpoint.method != "DELETE" else None


def _pairs(name: str, value: Any) -> Iterable[tuple[str, str]]:
    for item in value if isinstance(value, list) else [value]:
        yield name, str(item).lower() if isinstance(item, bool) else str(item)


def decode_answer(kind: type[Operation[A]], body: bytes) -> A:
    """The answer that a server sent. Raises BadRequest when it does not fit the operation's answer."""
    decode = _form(kind).decode_answer
    if decode is None:
        if body.strip()[:1] not in (b"{", b""):
            raise _not_an_answer(kind, "it is no JSON object")
        return None  # type: ignore[return-value]
    try:
        return decode(body or b"{}")  # type: ignore[return-value]
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise _not_an_answer(kind, str(error)) from None


def _not_an_answer(kind: type[Operation[Any]], reason: str) -> BadRequest:
    return BadRequest(
        f"the answer to {kind.__name__} is not what the protocol says: {reason}",
        hint="check that the tracking URI names an MLflow-compatible server and not a proxy's login page",
    )


__all__ = ["decode_answer", "decode_request", "encode_answer", "encode_request"]
