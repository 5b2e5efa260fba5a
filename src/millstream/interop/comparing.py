"""What was sent against what is there: equal things are counted, others named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from millstream.entities import DatasetInput, Experiment, LoggedModel, Run
from millstream.interop.report import Report
from millstream.operations.imports import ImportedLoggedModel, ImportedRun

_RUN_FACTS = ("run_name", "user_id", "status", "start_time", "end_time", "lifecycle_stage")
_MODEL_FACTS = ("name", "model_type", "status", "status_message", "source_run_id", "creation_timestamp_ms",
                "last_updated_timestamp_ms")


def compare_experiment(report: Report, sent: Experiment, there: Experiment, *, created: bool) -> None:
    """Count an experiment as arrived. One that was there before keeps its own words: what differs is a note."""
    who = f"experiment {sent.name!r}"
    said = []
    if sent.lifecycle_stage != there.lifecycle_stage:
        said.append(f"{who} is {sent.lifecycle_stage} in the source and {there.lifecycle_stage} here")
    said += _compare(who, "tag", sent.tags, there.tags)[1]
    for difference in said:
        if created:
            report.differs(difference)
        else:
            report.notes.append(f"{difference}; it was here before and stays as it is")
    report.count("experiments", here=0 if created and said else 1)


def compare_run(report: Report, sent: ImportedRun, there: Run | None) -> None:
    """Count a run, its parameters, tags, inputs and outputs; metrics are compared by their digests."""
    run = sent.run
    run_id = run.info.run_id
    if there is None:
        report.differs(f"run {run_id} is not here")
        there = Run(run.info.__class__(run_id=run_id, experiment_id=""))
        facts_equal = False
    else:
        said = _compare_facts(f"run {run_id}", _RUN_FACTS, run.info, there.info)
        for difference in said:
            report.differs(difference)
        facts_equal = not said
    report.count("runs", here=int(facts_equal))
    for kind, what, texts, known in (
        ("params", "param", run.data.params, there.data.params), ("tags", "tag", run.data.tags, there.data.tags)
    ):
        _count(report, kind, len(texts), *_compare(f"run {run_id}", what, texts, known))
    used, known_use = _uses(run.inputs.dataset_inputs), _uses(there.inputs.dataset_inputs)
    _count(report, "inputs", len(used), *_compare(f"run {run_id}", "dataset", used, known_use))
    for kind, models, known_models in (
        ("inputs", {model.model_id: 0 for model in run.inputs.model_inputs},
         {model.model_id: 0 for model in there.inputs.model_inputs}),
        ("outputs", {(model.model_id, model.step): 0 for model in run.outputs.model_outputs},
         {(model.model_id, model.step): 0 for model in there.outputs.model_outputs}),
    ):
        _count(report, kind, len(models), *_compare(f"run {run_id}", f"{kind[:-1]} model", models, known_models))


def compare_model(report: Report, sent: ImportedLoggedModel, there: LoggedModel | None, *, deleted: bool) -> None:
    """Count a logged model that is there with all it has."""
    model = sent.model
    who = f"logged model {model.model_id}"
    if there is None:
        report.differs(f"{who} is not here")
        report.count("logged models", here=0)
        return
    said = _compare_facts(who, _MODEL_FACTS, model.info, there.info)
    if (sent.deleted_time is not None) != deleted:
        said.append(f"{who} is {'active' if deleted else 'deleted'} in the source, and not so here")
    said += _compare(who, "param", model.params, there.params)[1]
    said += _compare(who, "tag", model.tags, there.tags)[1]
    said += _compare(who, "metric", _measured(model), _measured(there))[1]
    for difference in said:
        report.differs(difference)
    report.count("logged models", here=int(not said))


def _count(report: Report, kind: str, total: int, equal: int, said: list[str]) -> None:
    report.count(kind, total, equal)
    for difference in said:
        report.differs(difference)


def _compare(who: str, what: str, sent: Mapping[Any, Any], there: Mapping[Any, Any]) -> tuple[int, list[str]]:
    """How many are equal, and a line for each that is not."""
    said = []
    for key, value in sent.items():
        if key not in there:
            said.append(f"{who}: the {what} {key!r} is not here")
        elif there[key] != value:
            said.append(f"{who}: the {what} {key!r} is {_shown(value)} in the source and {_shown(there[key])} here")
    return len(sent) - len(said), said


def _compare_facts(who: str, names: Iterable[str], sent: object, there: object) -> list[str]:
    """A line for each fact that differs; an empty one is as good as none."""
    pairs = [(name, getattr(sent, name) or None, getattr(there, name) or None) for name in names]
    return [f"{who}: its {name} is {_shown(said)} in the source and {_shown(known)} here"
            for name, said, known in pairs if said != known]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"


def _uses(inputs: Iterable[DatasetInput]) -> dict[tuple[str, str], tuple[Any, ...]]:
    return {
        (used.dataset.name, used.dataset.digest): (
            used.dataset.source_type, used.dataset.source, used.dataset.schema or None, used.dataset.profile or None,
            {tag.key: tag.value for tag in used.tags},
        )
        for used in inputs
    }


def _measured(model: LoggedModel) -> dict[tuple[str, str, str, str], tuple[str, int, int]]:
    """The last points of a model; values as text, as NaN is not equal to itself."""
    return {
        (metric.key, metric.dataset_name or "", metric.dataset_digest or "", metric.run_id or ""):
        (repr(metric.value + 0.0), metric.step, metric.timestamp)
        for metric in model.metrics
    }
