"""Text into tokens, in one pass and linear time.

A field and its dots are one token (``metrics.val.loss``), so a key may be any word, also one that is a keyword.
Quoted text ends where MLflow ends it: a doubled quote and a quote after a backslash are part of it, and both stay in
the value as written. ``E'…'`` is a string with backslash escapes, for text that has both kinds of quotes.
"""

from __future__ import annotations

import re
from typing import NoReturn

from millstream.errors import SearchSyntaxError

MAX_TEXT = 100_000

# Kinds of tokens; the first seven are the groups of _TOKEN in their order.
ESCAPED, PATH, STRING, NUMBER, OPERATOR, PUNCTUATION, BACKTICK, OTHER, END = range(1, 10)

Token = tuple[int, str, int]  # kind, the text as written, where it begins

# No alternative can match the same characters in two ways, so a failure costs no more than the text is long.
_TOKEN = re.compile(
    r"""\s*(?:
      ([eE]'(?:[^'\\]|\\.)*')
    | ([^\W\d]\w*(?:\.(?:(?![eE]')[\w.]*)?)?)
    | ('[^'\\]*'(?!')|"[^"\\]*"(?!"))
    | (-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | ([<>=!~]+)
    | ([(),])
    | (`[^`]*`(?!`))
    | ([\d.][\w.]*|\S)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_LETTER = {"n": "\n", "r": "\r", "t": "\t"}


def syntax_error(message: str, text: str, position: int, hint: str | None = None) -> NoReturn:
    """Raise the SearchSyntaxError that shows ``text`` around ``position``, with a caret under the character."""
    start = max(0, position - 60)
    shown = text[start : position + 60]
    column = position - start
    if start:
        shown, column = "…" + shown, column + 1
    if position + 60 < len(text):
        shown += "…"
    shown = "".join(char if char.isprintable() else " " for char in shown)
    raise SearchSyntaxError(f"{message}\n  {shown}\n  {' ' * column}^", hint=hint, position=position)


def tokenize(text: str, lead: str) -> list[Token]:
    """The tokens of ``text``, the last one of kind END. Errors begin with ``lead``.

    Raises SearchSyntaxError for text that is too long, has an open quote, or that no store could keep.
    """
    if len(text) > MAX_TEXT:
        syntax_error(
            f"{lead}: it has {len(text):,} characters, the limit is {MAX_TEXT:,}",
            text,
            MAX_TEXT,
            "ask for less at once, or use IN with a list",
        )
    _refuse_unstorable(text, lead)
    tokens: list[Token] = []
    add = tokens.append
    match = _TOKEN.match
    position = 0
    while found := match(text, position):
        kind = found.lastindex or OTHER
        start, position = found.span(kind)
        if kind == OTHER and text[start] in "'\"`":
            end = _closing_quote(text, start)
            if end is None:
                syntax_error(
                    f"{lead}: the quote {text[start]} is not closed",
                    text,
                    start,
                    f"end the quoted text with {text[start]}",
                )
            kind, position = BACKTICK if text[start] == "`" else STRING, end + 1
        add((kind, text[start:position], start))
    add((END, "", len(text)))
    return tokens


def string_value(token: Token) -> str:
    """What a STRING, BACKTICK or ESCAPED token stands for."""
    kind, raw, _ = token
    if kind == ESCAPED:
        return _ESCAPE.sub(lambda found: _LETTER.get(found[1], found[1]), raw[2:-1])
    return raw[1:-1]


def _refuse_unstorable(text: str, lead: str) -> None:
    nul = text.find("\0")
    if nul >= 0:
        syntax_error(f"{lead}: a NUL character", text, nul, "remove the character")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            syntax_error(
                f"{lead}: half of a surrogate pair, which is no character",
                text,
                error.start,
                "send valid UTF-8",
            )


def _closing_quote(text: str, start: int) -> int | None:
    """Where the quote at ``start`` is closed.

    Pairs, and (but for backticks) quotes after a backslash, belong to the text; when nothing closes it otherwise, the
    last of them does.
    """
    quote = text[start]
    last = None
    position = start + 1
    while (found := text.find(quote, position)) >= 0:
        if text.startswith(quote, found + 1):
            last, position = found, found + 2
        elif quote != "`" and text[found - 1] == "\\":
            last, position = found, found + 1
        else:
            return found
    return last
