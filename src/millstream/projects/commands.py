"""From a command's template and values to what is executed.

A template is taken apart as a shell would, and each value goes in where its name stands, as it is: part of one
argument, whatever quotes surround it. A template that needs a shell (pipes, redirections, variables, patterns) runs in
``bash -c``; there the values are arguments of the program, which holds only references to them. So no shell ever reads
a value as program text. Where a reference would be read as one all the same (arithmetic, ``eval``, a shell within the
shell), the template is refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from millstream.errors import InvalidValue

__all__ = ["Command", "command_of", "names_in"]

# Words that only a shell can run, where they begin a command.
_SHELL_WORDS = frozenset(
    ". : ! [[ { alias bg break builtin case cd command continue coproc declare dirs eval exec exit export fg for "
    "function getopts hash if jobs let local mapfile popd pushd read readonly return select set shift shopt source "
    "suspend time times trap type typeset ulimit umask unalias unset until wait while".split()
)
_SHELLS = frozenset("ash bash dash fish ksh mksh sh zsh".split())
_SPECIAL = frozenset("|&;<>()$`*?[]{}\n")
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_BRACES = re.compile(r"\{\{|\}\}|(\$?)\{([^{}]+)\}")
_COMMAND_BEGINS = r"(?:^|[;|&(`\n]|\b(?:then|do|else|elif|if|while|until|command|builtin|time)\s|!\s)\s*"
# What evaluates text as a program or an expression.
_EVALUATES = re.compile(rf"{_COMMAND_BEGINS}(?:eval|let|trap)\s|\(\(|{_COMMAND_BEGINS}\[\[\s|<<(?!<)")
_NESTED_SHELL = re.compile(rf"(?<![\w.-])(?:{'|'.join(_SHELLS)})\s+(?:-\S+\s+)*-\w*c\s[^\x00]*\x00")


@dataclass(frozen=True)
class Command:
    """A program with its arguments, as it is executed: no value is read by a shell."""

    argv: tuple[str, ...]

    @property
    def text(self) -> str:
        """The command as one would type it."""
        return shlex.join(self.argv)


@dataclass(frozen=True)
class _Value:
    name: str
    text: str


_Items = list["str | _Value"]  # single characters, and values in the place of their names


class _NeedsShell(Exception):
    pass


def command_of(template: str, values: Mapping[str, str], extra: Mapping[str, str] | None = None) -> Command:
    """The command of a template: ``{name}`` stands for ``values[name]``, ``{{`` and ``}}`` for braces; each of
    ``extra`` follows as two arguments, ``--name`` and its value.

    Raises InvalidValue for a name without a value, for quotes that do not end, and for values in places where a shell
    would run them.
    """
    items = _items(template.strip(), values)
    for name, value in {**values, **(extra or {})}.items():
        if "\0" in name + value:
            raise InvalidValue(f"the value of {name!r} has a NUL character", hint="no program can be given one")
    further = [text for name, value in (extra or {}).items() for text in (f"--{name}", value)]
    try:
        words = _words(items, template)
    except _NeedsShell:
        return _in_shell(items, further, template, ("bash", "-c"))
    program = _program_of_shell(words, template)
    if program is not None:
        return _in_shell(words[-1], further, template, tuple(_text(word) for word in words[:-1]))
    return Command((*map(_text, words), *further))


def names_in(template: str) -> list[str]:
    """The names that stand in braces in a template, each once, in their order."""
    found = (match[2] for match in _BRACES.finditer(template) if match[2] and not match[1])
    return list(dict.fromkeys(name for name in found if _NAME.fullmatch(name)))


def _items(template: str, values: Mapping[str, str]) -> _Items:
    items: _Items = []
    end = 0
    for match in _BRACES.finditer(template):
        items += template[end:match.start()]
        end = match.end()
        if match[2] is None:
            items.append(match[0][0])
        elif match[2] in values:
            if match[1]:
                _refuse(template, f"${{{match[2]}}} could be the parameter or a variable of the shell",
                        f"write {{{match[2]}}} for the parameter and ${{{{{match[2]}}}}} for the variable")
            items.append(_Value(match[2], values[match[2]]))
        elif _NAME.fullmatch(match[2]) and not match[1]:
            raise InvalidValue(
                f"the command {template!r} names {{{match[2]}}}, which is no parameter; there "
                f"{'are ' + ', '.join(sorted(values)) if values else 'are none'}",
                hint="declare it under `parameters`, or write {{ and }} for braces",
            )
        else:
            items += match[0]
    items += template[end:]
    return items


def _words(items: _Items, template: str) -> list[_Items]:
    """The words of a simple command. Raises _NeedsShell for what is more than that."""
    words: list[_Items] = []
    word: _Items | None = None
    quote = ""
    escaped = False
    for item in items:
        if word is None and (isinstance(item, _Value) or not item.isspace()):
            word = []
            words.append(word)
        if isinstance(item, _Value):
            assert word is not None
            word.append(item)
            escaped = False
        elif escaped:
            if quote and item not in '$`"\\\n' and word is not None:
                word.append("\\")
            if item != "\n" and word is not None:
                word.append(item)
            escaped = False
        elif quote == "'":
            quote = _quoted(item, quote, word)
        elif item == "\\":
            escaped = True
        elif quote:
            if item in "$`":
                raise _NeedsShell
            quote = _quoted(item, quote, word)
        elif item in "'\"":
            quote = item
        elif item in " \t\r":
            word = None
        elif item in _SPECIAL or (item in "#~" and not word):
            raise _NeedsShell
        elif item == "=" and len(words) == 1 and _NAME.fullmatch(_text(word or [])):
            raise _NeedsShell  # a variable for the command
        elif word is not None:
            word.append(item)
    if quote:
        _refuse(template, f"the quote {quote} does not end", "close it")
    if not words:
        raise InvalidValue("the command is empty", hint="write `command: python train.py`")
    if not any(isinstance(item, _Value) for item in words[0]) and _text(words[0]) in _SHELL_WORDS:
        raise _NeedsShell
    return words


def _quoted(item: str, quote: str, word: _Items | None) -> str:
    """What quote goes on after a character between quotes."""
    if item == quote:
        return ""
    if word is not None:
        word.append(item)
    return quote


def _program_of_shell(words: Sequence[_Items], template: str) -> _Items | None:
    """The program of a template that is itself ``bash -c '…'`` with values in it. Raises InvalidValue for a shell that
    is called in a way that cannot be taken apart."""
    for index, word in enumerate(words[:-1]):
        if _text(word).rpartition("/")[2] not in _SHELLS:
            continue
        options = [_text(each) for each in words[index + 1:]]
        for place, option in enumerate(options):
            if not option.startswith("-"):
                break
            if "c" in option and not option.startswith("--"):
                program = words[index + place + 2] if index + place + 2 < len(words) else []
                if not any(isinstance(item, _Value) for item in program):
                    break
                if index == 0 and program is words[-1]:
                    return program
                _refuse_nested(template)
    return None


def _in_shell(items: _Items, further: Sequence[str], template: str, shell: tuple[str, ...]) -> Command:
    values: list[str] = []
    text = "".join("\0" if isinstance(item, _Value) else item for item in items)
    if "\0" in text:
        if _EVALUATES.search(text):
            _refuse(template, "the shell would evaluate a value in it (eval, let, trap, (( )), [[ ]], <<)",
                    "give the value to a program as an argument; tests can be written with [ ]")
        if _NESTED_SHELL.search(text):
            _refuse_nested(template)
    program = _referring(items, values, template)
    for argument in further:
        values.append(argument)
        program += f' "${{_millstream_{len(values)}}}"'
    if not values:
        return Command((*shell, program))
    # Names of their own, because $1 is another one within a function.
    names = " ".join(f"_millstream_{number}=${{{number}}}" for number in range(1, len(values) + 1))
    return Command((*shell, f"{names}; shift {len(values)}\n{program}", shell[0], *values))


def _referring(items: _Items, values: list[str], template: str) -> str:
    """The program with references in the place of the values, which are added to ``values``."""
    numbers: dict[str, int] = {}
    out: list[str] = []
    around = ["plain"]  # what surrounds the present place, outermost first: plain, ', ", $(, (, ${, `
    escaped = False
    for position, item in enumerate(items):
        state = around[-1]
        if isinstance(item, _Value):
            if state == "${":
                _refuse(template, f"{{{item.name}}} stands within ${{…}}", "put it beside")
            if item.name not in numbers:
                values.append(item.text)
                numbers[item.name] = len(values)
            reference = f"${{_millstream_{numbers[item.name]}}}"
            out.append({'"': reference, "'": f"'\"{reference}\"'"}.get(state, f'"{reference}"'))
            escaped = False
            continue
        out.append(item)
        if escaped:
            escaped = False
        elif state == "'":
            if item == "'":
                around.pop()
        elif item == "\\":
            escaped = True
        elif item == "`":
            around.pop() if state == "`" else around.append("`")
        elif item == '"':
            around.pop() if state == '"' else around.append('"')
        elif item == "'" and state != '"':
            around.append("'")
        elif item in "({" and items[position - 1:position] == ["$"]:
            around.append("$" + item)
        elif item == "(" and state != '"':
            around.append("(")
        elif (item == ")" and state in ("(", "$(")) or (item == "}" and state == "${"):
            around.pop()
    if around[-1] in ("'", '"', "`"):
        _refuse(template, f"the quote {around[-1]} does not end", "close it")
    return "".join(out)


def _text(items: _Items) -> str:
    return "".join(item.text if isinstance(item, _Value) else item for item in items)


def _refuse(template: str, reason: str, hint: str) -> NoReturn:
    raise InvalidValue(f"the command {template!r} cannot be run: {reason}", hint=hint)


def _refuse_nested(template: str) -> NoReturn:
    _refuse(template, "a shell in it would read a value as its program",
            "leave `bash -c` out: a command runs in bash where it needs one")
