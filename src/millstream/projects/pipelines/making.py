"""One step made: taken from an earlier run that has made the same, or run in a folder of its own and kept."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from millstream.entities import Dataset, DatasetInput, InputTag, Run, RunStatus
from millstream.errors import InvalidState, MillstreamError
from millstream.operations import GetRun, LogInputs, UpdateRun
from millstream.projects import recording
from millstream.projects.backends import find
from millstream.projects.job import Job, variables_of
from millstream.projects.loopback import served
from millstream.projects.pipelines import keys, outputs
from millstream.projects.pipelines.code import Code
from millstream.projects.pipelines.graph import Step
from millstream.projects.pipelines.outputs import Made
from millstream.projects.pipelines.plan import Plan
from millstream.projects.pipelines.workspace import furnish
from millstream.projects.submitted import SubmittedRun
from millstream.tracking.files import root_of_run
from millstream.tracking.stores import store

__all__ = ["Making"]

_CONTEXT = "mlflow.data.context"


@dataclass
class Making:
    """What the steps of one pipeline have in common while they are made, from several threads.

    ``parent_run_id`` is the run of the pipeline, ``work`` its folder, ``code`` the project's code in there,
    ``say`` is told what happens, ``until_end`` closed behind the last step. ``made`` are the steps that are made,
    ``tags`` those that every run of a step gets, ``last_run_id`` the run that was opened last, and ``handles`` the
    steps that run now.
    """

    plan: Plan
    experiment_id: str
    parent_run_id: str | None
    work: Path
    code: Code
    say: Callable[[str], None]
    until_end: contextlib.ExitStack
    made: dict[str, Made] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    last_run_id: str | None = None
    handles: dict[str, SubmittedRun] = field(default_factory=dict)
    is_cancelled: bool = False
    _address: str | None = None
    _changes: threading.Lock = field(default_factory=threading.Lock)
    _fetches: threading.Lock = field(default_factory=threading.Lock)

    def cancel(self) -> None:
        """End the steps that run; those that would begin do not."""
        with self._changes:
            self.is_cancelled = True
            running = list(self.handles.values())
        for handle in running:
            handle.cancel()

    def make(self, step: Step) -> Made:
        """Make a step whose inputs are made. Raises InvalidState for one that failed, and what keeps it from
        starting."""
        plan = self.plan
        values = plan.local_values(step)
        code = self.code.only(step.entry_point.code, step.name)
        data = keys.data_digests(step.entry_point.data, plan.source.folder)
        key = keys.key_of(
            step, code=code.without(self._described_otherwise()).digest,
            parameters=keys.by_content(step, values, plan.source.folder), inputs=self._inputs(step), data=data,
            environment=plan.environment_key,
        )
        if plan.options.cache and step.name not in plan.options.force:
            made = outputs.made_before(key, self.experiment_id, plan.tracking_uri)
            if made is not None:
                return self._skip(step, key, made)
        command = plan.command(step, values)
        address = self._served()
        run = self._open(step, command.text, {outputs.KEY: key})
        place = self.work / "steps" / run.info.run_id
        try:
            self._note_data(step, run, data)
            furnish(place, code, step.entry_point.data, plan.source.folder, self._fetched(step), step.makes.values())
            self._run(step, Job(
                run.info.run_id, run.info.experiment_id, plan.tracking_uri, plan.source, plan.project, step.entry_point,
                plan.values[step.name], command, plan.environment, plan.environment_manager,
                variables_of(address, run.info.run_id, run.info.experiment_id, step.name,
                             is_served=address != plan.tracking_uri), place,
            ))
            made = outputs.keep(step.makes, place, run.info.run_id, key, plan.tracking_uri)
        except BaseException:
            self._end_badly(run)
            raise
        self._hand_over(step, place)
        self.say(f"{step.name}: made by the run {run.info.run_id}")
        return made

    def _skip(self, step: Step, key: str, made: Made) -> Made:
        run = self._open(step, "", {outputs.KEY: key, outputs.MADE_BY: made.run_id})
        recording.finish(self.plan.tracking_uri, run.info.run_id, RunStatus.FINISHED)
        self.say(f"{step.name}: made before, by the run {made.run_id}")
        return made

    def _open(self, step: Step, command: str, tags: Mapping[str, str]) -> Run:
        plan = self.plan
        told = recording.tags_of(plan.source, step.name, "local", plan.environment, plan.environment_manager, command)
        run = recording.opened(
            plan.tracking_uri, self.experiment_id, None, step.name,
            {**told, outputs.STEP: step.name, **tags, **self.tags}, plan.values[step.name], self.parent_run_id,
        )
        self.last_run_id = run.info.run_id
        return run

    def _run(self, step: Step, job: Job) -> None:
        if self.is_cancelled:
            raise InvalidState("it was cancelled before it began")
        handle = find("local").submit(job)
        self.say(f"{step.name}: runs, as {job.run_id}")
        with self._changes:
            self.handles[step.name] = handle
            is_late = self.is_cancelled
        if is_late:
            handle.cancel()
        try:
            with recording.beating(job.tracking_uri, job.run_id):
                if not handle.wait():
                    raise InvalidState(handle.failure())
        finally:
            with self._changes:
                del self.handles[step.name]

    def _served(self) -> str:
        """The store as the commands of steps reach it; served when the first of them is to run."""
        with self._changes:
            if self._address is None:
                self._address = self.until_end.enter_context(served(self.plan.tracking_uri))
            return self._address

    def _end_badly(self, run: Run) -> None:
        """Whatever its command has said of itself, the step is not made."""
        with contextlib.suppress(MillstreamError):
            opened = store(self.plan.tracking_uri)
            if opened.execute(GetRun(run.info.run_id)).run.info.status not in ("FAILED", "KILLED"):
                status = RunStatus.KILLED if self.is_cancelled else RunStatus.FAILED
                opened.execute(UpdateRun(run.info.run_id, status=RunStatus.to_string(status)))

    # Inputs

    def _described_otherwise(self) -> list[str]:
        """The files whose content counts for keys in other ways: commands one by one, and the environment."""
        files = [self.plan.project.path, self.plan.environment.source if self.plan.environment else None]
        return [file.name for file in files if file is not None]

    def _inputs(self, step: Step) -> dict[str, str]:
        """What the step needs, with digests; a step without outputs stands for itself, whenever it ran."""
        found = {f"{name}.{output}": self.made[name].outputs[output].digest for name, output in step.inputs}
        return {**found, **{name: "" for name in step.behind if not self.made[name].outputs}}

    def _fetched(self, step: Step) -> dict[Path, str]:
        """The inputs of the step as files of this machine, with the paths that they have in the step's folder."""
        found: dict[Path, str] = {}
        for (name, output), path in step.inputs.items():
            file = self._place(name, output)
            with self._fetches:
                if not file.exists():
                    made = self.made[name]
                    outputs.fetch(output, made.outputs[output], made.run_id, file, self.plan.tracking_uri)
            found[file] = path
        return found

    def _hand_over(self, step: Step, place: Path) -> None:
        """Keep the outputs of a step that has just run for those that need them, and remove its folder."""
        for output, path in step.makes.items():
            file = self._place(step.name, output)
            file.parent.mkdir(parents=True, exist_ok=True)
            (place / path).rename(file)
        shutil.rmtree(place, ignore_errors=True)

    def _place(self, name: str, output: str) -> Path:
        return self.work / "made" / quote(name, safe="") / output / "content"

    def _note_data(self, step: Step, run: Run, data: Mapping[str, str]) -> None:
        """Record what the step reads as the data sets of its run."""
        from millstream.data.file_dataset import from_file

        read = []
        for place, digest in data.items():
            if "://" in place:
                read.append(from_file(place, place, digest).to_entity())
                continue
            path = (self.plan.source.folder / place).resolve()
            files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            profile = _json(num_files=len(files), size_bytes=sum(file.stat().st_size for file in files))
            read.append(Dataset(place, digest[:16], "local", _json(uri=str(path)), profile=profile))
        for name, output in step.inputs:
            made = self.made[name]
            kept = made.outputs[output]
            address = f"{root_of_run(made.run_id, self.plan.tracking_uri)}/{kept.artifact(output)}"
            read.append(Dataset(f"{name}.{output}", kept.digest[:16], "run", _json(uri=address, run_id=made.run_id),
                                profile=_json(size_bytes=kept.size)))
        if read:
            tags = [InputTag(_CONTEXT, step.name)]
            store(self.plan.tracking_uri).execute(LogInputs(
                run.info.run_id, datasets=[DatasetInput(dataset, tags) for dataset in read]))


def _json(**fields: object) -> str:
    import json

    return json.dumps(fields)
