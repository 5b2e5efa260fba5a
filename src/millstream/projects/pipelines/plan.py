"""A pipeline before it starts: its steps with their parameters, checked as far as can be without running anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from millstream.errors import BadPipeline, InvalidValue, NotSupported
from millstream.projects import parameters
from millstream.projects.commands import Command, command_of
from millstream.projects.files import DockerEnvironment, EntryPoint
from millstream.projects.pipelines import keys
from millstream.projects.pipelines.code import Code, counted_files
from millstream.projects.pipelines.graph import Step, placed, steps_of
from millstream.projects.pipelines.options import Options

if TYPE_CHECKING:
    from millstream.environments.descriptions import Description
    from millstream.projects.files import ProjectFile
    from millstream.projects.sources import Source

__all__ = ["Options", "Plan", "planned"]


@dataclass(frozen=True)
class Plan:
    """The steps in their order, the target last; ``given`` and ``values`` are what was given to each and all that each
    has, by the names of steps."""

    source: Source
    project: ProjectFile
    steps: tuple[Step, ...]
    given: Mapping[str, Mapping[str, str]]
    values: Mapping[str, Mapping[str, str]]
    environment: Description | None
    environment_manager: str
    environment_key: str
    tracking_uri: str
    options: Options = field(default_factory=Options)

    @property
    def target(self) -> Step:
        """The step that was asked for."""
        return self.steps[-1]

    @property
    def no_code(self) -> list[str]:
        """The paths of the project that hold data or outputs."""
        return [*(place for step in self.steps for place in step.entry_point.data if "://" not in place),
                *(path for step in self.steps for path in step.makes.values())]

    def command(self, step: Step, values: Mapping[str, str]) -> Command:
        """The command of a step with these values."""
        own = {name: values[name] for name in step.entry_point.parameters}
        extra = {name: value for name, value in values.items() if name not in own}
        paths = {f"{name}.{output}": path for (name, output), path in step.inputs.items()}
        paths |= {f"{step.name}.{output}": path for output, path in step.makes.items()}
        return command_of(step.entry_point.command, {**paths, **own}, extra)

    def local_values(self, step: Step, *, fetch: bool = True) -> dict[str, str]:
        """The values of a step as its command takes them; without ``fetch``, those elsewhere stay as they are."""
        values, outputs = dict(self.values[step.name]), set(step.inputs.values())
        wanted = {name: one for name, one in step.entry_point.parameters.items()
                  if values[name] not in outputs and (fetch or len(urlsplit(values[name]).scheme) < 2)}
        return parameters.local_values(
            replace(step.entry_point, parameters=wanted), values, self.source.folder, given=self.given[step.name],
            tracking_uri=self.tracking_uri, storage_dir=self.options.storage_dir,
        )


def planned(
    source: Source, project: ProjectFile, target: str, given: Mapping[str, Any], *,
    environment: Description | DockerEnvironment | None, environment_manager: str, tracking_uri: str,
    backend: str = "local", options: Options | None = None, alone: bool = False,
) -> Plan:
    """The plan of the entry point ``target`` with all that it needs.

    A given parameter goes to every step that declares it, ``step.parameter`` to that step alone; what nobody declares
    goes to the target. With ``alone``, only the target is to be made, and the others are not checked.

    Raises BadPipeline, MissingValue and InvalidValue for what could only fail later, and NotSupported for backends and
    environments that cannot hand on files.
    """
    options = options or Options()
    if backend != "local" or isinstance(environment, DockerEnvironment):
        what = f"the backend {backend!r}" if backend != "local" else "a docker environment"
        raise NotSupported(f"{target!r} is a pipeline, and its steps hand on files, which {what} cannot",
                           hint="run it on this machine, with the backend local and an environment of Python")
    steps = steps_of(project.entry_points, target)
    _check(options, steps)
    shared = _shared_out(steps, given)
    wanted = steps[-1:] if alone else steps
    values = {step.name: {name: placed(value, step) for name, value in
                          parameters.resolved(step.entry_point, shared[step.name]).items()} for step in wanted}
    _check_code(wanted, source.folder)
    for step in wanted:
        _check_data(step, steps, source.folder)
    plan = Plan(source, project, steps, shared, values, environment, environment_manager,
                _environment_key(environment, environment_manager), tracking_uri, options)
    for step in wanted:
        plan.command(step, plan.local_values(step, fetch=False))
    return plan


def _environment_key(environment: Description | None, manager: str) -> str:
    """The key of the environment that all steps run in."""
    if environment is None or manager == "local":
        return keys.environment_key()
    from millstream.environments.building import key_of
    from millstream.environments.preparing import environment_of

    return key_of(environment_of(environment, manager=manager))


def _check(options: Options, steps: tuple[Step, ...]) -> None:
    if options.jobs is not None and options.jobs < 1:
        raise InvalidValue.of("jobs", options.jobs, "at least one step runs at a time")
    names = [step.name for step in steps]
    for name in options.force:
        if name not in names:
            raise BadPipeline(f"{name!r} is to run in any case, and {names[-1]!r} does not need it",
                              hint=f"its steps are {', '.join(names)}")


def _shared_out(steps: tuple[Step, ...], given: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    shared: dict[str, dict[str, str]] = {step.name: {} for step in steps}
    declared: dict[str, EntryPoint] = {step.name: step.entry_point for step in steps}
    for name, value in given.items():
        takers = [step.name for step in steps if name in step.entry_point.parameters]
        own, _, parameter = name.rpartition(".")
        if not takers and own in shared:
            if parameter not in declared[own].parameters:
                raise InvalidValue(f"the entry point {own!r} declares no parameter {parameter!r}",
                                   hint=f"it has {', '.join(declared[own].parameters) or 'none'}")
            shared[own][parameter] = str(value)
        for taker in takers or ([] if own in shared else [steps[-1].name]):
            shared[taker].setdefault(name, str(value))
    return shared


def _check_code(steps: tuple[Step, ...], folder: Path) -> None:
    if any(step.entry_point.code for step in steps):
        code = Code(folder, dict.fromkeys(counted_files(folder), ""))
        for step in steps:
            code.only(step.entry_point.code, step.name)


def _check_data(step: Step, steps: tuple[Step, ...], folder: Path) -> None:
    made = {path: f"{one.name}.{output}" for one in steps for output, path in one.makes.items()}
    for place in step.entry_point.data:
        if "://" in place:
            continue
        if os.path.normpath(place) in made:
            output = made[os.path.normpath(place)]
            raise BadPipeline(f"the data {place!r} of the entry point {step.name!r} is what the output {output} is",
                              hint=f"add {output} to what {step.name!r} needs, and take it out of its data")
        if not (folder / place).exists():
            raise BadPipeline(f"the data {place!r} of the entry point {step.name!r} is not there",
                              hint=f"put it at {place} in the project's folder, or let another entry point make it")
        if not os.path.isabs(place) and os.path.normpath(place).split(os.sep)[0] in ("..", "."):
            raise BadPipeline(f"the data {place!r} of the entry point {step.name!r} lies outside of the project",
                              hint="give its absolute path, or that of a file or folder in the project")
