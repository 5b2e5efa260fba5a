"""Searching runs: every kind of comparison, order, views, paging, as objects, list and DataFrame."""

from __future__ import annotations

import math
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.tracking import MlflowClient

from tests.clients.programs.report import Report, version

VERSION = version(mlflow.__version__)

FILTERS = [
    "",
    "metrics.loss < 0.5",
    "metrics.loss <= 0.5",
    "metrics.loss > 0.5 and metrics.acc >= 0.25",
    "metric.loss = 0.25",
    "metrics.loss != 0.25",
    "metrics.`with space` > 3",
    'metrics."with space" > 3',
    "metrics.absent > 0",
    "metrics.nan > 0",
    "metrics.nan < 0",
    "metrics.negative < -2",
    "metrics.loss > 1e-3",
    "params.kind = 'tree'",
    'params.kind = "tree"',
    "param.kind != 'tree'",
    "parameters.kind LIKE 't%'",
    "params.kind LIKE 'T%'",
    "params.kind ILIKE 'T%'",
    "params.kind LIKE '_ree'",
    "params.depth = '3'",
    "params.absent = 'x'",
    "params.absent != 'x'",
    "params.`with.dots/and spaces` = 'v1'",
    "params.quote = 'it''s'",
    "params.unicode = 'żółć'",
    "tags.color = 'red'",
    "tag.color != 'red'",
    "tags.color LIKE '%e%'",
    "tags.color ILIKE 'RE%'",
    "tags.`mlflow.runName` = 'run 3'",
    "tags.mlflow.runName LIKE 'run%'",
    "attributes.status = 'FINISHED'",
    "attribute.status != 'FINISHED'",
    "attr.status = 'FAILED'",
    "run.status = 'KILLED'",
    "status = 'RUNNING'",
    "params.kind = 'tree' and metrics.loss < 0.6 and tags.color = 'red'",
    "attributes.artifact_uri LIKE '%artifacts'",
]
NEWER_FILTERS = [
    "attributes.start_time >= 1600000000003",
    "attributes.end_time < 1600000000005",
    "start_time > 1600000000001 and start_time < 1600000000004",
    "attributes.run_name = 'run 2'",
    "run_name LIKE 'run%'",
    "attributes.`run name` = 'run 2'",
    "attributes.user_id = 'someone'",
    "created > 1600000000004",
]
# Since 3.0 presence can be asked.
NEWEST_FILTERS = [
    "params.sometimes IS NULL",
    "params.sometimes IS NOT NULL",
    "tags.sometimes IS NULL",
    "tags.sometimes IS NOT NULL",
]

ORDERS: list[list[str]] = [
    [],
    ["metrics.loss ASC"],
    ["metrics.loss DESC"],
    ["metrics.loss"],
    ["metrics.nan ASC"],
    ["metrics.nan DESC"],
    ["metrics.absent ASC"],
    ["params.kind ASC", "metrics.loss DESC"],
    ["params.kind DESC", "start_time ASC"],
    ["tags.color ASC", "attributes.start_time DESC"],
    ["attributes.start_time ASC"],
    ["attributes.start_time DESC"],
    ["start_time ASC"],
    ["attributes.end_time DESC"],
    ["attribute.status ASC", "metrics.`with space` ASC"],
    ["tag.`mlflow.runName` DESC"],
]

WRONG = [
    "metrics.loss LIKE 'a'",
    "metrics.loss = 'a'",
    "params.kind > 'a'",
    "params.kind = 5",
    "params.kind = tree",
    "tags.color >= 'a'",
    "nothing.kind = 'a'",
    "attributes.nothing = 'a'",
    "metrics.loss",
    "metrics.loss <",
    "= 1",
    "metrics.loss < 1 or metrics.loss > 2",
    "metrics.loss < 1 and",
    "(metrics.loss < 1)",
    "not metrics.loss < 1",
    "params.kind = 'open",
    "metrics.`open < 1",
    "metrics.loss < 1; drop table runs",
    "attributes.status LIKE",
]


def main() -> None:
    report = Report()
    client = MlflowClient()
    token = report.token
    experiment = report.name(mlflow.create_experiment(f"{token} search"), "experiment")
    other = report.name(mlflow.create_experiment(f"{token} other"), "other")

    ids: list[str] = []
    for index in range(8):
        run = client.create_run(
            experiment,
            start_time=1_600_000_000_000 + index,
            tags={"mlflow.runName": f"run {index}", "mlflow.user": "someone"},
        )
        run_id = report.name(run.info.run_id, f"run {index}")
        ids.append(run_id)
        client.log_batch(
            run_id,
            metrics=[
                Metric("loss", 9.0, 1_600_000_000_000, 0),
                Metric("loss", index / 8, 1_600_000_000_000, 1),
                Metric("acc", 1 - index / 8, 1_600_000_000_000, 0),
                Metric("with space", float(index), 1_600_000_000_000, 0),
                Metric("negative", float(-index), 1_600_000_000_000, 0),
                *(
                    [Metric("nan", [math.nan, math.inf, -math.inf, 1.0][index % 4], 1_600_000_000_000, 0)]
                    if index < 6
                    else []
                ),
            ],
            params=[
                Param("kind", ["tree", "linear", "Tree"][index % 3]),
                Param("depth", str(index)),
                Param("with.dots/and spaces", f"v{index}"),
                Param("unicode", "żółć" if index == 4 else "z"),
                *([Param("sometimes", "s")] if index % 2 else []),
            ],
            tags=[
                RunTag("color", ["red", "green", "blue", "red"][index % 4]),
                *([RunTag("sometimes", "s")] if index > 4 else []),
            ],
        )
        if index < 7:
            client.set_terminated(
                run_id, ["FINISHED", "FAILED", "KILLED", "FINISHED"][index % 4], 1_600_000_000_002 + index
            )
    client.delete_run(ids[6])
    elsewhere = report.name(client.create_run(other, start_time=1_600_000_000_100).info.run_id, "elsewhere")
    client.log_metric(elsewhere, "loss", 0.3)

    def names(found: Any) -> list[str]:
        return [run.info.run_id for run in found]

    filters = FILTERS + (NEWER_FILTERS if VERSION >= (2, 0) else []) + (NEWEST_FILTERS if VERSION >= (3, 16) else [])
    for filter_string in filters:
        found = client.search_runs([experiment], filter_string, order_by=["attributes.start_time ASC"])
        report.keep(f"filter {filter_string}", names(found))
    for order in ORDERS:
        report.keep(f"order {order}", names(client.search_runs([experiment], order_by=order)))
    for wrong in WRONG:
        report.refused(f"wrong {wrong}", client.search_runs, [experiment], wrong)
    for wrong_order in ("nothing.x ASC", "metrics.loss SIDEWAYS", "metrics.loss ASC DESC", "attributes.nothing", ""):
        report.refused(f"wrong order {wrong_order}", client.search_runs, [experiment], order_by=[wrong_order])
    report.refused("a page of nothing", client.search_runs, [experiment], max_results=0)
    report.refused("a page too big", client.search_runs, [experiment], max_results=50_001)
    report.refused("a wrong page token", client.search_runs, [experiment], page_token="not a token")

    if VERSION >= (2, 0):
        listed = ", ".join(f"'{run_id}'" for run_id in (ids[1], ids[5], "0" * 32))
        order = ["start_time ASC"]
        report.keep("in", names(client.search_runs([experiment], f"attributes.run_id IN ({listed})", order_by=order)))
        report.keep(
            "not in", names(client.search_runs([experiment], f"attributes.run_id NOT IN ({listed})", order_by=order))
        )
        report.keep("by id", names(client.search_runs([experiment], f"attributes.run_id = '{ids[2]}'")))

    for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
        found = client.search_runs([experiment], run_view_type=getattr(ViewType, view), order_by=["start_time ASC"])
        report.keep(f"view {view}", names(found))
    report.keep(
        "two experiments",
        names(client.search_runs([experiment, other], "metrics.loss > 0.2", order_by=["metrics.loss ASC"])),
    )
    report.keep("no experiment", names(client.search_runs([])))
    report.keep("absent experiment", names(client.search_runs(["987654321"])))

    pages: list[list[str]] = []
    page_token = None
    while True:
        page = client.search_runs([experiment], order_by=["metrics.loss DESC"], max_results=3, page_token=page_token)
        pages.append(names(page))
        page_token = page.token
        if not page_token:
            break
    report.keep("pages", pages)

    table = mlflow.search_runs([experiment], order_by=["metrics.loss ASC"])
    report.keep("columns", sorted(table.columns))
    report.keep("shape", list(table.shape))
    report.keep(
        "types",
        {column: str(table[column].dtype).split("[")[0] for column in ("metrics.loss", "start_time", "end_time")},
    )
    report.keep(
        "cells", [[float(loss), kind] for loss, kind in zip(table["metrics.loss"], table["params.kind"], strict=True)]
    )
    report.keep("missing cells", [bool(cell is None or cell != cell) for cell in table["params.sometimes"]])
    report.keep("start", [str(cell) for cell in table["start_time"]][:2])
    empty = mlflow.search_runs([experiment], "metrics.loss > 100")
    report.keep("an empty table", list(empty.columns))
    report.keep("limited", len(mlflow.search_runs([experiment], max_results=2)))
    report.keep("as a list", names(mlflow.search_runs([experiment], "params.kind = 'tree'", output_format="list")))
    if VERSION >= (2, 0):
        by_name = mlflow.search_runs(
            experiment_names=[f"{token} search", f"{token} other"], filter_string="metrics.loss = 0.3"
        )
        report.keep("by name", list(by_name["run_id"]))
    whole = client.search_runs([experiment], "params.depth = '3'")[0]
    report.keep(
        "whole run", [whole.data.metrics, whole.data.params, whole.data.tags, whole.info.status, whole.info.end_time]
    )
    report.show()


main()
