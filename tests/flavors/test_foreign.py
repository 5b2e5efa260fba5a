"""The driver of the foreign mlflow itself: what goes over comes back, failures with their reason."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tests.flavors.foreign import CLIENT, Foreign, ForeignError


def test_arguments_go_over_and_the_result_comes_back(foreign: Foreign) -> None:
    program = """
        import mlflow

        result = mlflow.__version__, table * 2
    """
    version, doubled = foreign.run(program, table=np.arange(3))
    assert version == CLIENT
    np.testing.assert_array_equal(doubled, [0, 2, 4])


def test_programs_share_a_process_and_nothing_else(foreign: Foreign, tmp_path: Path) -> None:
    first = "import os; seen = 1; os.environ['SEEN'] = '1'; os.chdir(folder); print('noise'); result = os.getpid()"
    second = "import os; result = os.getpid(), os.getcwd(), 'SEEN' in os.environ, 'seen' in globals()"
    process = foreign.run(first, folder=str(tmp_path))
    again, folder, variable, name = foreign.run(second)
    assert (again, variable, name) == (process, False, False)
    assert folder != str(tmp_path) and process != os.getpid()


def test_what_fails_there_is_told_here(foreign: Foreign) -> None:
    with pytest.raises(ForeignError, match=r'"<program>", line 2[\s\S]*KeyError: .colour.'):
        foreign.run("x = {}\nx['colour']")
    assert foreign.run("result = 1") == 1


def test_a_process_that_dies_or_hangs_is_replaced(foreign: Foreign) -> None:
    with pytest.raises(ForeignError, match=r"died or hung[\s\S]*last words"):
        foreign.run("import os; os.write(2, b'last words'); os._exit(3)")
    with pytest.raises(ForeignError, match="died or hung"):
        foreign.run("import threading; threading.Event().wait()", seconds=0.2)
    assert foreign.run("result = 1") == 1
