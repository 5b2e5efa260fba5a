"""Whether one signature accepts what another accepts, told from their JSON.

Source of the format: the ``signature`` of an ``MLmodel`` file, ``{"inputs": text, …}``, where the text is a list of
columns ``{"type", "name", "required", …}`` or of tensors ``{"type": "tensor", "tensor-spec": {"dtype", "shape"}}``.
"""

from __future__ import annotations

import json
from typing import Any

from millstream.errors import InvalidValue

SIGNATURE_LENGTH = 4_000_000
# Which types have nothing but values that a column of the type takes as they are.
_TAKES = {
    "long": {"integer"},
    "double": {"float", "integer"},
}


def check_signature(text: str) -> str:
    """The signature as it is kept; ``""`` stands for a model without one. Raises InvalidValue for no signature."""
    if len(text) > SIGNATURE_LENGTH:
        raise InvalidValue.of("signature", text[:20] + "…", f"it has more than {SIGNATURE_LENGTH} characters")
    if text:
        inputs_of(text)
    return text


def inputs_of(text: str) -> list[dict[str, Any]] | None:
    """The inputs that a signature describes, None where it says nothing of them. Raises InvalidValue."""
    try:
        found = json.loads(text)
        inputs = found.get("inputs") if isinstance(found, dict) else text
        if isinstance(inputs, str):
            inputs = json.loads(inputs)
    except (ValueError, RecursionError):
        inputs = text
    if inputs is None:
        return None
    if not isinstance(inputs, list) or not all(isinstance(one, dict) and isinstance(_kind(one), str) for one in inputs):
        raise InvalidValue.of("signature", text[:200], "it is not the signature of an MLmodel file")
    return inputs


def narrowed(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    """What ``new`` does not accept of what ``old`` accepts, a sentence each. Columns that ``new`` has not are fine."""
    if _named(old) != _named(new):
        return ["the columns have names in one of the two signatures only"]
    if not _named(new):
        if len(old) != len(new):
            return [f"{len(new)} columns are needed, {len(old)} are sent"]
        pairs = [(f"column {index}", one, other) for index, (one, other) in enumerate(zip(old, new, strict=True))]
        return [reason for where, one, other in pairs for reason in _differs(where, one, other)]
    known = {_name(one): one for one in old}
    found: list[str] = []
    for column in new:
        name = _name(column)
        before = known.get(name)
        if before is None:
            if _required(column):
                found.append(f"the column {name!r} is new and required")
            continue
        if _required(column) and not _required(before):
            found.append(f"the column {name!r} is required now")
        found += _differs(f"the column {name!r}", before, column)
    return found


def _differs(where: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    kind, other = _kind(old), _kind(new)
    if "tensor" in (kind, other):
        if kind != other:
            return [f"{where} is {other}, it was {kind}"]
        return _tensors(where, old.get("tensor-spec") or {}, new.get("tensor-spec") or {})
    if other == "any" or (kind == other and kind not in ("array", "object", "map")):
        return []
    if kind in _TAKES.get(str(other), ()):
        return []
    if kind != other:
        return [f"{where} takes {other}, it took {kind}"]
    if kind == "object":
        return _properties(where, old.get("properties") or {}, new.get("properties") or {})
    part = "items" if kind == "array" else "values"
    return _differs(f"{part} of {where}", old.get(part) or {}, new.get(part) or {})


def _properties(where: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    found = [f"{where} has no property {name!r} any more" for name in old if name not in new]
    for name, part in new.items():
        before = old.get(name)
        if _required(part) and (before is None or not _required(before)):
            found.append(f"the property {name!r} of {where} is required now")
        if before is not None:
            found += _differs(f"the property {name!r} of {where}", before, part)
    return found


def _tensors(where: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    before, after = old.get("shape") or [], new.get("shape") or []
    fits = len(before) == len(after) and all(n in (-1, o) for o, n in zip(before, after, strict=True))
    if old.get("dtype") != new.get("dtype"):
        return [f"{where} takes {new.get('dtype')}, it took {old.get('dtype')}"]
    return [] if fits else [f"{where} takes the shape {after}, it took {before}"]


def _kind(column: dict[str, Any]) -> Any:
    return column.get("type")


def _name(column: dict[str, Any]) -> str:
    return json.dumps(column.get("name")) if not isinstance(column.get("name"), str) else str(column["name"])


def _named(columns: list[dict[str, Any]]) -> bool:
    return any("name" in column for column in columns)


def _required(column: dict[str, Any]) -> bool:
    return bool(column["required"] if "required" in column else not column.get("optional", False))
