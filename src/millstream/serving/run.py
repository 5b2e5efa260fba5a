"""From a model's address to a scoring server that answers, in this process or in the model's own environment."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

import msgspec

from millstream.errors import InvalidValue, MillstreamError
from millstream.flavors import loading
from millstream.models import trust
from millstream.serving.application import Application
from millstream.serving.config import ServingConfig
from millstream.web import lines
from millstream.web.listening import Server, Workers, address, listen

logger = logging.getLogger("millstream.serving")

# What runs beyond its deadline when the server ends is waited for that long.
_GRACE_SECONDS = 5
WHILE_STDIN = "--while-stdin"
# Loading a library makes hundreds of thousands of objects and next to no garbage: it is looked for seldom meanwhile.
_LOADING = (100_000, 50, 100)


def serve(config: ServingConfig, *, on_ready: Callable[[str], None] | None = None) -> None:
    """Serve the model in this process until told to stop. ``on_ready`` gets the address; by default it is printed.

    Raises InvalidValue for an address that cannot be listened on, and what loading the model raises.
    """
    lines.configure(logger)
    announce = on_ready or _announce
    with listen(config.host, config.port) as listening:
        def ready() -> None:
            announce(address(config.host, listening))

        if config.workers == 1:
            _work(config, listening, ready, None)
        else:
            Workers(_work, config, config.workers, listening, ready, logger).run()


def serve_elsewhere(config: ServingConfig, *, manager: str, with_mlflow: bool = False) -> int:
    """Serve the model in an environment of what it says it needs, and return the status of that process.

    Raises EnvironmentFailed, PythonNotFound, and UntrustedModel for a model of unknown origin.
    """
    from millstream.flavors import isolated

    folder = Path(config.folder)
    wanted = isolated.environment_of(folder, manager=manager, with_mlflow=with_mlflow)
    built = isolated.built_for(folder, wanted)
    command = [str(built.python), "-m", "millstream.serving", msgspec.json.encode(config).decode(), WHILE_STDIN]
    with built.in_use():
        process = subprocess.Popen(command, env=built.variables(), stdin=subprocess.PIPE)

        def hand_on(number: int, frame: FrameType | None) -> None:
            process.send_signal(number)

        # A terminal sends SIGINT to that process too.
        before = {number: signal.signal(number, action)
                  for number, action in ((signal.SIGTERM, hand_on), (signal.SIGINT, lambda *_: None))}
        try:
            return process.wait()
        finally:
            for number, former in before.items():
                signal.signal(number, former)
            if process.poll() is None:
                process.kill()
            if process.stdin is not None:
                process.stdin.close()


def found(model_uri: str, config: ServingConfig) -> ServingConfig:
    """``config`` for the model at this address, which is fetched. Raises as looking it up does."""
    folder = loading.fetch(model_uri)
    return replace(config, folder=str(folder.resolve()), trusted=trust.knows(folder))


def name_of(model_uri: str) -> str:
    """What the model at this address is called in the paths of the open inference protocol."""
    scheme, separator, rest = str(model_uri).partition(":/")
    parts = [part for part in (rest if separator else scheme).split("/") if part]
    if not parts:
        return "model"
    return parts[0].partition("@")[0] if scheme == "models" else parts[-1]


def _work(
    config: ServingConfig, listening: socket.socket, on_ready: Callable[[], None],
    counters: tuple[Path, int, int] | None,
) -> None:
    from millstream.flavors.pyfunc.loading import load_model

    lines.configure(logger)
    if config.trusted:
        trust.vouch(Path(config.folder))
    before = gc.get_threshold()
    gc.set_threshold(*_LOADING)
    app = Application(load_model(config.folder), config, counters)
    gc.set_threshold(*before)
    grace = int(config.limits.seconds) + _GRACE_SECONDS
    Server(app, on_ready, grace_seconds=grace, collect=False).run_on(listening)


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        continue
    os.kill(os.getpid(), signal.SIGTERM)


def _announce(where: str) -> None:
    print(f"The model is served at {where}/invocations", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """``python -m millstream.serving CONFIG``, the configuration as JSON: what runs in the model's environment.

    With ``--while-stdin`` it ends when its standard input does, that is, with the process that started it.
    """
    try:
        if WHILE_STDIN in arguments:
            arguments = [one for one in arguments if one != WHILE_STDIN]
            threading.Thread(target=_end_with_stdin, name="millstream-stdin", daemon=True).start()
        if len(arguments) != 1:
            raise InvalidValue("one argument is expected: the configuration as JSON",
                               hint="use `millstream models serve`")
        serve(msgspec.json.decode(arguments[0], type=ServingConfig))
    except MillstreamError as error:
        print(f"error: {error}" + (f"\n\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)
        return 1
    return 0


__all__ = ["found", "main", "name_of", "serve", "serve_elsewhere"]
