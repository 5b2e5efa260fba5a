"""Lines of requirements files: what pip and uv will read, looked at before they do.

The format is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/) with requirements of PEP 508.
A line that is neither a requirement nor one of the options named here is refused, wherever it comes from: a model's
folder may be anybody's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from millstream.errors import InvalidValue, NotFound

__all__ = ["ARCHIVE", "Requirements", "checked", "distribution_in", "parse_requirements", "read_requirements"]

_OPTION = re.compile(
    r"(?:-i|--index-url|--extra-index-url|-f|--find-links|--trusted-host|--no-binary|--only-binary|--prefer-binary|"
    r"--pre|--no-index|--require-hashes|--no-sources)(?:[ =]+(?P<value>\S+))?"
)
_WITHOUT_VALUE = frozenset({"--prefer-binary", "--pre", "--no-index", "--require-hashes", "--no-sources"})
_INCLUDE = re.compile(r"(-r|--requirement|-c|--constraint)(?:[ =]\s*|(?<=-[rc]))(\S.*)")
_HASHES = re.compile(r"(?:\s+--hash[= ][a-z0-9]+:[0-9a-f]+)+$")
_ADDRESS = re.compile(r"(?:(?:git|hg|svn|bzr)\+(?:https?|ssh|file|git)|https?|file)://[^\s`$;|&<>\"']+")
ARCHIVE = re.compile(r"[\w./\\~][\w./\\~+ -]*\.(?:whl|zip|tar\.gz|tar\.bz2|tgz)")
_LINKS = re.compile(r"(?:-f|--find-links)[ =]+(?!\w+://)(\S+)")
_EDITABLE = re.compile(r"(?:-e\s*|--editable[ =]\s*)(\S.*)")
_FOLDER = re.compile(r"(?:\.{1,2}|(?:\.{1,2}|~)?/[^\[;]*|[^\[;:@=<>]+/[^\[;:@=<>]*)(?:\[[\w, .-]*\])?")
_EXTRAS = re.compile(r"\[[\w, .-]*\]$")
_NAME_OF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass
class Requirements:
    """The lines of requirements files: requirements and options in their order, constraints apart."""

    lines: list[str] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)


def parse_requirements(source: Iterable[str] | str | os.PathLike[str]) -> list[str]:
    """The requirements and options of a list of lines or of a file, files that it names with ``-r`` included.

    Constraints are left out; :func:`read_requirements` has both. Raises InvalidValue naming the line that is no
    requirement, and NotFound for a file that is not there.
    """
    return read_requirements(source).lines


def read_requirements(
    source: Iterable[str] | str | os.PathLike[str], *, inside: Path | None = None, beside: Path | None = None,
    local: Path | None = None,
) -> Requirements:
    """The same with the constraints that ``-c`` names; no file outside of the folder ``inside`` is read.

    Files that a list names lie in the folder ``beside``, else in the working directory. With the folder ``local`` of a
    project, folders and archives may be required, as ``.``, ``-e ./lib`` or ``lib/x.whl``: they are looked for in it,
    then beside the file that names them, and come back as ``file:`` addresses.
    """
    folder = (beside or local or Path.cwd()).resolve()
    found = _Reading(inside=inside.resolve() if inside else None, root=local.resolve() if local else None)
    if isinstance(source, (str, os.PathLike)):
        _read_file(Path(source), found.lines, found, ())
    else:
        for item in source:
            if not isinstance(item, str):
                raise InvalidValue(f"a requirement is a string, not {type(item).__name__}: {item!r}")
            _read_lines(item, folder, "the list of requirements", found.lines, found, ())
    return Requirements(list(dict.fromkeys(found.lines)), list(dict.fromkeys(found.constraints)))


@dataclass
class _Reading(Requirements):
    inside: Path | None = None
    root: Path | None = None


def _read_file(path: Path, into: list[str], found: _Reading, above: tuple[Path, ...]) -> None:
    place = _resolved(path)
    if place is None:
        raise InvalidValue(f"the requirements name the file {path}, which is no path")
    if found.inside and not place.is_relative_to(found.inside):
        raise InvalidValue(f"the requirements name the file {path} outside of {found.inside}")
    if place in above:
        raise InvalidValue(f"the requirements file {path} includes itself")
    try:
        text = place.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFound(f"there is no requirements file {path}",
                       hint="give the path of a file that exists, or a list of requirements") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValue(f"the requirements file {path} cannot be read: {error}") from None
    _read_lines(text, place.parent, str(path), into, found, (*above, place))


def _read_lines(
    text: str, folder: Path, where: str, into: list[str], found: _Reading, above: tuple[Path, ...]
) -> None:
    for line in _joined(text):
        _refuse_unseen(line, where)
        include = _INCLUDE.fullmatch(line)
        if include:
            target = found.constraints if include[1] in ("-c", "--constraint") else into
            name = include[2].strip("'\"")
            beside = folder if found.root is None or os.path.exists(folder / name) else found.root
            _read_file(beside / name, target, found, above)
        else:
            here = _on_this_machine(line, (found.root, folder), where) if found.root else None
            into.append(here or checked(line, where))


def _on_this_machine(line: str, folders: Iterable[Path], where: str) -> str | None:
    """The address of a folder or archive of this machine that a line requires; None for a line that names none."""
    links = _LINKS.fullmatch(line)
    if links:
        return f"--find-links {_found(links[1], folders, line, where)}"
    editable = _EDITABLE.fullmatch(line)
    if line.startswith("-") and not editable:
        return None
    text = editable[1].strip("'\"") if editable else line
    if re.match(r"(?:\w+\+)?\w+://", text) or re.match(r"[\w.-]+(?:\[.*\])?\s*@", text):
        return checked(re.sub(r"^(\w+\+.*)#egg=([\w.-]+)$", r"\2 @ \1", text), where) if editable else None
    if not editable and not _FOLDER.fullmatch(text) and not ARCHIVE.fullmatch(text):
        return None
    extras = _EXTRAS.search(text)
    path = text[: extras.start()] if extras else text
    return _found(path, folders, line, where) + (extras[0].replace(" ", "") if extras else "")


def _found(path: str, folders: Iterable[Path], line: str, where: str) -> str:
    """The address of the file or folder ``path`` in the first of ``folders`` that has it."""
    places = [_resolved(folder / path) if path[:1] != "~" else _resolved(Path(path)) for folder in folders]
    for place in places:
        if place and os.path.exists(place):
            return place.as_uri()
    raise NotFound(f"{line!r} in {where} names {places[0] or path}, which is not there",
                   hint="name a folder with a pyproject.toml or setup.py, or an archive, relative to the project")


def _resolved(path: Path) -> Path | None:
    try:
        return path.expanduser().resolve()
    except (OSError, RuntimeError, ValueError):  # no such user, or links in a circle
        return None


def _joined(text: str) -> list[str]:
    """Lines without comments, those that a backslash continues as one."""
    text = re.sub(r"\\\r?\n", " ", text)
    lines = (re.sub(r"(^|\s)#.*$", "", line.replace("\t", " ")).strip() for line in text.splitlines())
    return [line for line in lines if line]


def _refuse_unseen(line: str, where: str) -> None:
    if not line.isprintable():
        raise InvalidValue(f"{line!r} in {where} is no requirement: it holds characters that cannot be seen",
                           hint="write the line again")


def checked(line: str, where: str) -> str:
    """``line`` as a requirements file may hold it. Raises InvalidValue for what is no requirement."""
    _refuse_unseen(line, where)
    if line.startswith("-"):
        option = _OPTION.fullmatch(line)
        name = re.split(r"[ =]", line, maxsplit=1)[0]
        if option and (option["value"] is None) == (name in _WITHOUT_VALUE):
            return line
        hint = "leave it out"
        if name in ("-e", "--editable"):
            hint = "give local code with code_paths, and a repository as `name @ git+https://…`"
        raise InvalidValue(f"the option {line!r} of {where} is not one that requirements may have", hint=hint)
    from packaging.requirements import InvalidRequirement, Requirement

    hashes = _HASHES.search(line)
    bare = line[: hashes.start()] if hashes else line
    try:
        return str(Requirement(bare)) + (line[hashes.start():] if hashes else "")
    except InvalidRequirement as error:
        if _ADDRESS.fullmatch(bare) or ARCHIVE.fullmatch(bare):
            return line
        reason = str(error).splitlines()[0]
    raise InvalidValue(
        f"{line!r} in {where} is no requirement: {reason}",
        hint="write name, name==1.2.3, name[extra]>=1; python_version < '3.12', or name @ https://…",
    )


def distribution_in(line: str) -> str:
    """The normalized name of the distribution that a requirement is about; the line itself for one without a name."""
    name = _NAME_OF.match(line)
    return re.sub(r"[-_.]+", "-", name[0]).lower() if name and "://" not in line.partition("@")[0] else line
