"""The command line. A command group is imported when it is asked for, so that the others cost nothing.

Data goes to stdout, everything said to people to stderr. An error is ``error: …``, a blank line, ``hint: …``, status 1;
a command that was typed wrongly ends with status 2.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from millstream._version import VERSION

if TYPE_CHECKING:
    import click


class Command(NamedTuple):
    """Where a command is, as ``module:name``, and what it does in one line."""

    where: str
    summary: str


# Every command of the first level. The line here is what `--help` shows; the command itself is not imported for it.
COMMANDS: dict[str, Command] = {
    "artifacts": Command("millstream.cli.artifacts:artifacts", "List, fetch, add and delete the files of runs."),
    "batch": Command("millstream.cli.batch:batch", "Let models predict data in batches, now or at their times."),
    "db": Command("millstream.cli.database:db", "Look after the tables of a database."),
    "doctor": Command("millstream.cli.doctor:doctor", "Look at this installation, and say what is amiss."),
    "endpoints": Command("millstream.cli.endpoints:endpoints", "Serve registered models under names that stay."),
    "env": Command("millstream.cli.env:env", "Look after the environments that were built for models and projects."),
    "experiments": Command(
        "millstream.cli.experiments:experiments", "Create, find, rename, delete and restore experiments."
    ),
    "gc": Command("millstream.cli.garbage:gc", "Remove what lies in the trash for good."),
    "import": Command("millstream.cli.imports:import_", "Bring in what another system has stored."),
    "models": Command("millstream.cli.models:models", "Look at models, their requirements and their trust."),
    "monitor": Command("millstream.cli.monitor:monitor", "Watch endpoints: requests, drift, alerts."),
    "registry": Command("millstream.cli.registry:registry", "Find, promote and roll back registered models."),
    "rerun": Command("millstream.cli.rerun:rerun", "Run a run again, and say whether the same comes out."),
    "run": Command("millstream.cli.run:run", "Run a project: a folder, a repository, a zip."),
    "runs": Command("millstream.cli.runs:runs", "List, show, compare, create, move, delete and restore runs."),
    "server": Command("millstream.cli.server:server", "Run the tracking server."),
    "sync": Command("millstream.cli.sync:sync", "Send what dead processes and outages left in the outbox."),
    "ui": Command("millstream.cli.server:ui", "Run the tracking server, to look at runs in a browser."),
    "webhooks": Command("millstream.cli.webhooks:webhooks", "Tell other programs what happens in the registry."),
}


def main(arguments: Sequence[str] | None = None, program: str = "millstream") -> int:
    """Run one command and return its exit status."""
    asked = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if asked == ["--version"]:
        print(f"{program}, version {VERSION}")
        return 0
    return _run(asked, program)


def _run(arguments: list[str], program: str) -> int:
    import click

    from millstream.errors import MillstreamError

    try:
        status = _group(program).main(arguments, prog_name=program, standalone_mode=False)
    except MillstreamError as error:
        return _tell(error.message, error.hint)
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return 2
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else program
        return _tell(error.format_message(), f"`{where} --help` lists what it takes", status=2)
    except click.ClickException as error:
        return _tell(error.format_message(), None, status=error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`… | head`): end quietly, also at the flush of the interpreter's end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return status if isinstance(status, int) else 0


def _tell(message: str, hint: str | None, status: int = 1) -> int:
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"\nhint: {hint}", file=sys.stderr)
    return status


def _group(program: str) -> click.Group:
    import click

    class Lazy(click.Group):
        """Commands from the table, each imported when it is asked for."""

        def list_commands(self, ctx: click.Context) -> list[str]:
            return sorted(COMMANDS)

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            command = COMMANDS.get(cmd_name)
            if command is None:
                return None
            module, _, name = command.where.partition(":")
            found: Any = getattr(importlib.import_module(module), name)
            return found if isinstance(found, click.Command) else None

        def resolve_command(
            self, ctx: click.Context, args: list[str]
        ) -> tuple[str | None, click.Command | None, list[str]]:
            if args and not args[0].startswith("-") and args[0] not in COMMANDS:
                import difflib

                near = difflib.get_close_matches(args[0], COMMANDS, 1)
                raise click.UsageError(
                    f"there is no command '{args[0]}'" + (f"; did you mean '{near[0]}'?" if near else ""), ctx
                )
            return super().resolve_command(ctx, args)

        def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            with formatter.section("Commands"):
                formatter.write_dl([(name, COMMANDS[name].summary) for name in self.list_commands(ctx)])

    group = Lazy(
        name=program, help="Machine-learning work from the first experiment to a monitored model.",
        context_settings={"help_option_names": ["--help"], "max_content_width": 100},
    )
    return click.version_option(VERSION, prog_name=program)(group)


__all__ = ["COMMANDS", "Command", "main"]
