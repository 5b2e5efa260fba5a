"""Pages to look at: experiments, their runs, and one run. Plain HTML, without script."""

from __future__ import annotations

import datetime
import math
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import Any, TypeAlias
from urllib.parse import quote, urlencode

from millstream.entities import Experiment, FileInfo, Run
from millstream.errors import ArtifactNotFound, InvalidPath, InvalidValue, MillstreamError, StoreUnavailable
from millstream.operations import GetExperiment, GetRun, SearchExperiments, SearchRuns
from millstream.server.markup import Child, Markup, page, table, tag
from millstream.server.messages import Reply, Request

_EXPERIMENTS = 50
_RUNS = 100
_COUNTED = 1000
_COLUMNS = 30
_VALUE = 300
_CELL = 80


Page: TypeAlias = Callable[[Request], Awaitable[Reply]]


def _told_as_page(made: Page) -> Page:
    """What is wrong with a request for a page is told on one."""

    @wraps(made)
    async def tell(request: Request) -> Reply:
        try:
            return await made(request)
        except MillstreamError as error:
            if error.get_http_status_code() >= 500:
                raise
            return page(
                "Not shown", _way(request), tag("h1", "This page cannot be shown"),
                tag("p", error.message, class_="error"), tag("p", error.hint), status=error.get_http_status_code(),
            )

    return tell


@_told_as_page
async def experiments(request: Request) -> Reply:
    """Every experiment, the newest first, with the number of its runs."""
    found = await _ask(request, SearchExperiments(max_results=_EXPERIMENTS, page_token=request.fields.get("page")))
    rows = []
    for experiment in found.experiments:
        runs = await _ask(request, SearchRuns(
            [experiment.experiment_id], max_results=_COUNTED, metrics=[], params=[], tags=[]
        ))
        count = f"{len(runs.runs)}+" if runs.next_page_token else len(runs.runs)
        rows.append([
            _link(request, f"/plain/experiments/{experiment.experiment_id}", experiment.name), _number(count),
            _time(experiment.creation_time), _time(experiment.last_update_time), _tags(experiment.tags),
        ])
    return page(
        "Experiments",
        tag("h1", "Experiments"),
        table(["Experiment", "Runs", "Created", "Changed", "Tags"], rows) if rows else tag("p", "There are none yet."),
        _next(request, "/plain", {}, found.next_page_token),
        tag("p", "The API of this server: ", _link(request, "/docs", "all operations"), class_="soft"),
    )


@_told_as_page
async def experiment(request: Request) -> Reply:
    """The runs of one experiment with what they measured, by a filter if one is given."""
    number = request.fields["experiment_id"]
    facts: Experiment = (await _ask(request, GetExperiment(number))).experiment
    text, order = request.fields.get("filter", ""), request.fields.get("order_by", "")
    problem: MillstreamError | None = None
    runs: list[Run] = []
    token = None
    try:
        found = await _ask(request, SearchRuns(
            [number], filter=text or None, order_by=[order] if order else [], max_results=_RUNS,
            page_token=request.fields.get("page"),
        ))
        runs, token = found.runs, found.next_page_token
    except InvalidValue as error:
        problem = error
    metrics = _most(key for run in runs for key in run.data.metrics)
    params = _most(key for run in runs for key in run.data.params)
    path = f"/plain/experiments/{quote(number)}"
    return page(
        facts.name,
        _way(request),
        tag("h1", facts.name),
        tag("p", f"Experiment {number}, {facts.lifecycle_stage}; artifacts at ", tag("code", facts.artifact_location),
            class_="soft"),
        tag("p", facts.tags.get("mlflow.note.content")),
        tag("form",
            tag("input", type="text", name_="filter", value=text, aria_label="Filter",
                placeholder="metrics.loss < 0.1 and params.depth = '4'"),
            tag("input", type="text", name_="order_by", value=order, aria_label="Order",
                placeholder="metrics.loss ASC"),
            tag("input", type="submit", value="Search"), action=_address(request, path)),
        tag("p", problem.message, class_="error") if problem else None,
        table(
            ["Run", "Status", "Started", "Took", "User", *metrics, *params],
            [[
                _link(request, f"/plain/runs/{run.info.run_id}", run.info.run_name or run.info.run_id), run.info.status,
                _time(run.info.start_time), _took(run), run.info.user_id,
                *(_number(_figure(run.data.metrics.get(key))) for key in metrics),
                *(_cut(run.data.params.get(key), _CELL) for key in params),
            ] for run in runs],
        ) if runs else tag("p", "No runs here." if not text else "No run fits the filter."),
        _next(request, path, {"filter": text, "order_by": order}, token),
    )


@_told_as_page
async def run(request: Request) -> Reply:
    """One run: its facts, parameters, metrics, tags, inputs and files."""
    found: Run = (await _ask(request, GetRun(request.fields["run_id"]))).run
    info, data = found.info, found.data
    name = info.run_name or info.run_id
    facts = [
        ("Run", tag("code", info.run_id)), ("Status", info.status), ("Stage", info.lifecycle_stage),
        ("Started", _time(info.start_time)), ("Ended", _time(info.end_time)), ("Took", _took(found)),
        ("User", info.user_id), ("Artifacts", tag("code", info.artifact_uri)),
    ]
    return page(
        name,
        _way(request, info.experiment_id),
        tag("h1", name),
        tag("p", data.tags.get("mlflow.note.content")),
        table([], [[tag("th", label), value] for label, value in facts]),
        _section("Parameters", ["Parameter", "Value"],
                 [[tag("code", param.key), _cut(param.value, _VALUE)] for param in data.param_list]),
        _section("Metrics", ["Metric", "Last value", "Step", "Logged"],
                 [[tag("code", metric.key), _number(_figure(metric.value)), _number(metric.step),
                   _time(metric.timestamp)] for metric in data.metric_list]),
        _section("Tags", ["Tag", "Value"],
                 [[tag("code", given.key), _cut(given.value, _VALUE)] for given in data.tag_list]),
        _section("Inputs", ["Dataset", "Digest", "Kind", "Used as"],
                 [[used.dataset.name, tag("code", used.dataset.digest), used.dataset.source_type,
                   ", ".join(label.value for label in used.tags if label.key == "mlflow.data.context")]
                  for used in found.inputs.dataset_inputs]),
        await _files(request, found),
    )


async def _files(request: Request, found: Run) -> Markup:
    path = request.fields.get("path", "")
    title = tag("h2", f"Artifacts in {path}" if path else "Artifacts")
    try:
        place = await request.app.artifacts.of_run(found.info.run_id, request.principal)
        entries: list[FileInfo] = await request.app.artifacts.in_thread(place.list, path)
    except (InvalidPath, ArtifactNotFound, StoreUnavailable) as error:
        return tag("section", title, tag("p", error.message, class_="error"))
    here = f"/plain/runs/{quote(found.info.run_id)}"
    rows: list[list[Child]] = []
    if path:
        above = path.rpartition("/")[0]
        rows.append([_link(request, f"{here}?{urlencode({'path': above})}" if above else here, ".."), ""])
    for entry in entries:
        name = entry.path.rpartition("/")[2]
        if entry.is_dir:
            rows.append([_link(request, f"{here}?{urlencode({'path': entry.path})}", name + "/"), ""])
        else:
            download = urlencode({"path": entry.path, "run_uuid": found.info.run_id})
            rows.append([_link(request, f"/get-artifact?{download}", name), _number(f"{entry.file_size or 0:,}")])
    return tag("section", title, table(["File", "Bytes"], rows) if rows else tag("p", "None.", class_="soft"))


async def _ask(request: Request, operation: Any) -> Any:
    principal = request.app.admit(request, operation.endpoint.needs, operation)
    return await request.app.execution.answer(operation, principal)


def _section(title: str, head: list[Child], rows: list[list[Child]]) -> Markup | None:
    return tag("section", tag("h2", title), table(head, rows)) if rows else None


def _most(keys: Iterable[str]) -> list[str]:
    """The keys that most runs have, in the order of names."""
    counts: dict[str, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return sorted(sorted(counts, key=lambda key: (-counts[key], key))[:_COLUMNS])


def _address(request: Request, path: str) -> str:
    return request.app.config.static_prefix + path


def _link(request: Request, path: str, text: str) -> Markup:
    return tag("a", text, href=_address(request, path))


def _way(request: Request, experiment_id: str | None = None) -> Markup:
    way: list[Child] = [_link(request, "/plain", "Experiments"), " / "]
    if experiment_id is not None:
        way += [_link(request, f"/plain/experiments/{quote(experiment_id)}", f"Experiment {experiment_id}"), " / "]
    return tag("nav", *way)


def _next(request: Request, path: str, fields: dict[str, str], token: str | None) -> Markup | None:
    if not token:
        return None
    wanted = urlencode({**{name: text for name, text in fields.items() if text}, "page": token})
    return tag("p", _link(request, f"{path}?{wanted}", "More"))


def _tags(tags: dict[str, str]) -> str:
    return ", ".join(f"{key}={_cut(text, 40)}" for key, text in sorted(tags.items()) if not key.startswith("mlflow."))


def _cut(text: str | None, limit: int) -> str | None:
    return text if text is None or len(text) <= limit else text[:limit] + "…"


def _number(value: object) -> Markup:
    return tag("td", "" if value is None else str(value), class_="n")


def _figure(value: float | None) -> str | None:
    if value is None:
        return None
    if math.isfinite(value) and value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.6g}"


def _time(milliseconds: int | None) -> str:
    if not milliseconds:
        return ""
    try:
        moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    except (OverflowError, ValueError, OSError):
        return str(milliseconds)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _took(run: Run) -> str:
    start, end = run.info.start_time, run.info.end_time
    if start is None or end is None or end < start:
        return ""
    seconds = (end - start) / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
