"""Functions as objectives that are called in a process of their own for each trial."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from millstream.errors import InvalidValue, MillstreamError
from millstream.projects.loopback import served
from millstream.tracking.artifacts import log_artifact
from millstream.tracking.stores import get_registry_uri, get_tracking_uri
from millstream.tuning.outcomes import Outcome

logger = logging.getLogger("millstream")

_GRACE = 5.0  # seconds that a cancelled trial has to end by itself


class FunctionObjective:
    """``function(config)`` with the trial's run as the active one, called by ``python -m millstream.tuning.process``.

    It returns a number, or a dictionary of numbers with one under ``metric``. Raises InvalidValue for a function that
    cannot be sent to another process.
    """

    logs_params = False

    def __init__(self, function: Callable[[dict[str, Any]], Any], metric: str) -> None:
        self.metric = metric
        self._function = _sent(function)

    def start(self, config: Mapping[str, Any], run_id: str, experiment_id: str) -> FunctionAttempt:
        """Call the function with ``config``. Raises InvalidValue for one that cannot be sent."""
        return FunctionAttempt(_sent((self._function, dict(config), self.metric, sys.path)), run_id, experiment_id)


class FunctionAttempt:
    """One call of the function. What it prints is kept as the artifact ``logs/trial.log`` of its run."""

    def __init__(self, call: bytes, run_id: str, experiment_id: str) -> None:
        self._run_id = run_id
        with contextlib.ExitStack() as ends:
            # Through a server, as its client starts faster than a database opens; the search has it running.
            store, registry = (ends.enter_context(served(uri)) for uri in (get_tracking_uri(), get_registry_uri()))
            folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="millstream-trial-")))
            self._log = folder / "trial.log"
            self._told = folder / "outcome.json"
            asked = folder / "call.pkl"
            asked.write_bytes(call)
            with self._log.open("wb") as log:
                # It ends with us, whatever ends us: nobody writes to its input, and it sees that closed.
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "millstream.tuning.process", str(asked), str(self._told), run_id],
                    stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                    env=_variables(store, registry, experiment_id),
                )
            self._ends = ends.pop_all()

    def wait(self) -> Outcome:
        """How the call ended. A process that died is an error that says how."""
        # Looked at before it is waited for: until then its group cannot be another's.
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        self._kill(signal.SIGKILL)  # what the function started and left behind
        status = self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        with self._ends:
            if self._log.stat().st_size:
                try:
                    log_artifact(self._log, "logs", self._run_id)
                except MillstreamError as error:
                    logger.warning("the output of the trial %s cannot be kept: %s", self._run_id, error)
            return Outcome.of_json(self._told.read_text()) if self._told.exists() else Outcome(error=_died(status))

    def cancel(self) -> None:
        """Ask the process to end, and end it when it does not."""
        self._kill(signal.SIGTERM)
        until = time.monotonic() + _GRACE
        while self._process.returncode is None and time.monotonic() < until:
            time.sleep(0.02)  # who waits for it reaps it
        self._kill(signal.SIGKILL)

    def _kill(self, number: int) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)


def _variables(store: str, registry: str, experiment_id: str) -> dict[str, str]:
    """The environment variables of a trial: runs that it starts itself go where the search is."""
    chosen = {"TRACKING_URI": store, "REGISTRY_URI": registry, "EXPERIMENT_ID": experiment_id}
    not_handed_on = {"RUN_ID", "EXPERIMENT_NAME", *chosen}
    prefixes = ("MILLSTREAM_", "MLFLOW_")
    kept = {
        name: value for name, value in os.environ.items()
        if not (name.startswith(prefixes) and name.partition("_")[2] in not_handed_on)
    }
    return {
        **kept, **{f"{prefix}{name}": value for prefix in prefixes for name, value in chosen.items()},
        "MILLSTREAM_SUPPRESS_PRINTING_URL_TO_STDOUT": "true", "PYTHONUNBUFFERED": "1",
    }


def _died(status: int) -> str:
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    return f"the process of the trial ended with {how}"


def _sent(what: Any) -> bytes:
    import cloudpickle

    try:
        sent: bytes = cloudpickle.dumps(what)
    except Exception as error:  # what a stranger's __reduce__ raises
        raise InvalidValue(
            f"the objective cannot be sent to another process: {error}",
            hint="make in the objective itself what cannot be pickled, such as open files, locks and connections",
        ) from error
    return sent
