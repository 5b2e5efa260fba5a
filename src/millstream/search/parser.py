"""Filters and orders, from text to tree.

    filter     =  either
    either     =  all { OR all }
    all        =  not { AND not }
    not        =  { NOT } ( test | "(" either ")" )
    test       =  field ( op value | [NOT] LIKE text | [NOT] ILIKE text | [NOT] IN "(" value { "," value } ")"
               |          [NOT] BETWEEN value AND value | [NOT] MATCHES text | IS [NOT] NULL )
    field      =  [ prefix "." ] key | function "(" metric ")" | best_step "(" metric [ "," min | max ] ")"
    order      =  field [ ASC | DESC ]

The parser keeps its own stack, so nesting never meets Python's. Where a filter has no OR, NOT or parentheses, it takes
what MLflow takes: clauses side by side mean AND, and an AND with nothing on one side is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast

from millstream.search.fields import Reader, near
from millstream.search.lexer import (
    BACKTICK,
    END,
    ESCAPED,
    NUMBER,
    OPERATOR,
    OTHER,
    PATH,
    PUNCTUATION,
    STRING,
    Token,
    string_value,
    syntax_error,
)
from millstream.search.patterns import refusal
from millstream.search.tree import (
    And,
    Between,
    Comparison,
    Expression,
    Field,
    In,
    Matches,
    Not,
    Null,
    Operator,
    Or,
    Order,
    Test,
    Value,
)
from millstream.search.vocabulary import LOGGED_MODELS, OPERATORS, Type, Vocabulary

MAX_DEPTH = 100
MAX_TERMS = 2_000
MAX_LIST = 10_000
MAX_PATTERN = 1_000
MAX_LIKE = 10_000  # longer than any value it could fit

_OPERATOR_WORDS = frozenset({"LIKE", "ILIKE", "IN", "NOT", "IS", "BETWEEN", "MATCHES", "RLIKE"})
_INTENDED = {"==": "=", "<>": "!=", "=!": "!=", "=<": "<=", "=>": ">=", "!": "!=", "~": "MATCHES", "=~": "MATCHES"}
# How MLflow says of what a text is the value; tests of its users look at it.
_TEXT_OF = {
    "param": "for parameter",
    "tag": "for tag",
    "attribute": "for attributes",
    "dataset": "for dataset attributes",
}
_INT64 = range(-(2**63), 2**63)


def parse_filter(text: str | None, vocabulary: Vocabulary) -> Expression | None:
    """The tree of a filter; None when there is nothing to filter by (None or the empty text).

    Raises SearchSyntaxError, whose ``position`` is the offset in ``text`` of the character at fault.
    """
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        syntax_error(f"Error on parsing filter {text!r}: a filter is a text", "", 0)
    if text.isspace():
        syntax_error("Invalid filter: there is only white space", text, 0, "leave the filter empty to have everything")
    return _Parser(text, vocabulary, vocabulary.attributes, "Invalid clause(s) in filter string").filter()


def parse_order(clauses: Sequence[str] | None, vocabulary: Vocabulary) -> list[Order]:
    """The clauses of an order, as written: ``field``, ``field ASC`` or ``field DESC``.

    Raises SearchSyntaxError, whose ``position`` is the offset in the clause at fault.
    """
    orders: dict[Field, Order] = {}
    for clause in clauses or ():
        if not isinstance(clause, str):
            syntax_error(f"Invalid order_by clause {clause!r}: a clause is a text", "", 0)
        order = _Parser(
            clause, vocabulary, vocabulary.orders, "Invalid order_by clause", vocabulary.bad_order_key
        ).order()
        if orders.setdefault(order.field, order) is not order and not vocabulary.repeats:
            syntax_error("`order_by` contains duplicate fields", clause, 0, "name each field once")
    return list(orders.values())


def order_of_logged_models(clauses: Sequence[Any] | None) -> list[Order]:
    """The order of a search of logged models, whose clauses are not text.

    A clause is a mapping with (or an object with the attributes) ``field_name``, an attribute or ``metrics.KEY``;
    ``ascending``, True unless given; ``dataset_name`` and ``dataset_digest``. Raises SearchSyntaxError.
    """
    orders: dict[Order, Order] = {}
    for clause in clauses or ():
        read = clause if isinstance(clause, Mapping) else _Attributes(clause)
        name, ascending = read.get("field_name"), read.get("ascending")
        dataset, digest = read.get("dataset_name") or None, read.get("dataset_digest") or None
        if not isinstance(clause, Mapping) and name is None:
            syntax_error(f"`order_by` must be a list of dictionaries, {type(clause).__name__} is there", "", 0)
        if name is None:
            syntax_error("`field_name` in the `order_by` clause must be specified", "", 0)
        if ascending is not None and not isinstance(ascending, bool):
            syntax_error(f"Value of `ascending` in the `order_by` clause must be a boolean, not {ascending!r}", "", 0)
        if digest and not dataset:
            syntax_error("`dataset_digest` can only be specified if `dataset_name` is also specified", "", 0)
        field = _logged_model_field(str(name))
        order = Order(field, ascending is not False, dataset, digest)
        orders.setdefault(Order(field, True, dataset, digest), order)
    return list(orders.values())


class _Attributes:
    """An object, read like a mapping."""

    def __init__(self, of: object) -> None:
        self.of = of

    def get(self, name: str) -> Any:
        return getattr(self.of, name, None)


def _logged_model_field(name: str) -> Field:
    lead = "Invalid order by field name"
    if "(" in name:
        return _Parser(name, LOGGED_MODELS, LOGGED_MODELS.orders, lead).order().field
    prefix, dot, key = name.partition(".")
    if not dot:
        canonical = LOGGED_MODELS.orders.get(name)
        if canonical is None:
            known = ", ".join(LOGGED_MODELS.orders)
            syntax_error(f"{lead}: '{name[:100]}', expected metrics.NAME or one of {known}", name, 0)
        return Field("attribute", canonical)
    if prefix != "metrics":
        syntax_error(f"{lead}: '{prefix[:100]}', expected metrics.NAME or an attribute", name, 0)
    # The key is the whole rest, whatever is in it; quotes around it are allowed.
    if len(key) > 1 and key[0] == key[-1] and key[0] in '`"':
        key = key[1:-1]
    return Field("metric", key)


class _Parser(Reader):
    """Reads tests, what joins them, and order clauses."""

    __slots__ = ("terms",)

    def __init__(
        self,
        text: str,
        vocabulary: Vocabulary,
        attributes: Mapping[str, str],
        lead: str,
        unknown: str = "Invalid attribute key",
    ) -> None:
        super().__init__(text, vocabulary, attributes, lead, unknown)
        self.terms = 0

    def filter(self) -> Expression:
        """Read the whole text as a filter."""
        tokens = self.tokens
        # What is open: the operands of OR and of AND so far, and the NOTs before the next one; outer ones on a stack.
        either: list[Expression] = []
        every: list[Expression] = []
        negations = depth = 0
        outer: list[tuple[list[Expression], list[Expression], int, int]] = []
        ours = False  # whether the filter says more than MLflow's language can
        loose: Token | None = None  # where it leans on MLflow's tolerance
        while True:
            token = tokens[self.at]
            kind, text, position = token
            if kind == PATH and (text.upper() in ("NOT", "AND", "OR")):
                word = text.upper()
                if word == "OR":
                    self.unexpected(token, "a comparison")
                self.at += 1
                if word == "AND":
                    loose = loose or token
                else:
                    ours = True
                    negations += 1
                    depth = self._deeper(depth, position)
                continue
            if kind == PUNCTUATION and text == "(":
                self.at += 1
                ours = True
                depth = self._deeper(depth, position)
                outer.append((either, every, negations, position))
                either, every, negations = [], [], 0
                continue
            if kind == END and loose and every and not ours:
                return _joined(And, every)
            node: Expression = self._test()
            while True:
                if negations:
                    depth -= negations
                    while negations:
                        node, negations = Not(node), negations - 1
                every.append(node)
                token = tokens[self.at]
                kind, text, position = token
                if kind == END:
                    if outer:
                        self.unexpected(token, "')'", f"close the parenthesis opened at character {outer[-1][3] + 1}")
                    either.append(_joined(And, every))
                    if ours and loose:
                        self.unexpected(loose, "one AND or OR between comparisons, and one comparison on each side")
                    return _joined(Or, either)
                if kind == PUNCTUATION and text == ")":
                    if not outer:
                        self.unexpected(token, "AND, OR or the end", "there is no '(' that it could close")
                    either.append(_joined(And, every))
                    node = _joined(Or, either)
                    either, every, negations, _ = outer.pop()
                    depth -= 1
                    self.at += 1
                    continue
                if kind == PATH:
                    word = text.upper()
                    if word == "AND":
                        self.at += 1
                        if tokens[self.at][0] == END:
                            loose = loose or token
                    elif word == "OR":
                        self.at += 1
                        ours = True
                        either.append(_joined(And, every))
                        every = []
                    else:
                        loose = loose or token
                    break
                self.unexpected(token, "AND, OR or the end")

    def order(self) -> Order:
        """Read the whole text as one clause of an order."""
        token = self.tokens[0]
        kind, text, _ = token
        if kind == END:
            self.unexpected(token, "a field, and ASC or DESC if you like")
        field = self._order_field()
        kind, text, position = token = self.tokens[self.at]
        ascending = True
        if kind == PATH:
            word = text.upper()
            if word not in ("ASC", "DESC"):
                self.fail(
                    f"Invalid ordering key in order_by clause: expected ASC or DESC, but '{text[:40]}' is there",
                    position,
                )
            ascending = word == "ASC"
            self.at += 1
            token = self.tokens[self.at]
        if token[0] != END:
            self.unexpected(token, "ASC, DESC or the end of the clause", self.quoting_hint(self.tokens[0][2]))
        return Order(field, ascending)

    def _order_field(self) -> Field:
        kind, text, position = token = self.tokens[self.at]
        vocabulary = self.vocabulary
        if kind in (STRING, BACKTICK):
            # MLflow reads a clause whose field is quoted as a whole, "metrics.a", like the same without the quotes.
            prefix, dot, key = string_value(token).partition(".")
            named = vocabulary.prefixes.get(prefix) if dot else None
            if named is not None and named != "attribute":
                self.at += 1
                return self._ordering(Field(named, key), position)
        return self._ordering(self.field()[0], position)

    def _ordering(self, field: Field, position: int) -> Field:
        if field.kind not in self.vocabulary.order_kinds:
            self.fail(
                f"Invalid identifier type '{field.kind}' in order_by: {self.vocabulary.entity} are ordered by "
                f"{' or '.join(sorted(self.vocabulary.order_kinds))}",
                position,
            )
        return field

    def _test(self) -> Test:
        begun = self.tokens[self.at]
        self.terms += 1
        if self.terms > MAX_TERMS:
            self.fail(
                f"{self.lead}: more than {MAX_TERMS:,} comparisons",
                begun[2],
                "write several values of one field with IN",
            )
        field, type_ = self.field()
        kind, text, position = token = self.tokens[self.at]
        self.at += 1
        if kind == OPERATOR:
            if text not in OPERATORS[type_]:
                self._bad_operator(text, field, type_, position)
            return Comparison(field, cast(Operator, text), self._value(field, type_))
        word = text.upper() if kind == PATH else ""
        negated = word == "NOT"
        if negated:
            kind, text, position = token = self.tokens[self.at]
            self.at += 1
            word = text.upper() if kind == PATH else ""
        if word == "LIKE" or word == "ILIKE":
            value = self._value(field, type_)
            if "LIKE" not in OPERATORS[type_]:
                self._bad_operator(word, field, type_, position)
            if len(str(value)) > MAX_LIKE:
                self.fail(f"{self.lead}: a pattern of more than {MAX_LIKE:,} characters", position)
            return Comparison(field, cast(Operator, f"NOT {word}" if negated else word), value)
        if word == "IN":
            return In(field, self._list(field, type_), negated)
        if word == "BETWEEN":
            if "BETWEEN" not in OPERATORS[type_]:
                self._bad_operator(word, field, type_, position)
            return self._between(field, type_, negated)
        if word == "MATCHES" or word == "RLIKE":
            if "MATCHES" not in OPERATORS[type_]:
                self._bad_operator(word, field, type_, position)
            return Matches(field, self._pattern(field, type_), negated)
        if word == "IS" and not negated:
            return self._null(field)
        self._no_operator(field, type_, begun, token)

    def _no_operator(self, field: Field, type_: Type, begun: Token, token: Token) -> NoReturn:
        """Raise the error for a field that no operator follows."""
        kind, text, position = token
        before = self.tokens[self.at - 2]
        if kind in (OTHER, NUMBER, PUNCTUATION) and position == before[2] + len(before[1]):
            quoting = self.quoting_hint(begun[2])
            if quoting:
                self.fail(
                    f"Invalid comparison clause: expected an operator, but '{text[:40]}' is there", position, quoting
                )
        hint = f"expected one of {', '.join(_shown(type_))}"
        if kind == PATH and (meant := near(text, _OPERATOR_WORDS)):
            hint = f"did you mean {meant}?"
        self.unexpected(token, f"an operator after {_name(field)}", hint)

    def _bad_operator(self, op: str, field: Field, type_: Type, position: int) -> NoReturn:
        meant = _INTENDED.get(op)
        if meant in OPERATORS[type_]:
            hint = f"did you mean {meant}?"
        elif type_ == "text":
            hint = "text is compared with = and !=, with patterns, or with BETWEEN 'a' AND 'b'"
        elif type_ == "number":
            hint = "numbers have no patterns"
        else:
            hint = "an id is equal to another or not"
        self.fail(
            f"{self.vocabulary.bad_operator} '{op[:20]}' for {_name(field)}: "
            f"expected one of {', '.join(_shown(type_))}",
            position,
            hint,
        )

    def _value(self, field: Field, type_: Type) -> Value:
        kind, text, position = token = self.tokens[self.at]
        self.at += 1
        if type_ == "number":
            if kind == NUMBER:
                return _number(text, field)
            if kind == STRING and field.key in self.vocabulary.quoted_numbers and field.kind == "attribute":
                try:
                    return int(text[1:-1])
                except ValueError:
                    pass
            self._no_number(field, token)
        if kind in (STRING, ESCAPED):
            return string_value(token)
        if self.vocabulary.bare_values and kind in (NUMBER, PATH):
            return text
        if kind == PATH or kind == BACKTICK:
            self.fail(
                f"Parameter value is either not quoted or has the wrong quotes: expected text for {_name(field)}",
                position,
                f"write '{text.strip('`')[:40]}'",
            )
        if kind in (OTHER, END):
            self.unexpected(token, f"a quoted text for {_name(field)}")
        self.fail(
            f"Expected a quoted string value {_TEXT_OF[field.kind]}, but '{text[:40]}' is there",
            position,
            f"write '{text}'" if kind == NUMBER else "write one text in quotes; several go with IN",
        )

    def _no_number(self, field: Field, token: Token) -> NoReturn:
        kind, text, position = token
        of = "metric" if field.kind == "metric" else f"numeric attribute: {field.key}"
        if kind == END:
            self.unexpected(token, f"a number for {_name(field)}")
        hint = "numbers are written like 3, -0.5 or 1e-3, without quotes"
        self.fail(f"Expected numeric value type for {of}, but {text[:40]} is there", position, hint)

    def _list(self, field: Field, type_: Type) -> tuple[Value, ...]:
        kind, text, position = token = self.tokens[self.at]
        if kind != PUNCTUATION or text != "(":
            self.unexpected(token, "'(' and a list of values")
        self.at += 1
        values: list[Value] = []
        while True:
            kind, text, position = token = self.tokens[self.at]
            if kind == PUNCTUATION:
                if text == ")" and values:
                    self.at += 1
                    return tuple(values)
                self.fail(
                    f"While parsing a list in the query, expected a value, but '{text}' is there",
                    position,
                    "a list has at least one value, with commas between them",
                )
            if len(values) == MAX_LIST:
                self.fail(f"While parsing a list in the query, more than {MAX_LIST:,} values came", position)
            values.append(self._value(field, type_))
            kind, text, position = token = self.tokens[self.at]
            if kind == PUNCTUATION and text == ",":
                self.at += 1
            elif kind != PUNCTUATION or text != ")":
                if kind == END:
                    self.unexpected(token, "')'", "close the list")
                self.fail(
                    f"While parsing a list in the query, expected ',' or ')', but '{text[:40]}' is there", position
                )

    def _between(self, field: Field, type_: Type, negated: bool) -> Between:
        low = self._value(field, type_)
        kind, text, _ = token = self.tokens[self.at]
        if kind != PATH or text.upper() != "AND":
            self.unexpected(token, "AND and the upper end")
        self.at += 1
        return Between(field, low, self._value(field, type_), negated)

    def _pattern(self, field: Field, type_: Type) -> str:
        position = self.tokens[self.at][2]
        pattern = str(self._value(field, type_))
        if len(pattern) > MAX_PATTERN:
            self.fail(f"{self.lead}: a regular expression of more than {MAX_PATTERN:,} characters", position)
        reason = refusal(pattern)
        if reason is not None:
            self.fail(
                f"{self.lead}: not a regular expression of RE2 ({reason})",
                position,
                "look-around and back-references are not part of it",
            )
        return pattern

    def _null(self, field: Field) -> Null:
        kind, text, _ = token = self.tokens[self.at]
        word = text.upper() if kind == PATH else ""
        self.at += 1
        negated = word == "NOT"
        if negated:
            kind, text, _ = token = self.tokens[self.at]
            word = text.upper() if kind == PATH else ""
            self.at += 1
        if word != "NULL":
            self.unexpected(token, "NULL" if negated else "NULL or NOT NULL")
        return Null(field, negated)

    def _deeper(self, depth: int, position: int) -> int:
        if depth == MAX_DEPTH:
            self.fail(
                f"{self.lead}: nested more than {MAX_DEPTH} levels deep", position, "use IN, or fewer parentheses"
            )
        return depth + 1


def _joined(kind: type[And] | type[Or], operands: list[Expression]) -> Expression:
    return operands[0] if len(operands) == 1 else kind(tuple(operands))


def _number(text: str, field: Field) -> int | float:
    if field.kind == "metric" and field.function not in ("best_step_max", "best_step_min"):
        return float(text)
    # Times, versions and steps are 64-bit integers in every store; a literal beyond them is still a number.
    if len(text) <= 20 and text.lstrip("-").isdigit() and (number := int(text)) in _INT64:
        return number
    return float(text)


def _name(field: Field) -> str:
    return field.key[:60] if field.kind == "attribute" else f"{field.kind} {field.key[:60]}"


def _shown(type_: Type) -> list[str]:
    order = ("=", "!=", "<", "<=", ">", ">=", "LIKE", "ILIKE", "IN", "BETWEEN", "MATCHES", "NULL")
    return ["IS NULL" if op == "NULL" else op for op in order if op in OPERATORS[type_]]
