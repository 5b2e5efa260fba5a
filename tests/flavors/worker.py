"""The foreign end of tests/flavors/foreign.py: runs the programs it is sent, in the environment of the official mlflow.

A line in is {"program", "arguments", "result"}: the text to run and two pickle files, what its names stand for and what
it calls ``result``. A line out is {"error"}: the traceback, or null. Nothing of this repository is imported here.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import traceback
from pathlib import Path

# What libraries print goes to the log; the pipe carries nothing but replies.
replies = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

for line in sys.stdin:
    request = json.loads(line)
    variables, folder = dict(os.environ), Path.cwd()
    error = None
    try:
        names = pickle.loads(Path(request["arguments"]).read_bytes())  # noqa: S301 - the test wrote it
        exec(compile(request["program"], "<program>", "exec"), names)  # noqa: S102 - the test's own text
        Path(request["result"]).write_bytes(pickle.dumps(names.get("result")))
    except BaseException:
        error = traceback.format_exc()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    replies.write(json.dumps({"error": error}) + "\n")
    replies.flush()
