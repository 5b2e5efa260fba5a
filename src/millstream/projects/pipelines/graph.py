"""The steps of a pipeline and their order, from what the entry points of a project say that they need and make.

Pure: nothing is read and nothing runs here, so that whatever is wrong with a pipeline is said before its first step.
An entry point ``needs`` other entry points or single outputs of them (``prepare``, ``prepare.clean``); it ``makes``
outputs, each a name with a path in the project's folder. Command templates and parameters name outputs as
``{prepare.clean}``.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from millstream.errors import BadPipeline

if TYPE_CHECKING:
    from millstream.projects.files import EntryPoint

__all__ = ["Need", "Step", "is_step", "placed", "steps_of"]

_OUTPUT = re.compile(r"[A-Za-z_][\w-]*")
# A reference is a placeholder with a dot; what stands before the last one is the name of a step.
_REFERENCE = re.compile(r"\{\s*([^{}\s$\"']+)\.([\w-]+)\s*\}")


@dataclass(frozen=True, order=True)
class Need:
    """What a step needs of another: one output, or all of them (``output`` is None)."""

    step: str
    output: str | None = None

    def __str__(self) -> str:
        return self.step if self.output is None else f"{self.step}.{self.output}"


@dataclass(frozen=True)
class Step:
    """An entry point as a step. ``inputs`` are the outputs that it finds in its folder, as ``(step, output)`` → path;
    ``makes`` maps its own outputs to their paths. Paths are relative to the project's folder."""

    entry_point: EntryPoint
    needs: tuple[Need, ...]
    inputs: Mapping[tuple[str, str], str]
    makes: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of its entry point."""
        return self.entry_point.name

    @property
    def behind(self) -> tuple[str, ...]:
        """The steps that run before this one, each once."""
        return tuple(dict.fromkeys(need.step for need in self.needs))


def is_step(entry_point: EntryPoint) -> bool:
    """Whether an entry point says anything that only a pipeline cares for."""
    return bool(entry_point.needs or entry_point.makes or entry_point.data or entry_point.code)


def steps_of(entry_points: Mapping[str, EntryPoint], target: str) -> tuple[Step, ...]:
    """The steps that ``target`` needs, itself the last, each behind those that it needs itself.

    Raises BadPipeline for a cycle, an unknown step or output, an output outside of the project, and outputs in each
    other's place.
    """
    steps = {name: _step(entry_points, name) for name in _ordered(entry_points, target)}
    _check_places(steps)
    return tuple(steps.values())


def placed(text: str, step: Step) -> str:
    """``text`` with the references to outputs of other steps, and of the step itself, replaced by their paths."""
    known = {**step.inputs, **{(step.name, name): path for name, path in step.makes.items()}}
    return _REFERENCE.sub(lambda found: known.get((found[1], found[2]), found[0]), text)


def _ordered(entry_points: Mapping[str, EntryPoint], target: str) -> list[str]:
    """Names in the order of a walk that leaves a step after all that it needs; ties stay as the file has them."""
    ordered: dict[str, None] = {}
    path: list[str] = []
    walks: list[Iterator[str]] = []

    def enter(name: str) -> None:
        if name in path:
            cycle = [*path[path.index(name):], name]
            raise BadPipeline(f"the entry points need each other in a circle: {' → '.join(cycle)}",
                              hint=f"take one of them out of what {cycle[-2]!r} needs")
        path.append(name)
        walks.append(iter([need.step for need in _needs(entry_points, name)]))

    enter(target)
    while walks:
        following = next(walks[-1], None)
        if following is None:
            walks.pop()
            ordered[path.pop()] = None
        elif following not in ordered:
            enter(following)
    return list(ordered)


def _needs(entry_points: Mapping[str, EntryPoint], name: str) -> tuple[Need, ...]:
    return tuple(dict.fromkeys(_need(entry_points, name, text) for text in entry_points[name].needs))


def _need(entry_points: Mapping[str, EntryPoint], name: str, text: str) -> Need:
    if text in entry_points:
        return Need(text)
    step, _, output = text.rpartition(".")
    if step not in entry_points:
        raise BadPipeline(f"the entry point {name!r} needs {text!r}, and there is no such entry point",
                          hint=f"there are {_listed(entry_points)}")
    _check_output(entry_points, name, step, output)
    return Need(step, output)


def _check_output(entry_points: Mapping[str, EntryPoint], name: str, step: str, output: str) -> None:
    makes = entry_points[step].makes
    if output not in makes:
        raise BadPipeline(f"the entry point {name!r} needs the output {output!r} of {step!r}, which does not make it",
                          hint=f"it makes {_listed(makes)}" if makes else f"say what {step!r} makes, as name: path")


def _step(entry_points: Mapping[str, EntryPoint], name: str) -> Step:
    entry_point = entry_points[name]
    needs = _needs(entry_points, name)
    inputs: dict[tuple[str, str], str] = {}
    for need in needs:
        for output in (entry_points[need.step].makes if need.output is None else (need.output,)):
            inputs[need.step, output] = _path(need.step, output, entry_points[need.step].makes[output])
    makes = {output: _path(name, output, path) for output, path in entry_point.makes.items()}
    _check_references(entry_points, name, inputs)
    return Step(entry_point, needs, inputs, makes)


def _check_references(
    entry_points: Mapping[str, EntryPoint], name: str, inputs: Mapping[tuple[str, str], str]
) -> None:
    entry_point = entry_points[name]
    texts = [entry_point.command or "", *(str(one.default) for one in entry_point.parameters.values())]
    for step, output in (reference for text in texts for reference in _REFERENCE.findall(text)):
        if step not in entry_points:  # braces of a program in the template
            continue
        _check_output(entry_points, name, step, output)
        if step != name and (step, output) not in inputs:
            raise BadPipeline(f"the entry point {name!r} uses {{{step}.{output}}} and does not say that it needs it",
                              hint=f"add {step}.{output} to the needs of {name!r}")


def _path(step: str, output: str, path: str) -> str:
    where = f"the output {output!r} of the entry point {step!r}"
    if not _OUTPUT.fullmatch(output):
        raise BadPipeline(f"{where} has no sound name",
                          hint="a name is letters, digits, _ and -, and begins with a letter")
    normal = posixpath.normpath(path) if path else "."
    if normal == "." or normal.startswith(("/", "../")) or normal == ".." or "\0" in normal or "\\" in normal:
        raise BadPipeline(f"{where} lies at {path!r}, which is no place below the project's folder",
                          hint="name a path relative to the project, such as data/clean.csv")
    return normal


def _check_places(steps: Mapping[str, Step]) -> None:
    taken: list[tuple[str, str]] = []
    for step in steps.values():
        for output, path in step.makes.items():
            for other, there in taken:
                if f"{path}/".startswith(f"{there}/") or f"{there}/".startswith(f"{path}/"):
                    raise BadPipeline(f"the outputs {other} ({there}) and {step.name}.{output} ({path}) lie in each "
                                      "other's place", hint="give each output a place of its own")
            taken.append((f"{step.name}.{output}", path))


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)) or "none"
