"""Two runs side by side: metric by metric, parameter by parameter, artifact by digest."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from millstream import yaml_texts
from millstream.errors import EndpointNotFound, InvalidValue
from millstream.operations import SearchLoggedModels
from millstream.tracking.client import MlflowClient
from millstream.tracking.files import artifacts_at, artifacts_of_run
from millstream.tracking.stores import store

if TYPE_CHECKING:
    from millstream.artifacts.contract import ArtifactStore
    from millstream.entities import Metric, Run

__all__ = ["Comparison", "Row", "compare"]

# What differs between any two runs: their logs, what was recorded to run them again, and figures of the machine.
_OF_ITS_OWN = ("logs/*", "project/*", "rerun/*")
_OF_THE_MACHINE = "system/*"
# Fields of an MLmodel file that name the run and the moment.
_OF_THE_MOMENT = ("run_id", "model_uuid", "model_id", "utc_time_created", "artifact_path")


@dataclass(frozen=True)
class Row:
    """One thing that both runs were asked for.

    ``kind`` is ``status``, ``parameter``, ``metric``, ``artifact`` or ``dataset``; ``before`` and ``after`` are values,
    texts or digests, None where a run has none; ``note`` says more in words, such as the first step that differs.
    """

    kind: str
    name: str
    before: Any
    after: Any
    equal: bool
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """A run and the one that repeated it. ``notes`` may explain differences and are none themselves; ``steps`` are the
    comparisons of the steps of a pipeline, each with its ``name``."""

    run_id: str
    new_run_id: str
    rows: tuple[Row, ...]
    tolerance: float = 0.0
    notes: tuple[str, ...] = ()
    steps: tuple[Comparison, ...] = ()
    name: str | None = None

    @property
    def equal(self) -> bool:
        """Whether nothing differs, in the steps neither."""
        return all(row.equal for row in self.rows) and all(step.equal for step in self.steps)

    @property
    def differences(self) -> tuple[Row, ...]:
        """The rows that differ."""
        return tuple(row for row in self.rows if not row.equal)

    def to_dict(self) -> dict[str, Any]:
        """The same, ready for JSON; numbers that JSON has not are texts."""
        return {
            **({"step": self.name} if self.name else {}), "run_id": self.run_id, "new_run_id": self.new_run_id,
            "equal": self.equal, "tolerance": self.tolerance,
            "rows": [{"kind": row.kind, "name": row.name, "before": _plain(row.before), "after": _plain(row.after),
                      "equal": row.equal, "note": row.note} for row in self.rows],
            "notes": list(self.notes), "steps": [step.to_dict() for step in self.steps],
        }


def compare(
    run_id: str, new_run_id: str, *, tolerance: float = 0.0, ignore: Iterable[str] = (), uri: str,
    notes: tuple[str, ...] = (), steps: tuple[Comparison, ...] = (), name: str | None = None,
) -> Comparison:
    """Compare two runs of the store at ``uri``.

    Numbers ``a`` and ``b`` are equal when they differ by ``tolerance · max(1, |a|, |b|)`` at the most; every point of a
    metric counts, in the order of steps. ``ignore`` are patterns of names that do not count. Raises RunNotFound.
    """
    client = MlflowClient(uri)
    before, after = client.get_run(run_id), client.get_run(new_run_id)
    left_out = tuple(ignore)
    rows = [Row("status", "status", before.info.status, after.info.status, before.info.status == after.info.status)]
    rows += _texts("parameter", before.data.params, after.data.params, left_out)
    rows += _metrics(client, before, after, tolerance, left_out)
    rows += _texts("dataset", _datasets(before), _datasets(after), left_out)
    rows += _texts("artifact", _digests(before, uri, left_out), _digests(after, uri, left_out), left_out)
    return Comparison(run_id, new_run_id, tuple(rows), tolerance, notes, steps, name)


def _texts(kind: str, before: Mapping[str, str], after: Mapping[str, str], left_out: tuple[str, ...]) -> list[Row]:
    return [
        Row(kind, name, before.get(name), after.get(name), before.get(name) == after.get(name), _only(
            before.get(name), after.get(name)))
        for name in sorted({*before, *after}) if not _is_left_out(name, left_out)
    ]


def _only(before: object, after: object) -> str:
    return "only the new run has it" if before is None else "only the old run has it" if after is None else ""


def _metrics(
    client: MlflowClient, before: Run, after: Run, tolerance: float, left_out: tuple[str, ...]
) -> Iterator[Row]:
    values = before.data.metrics, after.data.metrics
    for key in sorted({*values[0], *values[1]}):
        if _is_left_out(key, (*left_out, _OF_THE_MACHINE)):
            continue
        old, new = values[0].get(key), values[1].get(key)
        note = _only(old, new) or _first_difference(
            client.get_metric_history(before.info.run_id, key), client.get_metric_history(after.info.run_id, key),
            tolerance,
        )
        yield Row("metric", key, old, new, not note, note)


def _first_difference(before: Iterable[Metric], after: Iterable[Metric], tolerance: float) -> str:
    """What differs first between two histories, in words; empty when nothing does."""
    old = [(point.step, point.value) for point in before]
    new = [(point.step, point.value) for point in after]
    for (step, value), (new_step, new_value) in zip(old, new, strict=False):
        if step != new_step:
            return f"step {new_step} instead of {step}"
        if not _is_close(value, new_value, tolerance):
            apart = f"{abs(value - new_value):.3g} apart" if math.isfinite(value - new_value) else "not both numbers"
            return f"{apart} at step {step}" if len(old) > 1 else apart
    return "" if len(old) == len(new) else f"{len(new)} points instead of {len(old)}"


def _is_close(one: float, other: float, tolerance: float) -> bool:
    if one == other or (math.isnan(one) and math.isnan(other)):
        return True
    return abs(one - other) <= tolerance * max(1.0, abs(one), abs(other)) if math.isfinite(one - other) else False


def _datasets(run: Run) -> dict[str, str]:
    return {used.dataset.name: used.dataset.digest for used in run.inputs.dataset_inputs}


def _digests(run: Run, uri: str, left_out: tuple[str, ...]) -> dict[str, str]:
    """The SHA-256 of every file of a run and of the models that it has logged, by path."""
    found = dict(_files(artifacts_of_run(run.info.run_id, uri), "", (*left_out, *_OF_ITS_OWN)))
    try:
        models = store(uri).execute(SearchLoggedModels(
            [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'", max_results=100)).models
    except EndpointNotFound:  # servers before MLflow 3
        models = []
    for model in models:
        found.update(_files(artifacts_at(model.artifact_location, uri), f"{model.name}/", left_out))
    return found


def _files(artifacts: ArtifactStore, prefix: str, left_out: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for file in artifacts.walk():
        path = f"{prefix}{file.path}"
        if not _is_left_out(path, left_out):
            yield path, _digest(artifacts, file.path)


def _digest(artifacts: ArtifactStore, path: str) -> str:
    name = path.rpartition("/")[2]
    if name in ("MLmodel", "manifest.json"):
        return hashlib.sha256(_without_the_moment(name, artifacts.open(path).read())).hexdigest()
    known = artifacts.stat(path).sha256
    if known is not None:
        return known
    sha256 = hashlib.sha256()
    with artifacts.open(path) as content:
        for chunk in content:
            sha256.update(chunk)
    return sha256.hexdigest()


def _without_the_moment(name: str, content: bytes) -> bytes:
    """What a model's files say of the model, without what they say of the run that logged it."""
    try:
        told = yaml_texts.read(content)
    except InvalidValue:
        return content
    if not isinstance(told, dict):
        return content
    if name == "MLmodel":
        told = {key: value for key, value in told.items() if key not in _OF_THE_MOMENT}
    elif isinstance(told.get("files"), dict):
        told = {key: value for key, value in told.items() if key != "seal"}
        told["files"] = {path: facts for path, facts in told["files"].items() if path != "MLmodel"}
    return json.dumps(told, sort_keys=True, default=str).encode()


def _is_left_out(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
