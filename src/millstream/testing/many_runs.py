"""The part of the store contract on many runs at once: those that stand first, how values are spread, one change of
all that a filter selects."""

from __future__ import annotations

import math
from typing import Any

import pytest

from millstream.errors import InvalidValue, NotFound
from millstream.operations import (
    ChangeRuns,
    DeleteRun,
    GetRun,
    ListChanges,
    QueryDistribution,
    QueryRuns,
    SetArrangement,
    SetTag,
    UpdateRun,
    ValueCount,
)
from millstream.stores.contract import Store
from millstream.testing.tables import add, experiment, log


def shown(store: Store, of: str, **fields: Any) -> list[str]:
    """The names of the runs of a table, from the top."""
    names: list[str] = store.execute(QueryRuns([of], columns=["attributes.run_name"], **fields)).cols[
        "attributes.run_name"
    ]
    return names


class ManyRunsConformance:
    """What holds for tables and changes of many runs. A subclass gives the fixture ``store``."""

    def test_pinned_runs_stand_before_the_others_in_the_same_order(self, store: Store) -> None:
        of, other = experiment(store), experiment(store, "other")
        made = [add(store, of, start, metrics={"loss": float(start)}) for start in range(6)]
        elsewhere = add(store, other, 1, metrics={"loss": 9.0}, name="elsewhere")
        order = ["metrics.loss DESC"]
        asked = QueryRuns([of], order_by=order, pinned_first=True, limit=3)
        assert store.execute(asked).ids == [made[5], made[4], made[3]]
        store.execute(SetArrangement(of, runs=[made[1], made[3], "absent"]))
        store.execute(SetArrangement(other, runs=[elsewhere]))
        first = store.execute(asked)
        assert first.ids == [made[3], made[1], made[5]]
        rest = QueryRuns([of], order_by=order, pinned_first=True, offset=3, snapshot=first.snapshot)
        assert store.execute(rest).ids == [made[4], made[2], made[0]]
        assert shown(store, of, order_by=order) == ["run-5", "run-4", "run-3", "run-2", "run-1", "run-0"]
        assert shown(store, of, order_by=order, pinned_first=True, filter="metrics.loss > 1") == [
            "run-3", "run-5", "run-4", "run-2",
        ]
        both = store.execute(QueryRuns([of, other], order_by=order, pinned_first=True, limit=3)).ids
        assert both == [elsewhere, made[3], made[1]]
        store.execute(SetArrangement(of, runs=[]))
        assert store.execute(asked).ids == [made[5], made[4], made[3]]

    def test_pinned_parents_keep_their_children(self, store: Store) -> None:
        of = experiment(store)
        parent = add(store, of, 1, name="parent")
        add(store, of, 2, name="child", tags={"mlflow.parentRunId": parent})
        add(store, of, 3, name="other")
        store.execute(SetArrangement(of, runs=[parent]))
        assert shown(store, of, pinned_first=True, tree=True, expanded=["*"]) == ["parent", "child", "other"]

    def test_the_progress_of_running_runs(self, store: Store) -> None:
        of = experiment(store)
        told = add(store, of, 5, params={"total_steps": "200"})
        log(store, told, "loss", [(50, 1, 0.5), (10, 1, 0.9)])
        log(store, told, "system/cpu", [(170, 1, 3.0)])
        tagged = add(store, of, 4, params={"total_steps": "10"}, tags={"total_steps": "8"})
        log(store, tagged, "loss", [(2, 1, 0.5)])
        beyond = add(store, of, 3, params={"total_steps": "2"}, metrics={"loss": 1.0})
        log(store, beyond, "loss", [(7, 1, 0.5)])
        add(store, of, 2, params={"total_steps": "many"}, metrics={"loss": 1.0})
        over = add(store, of, 1, params={"total_steps": "10"}, metrics={"loss": 1.0})
        store.execute(UpdateRun(over, status="FINISHED", end_time=9))
        found = store.execute(QueryRuns([of], columns=["attributes.progress"])).cols["attributes.progress"]
        assert found == [0.25, 0.25, 1.0, None, None]

    def test_numbers_are_counted_in_bars(self, store: Store) -> None:
        of = experiment(store)
        for start, value in enumerate([0.0, 1.0, 1.5, 4.0, math.nan, math.inf]):
            run = add(store, of, start, metrics={"loss": value}, params={"lr": str(start)})
            if start < 3:
                store.execute(UpdateRun(run, status="FINISHED", end_time=start + 10 * start))
        add(store, of, 9)
        found = store.execute(QueryDistribution([of], "metrics.loss", bars=4))
        assert (found.matched, found.present, found.low, found.high) == (7, 6, 0.0, 4.0)
        assert (found.counts, found.not_finite, found.values, found.distinct) == ([1, 2, 0, 1], 2, [], 4)
        some = store.execute(QueryDistribution([of], "params.lr", "metrics.loss < 2", bars=2))
        assert (some.matched, some.low, some.high, some.counts) == (3, 0.0, 2.0, [1, 2])
        took = store.execute(QueryDistribution([of], "attributes.duration", bars=2))
        assert (took.present, took.low, took.high, took.counts) == (3, 0.0, 20.0, [1, 2])
        same = store.execute(QueryDistribution([of], "min(metrics.loss)", "params.lr = '1'", bars=3))
        assert (same.low, same.high, same.counts) == (1.0, 1.0, [1, 0, 0])
        none = store.execute(QueryDistribution([of], "metrics.absent"))
        assert (none.matched, none.present, none.counts, none.values) == (7, 0, [], [])

    def test_texts_are_told_with_the_most_frequent_first(self, store: Store) -> None:
        of = experiment(store)
        for start, text in enumerate(["adam", "sgd", "adam", "3", "lion", "sgd", "adam"]):
            add(store, of, start, params={"optimizer": text})
        found = store.execute(QueryDistribution([of], "params.optimizer", bars=3))
        assert found.values == [ValueCount("adam", 3), ValueCount("sgd", 2), ValueCount("3", 1)]
        assert (found.present, found.distinct, found.counts, found.low) == (7, 4, [], None)
        states = store.execute(QueryDistribution([of], "attributes.status"))
        assert states.values == [ValueCount("RUNNING", 7)]

    @pytest.mark.parametrize(
        "fields",
        [{"column": "metrics"}, {"column": "mean(metrics.a, 10)"}, {"column": "attributes.run_id"},
         {"column": "metrics.a", "bars": 0}, {"column": "metrics.a", "bars": 201}],
    )
    def test_what_has_no_distribution(self, store: Store, fields: dict[str, Any]) -> None:
        with pytest.raises(InvalidValue):
            store.execute(QueryDistribution(["0"], **fields))

    def test_all_that_a_filter_selects_are_changed_in_batches(self, store: Store) -> None:
        of, other = experiment(store), experiment(store, "other")
        made = [add(store, of, start, metrics={"loss": float(start)}) for start in range(7)]
        foreign = add(store, other, 1, metrics={"loss": 5.0})
        snapshot = store.execute(QueryRuns([of])).snapshot
        late = add(store, of, 100, metrics={"loss": 6.0})
        seq = store.execute(ListChanges()).seq
        found: list[str] = []
        token: str | None = None
        while True:
            answer = store.execute(
                ChangeRuns([of], "tag", key="team", value="core", page_token=token, filter="metrics.loss > 1",
                           except_run_ids=[made[3]], snapshot=snapshot, limit=2)
            )
            assert len(answer.run_ids) <= 2
            found.extend(answer.run_ids)
            token = answer.next_page_token
            if token is None:
                break
        wanted = {made[2], made[4], made[5], made[6]}
        assert (len(found), set(found)) == (4, wanted)
        tagged = {run for run in [*made, foreign, late] if _tags(store, run).get("team") == "core"}
        assert tagged == wanted
        assert {change.id for change in store.execute(ListChanges(seq)).changes} >= wanted

    def test_many_runs_go_to_the_trash_and_come_back(self, store: Store) -> None:
        of = experiment(store)
        made = [add(store, of, start, tags={"keep": str(start % 2)}) for start in range(4, 8)]
        gone = store.execute(ChangeRuns([of], "delete", filter="tags.keep = '0'"))
        assert (set(gone.run_ids), gone.next_page_token) == ({made[0], made[2]}, None)
        assert shown(store, of) == ["run-7", "run-5"]
        assert store.execute(ChangeRuns([of], "delete", run_ids=[made[0], made[1]])).run_ids == [made[1]]
        back = store.execute(ChangeRuns([of], "restore", run_ids=gone.run_ids))
        assert set(back.run_ids) == {made[0], made[2]}
        assert shown(store, of) == ["run-7", "run-6", "run-4"]
        assert shown(store, of, view_type="DELETED_ONLY") == ["run-5"]

    def test_a_change_of_many_runs_is_refused_as_a_whole(self, store: Store) -> None:
        of = experiment(store)
        run = add(store, of, 1)
        gone = add(store, of, 2)
        store.execute(DeleteRun(gone))
        refused: list[tuple[type[Exception], dict[str, Any]]] = [
            (InvalidValue, {"action": "rename"}), (InvalidValue, {"action": "delete", "limit": 0}),
            (InvalidValue, {"action": "tag", "value": "no key"}),
            (InvalidValue, {"action": "delete", "page_token": "x"}),
            (InvalidValue, {"action": "delete", "snapshot": "?"}),
        ]
        for error, fields in refused:
            with pytest.raises(error):
                store.execute(ChangeRuns([of], **fields))
        with pytest.raises(NotFound):
            store.execute(ChangeRuns(["99999"], "delete"))
        assert shown(store, of) == ["run-1"]
        store.execute(SetTag(run, "a", "b"))
        assert store.execute(ChangeRuns([of], "tag", key="a", value="c")).run_ids == [run]
        assert _tags(store, run)["a"] == "c"


def _tags(store: Store, run_id: str) -> dict[str, str]:
    tags: dict[str, str] = store.execute(GetRun(run_id)).run.data.tags
    return tags
