"""Regular expressions of RE2, written for PostgreSQL.

Both run in linear time, but spell some things differently, and a few mean something else: there the dot matches a line
break, ``\\d`` and ``\\w`` follow the language of the database, flags stand at the beginning only, and a count ends at
255. What cannot be said there is refused with a hint, rather than understood differently.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NoReturn

from millstream.errors import SearchSyntaxError

_CLASS = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\t\n\f\r "}
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\x01-\x7f",
    "blank": "\t ",
    "cntrl": "\x01-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_CONTROL = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_REPEAT = re.compile(r"\{(\d+)(,?)(\d*)\}")
_HEX = re.compile(r"x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))")
_OCTAL = re.compile(r"[1-7][0-7]{1,2}|0[0-7]{0,2}")
_FLAGS = re.compile(r"\(\?([imsU]*)(?:-([imsU]+))?([:)])")
_NAMED = re.compile(r"\(\?P?<\w+>")
_MOST = 255


@lru_cache(maxsize=256)
def postgres_pattern(pattern: str) -> str:
    """The advanced regular expression of PostgreSQL that finds what ``pattern`` finds in RE2.

    Raises SearchSyntaxError for an expression that has no such form.
    """
    return _Translation(pattern).result()


class _Translation:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.written: list[str] = []
        self.insensitive = False
        # Flags (multi-line, dot matches all) now, and those to go back to at the end of each open group.
        self.flags = (False, False)
        self.groups: list[tuple[bool, bool]] = []

    def result(self) -> str:
        pattern = self.pattern
        while self.at < len(pattern):
            self._next(pattern[self.at])
        # PostgreSQL takes options at the very beginning only, so they stand for the whole expression.
        return ("(?i)" if self.insensitive else "(?c)") + "".join(self.written)

    def _fail(self, what: str) -> NoReturn:
        raise SearchSyntaxError(
            "Invalid clause(s) in filter string: PostgreSQL cannot search for the regular expression "
            f"'{self.pattern}', it has no {what}",
            hint="write it without, or use LIKE",
        )

    def _next(self, char: str) -> None:
        if char == "\\":
            self.at += 1
            self._escape()
        elif char == "[":
            self._bracket()
        elif char == "(":
            self._open()
        elif char == ")":
            self.at += 1
            self.flags = self.groups.pop()
            self.written.append(")")
        elif char == ".":
            self.at += 1
            self.written.append("." if self.flags[1] else "[^\n]")
        elif char == "^":
            self.at += 1
            self._assertion("(?:^|(?<=\n))" if self.flags[0] else "^")
        elif char == "$":
            self.at += 1
            self._assertion("(?:$|(?=\n))" if self.flags[0] else "$")
        elif char in "*+?":
            self.at += 1
            self._repeat(char)
        elif char == "{":
            self._braces()
        else:
            self.at += 1
            self.written.append(char if char == "|" else _literal(char))

    def _is_repeated(self) -> bool:
        return self.pattern.startswith(("*", "+", "?"), self.at) or bool(_REPEAT.match(self.pattern, self.at))

    def _assertion(self, written: str) -> None:
        # An assertion may be repeated in RE2, not here; in a group it may.
        self.written.append(f"(?:{written})" if self._is_repeated() else written)

    def _repeat(self, written: str) -> None:
        # Lazy and greedy find the same texts, if not the same parts of them.
        if self.pattern.startswith("?", self.at):
            self.at += 1
        self.written.append(written)

    def _braces(self) -> None:
        found = _REPEAT.match(self.pattern, self.at)
        if found is None:
            self.at += 1
            self.written.append("\\{")
            return
        self.at = found.end()
        low, comma, high = found.groups()
        if int(low) > _MOST or int(high or 0) > _MOST:
            self._fail(f"count beyond {_MOST}")
        self._repeat(found[0])

    def _open(self) -> None:
        pattern, at = self.pattern, self.at
        named = _NAMED.match(pattern, at)
        flags = _FLAGS.match(pattern, at)
        if named:
            self.at = named.end()
        elif flags:
            self.at = flags.end()
            after = self._flags(flags[1], flags[2] or "", whole=flags[3] == ")")
            if flags[3] == ")":
                self.flags = after
                if self._is_repeated():
                    self._fail("repetition of flags")
                return
            self.groups.append(self.flags)
            self.flags = after
            self.written.append("(?:")
            return
        else:
            self.at += 1
        self.groups.append(self.flags)
        self.written.append("(?:")

    def _flags(self, on: str, off: str, *, whole: bool) -> tuple[bool, bool]:
        if "i" in on and not self.insensitive:
            if self.written or self.groups or not whole:
                self._fail("flag i but at the beginning")
            self.insensitive = True
        if "i" in off and self.insensitive:
            self._fail("flag i but for the whole")
        many_lines, dot_all = self.flags
        return ("m" in on or many_lines) and "m" not in off, ("s" in on or dot_all) and "s" not in off

    def _escape(self) -> None:
        pattern = self.pattern
        char = pattern[self.at]
        if char == "Q":
            end = pattern.find("\\E", self.at)
            quoted = pattern[self.at + 1 : end if end >= 0 else None]
            self.at = end + 2 if end >= 0 else len(pattern)
            self.written.extend(map(_literal, quoted))
        elif char in "AzbB":
            self.at += 1
            self._assertion({"A": "\\A", "z": "\\Z", "b": _WORD_EDGE, "B": _NO_WORD_EDGE}[char])
        elif char.lower() in _CLASS:
            self.at += 1
            self.written.append(f"[{'^' if char.isupper() else ''}{_CLASS[char.lower()]}]")
        elif char == "E":
            self.at += 1
        else:
            self.written.append(_literal(self._character()))

    def _character(self) -> str:
        """The one character that an escape stands for; the backslash is read already."""
        pattern, at = self.pattern, self.at
        char = pattern[at]
        if char in "pPCX":
            self._fail("\\p" if char in "pP" else f"\\{char}")
        found = _HEX.match(pattern, at)
        if found:
            self.at = found.end()
            return self._of_code(int(found[1] or found[2], 16))
        octal = _OCTAL.match(pattern, at)
        if octal:
            self.at = octal.end()
            return self._of_code(int(octal[0], 8))
        self.at += 1
        return _CONTROL.get(char, char)

    def _of_code(self, code: int) -> str:
        if code == 0 or 0xD800 <= code < 0xE000:
            self._fail("character of this number")
        return chr(code)

    def _bracket(self) -> None:
        pattern = self.pattern
        self.at += 1
        negated = pattern.startswith("^", self.at)
        self.at += negated
        members: list[str] = []
        first = True
        while first or not pattern.startswith("]", self.at):
            first = False
            if pattern.startswith("[:", self.at):
                members.append(self._posix())
            elif pattern[self.at] == "\\" and pattern[self.at + 1].lower() in _CLASS:
                char = pattern[self.at + 1]
                if char.isupper():
                    self._fail(f"\\{char} within brackets")
                self.at += 2
                members.append(_CLASS[char])
            else:
                low = self._member()
                high = None
                if pattern.startswith("-", self.at) and not pattern.startswith("-]", self.at):
                    self.at += 1
                    high = self._member()
                members.append(_member(low) if high is None else f"{_member(low)}-{_member(high)}")
        self.at += 1
        self.written.append(f"[{'^' if negated else ''}{''.join(members)}]")

    def _member(self) -> str:
        char = self.pattern[self.at]
        self.at += 1
        return self._character() if char == "\\" else char

    def _posix(self) -> str:
        end = self.pattern.index(":]", self.at)
        name = self.pattern[self.at + 2 : end]
        if name.startswith("^"):
            self._fail("[:^…:] within brackets")
        self.at = end + 2
        return _POSIX[name]


_WORD_EDGE = "(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))"
_NO_WORD_EDGE = "(?:(?<=[0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<![0-9A-Za-z_])(?![0-9A-Za-z_]))"


def _literal(char: str) -> str:
    return "\\" + char if char in ".^$*+?()[]{}|\\" else char


def _member(char: str) -> str:
    return "\\" + char if char in "]\\^-[" else char
