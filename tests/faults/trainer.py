"""A program that logs and may be killed: ``python -m tests.faults.trainer URI RUN_ID COUNT [--pause STEP] [--twin]``.

It logs points 0 … COUNT-1 of ``loss`` and says on its output how far it is. With ``--pause STEP`` it waits there for a
line on its input. It ends like any program, leaving the rest to the end of the process; with ``--flush`` it waits until
all has arrived.
"""

from __future__ import annotations

import argparse
import sys

from millstream.stores import open_store
from millstream.tracking import outbox

ANNOUNCED = 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("run_id")
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--key", default="loss")
    parser.add_argument("--pause", type=int, action="append", default=[])
    parser.add_argument("--flush", action="store_true")
    arguments = parser.parse_args()
    log = outbox.run_log(open_store(arguments.uri), arguments.run_id)
    for step in range(arguments.first, arguments.first + arguments.count):
        if step in arguments.pause:
            print("paused", step, flush=True)
            sys.stdin.readline()
        log.metric(arguments.key, step / 2, 1_700_000_000_000 + step, step)
        if step % ANNOUNCED == 0:
            log.tags({f"at.{arguments.key}": str(step)})
            print(step, flush=True)
    if arguments.flush:
        print("flushed", log.flush(60), flush=True)
    print("done", flush=True)


if __name__ == "__main__":
    main()
