"""A program that forks while its threads write to an embedded store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from millstream.operations import CreateRun, GetRun
from millstream.stores import open_store

PROGRAM = """
import os, sys, threading
from millstream.operations import GetRun, LogMetric, SetTag
from millstream.stores import open_store

store, run_id = open_store(sys.argv[1]), sys.argv[2]
stop = threading.Event()

def write(number):
    step = 0
    while not stop.is_set():
        store.execute(LogMetric(run_id, f"m{number}", 0.5, 1, step))
        store.execute(GetRun(run_id))
        step += 1
    store.execute(SetTag(run_id, f"thread {number}", str(step)))

threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for number in range(8):
    child = os.fork()
    if child == 0:
        # The inherited store works, and so does one that the child opens itself.
        store.execute(SetTag(run_id, f"child {number}", store.execute(GetRun(run_id)).run.info.run_id))
        with open_store(sys.argv[1]) as own:
            own.execute(SetTag(run_id, f"own {number}", "x"))
        store.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
store.close()
"""


def test_children_write_while_the_parent_s_threads_do(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/runs.db"
    with open_store(uri) as store:
        run_id = store.execute(CreateRun("0", start_time=1)).run.info.run_id
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, uri, run_id], capture_output=True, text=True, timeout=100
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    with open_store(uri) as store:
        run = store.execute(GetRun(run_id)).run
    assert {f"{kind} {number}" for kind in ("child", "own") for number in range(8)} <= run.data.tags.keys()
    assert {f"m{number}": int(run.data.tags[f"thread {number}"]) - 1 for number in range(4)} == {
        metric.key: metric.step for metric in run.data.metric_list
    }
