"""The modules that a model uses, read from its pickles and its code without loading or importing anything.

A pickle names the classes and functions it is made of; what those names are follows from its opcodes
(https://docs.python.org/3/library/pickletools.html). Two readers share the work. Pickles of protocol 4 and later write
a name as two strings before one opcode, which a search over the bytes finds at the speed of memory, also in files of
joblib with arrays between the opcodes. Older ones, and those that carry code by value (cloudpickle), are read opcode by
opcode, so that the modules imported inside that code are found too.
"""

from __future__ import annotations

import ast
import bz2
import io
import lzma
import mmap
import os
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from millstream.models.distributions import top_of

__all__ = ["modules_of_code", "modules_of_names", "modules_of_pickle"]

_Bytes = bytes | mmap.mmap

# A string, its memo, perhaps the head of a new frame; then the name, spelled or remembered; then STACK_GLOBAL.
_FRAME = rb"\x94?(?:\x95.{8})?"
_STACK_GLOBAL = re.compile(
    rb"\x8c(.)([A-Za-z_][\w.]*)" + _FRAME + rb"(?:\x8c(.)([A-Za-z_<][\w.<>]*)|h.|j.{4})" + _FRAME + rb"\x93", re.DOTALL
)
_GLOBAL = re.compile(rb"[ci]([A-Za-z_][\w.]*)\n[A-Za-z_][\w.]*\n")
_IN_SCHEMA = re.compile(rb'"__module__":\s*"([\w.]+)"')
_MOST_OPCODES = 200_000  # some tenths of a second; the rest of a longer pickle is searched


def modules_of_pickle(source: bytes | str | os.PathLike[str]) -> set[str]:
    """The top-level modules that a pickle names; below a namespace package, as many parts as tell it.

    ``source`` is the pickle or the path of one. Files of joblib (also compressed), of ``torch.save`` and of skops are
    read too, as are compressed pickles. A file of another kind names nothing. Raises OSError for one that cannot be
    read.
    """
    if isinstance(source, bytes):
        return modules_of_names(_names(source))
    with open(source, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return set()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return modules_of_names(_names(data))


def modules_of_names(names: set[str]) -> set[str]:
    """The top-level modules of dotted names."""
    return {top_of(name) for name in names}


def _names(data: _Bytes) -> set[str]:
    head = bytes(data[:6])
    if head.startswith(b"PK\x03\x04"):
        return _names_in_zip(data)
    plain = _unpacked(data, head)
    found: set[str] = set()
    protocol = plain[1] if plain[:1] == b"\x80" and len(plain) > 1 else 0
    if protocol < 4 or plain.find(b"cloudpickle") >= 0:
        try:
            _read(plain, found)
            return found
        except (ValueError, IndexError, KeyError, UnicodeError, OverflowError):
            pass  # arrays between the opcodes, more of them than is worth it, or no pickle at all
    found |= {_text(match, 2) for match in _STACK_GLOBAL.finditer(plain) if _lengths_are_true(match)}
    if protocol < 4 and (protocol or plain[:1] in (b"(", b"c", b"]", b"}")):
        found |= {_text(match, 1) for match in _GLOBAL.finditer(plain)}
    return found


def _lengths_are_true(match: re.Match[bytes]) -> bool:
    name = match[4]
    return match[1][0] == len(match[2]) and (name is None or match[3][0] == len(name))


def _text(match: re.Match[bytes], group: int) -> str:
    return match[group].decode("ascii")


def _unpacked(data: _Bytes, head: bytes) -> _Bytes:
    try:
        if head.startswith(b"\x1f\x8b"):
            return zlib.decompress(data, wbits=31)
        if head.startswith(b"BZh"):
            return bz2.decompress(data)
        if head.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
            return lzma.decompress(data)
        if head[:1] == b"\x78" and int.from_bytes(head[:2], "big") % 31 == 0:  # RFC 1950, section 2.2
            return zlib.decompress(data)
    except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError):
        pass
    return data


def _names_in_zip(data: _Bytes) -> set[str]:
    import zipfile

    found: set[str] = set()
    try:
        with zipfile.ZipFile(io.BytesIO(data[:])) as archive:
            for name in archive.namelist():
                if name.endswith(".pkl"):
                    found |= _names(archive.read(name))
                elif name == "schema.json":
                    found |= {_text(match, 1) for match in _IN_SCHEMA.finditer(archive.read(name))}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
        pass
    return found


class _Named(tuple[str, str]):
    """A global, by module and name."""


_MARK = object()
_CODE = _Named(("types", "CodeType"))
_PUSHES_TEXT = frozenset({
    "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
})


def _read(data: _Bytes, found: set[str]) -> None:
    """Add the dotted names of modules, by following the pickle machine with strings, tuples and names only."""
    import pickletools

    stack: list[Any] = []
    memo: dict[int, Any] = {}
    opcodes: Iterator[tuple[Any, Any, int | None]] = pickletools.genops(io.BytesIO(data[:]))
    for count, (opcode, argument, _) in enumerate(opcodes):
        if count > _MOST_OPCODES:
            raise ValueError("too many opcodes")
        name = opcode.name
        pushed: Any = None
        if name in _PUSHES_TEXT:
            pushed = argument
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
            continue
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
            continue
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            pushed = memo[argument]
        elif name in ("GLOBAL", "INST"):
            pushed = _Named(argument.split(" ", 1))
        elif name == "STACK_GLOBAL":
            pushed = _Named(stack[-2:])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            pushed = tuple(stack[-int(name[-1]):])
        elif name == "TUPLE":
            pushed = tuple(stack[_last_mark(stack) + 1:])
        elif name == "EMPTY_TUPLE":
            pushed = ()
        elif name == "MARK":
            stack.append(_MARK)
            continue
        elif name == "REDUCE":
            pushed = _called(stack[-2], stack[-1], found)
        if isinstance(pushed, _Named) and name in ("GLOBAL", "INST", "STACK_GLOBAL") and isinstance(pushed[0], str):
            found.add(pushed[0])
        _pop(stack, opcode)
        stack.extend([pushed] if len(opcode.stack_after) == 1 else [None] * len(opcode.stack_after))


def _pop(stack: list[Any], opcode: Any) -> None:
    before = [item.name for item in opcode.stack_before]
    if "mark" in before:
        del stack[_last_mark(stack):]
        del stack[len(stack) - before.index("mark"):]
    elif before:
        if len(stack) < len(before):
            raise ValueError("the stack is empty")
        del stack[-len(before):]


def _last_mark(stack: list[Any]) -> int:
    for index in range(len(stack) - 1, -1, -1):
        if stack[index] is _MARK:
            return index
    raise ValueError("no mark on the stack")


def _called(function: Any, arguments: Any, found: set[str]) -> Any:
    if not isinstance(function, _Named) or not isinstance(arguments, tuple):
        return None
    if function[1] == "subimport" and arguments and isinstance(arguments[0], str):
        found.add(arguments[0])
    elif function[1] == "_builtin_type" and arguments == ("CodeType",):
        return _CODE
    elif function[1] == "CodeType" and len(arguments) > 8:
        # The order of types.CodeType's arguments: (… 6: bytecode, 7: constants, 8: names …)
        code, names = arguments[6], arguments[8]
        if isinstance(code, bytes) and isinstance(names, tuple):
            found.update(name for name in _imported(code, names) if name)
    return None


def _imported(code: bytes, names: tuple[Any, ...]) -> Iterator[str]:
    """The names that the bytecode of this Python imports; https://docs.python.org/3/library/dis.html."""
    import opcode

    importing, extending = opcode.opmap["IMPORT_NAME"], opcode.opmap["EXTENDED_ARG"]
    extended = 0
    for index in range(0, len(code) - 1, 2):
        argument = extended << 8 | code[index + 1]
        if code[index] == importing and argument < len(names) and isinstance(names[argument], str):
            yield names[argument]
        extended = argument if code[index] == extending else 0


def modules_of_code(source: str | os.PathLike[str]) -> set[str]:
    """The top-level modules that the Python files of a folder, or one file, import from outside of it.

    A file that does not parse names nothing. Imports anywhere in a file count, those in functions too.
    """
    root = Path(source)
    files = [root] if root.is_file() else sorted(root.rglob("*.py"))
    own = {root.stem} if root.is_file() else {path.stem if path.is_file() else path.name for path in root.iterdir()}
    found: set[str] = set()
    for file in files:
        if "__pycache__" not in file.parts:
            found |= imported_by(file)
    return {name for name in modules_of_names(found) if name.partition(".")[0] not in own}


def imported_by(file: Path) -> set[str]:
    """The dotted names that one Python file imports absolutely; the standard library's are left out."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return set()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.update(f"{node.module}.{alias.name}" for alias in node.names if alias.name != "*")
            found.add(node.module)
    return {name for name in found if name.partition(".")[0] not in sys.stdlib_module_names}
