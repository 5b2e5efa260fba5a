"""Reading a field: which metric, parameter, tag, attribute or dataset field is meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NoReturn, cast

from millstream.search.lexer import (
    BACKTICK,
    END,
    ESCAPED,
    NUMBER,
    PATH,
    PUNCTUATION,
    STRING,
    Token,
    string_value,
    syntax_error,
    tokenize,
)
from millstream.search.tree import Field, Function, Kind
from millstream.search.vocabulary import DATASET_KEYS, Type, Vocabulary

FUNCTIONS = ("min", "max", "first", "last", "best_step")

_QUOTED = frozenset({ESCAPED, STRING, BACKTICK})
_UNQUOTED_KEY = re.compile(r"[^\s=<>!~()'\"`,]*")


def near(word: str, known: Iterable[str]) -> str | None:
    """The one of ``known`` that ``word`` was probably meant to be."""
    import difflib

    spelled = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word[:100].lower(), spelled, n=1, cutoff=0.6)
    return spelled[found[0]] if found else None


class Reader:
    """The tokens of one text, read from left to right.

    ``attributes`` maps the spellings of attributes to their names; ``lead`` begins the messages of errors.
    """

    __slots__ = ("at", "attributes", "lead", "text", "tokens", "unknown", "vocabulary")

    def __init__(
        self,
        text: str,
        vocabulary: Vocabulary,
        attributes: Mapping[str, str],
        lead: str,
        unknown: str = "Invalid attribute key",
    ) -> None:
        self.text = text
        self.vocabulary = vocabulary
        self.attributes = attributes
        self.lead = lead
        self.unknown = unknown
        self.tokens = tokenize(text, lead)
        self.at = 0

    def fail(self, message: str, position: int, hint: str | None = None) -> NoReturn:
        """Raise the error that points at ``position``."""
        syntax_error(message, self.text, position, hint)

    def unexpected(self, token: Token, expected: str, hint: str | None = None) -> NoReturn:
        """Raise the error for a token that is not what had to come."""
        kind, text, position = token
        shown = "the text ends" if kind == END else f"'{text if len(text) <= 40 else text[:40] + '…'}' is there"
        self.fail(f"{self.lead}: expected {expected}, but {shown}", position, hint)

    def field(self) -> tuple[Field, Type]:
        """Read a field and the type of its values."""
        token = self.tokens[self.at]
        kind, text, position = token
        if kind == PATH:
            prefix, dot, key = text.partition(".")
            self.at += 1
            if not dot:
                after = self.tokens[self.at]
                if after[1] == "(" and after[0] == PUNCTUATION:
                    return self._function(text, position)
                return self._attribute(text, position)
            named = self.vocabulary.prefixes.get(prefix)
            if named is None:
                self._unknown_prefix(prefix, position)
            if not key:
                key = self._quoted_key(position + len(text))
            if named == "attribute":
                return self._attribute(key, position + len(prefix) + 1)
            if named == "dataset" and key not in DATASET_KEYS:
                meant = near(key, DATASET_KEYS)
                self.fail(
                    f"Invalid dataset key '{key}': expected name, digest or context",
                    position + len(prefix) + 1,
                    f"did you mean {meant}?" if meant else None,
                )
            return Field(named, key), "number" if named == "metric" else "text"
        if kind == BACKTICK or (kind == STRING and text[0] == '"'):
            self.at += 1
            return self._attribute(string_value(token), position)
        if kind in (STRING, ESCAPED, NUMBER):
            self.fail(
                "Invalid comparison clause: expected a field on the left, a value is there",
                position,
                "write the field first: params.NAME = 'value'",
            )
        self.unexpected(
            token,
            "a field such as metrics.NAME, params.NAME or tags.NAME"
            if "metrics" in self.vocabulary.prefixes
            else "a field such as name or tags.NAME",
        )

    def quoting_hint(self, start: int) -> str | None:
        """The advice to quote the key of the field at ``start``, when what follows looks like the rest of the key."""
        written = self.text[start : _UNQUOTED_KEY.match(self.text, start).end()]  # type: ignore[union-attr]
        prefix, dot, key = written.partition(".")
        if dot and prefix in self.vocabulary.prefixes and len(key) <= 250 and not re.fullmatch(r"[\w.]*", key):
            return f"a key with other characters than letters, digits, _ and . is quoted: {prefix}.`{key}`"
        return None

    def _quoted_key(self, expected_at: int) -> str:
        token = self.tokens[self.at]
        if token[0] not in _QUOTED or token[2] != expected_at:
            self.fail(
                f"{self.lead}: expected a key right after the dot",
                expected_at,
                'write NAME, `NAME` or "NAME" after the dot, without a space',
            )
        self.at += 1
        return string_value(token)

    def _attribute(self, name: str, position: int) -> tuple[Field, Type]:
        canonical = self.attributes.get(name)
        if canonical is None:
            self._unknown_attribute(name, position)
        return Field("attribute", canonical), self.vocabulary.types.get(canonical, "number")

    def _unknown_attribute(self, name: str, position: int) -> NoReturn:
        names = list(dict.fromkeys(self.attributes.values()))
        if name in self.vocabulary.prefixes:
            hint = f"write the key after a dot: {name}.NAME"
        elif meant := near(name, [*names, *self.vocabulary.prefixes]):
            hint = f"did you mean {meant}?"
        elif "metrics" in self.vocabulary.prefixes:
            hint = "metrics, parameters and tags are written metrics.NAME, params.NAME and tags.NAME"
        else:
            hint = "tags are written tags.NAME"
        self.fail(f"{self.unknown} '{name[:100]}': expected one of {', '.join(names)}", position, hint)

    def _unknown_prefix(self, prefix: str, position: int) -> NoReturn:
        prefixes = self.vocabulary.prefixes
        usual: dict[Kind, str] = {}
        for word, kind in prefixes.items():
            usual.setdefault(kind, word)
        meant = near(prefix, prefixes)
        self.fail(
            f"Invalid entity type '{prefix[:100]}': expected one of {', '.join(usual.values())}",
            position,
            f"did you mean {meant}?" if meant else None,
        )

    def _function(self, name: str, position: int) -> tuple[Field, Type]:
        """Read ``function(metrics.KEY)``; the name is read already."""
        function = name.lower()
        if "metrics" not in self.vocabulary.prefixes:
            self.fail(f"{self.lead}: {self.vocabulary.entity} have no metrics, so no functions", position)
        if function not in FUNCTIONS:
            meant = near(function, FUNCTIONS)
            self.fail(
                f"{self.lead}: expected one of the functions {', '.join(FUNCTIONS)}, but '{name[:40]}' is there",
                position,
                f"did you mean {meant}?" if meant else None,
            )
        self.at += 1
        token = self.tokens[self.at]
        if token[0] != PATH or "." not in token[1]:
            self.unexpected(token, f"a metric, as in {function}(metrics.NAME)")
        field, _ = self.field()
        if field.kind != "metric":
            self.unexpected(token, f"a metric, as in {function}(metrics.NAME)")
        token = self.tokens[self.at]
        if function == "best_step":
            function = "best_step_max"
            if token[1] == "," and token[0] == PUNCTUATION:
                self.at += 1
                kind, side, _ = token = self.tokens[self.at]
                if kind != PATH or side.lower() not in ("min", "max"):
                    self.unexpected(token, "min or max")
                function = "best_step_" + side.lower()
                self.at += 1
                token = self.tokens[self.at]
        if token[1] != ")" or token[0] != PUNCTUATION:
            self.unexpected(token, "')'", self.quoting_hint(self.tokens[self.at - 1][2]))
        self.at += 1
        return Field("metric", field.key, cast(Function, function)), "number"
