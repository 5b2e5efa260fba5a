"""Pipelines run: steps in their order, independent ones at the same time, each as a run under that of the pipeline."""

from __future__ import annotations

import atexit
import contextlib
import functools
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import SimpleQueue

from millstream.entities import Run, RunStatus
from millstream.errors import MillstreamError, NotInTime
from millstream.projects import recording
from millstream.projects.pipelines.code import taken
from millstream.projects.pipelines.graph import Step
from millstream.projects.pipelines.making import Making
from millstream.projects.pipelines.outputs import Made
from millstream.projects.pipelines.plan import Plan
from millstream.projects.pipelines.workspace import work_folder
from millstream.projects.reruns import snapshot
from millstream.projects.submitted import SubmittedRun
from millstream.stores.opening import folder_of, scheme_of
from millstream.tracking.client import MlflowClient

__all__ = ["PIPELINE", "PipelineRun", "start"]

logger = logging.getLogger("millstream")

PIPELINE = "millstream.pipeline"  # on the run of a pipeline: its steps in their order


def start(
    plan: Plan, experiment_id: str | None, *, run_id: str | None = None, run_name: str | None = None,
    parent_run_id: str | None = None, tags: Mapping[str, str] | None = None,
) -> PipelineRun:
    """Open the run of a pipeline, with ``tags`` beside its own, and start its steps.

    Raises what :func:`millstream.projects.recording.opened` does.
    """
    names = ", ".join(step.name for step in plan.steps)
    told = recording.tags_of(plan.source, plan.target.name, "local", plan.environment, plan.environment_manager,
                             f"pipeline: {names}")
    run = recording.opened(plan.tracking_uri, experiment_id, run_id, run_name,
                           {**told, PIPELINE: names, **(tags or {})}, plan.values[plan.target.name], parent_run_id)
    return PipelineRun(plan, run)


class PipelineRun(SubmittedRun):
    """A pipeline that runs: ``run`` is the run that it is recorded in, RUNNING.

    A thread conducts it. A step whose key was made before is skipped; a step that fails keeps those from running that
    need it, and the pipeline ends as FAILED.
    """

    def __init__(self, plan: Plan, run: Run) -> None:
        self._plan = plan
        self._run = run
        self._uri = plan.tracking_uri
        self._making: Making | None = None
        self._made: dict[str, Made] = {}
        self._failed: dict[str, str] = {}
        self._lines: list[str] = []
        self._status = int(RunStatus.RUNNING)
        self._is_cancelled = False
        self._changed = threading.Condition()
        _wait_at_the_end()
        _live.add(self)
        threading.Thread(target=self._conduct, name=f"millstream-pipeline-{run.info.run_id[:8]}", daemon=True).start()

    @property
    def run_id(self) -> str:
        """The run that the pipeline is recorded in; those of its steps are its children."""
        return self._run.info.run_id

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of all steps; whether the target was made. Raises NotInTime."""
        with self._changed:
            if not self._changed.wait_for(lambda: RunStatus.is_terminated(self._status), timeout):
                raise NotInTime(f"the pipeline {self.run_id} goes on after {timeout:g} s",
                                hint="wait longer, or cancel() it")
        return self._status == RunStatus.FINISHED

    def get_status(self) -> int:
        """RUNNING until all is recorded, then FINISHED, FAILED or KILLED."""
        return self._status

    def cancel(self) -> None:
        """End all steps that run, and start no more."""
        with self._changed:
            self._is_cancelled = True
            making = self._making
        if making is not None:
            making.cancel()
        self.wait()

    def logs(self) -> Iterator[str]:
        """A line for each step that begins, ends or is skipped; the output of a step is kept with its own run."""
        told = 0
        while True:
            lines, ended = self._after(told)
            yield from lines
            told += len(lines)
            if ended:
                return

    def _after(self, told: int) -> tuple[list[str], bool]:
        """The lines after so many, once there are any, and whether they are the last."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._lines) > told or RunStatus.is_terminated(self._status))
            return self._lines[told:], RunStatus.is_terminated(self._status)

    def failure(self) -> str:
        """The steps that failed, each with its reason, and those that were not run."""
        left = [step.name for step in self._plan.steps if step.name not in self._made and step.name not in self._failed]
        told = ["it was cancelled"] if self._is_cancelled else []
        told += [f"the step {name!r} failed: {reason}" for name, reason in self._failed.items()]
        return "\n".join([*told, *([f"not run: {', '.join(left)}"] if left else [])])

    # The thread

    def _conduct(self) -> None:
        try:
            with contextlib.ExitStack() as until_end:
                until_end.enter_context(recording.beating(self._uri, self.run_id))
                work = until_end.enter_context(work_folder(self._plan.options.storage_dir))
                code = taken(self._plan.source.folder, work / "code", self._no_code())
                snapshot.note(self._plan.source, self.run_id, self._uri, code)
                making = Making(self._plan, self._run.info.experiment_id, self.run_id, work, code,
                                self._say, until_end, self._made)
                with self._changed:
                    self._making = making
                    making.is_cancelled = self._is_cancelled
                self._run_all(making)
        except Exception as error:  # a full disk, a store that does not answer: the run is not to stay RUNNING
            logger.debug("the pipeline %s broke off", self.run_id, exc_info=error)
            self._failed.setdefault(self._plan.target.name, _told(error))
        status = RunStatus.FINISHED if self._plan.target.name in self._made else RunStatus.FAILED
        if status == RunStatus.FAILED and self._is_cancelled:
            status = RunStatus.KILLED
        try:
            with contextlib.suppress(MillstreamError, OSError):
                MlflowClient(self._uri).log_text(self.run_id, "".join(f"{line}\n" for line in self._lines),
                                                 recording.LOG_FILE)
            recording.finish(self._uri, self.run_id, status)
        except MillstreamError as error:
            logger.warning("the run %s of the pipeline cannot be ended: %s", self.run_id, error)
        finally:
            with self._changed:
                self._status = int(status)
                self._changed.notify_all()
            _live.discard(self)

    def _run_all(self, making: Making) -> None:
        todo: SimpleQueue[Step | None] = SimpleQueue()
        done: SimpleQueue[tuple[Step, Made | Exception]] = SimpleQueue()

        def work() -> None:
            while (step := todo.get()) is not None:
                try:
                    done.put((step, making.make(step)))
                except Exception as error:
                    done.put((step, error))

        jobs = min(self._plan.options.jobs or os.cpu_count() or 1, len(self._plan.steps))
        workers = [threading.Thread(target=work, name=f"millstream-step-{number}", daemon=True)
                   for number in range(jobs)]
        for worker in workers:
            worker.start()
        started: set[str] = set()
        running = 0
        while True:
            for step in self._plan.steps:
                if step.name not in started and not making.is_cancelled and self._made.keys() >= set(step.behind):
                    started.add(step.name)
                    todo.put(step)
                    running += 1
            if not running:
                break
            step, ended = done.get()
            running -= 1
            if isinstance(ended, Made):
                self._made[step.name] = ended
                continue
            logger.debug("the step %s broke off", step.name, exc_info=ended)
            self._failed[step.name] = _told(ended)
            self._say(f"{step.name}: {'cancelled' if making.is_cancelled else 'failed'}")
        for _ in workers:
            todo.put(None)
        for worker in workers:
            worker.join()

    def _no_code(self) -> list[str | Path]:
        no_code: list[str | Path] = [*self._plan.no_code]
        if self._plan.options.storage_dir is not None:
            no_code.append(Path(self._plan.options.storage_dir).absolute())
        if scheme_of(self._uri) in ("", "file"):
            no_code.append(folder_of(self._uri))
        return no_code

    def _say(self, line: str) -> None:
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()
        with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody reads it any more
            print(line, file=sys.stderr, flush=True)


_live: set[PipelineRun] = set()


@functools.cache
def _wait_at_the_end() -> None:
    """Let the end of the program wait for pipelines that nobody has waited for; Ctrl-C cancels them then.

    Functions of ``atexit`` come too late: files are moved by executors, which take no more work by then. Theirs is the
    hook that is used here, before their own.
    """
    from concurrent.futures import thread  # noqa: F401 - which hooks itself in when it is imported

    getattr(threading, "_register_atexit", atexit.register)(_wait_for_all)


def _wait_for_all() -> None:
    for pipeline in list(_live):
        try:
            pipeline.wait()
        except KeyboardInterrupt:
            pipeline.cancel()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_live.clear)


def _told(error: BaseException) -> str:
    return error.message if isinstance(error, MillstreamError) else f"{type(error).__name__}: {error}"
