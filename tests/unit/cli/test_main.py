"""The command line as a whole: what it lists, how it says no, and what it does not import."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import click
import pytest

from millstream._version import VERSION
from millstream.cli import COMMANDS, main
from millstream.errors import MillstreamError


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "millstream", *words], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name: str) -> None:
    module, _, attribute = COMMANDS[name].where.partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert (command.help or "").strip(), "--help tells what it does"


def test_the_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"millstream, version {VERSION}\n", "")


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert name in listed and command.summary.split()[0] in listed
    assert main([]) == 0
    assert capsys.readouterr().out == listed


def test_a_wrong_command_is_told_the_right_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sever"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(
        "error: there is no command 'sever'; did you mean 'server'?\n\nhint: `millstream --help`"
    )


def test_a_wrong_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "--port", "many"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and "\n\nhint: `millstream server --help`" in told


def test_an_error_has_a_hint_and_a_status(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def broken() -> None:
        raise MillstreamError("it is broken", hint="mend it")

    monkeypatch.setitem(
        sys.modules["millstream.cli"].__dict__["COMMANDS"],
        "broken",
        COMMANDS["server"]._replace(where=f"{__name__}:broken"),
    )
    monkeypatch.setitem(sys.modules, __name__, type(sys)(__name__))
    sys.modules[__name__].broken = broken  # type: ignore[attr-defined]
    assert main(["broken"]) == 1
    assert capsys.readouterr().err == "error: it is broken\n\nhint: mend it\n"


def test_another_name_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"], program="mlflow") == 0
    assert capsys.readouterr().out.startswith("mlflow, version ")
    assert main(["sever"], program="mlflow") == 2
    assert "`mlflow --help`" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "millstream", "--help"],
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr


@pytest.mark.parametrize(
    ("words", "forbidden"),
    [
        (["--version"], {"click", "msgspec", "json", "importlib.metadata"}),
        (["--help"], {"uvicorn", "sqlalchemy", "asyncio", "rich", "numpy", "millstream.server", "millstream.stores"}),
        (["server", "--help"], {"uvicorn", "sqlalchemy", "asyncio", "rich", "numpy", "millstream.server"}),
    ],
)
def test_nothing_is_imported_that_was_not_asked_for(words: list[str], forbidden: set[str]) -> None:
    program = (
        f"import sys; from millstream.cli import main; main({words!r}); "
        f"print(sorted(set({sorted(forbidden)!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == "[]\n"
