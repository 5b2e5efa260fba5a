"""The part of the store contract that the tables and charts of the web UI need, as tests."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from millstream.entities import ExperimentTag, Metric, Param, RunTag
from millstream.errors import InvalidValue, LimitExceeded, NotFound, SearchSyntaxError
from millstream.operations import (
    CreateExperiment,
    CreateModelVersion,
    CreateRegisteredModel,
    CreateRun,
    Curve,
    DeleteExperiment,
    DeleteRun,
    DeleteView,
    FindByName,
    GetArrangement,
    GetView,
    KeyMetric,
    ListChanges,
    ListColumns,
    ListTrash,
    ListViews,
    LogBatch,
    OverviewExperiments,
    OverviewModels,
    PinnedMetric,
    PurgeGarbage,
    QueryCurves,
    QueryRuns,
    RunColour,
    RunColumn,
    RunTable,
    SaveView,
    SearchRuns,
    SetArrangement,
    SetRegisteredModelAlias,
    SetRegisteredModelTag,
    UpdateRun,
)
from millstream.stores.contract import Store

DAY = 24 * 3600 * 1000


def experiment(store: Store, name: str = "table") -> str:
    """The id of a new experiment."""
    return store.execute(CreateExperiment(name)).experiment_id


def add(
    store: Store, experiment_id: str, start: int, *, metrics: dict[str, float] | None = None,
    params: dict[str, str] | None = None, tags: dict[str, str] | None = None, name: str | None = None,
) -> str:
    """The id of a new run with these values, at step 0."""
    made = store.execute(CreateRun(experiment_id, "ada", name or f"run-{start}", start)).run.info.run_id
    store.execute(
        LogBatch(
            made, [Metric(key, value, start, 0) for key, value in (metrics or {}).items()],
            [Param(key, text) for key, text in (params or {}).items()],
            [RunTag(key, text) for key, text in (tags or {}).items()],
        )
    )
    return made


def log(store: Store, run_id: str, key: str, points: list[tuple[int, int, float]]) -> None:
    """Log points (step, timestamp, value)."""
    for start in range(0, len(points), 1000):
        part = points[start : start + 1000]
        store.execute(LogBatch(run_id, [Metric(key, value, time, step) for step, time, value in part]))


class _Windows:
    """The table of runs by itself."""

    def test_the_newest_runs_come_first_and_cells_stand_in_columns(self, store: Store) -> None:
        of = experiment(store)
        first = add(store, of, 1000, metrics={"loss": 0.5}, params={"lr": "0.1"}, tags={"team": "a"})
        second = add(store, of, 2000, metrics={"loss": math.nan, "acc": math.inf})
        columns = ["metrics.loss", "metrics.acc", "params.lr", "tags.team", "attributes.start_time", "params.nobody"]
        table = store.execute(QueryRuns([of], columns=columns))
        assert (table.total, table.matched, table.ids) == (2, 2, [second, first])
        assert table.cols == {
            "metrics.loss": ["NaN", 0.5], "metrics.acc": ["Infinity", None], "params.lr": [None, "0.1"],
            "tags.team": [None, "a"], "attributes.start_time": [2000, 1000], "params.nobody": [None, None],
        }
        assert store.execute(QueryRuns([experiment(store, "empty")], columns=columns)).total == 0

    def test_attributes(self, store: Store) -> None:
        of = experiment(store)
        run = add(store, of, 1000, name="amber")
        store.execute(CreateRegisteredModel("loan"))
        store.execute(CreateModelVersion("loan", "s3://bucket/m", run_id=run))
        store.execute(UpdateRun(run, status="FINISHED", end_time=5000))
        names = ["run_name", "status", "user_id", "duration", "end_time", "experiment_id", "lifecycle_stage", "models",
                 "run_id", "datasets"]
        table = store.execute(QueryRuns([of], columns=[f"attributes.{name}" for name in names]))
        found = {name: table.cols[f"attributes.{name}"][0] for name in names}
        assert found == {
            "run_name": "amber", "status": "FINISHED", "user_id": "ada", "duration": 4000, "end_time": 5000,
            "experiment_id": of, "lifecycle_stage": "active", "models": ["loan/1"], "run_id": run, "datasets": None,
        }

    def test_what_the_history_of_a_metric_amounts_to(self, store: Store) -> None:
        of = experiment(store)
        run = add(store, of, 1000)
        log(store, run, "loss", [(step, 1000 + step, float(value)) for step, value in enumerate([5, 1, 4, 2, 3])])
        columns = ["min(metrics.loss)", "max(metrics.loss)", "first(metrics.loss)", "last(metrics.loss)",
                   "best_step(metrics.loss, min)", "best_step(metrics.loss, max)", "mean(metrics.loss, 2)",
                   "mean(metrics.loss, 50)"]
        table = store.execute(QueryRuns([of], columns=columns))
        assert [table.cols[column][0] for column in columns] == [1, 5, 5, 3, 1, 0, 2.5, 3]

    def test_parameters_are_ordered_as_the_numbers_they_are(self, store: Store) -> None:
        of = experiment(store)
        texts = ["1e-5", "0.1", "10", "9", "auto", "nan", "zero", None]
        for start, text in enumerate(texts):
            add(store, of, start, params={} if text is None else {"lr": text})
        up = store.execute(QueryRuns([of], order_by=["params.lr ASC"], columns=["params.lr"])).cols["params.lr"]
        down = store.execute(QueryRuns([of], order_by=["params.lr DESC"], columns=["params.lr"])).cols["params.lr"]
        assert up == ["1e-5", "0.1", "9", "10", "auto", "zero", "nan", None]
        assert down == ["10", "9", "0.1", "1e-5", "zero", "auto", "nan", None]

    @pytest.mark.parametrize("direction", ["ASC", "DESC"])
    def test_nan_and_what_is_missing_come_last(self, store: Store, direction: str) -> None:
        of = experiment(store)
        values = {1: 0.5, 2: math.nan, 3: -math.inf, 4: math.inf, 5: None, 6: 0.5}
        for start, value in values.items():
            add(store, of, start, metrics={} if value is None else {"loss": value})
        asked = QueryRuns([of], order_by=[f"metrics.loss {direction}"], columns=["attributes.start_time"])
        found = store.execute(asked).cols["attributes.start_time"]
        assert found == ([3, 6, 1, 4, 2, 5] if direction == "ASC" else [4, 6, 1, 3, 2, 5])

    def test_windows_of_a_snapshot_fit_together_while_runs_arrive(self, store: Store) -> None:
        of = experiment(store)
        for start in range(30):
            add(store, of, start, metrics={"loss": start % 7})
        asked = QueryRuns([of], order_by=["metrics.loss"], limit=10)
        first = store.execute(asked)
        found = list(first.ids)
        for offset in (10, 20):
            add(store, of, 1000 + offset, metrics={"loss": -1.0})
            window = QueryRuns([of], order_by=["metrics.loss"], limit=10, offset=offset, snapshot=first.snapshot)
            table = store.execute(window)
            assert table.total == 30
            found += table.ids
        assert len(set(found)) == 30
        assert store.execute(asked).total == 32
        with pytest.raises(InvalidValue, match="snapshot"):
            store.execute(QueryRuns([of], order_by=["metrics.loss DESC"], snapshot=first.snapshot))
        with pytest.raises(InvalidValue, match="snapshot"):
            store.execute(QueryRuns([of], snapshot="nonsense"))

    def test_a_table_is_what_a_search_finds(self, store: Store) -> None:
        of, other = experiment(store), experiment(store, "other")
        chance = random.Random(7)
        ids = [
            add(
                store, chance.choice([of, other]), chance.randrange(50),
                metrics={"a": chance.random()} if chance.random() < 0.8 else {},
                params={"p": chance.choice("xyz")}, tags={"t": chance.choice(["one", "two"])},
            )
            for _ in range(40)
        ]
        for run_id in ids[::9]:
            store.execute(DeleteRun(run_id))
        filters = [
            None, "metrics.a < 0.5", "params.p = 'x'", "params.p != 'x' and tags.t = 'one'", "metrics.a IS NULL",
            "params.p = 'x' or metrics.a > 0.7", "attributes.run_name LIKE 'run-1%'", "min(metrics.a) > 0.3",
            "NOT (params.p = 'x' or tags.t LIKE 't%')", "attributes.start_time > 25 and params.p IN ('x', 'y')",
        ]
        for where in filters:
            for view in ("ACTIVE_ONLY", "DELETED_ONLY", "ALL"):
                for order in ([], ["metrics.a DESC"], ["tags.t", "params.p DESC"], ["max(metrics.a)"]):
                    table = store.execute(
                        QueryRuns([of, other], filter=where, order_by=order, view_type=view, limit=100)
                    )
                    page = store.execute(SearchRuns([of, other], where, view, order_by=order))
                    assert table.ids == [run.info.run_id for run in page.runs], (where, view, order)

    def test_some_runs_alone(self, store: Store) -> None:
        of = experiment(store)
        runs = [add(store, of, start, metrics={"loss": start}) for start in range(4)]
        table = store.execute(QueryRuns([of], run_ids=[runs[2], runs[0], "0" * 32], columns=["metrics.loss"]))
        assert (table.ids, table.cols) == ([runs[2], runs[0]], {"metrics.loss": [2, 0]})

    @pytest.mark.parametrize(
        "fields",
        [
            {"columns": ["nonsense"]}, {"columns": ["attributes.nothing"]}, {"columns": ["best_step(metrics.a)"]},
            {"columns": ["mean(metrics.a)"]}, {"columns": ["min(params.a)"]}, {"columns": ["mean(metrics.a, 101)"]},
            {"limit": 5001}, {"offset": -1}, {"view_type": "SOME"}, {"filter": "metrics.a <"},
            {"group_by": ["attributes.duration"]}, {"group_by": ["params.a"], "columns": ["metrics.a"]},
            {"group_by": [f"params.{number}" for number in range(5)]},
        ],
    )
    def test_what_cannot_be_asked(self, store: Store, fields: dict[str, Any]) -> None:
        with pytest.raises((InvalidValue, SearchSyntaxError)):
            store.execute(QueryRuns(["0"], **fields))


class _Trees:
    """Runs under their parents, and in groups."""

    def tree(self, store: Store, of: str, expanded: list[str]) -> tuple[list[str | None], RunTable]:
        table = store.execute(QueryRuns([of], tree=True, expanded=expanded, columns=["attributes.run_name"]))
        return table.cols["attributes.run_name"], table

    def test_children_stand_under_their_parent(self, store: Store) -> None:
        of = experiment(store)
        top = add(store, of, 1, name="top")
        middle = add(store, of, 2, name="middle", tags={"mlflow.parentRunId": top})
        add(store, of, 3, name="leaf", tags={"mlflow.parentRunId": middle})
        add(store, of, 4, name="orphan", tags={"mlflow.parentRunId": "f" * 32})
        names, table = self.tree(store, of, [])
        assert (names, table.children, table.total, table.matched) == (["orphan", "top"], [0, 1], 2, 4)
        names, table = self.tree(store, of, [top])
        assert (names, table.depths, table.children) == (["orphan", "top", "middle"], [0, 0, 1], [0, 1, 1])
        names, table = self.tree(store, of, ["*"])
        assert (names, table.depths) == (["orphan", "top", "middle", "leaf"], [0, 0, 1, 2])

    def test_runs_that_are_each_others_parents_are_shown(self, store: Store) -> None:
        of = experiment(store)
        first = add(store, of, 1, name="first")
        second = add(store, of, 2, name="second", tags={"mlflow.parentRunId": first})
        store.execute(LogBatch(first, tags=[RunTag("mlflow.parentRunId", second)]))
        names, _ = self.tree(store, of, ["*"])
        assert sorted(map(str, names)) == ["first", "second"]

    def test_groups(self, store: Store) -> None:
        of = experiment(store)
        runs = [
            ("adam", "0.1", 1.0), ("adam", "0.2", 3.0), ("sgd", "0.1", math.nan), (None, "x", 5.0), ("adam", "0.1", 2.0)
        ]
        for start, (optimizer, lr, loss) in enumerate(runs):
            params = {"lr": lr} | ({"opt": optimizer} if optimizer else {})
            add(store, of, start, metrics={"loss": loss}, params=params)
        columns = ["params.opt", "mean(metrics.loss)", "min(metrics.loss)", "max(metrics.loss)", "mean(params.lr)"]
        table = store.execute(QueryRuns([of], group_by=["params.opt"], columns=columns, order_by=["params.opt"]))
        assert (table.total, table.matched, table.counts) == (3, 5, [3, 1, 1])
        assert table.cols == {
            "params.opt": ["adam", "sgd", None], "mean(metrics.loss)": [2, "NaN", 5],
            "min(metrics.loss)": [1, "NaN", 5], "max(metrics.loss)": [3, "NaN", 5],
            "mean(params.lr)": [pytest.approx(0.4 / 3), 0.1, None],
        }
        for count, where in zip(table.counts, table.filters, strict=True):
            assert store.execute(QueryRuns([of], filter=where)).total == count
        asked = QueryRuns([of], group_by=["params.opt"], columns=columns, order_by=["metrics.loss DESC"])
        by_loss = store.execute(asked)
        assert by_loss.cols["params.opt"] == [None, "adam", "sgd"]
        two = store.execute(QueryRuns([of], group_by=["params.opt", "params.lr"], columns=["params.lr"], limit=1))
        assert (two.total, two.cols, two.counts) == (4, {"params.lr": ["0.1"]}, [2])


class _Columns:
    """Which keys there are."""

    def columns(self, store: Store, *experiments: str, **fields: Any) -> dict[str, RunColumn]:
        found = store.execute(ListColumns(list(experiments), **fields))
        assert found.total >= len(found.columns)
        return {column.key: column for column in found.columns}

    def test_keys_with_what_their_values_are_like(self, store: Store) -> None:
        of = experiment(store)
        for start in range(20):
            add(
                store, of, start, metrics={"loss": start / 4, "epoch": float(start), "same": 1.5, "odd": math.nan},
                params={"lr": f"{start / 10}", "depth": str(start % 3), "opt": "adam", "flag": "True", "text": "a b"},
                tags={"team": "x"} if start else {},
            )
        found = self.columns(store, of)
        assert {key: (column.kind, column.type, column.count) for key, column in found.items() if "." not in key} == {
            "loss": ("metric", "float", 20), "epoch": ("metric", "int", 20), "same": ("metric", "float", 20),
            "odd": ("metric", "float", 20), "lr": ("param", "float", 20), "depth": ("param", "int", 20),
            "opt": ("param", "text", 20), "flag": ("param", "bool", 20), "text": ("param", "text", 20),
            "team": ("tag", "text", 19),
        }
        assert {key for key, column in found.items() if column.varies and "." not in key} == {
            "loss", "epoch", "lr", "depth", "team"
        }
        assert (found["loss"].min, found["loss"].max, found["depth"].distinct) == (0, 4.75, 3)
        assert all(column.exact for column in found.values())
        assert list(self.columns(store, of, kinds=["param"], match="^d")) == ["depth"]
        assert store.execute(ListColumns([of], limit=2)).total == len(found)
        with pytest.raises(InvalidValue):
            self.columns(store, of, match="(")

    def test_of_several_experiments(self, store: Store) -> None:
        of, other = experiment(store), experiment(store, "other")
        add(store, of, 1, metrics={"loss": 1.0})
        add(store, other, 1, metrics={"loss": 3.0}, params={"p": "1"})
        found = self.columns(store, of, other)
        assert (found["loss"].count, found["loss"].min, found["loss"].max, found["loss"].varies) == (2, 1, 3, True)
        assert found["p"].varies
        assert store.execute(ListColumns([])).columns == []


class _Curves:
    """Metrics reduced for charts."""

    def curve(self, store: Store, run_id: str, key: str = "loss", **fields: Any) -> Curve:
        (found,) = store.execute(QueryCurves([run_id], [key], **fields)).curves
        return found

    def test_a_short_history_is_there_as_it_was_logged(self, store: Store) -> None:
        run = add(store, experiment(store), 1000)
        log(store, run, "loss", [(0, 1500, 3.0), (1, 2500, math.nan), (2, 3500, 1.0)])
        curve = self.curve(store, run)
        assert (curve.x, curve.last, curve.exact, curve.points) == ([0, 1, 2], [3.0, "NaN", 1.0], True, 3)
        assert curve.min == curve.max == curve.last
        assert self.curve(store, run, axis="time").x == [1500, 2500, 3500]
        assert self.curve(store, run, axis="relative").x == [500, 1500, 2500]
        assert self.curve(store, run, axis="relative", x0=600.0, x1=1600.0).x == [1500]
        assert self.curve(store, run, x0=1.0, x1=1.0).x == [1]

    # A history whose steps lie apart is read from its blocks, whatever their number.
    @pytest.mark.parametrize("apart", [1, 33])
    def test_a_spike_of_one_step_is_kept_at_every_zoom(self, store: Store, apart: int) -> None:
        run = add(store, experiment(store), 1)
        spike = 2_003
        values = [99.0 if number == spike else number % 5 for number in range(3_000)]
        log(store, run, "loss", [(number * apart, 1 + number * 10, value) for number, value in enumerate(values)])
        for axis, unit, begin in (("step", apart, 0), ("time", 10, 1), ("relative", 10, 0)):
            for around in (None, 1_800, 300, 10):
                fields: dict[str, Any] = {"axis": axis, "pixels": 40}
                if around is not None:
                    ends = (spike - around // 3, spike + around // 2)
                    fields |= dict(zip(("x0", "x1"), (float(end * unit + begin) for end in ends), strict=True))
                curve = self.curve(store, run, **fields)
                assert max(curve.max) == 99, (axis, around)
                where = curve.x[curve.max.index(99)]
                assert where <= spike * unit + begin
                assert len(curve.x) <= 80
                assert min(curve.min) < 5
                assert curve.x == sorted(curve.x)
                if around is not None:
                    assert curve.x[0] >= fields["x0"] and curve.x[-1] <= fields["x1"]

    @pytest.mark.parametrize("apart", [1, 33])
    @pytest.mark.parametrize("span", [(0, 3_000), (300, 2_700), (1_200, 1_300)])
    def test_buckets_hold_the_extremes_of_what_is_in_them(
        self, store: Store, span: tuple[int, int], apart: int
    ) -> None:
        run = add(store, experiment(store), 1)
        chance = random.Random(1)
        points = [(number * apart, number, chance.gauss(0, 1)) for number in range(3_000)]
        log(store, run, "loss", points)
        low, high = span[0] * apart, span[1] * apart
        curve = self.curve(store, run, x0=float(low), x1=float(high), pixels=25)
        inside = [value for step, _, value in points if low <= step <= high]
        assert (min(curve.min), max(curve.max), curve.last[-1]) == (min(inside), max(inside), inside[-1])
        assert curve.points == pytest.approx(len(inside), rel=0.1, abs=30)

    def test_many_runs_and_metrics_at_once(self, store: Store) -> None:
        of = experiment(store)
        runs = [add(store, of, start, metrics={"a": start, "b": -start} if start else {"a": 0.0}) for start in range(5)]
        found = store.execute(QueryCurves([*runs, "0" * 32], ["b", "a", "nobody"]))
        assert [(curve.metric, curve.run_id) for curve in found.curves] == [
            *(("b", run) for run in runs[1:]), *(("a", run) for run in runs)
        ]
        assert (found.x0, found.x1) == (0, 0)
        assert store.execute(QueryCurves(["0" * 32], ["a"])).curves == []

    @pytest.mark.parametrize(
        "fields",
        [{"axis": "epoch"}, {"pixels": 0}, {"metrics": []}, {"run_ids": []}, {"x0": 2.0, "x1": 1.0}, {"x0": 1e300}],
    )
    def test_what_cannot_be_asked_of_a_chart(self, store: Store, fields: dict[str, Any]) -> None:
        with pytest.raises(InvalidValue):
            store.execute(QueryCurves(**({"run_ids": ["0" * 32], "metrics": ["a"]} | fields)))


class _Overview:
    """What the pages begin with."""

    def test_experiments_at_a_glance(self, store: Store) -> None:
        of = store.execute(CreateExperiment("glance", tags=[ExperimentTag("team", "risk")])).experiment_id
        now = store.execute(CreateRun(of)).run.info.start_time
        assert now is not None
        runs = [add(store, of, now - day * DAY, metrics={"val_loss": 1.0 + day, "z": 2.0}) for day in range(3)]
        store.execute(UpdateRun(runs[1], status="FINISHED", end_time=now))
        store.execute(DeleteRun(runs[0]))
        (one,) = store.execute(OverviewExperiments(text="RISK")).experiments
        assert (one.name, one.runs, one.running, one.last_activity) == ("glance", 3, 2, now)
        assert one.best is not None
        assert (one.best.metric, one.best.goal, one.best.value, one.best.run_id, one.best.pinned) == (
            "val_loss", "min", 2.0, runs[1], False
        )
        assert sum(one.started) == 3 and len(one.started) == 30
        store.execute(SetArrangement(of, metrics=[PinnedMetric("val_loss", "max")]))
        (one,) = store.execute(OverviewExperiments(filter="name = 'glance'")).experiments
        assert one.best is not None and (one.best.value, one.best.pinned) == (3.0, True)

    def test_experiments_have_an_order_and_windows(self, store: Store) -> None:
        ids = [experiment(store, name) for name in ("b", "C", "a")]
        names = [one.name for one in store.execute(OverviewExperiments(order_by="name")).experiments]
        assert names == ["a", "b", "C", "Default"]
        add(store, ids[0], 1)
        found = store.execute(OverviewExperiments(order_by="runs DESC", limit=1))
        assert (found.total, [one.name for one in found.experiments]) == (4, ["b"])
        store.execute(DeleteExperiment(ids[1]))
        deleted = store.execute(OverviewExperiments(view_type="DELETED_ONLY")).experiments
        assert [(one.name, one.lifecycle_stage) for one in deleted] == [("C", "deleted")]
        for wrong in ("size", "name UP"):
            with pytest.raises(InvalidValue):
                store.execute(OverviewExperiments(order_by=wrong))

    def test_registered_models_at_a_glance(self, store: Store) -> None:
        of = experiment(store, "glance")
        runs = [add(store, of, day, metrics={"val_auc": 0.5 + day / 4, "a": 1.0}) for day in range(2)]
        for name in ("risk", "Empty", "prompt"):
            store.execute(CreateRegisteredModel(name))
        store.execute(SetRegisteredModelTag("prompt", "mlflow.prompt.is_prompt", "true"))
        for run in runs:
            store.execute(CreateModelVersion("risk", f"runs:/{run}/model", run))
        store.execute(SetRegisteredModelAlias("risk", "champion", "1"))
        found = store.execute(OverviewModels(order_by="name"))
        assert (found.total, [one.name for one in found.models]) == (2, ["Empty", "risk"])
        empty, risk = found.models
        assert (empty.versions, empty.latest, empty.metric) == (0, None, None)
        assert (risk.versions, risk.latest, risk.aliases[0].version) == (2, "2", "1")
        assert risk.metric == KeyMetric("val_auc", "max", 0.75, "2", 0.5, "1")
        store.execute(SetArrangement(of, metrics=[PinnedMetric("a", "min")]))
        (risk,) = store.execute(OverviewModels(text="RIS")).models
        assert risk.metric == KeyMetric("a", "min", 1.0, "2", 1.0, "1")
        (one,) = store.execute(OverviewModels(filter="name = 'Empty'")).models
        assert one.name == "Empty"
        window = store.execute(OverviewModels(order_by="versions DESC", offset=1, limit=1))
        assert (window.total, [model.name for model in window.models]) == (2, ["Empty"])
        with pytest.raises(InvalidValue):
            store.execute(OverviewModels(order_by="size"))

    def test_names_are_found(self, store: Store) -> None:
        of = experiment(store, "Loan default")
        run = add(store, of, 1, name="first LOAN run")
        store.execute(CreateRegisteredModel("loan"))
        found = store.execute(FindByName("loan")).found
        assert [(one.kind, one.id, one.name) for one in found] == [
            ("experiment", of, "Loan default"), ("registered_model", "loan", "loan"), ("run", run, "first LOAN run"),
        ]
        assert [one.id for one in store.execute(FindByName(run[:12])).found] == [run]
        assert store.execute(FindByName("100%")).found == []
        store.execute(DeleteRun(run))
        assert store.execute(FindByName(run)).found == []

    def test_the_trash(self, store: Store) -> None:
        of, other = experiment(store, "gone"), experiment(store, "stays")
        add(store, of, 1)
        run = add(store, other, 2, name="lost")
        store.execute(DeleteExperiment(of))
        store.execute(DeleteRun(run))
        found = store.execute(ListTrash())
        assert (found.experiments, found.runs) == (1, 1)
        assert {(one.kind, one.id, one.runs, one.experiment_name) for one in found.items} == {
            ("experiment", of, 1, "gone"), ("run", run, 0, "stays")
        }
        assert [one.id for one in store.execute(ListTrash(kind="run", text="LOST")).items] == [run]
        assert store.execute(ListTrash(limit=0)).items == []


class _Changes:
    """Who has changed."""

    def test_changes_are_told_once_each(self, store: Store) -> None:
        of, other = experiment(store), experiment(store, "other")
        since = store.execute(ListChanges()).seq
        assert store.execute(ListChanges(since)).changes == []
        run, elsewhere = add(store, of, 1, metrics={"a": 1.0}), add(store, other, 1)
        store.execute(CreateRegisteredModel("loan"))
        found = store.execute(ListChanges(since))
        assert not found.reset
        assert {(one.kind, one.id, one.experiment_id) for one in found.changes} == {
            ("run", run, of), ("run", elsewhere, other), ("registered_model", "loan", None)
        }
        assert len(found.changes) == 3
        only = store.execute(ListChanges(since, [of])).changes
        assert [(one.kind, one.id) for one in only] == [("run", run)]
        store.execute(UpdateRun(run, run_name="new"))
        assert [one.id for one in store.execute(ListChanges(found.seq)).changes] == [run]

    def test_what_is_refused_changes_nothing(self, store: Store) -> None:
        since = store.execute(ListChanges()).seq
        with pytest.raises(NotFound):
            store.execute(DeleteRun("0" * 32))
        assert store.execute(ListChanges(since)).changes == []

    def test_a_number_from_elsewhere_begins_anew(self, store: Store) -> None:
        assert store.execute(ListChanges(2**60)).reset


class _Views:
    """Saved views and pins."""

    def test_a_view_is_kept_as_it_is(self, store: Store) -> None:
        of, other = experiment(store), experiment(store, "other")
        state = '{"cols":["metrics.a"],"camelCase":null,"text":"ü\\n"}'
        made = store.execute(SaveView([of, other], "runs", state, "mine")).view
        assert len(made.view_id) == 8
        assert (made.state, made.name, made.shared, made.experiment_ids) == (state, "mine", False, sorted([of, other]))
        assert store.execute(GetView(made.view_id)).view == made
        for experiment_id in (of, other):
            assert store.execute(ListViews(experiment_id)).views == [made]
        changed = store.execute(SaveView([of], "runs", "{}", "ours", True, made.view_id)).view
        assert (changed.view_id, changed.name, changed.creation_time) == (made.view_id, "ours", made.creation_time)
        assert store.execute(ListViews(other)).views == []
        store.execute(DeleteView([of], made.view_id))
        with pytest.raises(NotFound):
            store.execute(GetView(made.view_id))

    def test_a_view_without_a_name_is_a_link(self, store: Store) -> None:
        of = experiment(store)
        made = store.execute(SaveView([of], "compare", "x" * 65_536)).view
        assert store.execute(ListViews(of)).views == []
        assert store.execute(GetView(made.view_id)).view.state == "x" * 65_536
        with pytest.raises(LimitExceeded):
            store.execute(SaveView([of], "compare", "x" * 65_537))
        with pytest.raises(InvalidValue):
            store.execute(SaveView([of], "kitchen", "{}"))
        with pytest.raises(NotFound):
            store.execute(SaveView(["99999"], "runs", "{}"))

    def test_what_is_pinned(self, store: Store) -> None:
        of = experiment(store)
        nothing = store.execute(GetArrangement(of))
        assert (nothing.metrics, nothing.runs, nothing.colours, nothing.default_view_id) == ([], [], [], None)
        view = store.execute(SaveView([of], "runs", "{}", "team", True)).view.view_id
        made = store.execute(
            SetArrangement(of, [PinnedMetric("loss", "min")], ["r1", "r2"], [RunColour("camelCase", 3)], view)
        )
        assert store.execute(GetArrangement(of)) == made
        assert (made.metrics, made.runs, made.colours) == (
            [PinnedMetric("loss", "min")], ["r1", "r2"], [RunColour("camelCase", 3)]
        )
        assert store.execute(ListViews(of)).default_view_id == view
        changed = store.execute(SetArrangement(of, runs=[]))
        assert (changed.metrics, changed.runs, changed.default_view_id) == (made.metrics, [], view)
        assert store.execute(SetArrangement(of, default_view_id="")).default_view_id is None
        private = store.execute(SaveView([of], "runs", "{}", "own")).view.view_id
        for wrong in ({"default_view_id": private}, {"metrics": [PinnedMetric("loss", "up")]}):
            with pytest.raises(InvalidValue):
                store.execute(SetArrangement(of, **wrong))

    def test_views_go_with_their_experiment(self, store: Store) -> None:
        of = experiment(store)
        store.execute(SaveView([of], "runs", "{}", "mine"))
        store.execute(SetArrangement(of, runs=["r"]))
        store.execute(DeleteExperiment(of))
        store.execute(PurgeGarbage(experiment_ids=[of]))
        with pytest.raises(NotFound):
            store.execute(ListViews(of))


class TableConformance(_Windows, _Trees, _Columns, _Curves, _Overview, _Changes, _Views):
    """Every promise to the web UI. A subclass gives the fixture ``store``: a fresh store for each test."""
