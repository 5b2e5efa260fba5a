"""The process of one trial: ``python -m millstream.tuning.process CALL OUTCOME RUN_ID``."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from millstream.models.pickles import received
from millstream.tracking.logging import log_metrics
from millstream.tracking.runs import start_run
from millstream.tuning.outcomes import Outcome, measured
from millstream.tuning.searches import sound_keys


def _end_with_the_search() -> None:
    while os.read(0, 4096):
        continue
    os.killpg(os.getpid(), signal.SIGKILL)


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main(call: Path, told: Path, run_id: str) -> None:
    """Call the function in the run, and write how that ended."""
    signal.signal(signal.SIGTERM, _stop)
    threading.Thread(target=_end_with_the_search, name="millstream-search", daemon=True).start()
    try:
        with start_run(run_id=run_id):
            # The search has written it for this process, into a folder that only this user reads.
            function, config, metric, path = received(call.read_bytes())
            sys.path[:] = path
            result = received(function)(config)
            outcome = measured(result, metric)
            log_metrics(sound_keys(outcome.metrics))
    except Exception as error:
        traceback.print_exc()
        last = traceback.format_exception_only(type(error), error)[0].strip()
        outcome = Outcome(error=last)
    written = told.with_suffix(".part")
    written.write_text(outcome.to_json())
    written.rename(told)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
