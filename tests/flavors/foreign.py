"""The official mlflow as a program that loads our models and saves its own, in one process for many tests.

Its environment has the same libraries as ours at the same versions (`make clients`), so arguments and results go over
as pickles. What a test sends runs in a namespace of its own; imports are paid once.
"""

from __future__ import annotations

import json
import os
import pickle
import selectors
import subprocess
import textwrap
import uuid
from pathlib import Path
from typing import Any

from tests.clients.run import client_environment, python_of
from tests.servers.processes import bound_to_parent

CLIENT = "3.17.2"
WORKER = Path(__file__).with_name("worker.py")


class ForeignError(AssertionError):
    """A program failed over there; the message ends with its traceback."""


class Foreign:
    """A process of the official mlflow below ``place``, started by the first program it is sent."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._log = place / "foreign.log"
        self._process: subprocess.Popen[str] | None = None

    def run(self, program: str, *, seconds: float = 240, **arguments: Any) -> Any:
        """What ``program`` (its text, indented as it likes) leaves in its variable ``result``.

        ``arguments`` are variables of the program: paths, frames, arrays, models, whatever a pickle carries. The
        variables of the environment and the current folder are as before for the next program. Raises ForeignError with
        the traceback from there, or with the end of its log when the process died or took longer than ``seconds``.
        """
        process = self._process = self._process or self._start()
        call = self._place / uuid.uuid4().hex
        given, result = call.with_suffix(".arguments"), call.with_suffix(".result")
        given.write_bytes(pickle.dumps(arguments))
        request = {"program": textwrap.dedent(program), "arguments": str(given), "result": str(result)}
        assert process.stdin is not None and process.stdout is not None
        try:
            print(json.dumps(request), file=process.stdin, flush=True)
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                reply = process.stdout.readline() if selector.select(seconds) else ""
        except BrokenPipeError:
            reply = ""
        if not reply:
            self.stop()
            raise ForeignError(f"the foreign mlflow died or hung; its log ends:\n{self._log.read_text()[-4000:]}")
        error = json.loads(reply)["error"]
        if error is not None:
            raise ForeignError(f"over there:\n{error}")
        found = pickle.loads(result.read_bytes())  # noqa: S301 - from a process of ours
        given.unlink()
        result.unlink()
        return found

    def predict(self, model: Path | str, data: Any, door: str = "mlflow.pyfunc", call: str = "predict") -> Any:
        """What the model (a folder or URI), loaded there by the ``load_model`` of ``door``, predicts for ``data``.

        ``call`` is the method to use, or empty when the model itself is called.
        """
        program = """
            import importlib

            model = importlib.import_module(door).load_model(model)
            result = (getattr(model, call) if call else model)(data)
        """
        return self.run(program, model=str(model), data=data, door=door, call=call)

    def _start(self) -> subprocess.Popen[str]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                bound_to_parent([python_of(CLIENT), WORKER]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self._place,
                env={
                    **client_environment(f"sqlite:///{self._place}/mlflow.db", self._place),
                    # Programs bring what they need.
                    "PYTHONPATH": "",
                    "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
                    "TF_CPP_MIN_LOG_LEVEL": "2",
                },
            )

    def stop(self) -> None:
        """Ends the process; the next program starts another."""
        if self._process is None:
            return
        self._process.kill()
        self._process.communicate()
        self._process = None
