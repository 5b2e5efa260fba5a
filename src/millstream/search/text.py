"""A tree as text again: ``parse_filter(to_text(tree))`` is the tree."""

from __future__ import annotations

import re

from millstream.search.tree import (
    And,
    Between,
    Comparison,
    Expression,
    Field,
    In,
    Matches,
    Not,
    Or,
    Order,
    Test,
    Value,
)

_BARE_KEY = re.compile(r"\w[\w.]*")
_BARE_ATTRIBUTE = re.compile(r"[^\W\d]\w*")
_PREFIX = {"metric": "metrics.", "param": "params.", "tag": "tags.", "dataset": "datasets.", "attribute": ""}


def to_text(expression: Expression) -> str:
    """The filter that parses to ``expression``."""
    written: list[str] = []
    # What is still to be written, last first: text, or a node and whether it needs parentheses if it joins others.
    work: list[str | tuple[Expression, bool]] = [(expression, False)]
    while work:
        item = work.pop()
        if isinstance(item, str):
            written.append(item)
            continue
        node, inside = item
        if isinstance(node, Not):
            written.append("NOT ")
            work.append((node.operand, True))
        elif isinstance(node, (And, Or)):
            if inside:
                written.append("(")
                work.append(")")
            word = " AND " if isinstance(node, And) else " OR "
            for index, operand in enumerate(reversed(node.operands)):
                # An And in an Or would bind without parentheses; with them every nesting reads the same way.
                work += [word] * bool(index)
                work.append((operand, True))
        else:
            written.append(_test(node))
    return "".join(written)


def order_text(order: Order) -> str:
    """The clause that parses to ``order``, its dataset apart."""
    return field_text(order.field) + (" ASC" if order.ascending else " DESC")


def field_text(field: Field) -> str:
    """How a field is written."""
    key = field.key
    bare = (_BARE_ATTRIBUTE if field.kind == "attribute" else _BARE_KEY).fullmatch(key)
    name = _PREFIX[field.kind] + (key if bare else _quoted_key(key))
    if field.function is None:
        return name
    if field.function == "best_step_min":
        return f"best_step({name}, min)"
    return f"{field.function.removesuffix('_max')}({name})"


def _quoted_key(key: str) -> str:
    if "`" not in key:
        return f"`{key}`"
    if '"' not in key and not key.endswith("\\"):
        return f'"{key}"'
    return _value(key)


def _value(value: Value) -> str:
    if isinstance(value, str):
        # A quote or a backslash at the end would move the end of the text.
        if not value.endswith("\\"):
            for quote in "'\"":
                if quote not in value:
                    return quote + value + quote
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"E'{escaped}'"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "1e999" if value > 0 else "-1e999"
    return repr(value)


def _test(node: Test) -> str:
    field = field_text(node.field)
    if isinstance(node, Comparison):
        return f"{field} {node.op} {_value(node.value)}"
    no = "NOT " if node.negated else ""
    if isinstance(node, In):
        return f"{field} {no}IN ({', '.join(map(_value, node.values))})"
    if isinstance(node, Between):
        return f"{field} {no}BETWEEN {_value(node.low)} AND {_value(node.high)}"
    if isinstance(node, Matches):
        return f"{field} {no}MATCHES {_value(node.pattern)}"
    return f"{field} IS {no}NULL"
