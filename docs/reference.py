"""Reference pages made from the code at build time: operations, settings, command line."""

from __future__ import annotations

import importlib
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import click
import msgspec
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from millstream.cli import COMMANDS
from millstream.operations import OPERATIONS, Operation
from millstream.settings import SETTINGS


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for path, text in (
        ("reference/operations.md", operations()),
        ("reference/settings.md", settings()),
        ("reference/command-line.md", command_line()),
    ):
        files.append(File.generated(config, path, content=text))
    return files


def operations() -> str:
    """Every operation, by group."""
    by_group: dict[str, list[type[Operation[Any]]]] = defaultdict(list)
    for kind in OPERATIONS:
        by_group[kind.endpoint.group].append(kind)
    lines = [
        "# Operations",
        "",
        "What a client can ask, made from the table in `millstream.operations`. Paths stand below "
        '`/api` and `/ajax-api`; errors answer as `{"error_code", "message", "hint"}`.',
    ]
    for group in sorted(by_group):
        lines += ["", f"## {group.replace('_', ' ').capitalize()}"]
        for kind in by_group[group]:
            endpoint = kind.endpoint
            needs = endpoint.needs
            lines += [
                "",
                f"### {kind.__name__}",
                "",
                f"`{' '.join(endpoint.methods)} {endpoint.path}`",
                "",
                msgspec_doc(kind),
                "",
                f"Needs **{needs.permission.name}** on the {needs.on.value.replace('_', ' ')}.",
                "",
            ]
            lines += table(kind)
            if endpoint.answer:
                lines += ["", f"Answers **{endpoint.answer.__name__}**: {msgspec_doc(endpoint.answer)}", ""]
                lines += table(endpoint.answer)
    return "\n".join(lines) + "\n"


def msgspec_doc(kind: type) -> str:
    """The docstring as one paragraph per blank line."""
    return "\n".join(line.strip() for line in (kind.__doc__ or "").strip().splitlines()).replace("``", "`")


def table(kind: type[msgspec.Struct]) -> list[str]:
    """The fields of a struct."""
    fields = msgspec.structs.fields(kind)
    if not fields:
        return []
    rows = ["| field | type | default |", "|---|---|---|"]
    for field in fields:
        default = (
            "required"
            if field.required
            else ""
            if field.default in (None, msgspec.NODEFAULT)
            else f"`{field.default!r}`"
        )
        rows.append(f"| `{field.encode_name}` | `{type_name(field.type)}` | {default} |")
    return rows


def type_name(kind: Any) -> str:
    """A type as one reads it: without modules, and without the bounds of whole numbers."""
    text = kind.__name__ if isinstance(kind, type) and not hasattr(kind, "__args__") else str(kind)
    text = re.sub(r"typing\.Annotated\[int, [^\]]*\]", "int", text)
    return re.sub(r"\bmillstream\.(\w+\.)*|\btyping\.", "", text).replace("|", "\\|")


def settings() -> str:
    """Every setting."""
    lines = [
        "# Settings",
        "",
        "Each is read from our variable, or else from MLflow's; values are read at each use.",
        "",
        "| variable | MLflow's | default | what it does |",
        "|---|---|---|---|",
    ]
    for setting in sorted(SETTINGS.values(), key=lambda setting: setting.name):
        default = "" if setting.default is None else f"`{setting.default}`"
        theirs = f"`{setting.mlflow}`" if setting.mlflow else ""
        lines.append(f"| `{setting.variables[0]}` | {theirs} | {default} | {setting.help} |")
    return "\n".join(lines) + "\n"


def command_tree() -> Iterator[tuple[str, click.Command]]:
    """Every command with its path, groups before what is in them."""
    waiting: list[tuple[str, click.Command]] = []
    for name, command in sorted(COMMANDS.items(), reverse=True):
        module, _, attribute = command.where.partition(":")
        waiting.append((name, getattr(importlib.import_module(module), attribute)))
    while waiting:
        path, found = waiting.pop()
        yield path, found
        if isinstance(found, click.Group):
            waiting += [(f"{path} {name}", found.commands[name]) for name in sorted(found.commands, reverse=True)]


def command_line() -> str:
    """Every command with its help."""
    lines = [
        "# Command line",
        "",
        "Data goes to standard output, everything else to standard error; an error ends with "
        "status 1 and says the next step.",
    ]
    for path, command in command_tree():
        context = click.Context(command, info_name=f"millstream {path}".strip())
        lines += ["", f"## millstream {path}".rstrip(), "", "```text", command.get_help(context), "```"]
    return "\n".join(lines) + "\n"
