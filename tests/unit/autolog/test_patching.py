from __future__ import annotations

import inspect
import logging
import multiprocessing
import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

import millstream
import millstream.sklearn
from millstream.autolog import LIBRARIES, Training
from millstream.autolog.libraries import Settings
from millstream.entities import Run
from tests.unit.autolog.conftest import Boost

Runs = Callable[[], list[Run]]


def test_a_training_is_logged_into_a_run_of_its_own(boost: Boost, runs: Runs) -> None:
    millstream.autolog(extra_tags={"team": "blue"})
    result = boost.module.train({"eta": 1}, rounds=2)
    assert result == {"params": {"eta": 1}, "rounds": 2}
    assert boost.seen == ["boost.train", result]
    [run] = runs()
    assert run.info.status == "FINISHED"
    assert run.data.params == {"rounds": "2"}
    assert run.data.metrics == {"done": 1.0}
    assert run.data.tags["mlflow.autologging"] == "boost"
    assert run.data.tags["team"] == "blue"
    assert millstream.active_run() is None


def test_into_the_active_run(boost: Boost, runs: Runs) -> None:
    millstream.autolog()
    with millstream.start_run() as active:
        boost.module.Model().fit([1])
        assert millstream.active_run() is not None
    [run] = runs()
    assert run.info.run_id == active.info.run_id
    assert run.data.metrics == {"done": 1.0}
    assert "mlflow.autologging" not in run.data.tags


def test_exclusive_leaves_the_runs_of_the_program_alone(boost: Boost, runs: Runs) -> None:
    boost.autolog(exclusive=True)
    with millstream.start_run():
        boost.module.Model().fit([1])
    assert boost.seen == []
    boost.module.Model().fit([1])
    assert [run.data.metrics for run in runs()] == [{}, {"done": 1.0}]


def test_a_library_imported_before(boost: Boost, runs: Runs) -> None:
    library = boost.module
    millstream.autolog()
    library.train({})
    assert len(runs()) == 1


def test_nothing_is_imported_for_it(boost: Boost) -> None:
    millstream.autolog()
    boost.autolog()
    assert "boost" not in sys.modules


def test_the_import_leaves_no_trace_of_the_hook(boost: Boost) -> None:
    millstream.autolog()
    module = boost.module
    assert module.__loader__ is module.__spec__.loader
    assert type(module.__loader__).__module__ == "_frozen_importlib_external"
    assert inspect.getsource(module).strip().startswith('"""A small library."""')


def test_disable_puts_the_original_objects_back(boost: Boost) -> None:
    module = boost.module
    owners = (module, module.Model, module.Deep, module.Lazy)
    before = [dict(vars(owner)) for owner in owners]
    boost.autolog()
    assert vars(module.Model)["fit"] is not before[1]["fit"]
    assert "score" in vars(module.Lazy)
    boost.autolog(disable=True)
    for owner, attributes in zip(owners, before, strict=True):
        now = dict(vars(owner))
        assert now.keys() == attributes.keys()
        assert all(now[name] is attributes[name] for name in attributes)


def test_disable_before_the_import(boost: Boost, runs: Runs) -> None:
    finders = list(sys.meta_path)
    boost.autolog()
    assert sys.meta_path != finders
    boost.autolog(disable=True)
    assert sys.meta_path == finders
    assert not hasattr(boost.module.train, "__wrapped__")


def test_the_global_switch_switches_everything_off_and_on(boost: Boost) -> None:
    boost.autolog(depth=5)
    original = boost.module.train.__wrapped__
    millstream.autolog(disable=True)
    assert boost.module.train is original
    millstream.autolog()
    assert boost.module.train.__wrapped__ is original
    assert LIBRARIES["boost"].settings.depth == 2


def test_a_library_s_own_settings_win(boost: Boost) -> None:
    def settings() -> Settings:
        return LIBRARIES["boost"].settings

    assert boost.module
    millstream.autolog(log_models=False, exclusive=True)
    assert (settings().log_models, settings().exclusive, settings().depth) == (False, True, 2)
    millstream.autolog(log_models=True)
    assert (settings().log_models, settings().exclusive) == (True, False)
    boost.autolog(depth=7)
    assert (settings().log_models, settings().depth) == (True, 7)
    millstream.autolog(log_models=False, exclusive=True)
    assert (settings().log_models, settings().exclusive, settings().depth) == (True, False, 7)
    boost.autolog(disable=True)
    millstream.autolog()
    assert not hasattr(boost.module.train, "__wrapped__")


def test_an_excluded_library_is_left_alone(boost: Boost, caplog: pytest.LogCaptureFixture) -> None:
    millstream.autolog(exclude_flavors=["boost", "langchain"])
    assert not hasattr(boost.module.train, "__wrapped__")
    assert caplog.records == []


def test_a_patched_function_looks_like_the_original(boost: Boost) -> None:
    module = boost.module
    train, fit, error = module.train, module.Model.fit, module.error
    boost.autolog()
    for patched, original in ((module.train, train), (module.Model.fit, fit), (module.error, error)):
        assert patched is not original
        assert inspect.isfunction(patched)
        assert inspect.signature(patched) == inspect.signature(original)
        assert patched.__doc__ == original.__doc__
        assert patched.__name__ == original.__name__
        assert inspect.getsource(patched) == inspect.getsource(original)
        assert pickle.loads(pickle.dumps(patched)) is patched  # noqa: S301
    for original in (train, error):  # held by somebody since before: a scorer, say
        assert pickle.loads(pickle.dumps(original)) is original  # noqa: S301
    assert module.Model.fit.__module__ == "boost"
    model = module.Model().fit([1, 2])
    assert pickle.loads(pickle.dumps(model)).n == 2  # noqa: S301
    assert pickle.loads(pickle.dumps(model.fit))([1]).n == 1  # noqa: S301
    assert b"millstream" not in cloudpickle.dumps(model)
    assert module.Model.version() == module.Model().version() == "1"
    assert isinstance(module.Deep.made(3), module.Deep)


def test_calls_within_a_logged_call_are_part_of_it(boost: Boost, runs: Runs) -> None:
    boost.autolog()
    boost.module.Deep().fit([1])
    assert boost.seen[0] == "Deep.fit"
    assert len(boost.seen) == 2
    assert len(runs()) == 1


def test_threads_of_a_pool_that_a_training_makes_are_part_of_it(boost: Boost, runs: Runs) -> None:
    library = boost.module
    inner: list[int] = []

    def many(n: int) -> None:
        with ThreadPool(2) as pool:
            inner.extend(pool.map(lambda k: int(library.Model().fit([0] * k).n), range(n)))

    library.many = many
    many.__module__ = "boost"
    boost.autolog()
    LIBRARIES["boost"].patches.train(library, "many", boost.around_anything)
    library.many(4)
    assert inner == [0, 1, 2, 3]
    assert len(runs()) == 1
    with ThreadPool(2) as pool:  # one that the program makes trains by itself
        pool.map(lambda k: library.Model().fit([k]), range(2))
    assert len(runs()) == 3


def test_trainings_of_two_threads_do_not_meet(boost: Boost, runs: Runs) -> None:
    boost.autolog()
    library = boost.module
    together = threading.Barrier(2, timeout=30)

    def work(rounds: int) -> None:
        library.train({}, rounds=rounds, callbacks=[lambda step: together.wait() and None])

    threads = [threading.Thread(target=work, args=(2,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.info.status for run in runs()] == ["FINISHED", "FINISHED"]
    assert all(run.data.metrics == {"done": 1.0} for run in runs())


def test_what_the_original_raises_comes_out_and_fails_the_run(boost: Boost, runs: Runs) -> None:
    closed: list[bool] = []

    def body(training: Training) -> Generator[None, Any, None]:
        try:
            yield
        except GeneratorExit:
            closed.append(True)
            training.log_metrics({"reached": 3})
            raise

    boost.train = body
    boost.autolog()
    with pytest.raises(ValueError, match="no rounds") as caught:
        boost.module.train({}, rounds=-1)
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert closed == [True]
    [run] = runs()
    assert run.info.status == "FAILED"
    assert run.data.metrics == {"reached": 3.0}
    assert millstream.active_run() is None


def test_a_wrong_call_raises_what_it_would(boost: Boost, runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    boost.autolog()
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        boost.module.train()
    assert [run.info.status for run in runs()] == ["FAILED"]


@pytest.mark.parametrize("where", ["before", "after", "twice"])
def test_an_error_of_ours_is_one_line(
    boost: Boost, runs: Runs, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    def body(training: Training) -> Generator[None, Any, None]:
        training.kwargs["callbacks"] = "nonsense"
        if where == "before":
            raise RuntimeError("ours")
        training.kwargs.pop("callbacks")
        yield
        if where == "twice":
            yield
        raise RuntimeError("ours\nand more of it")

    boost.train = body
    boost.autolog()
    assert boost.module.train({}, rounds=1)["rounds"] == 1
    [line] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.name == "millstream"
    assert "boost" in line.getMessage()
    assert "boost.train" in line.getMessage()
    assert "\n" not in line.getMessage()
    assert [run.info.status for run in runs()] == ["FINISHED"]


def test_silent_says_nothing(boost: Boost, caplog: pytest.LogCaptureFixture) -> None:
    def body(training: Training) -> Generator[None, Any, None]:
        yield
        raise RuntimeError("ours")

    boost.train = body
    boost.autolog(silent=True)
    boost.module.train({})
    assert not [record for record in caplog.records if record.levelno >= logging.INFO]


def test_a_callback_that_keeps_failing_says_so_once(boost: Boost, caplog: pytest.LogCaptureFixture) -> None:
    steps: list[int] = []

    def body(training: Training) -> Generator[None, Any, None]:
        def callback(step: int) -> None:
            with training.safely("the metrics of a step"):
                steps.append(step)
                raise RuntimeError("ours")

        training.kwargs["callbacks"] = [callback]
        yield

    boost.train = body
    boost.autolog()
    boost.module.train({}, rounds=50)
    assert len(steps) == 50
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_an_interrupt_in_our_part_is_an_interrupt(boost: Boost, runs: Runs) -> None:
    def body(training: Training) -> Generator[None, Any, None]:
        yield
        raise KeyboardInterrupt

    boost.train = body
    boost.autolog()
    with pytest.raises(KeyboardInterrupt):
        boost.module.train({})
    assert [run.info.status for run in runs()] == ["KILLED"]
    assert millstream.active_run() is None


def test_warnings_of_our_part_are_not_shown(boost: Boost) -> None:
    def body(training: Training) -> Generator[None, Any, None]:
        warnings.warn("of ours", UserWarning, stacklevel=1)
        yield
        warnings.warn("of ours", UserWarning, stacklevel=1)

    boost.train = body
    boost.autolog()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        boost.module.train({}, callbacks=[lambda step: warnings.warn("of the library", UserWarning, stacklevel=1)])
    assert {str(warning.message) for warning in seen} == {"of the library"}


def test_how_warnings_are_shown_is_restored(boost: Boost, tracking: Path) -> None:
    shown: list[str] = []

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        shown.append(str(message))

    def body(training: Training) -> Generator[None, Any, None]:
        yield
        warnings.warn("of ours", UserWarning, stacklevel=1)

    boost.train = body
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        for _ in range(3):
            boost.autolog()
            boost.module.train({})
            with warnings.catch_warnings(record=True):
                boost.module.train({})
            boost.module.train({})
            boost.autolog(disable=True)
            assert warnings.showwarning is show
        warnings.warn("of the program", UserWarning, stacklevel=1)
    assert shown == ["of the program"]


@pytest.mark.parametrize(("autolog", "expected"), [
    (millstream.autolog, {
        "log_input_examples": False, "log_model_signatures": True, "log_models": True, "log_datasets": True,
        "log_traces": True, "disable": False, "exclusive": False, "disable_for_unsupported_versions": False,
        "silent": False, "extra_tags": None, "exclude_flavors": None,
    }),
    (millstream.sklearn.autolog, {
        "log_input_examples": False, "log_model_signatures": True, "log_models": True, "log_datasets": True,
        "disable": False, "exclusive": False, "disable_for_unsupported_versions": False, "silent": False,
        "max_tuning_runs": 5, "log_post_training_metrics": True, "serialization_format": "cloudpickle",
        "registered_model_name": None, "pos_label": None, "extra_tags": None,
    }),
], ids=["all", "sklearn"])
def test_a_call_written_for_mlflow_fits(autolog: Callable[..., None], expected: dict[str, Any]) -> None:
    found = inspect.signature(autolog).parameters
    assert list(found) == list(expected)
    assert {name: parameter.default for name, parameter in found.items()} == expected


def _child(queue: Any, library: Any) -> None:
    queue.put(library.Model().fit([1]).n)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # that a process with threads forks is the point
def test_a_process_forked_inside_a_training_logs_nothing(boost: Boost, runs: Runs) -> None:
    library = boost.module
    fork = multiprocessing.get_context("fork")
    queue = fork.Queue()

    def in_child(step: int) -> None:
        child = fork.Process(target=_child, args=(queue, library))
        child.start()
        assert queue.get(timeout=60) == 1
        child.join()

    boost.autolog()
    library.train({}, rounds=1, callbacks=[in_child])
    assert len(runs()) == 1
    in_child(0)  # outside of one it trains by itself
    assert len(runs()) == 2


def test_a_second_library_inside_a_training_is_part_of_it(boost: Boost, runs: Runs) -> None:
    boost.autolog()
    library = boost.module
    library.train({}, callbacks=[lambda step: library.Model().fit([step])])
    assert len(runs()) == 1


def test_threads_may_import_and_switch_at_once() -> None:
    program = """
import threading, millstream
threads = [threading.Thread(target=millstream.autolog) for _ in range(4)]
threads += [threading.Thread(target=__import__, args=("sklearn.linear_model",)) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
import sklearn.linear_model
assert hasattr(sklearn.linear_model.LinearRegression.fit, "__wrapped__")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
