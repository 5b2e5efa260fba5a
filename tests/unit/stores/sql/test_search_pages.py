"""Pages of a search: complete and without doubles while others write, of one search only."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec
import pytest
from sqlalchemy import delete, insert, select, update

from millstream.entities import ViewType
from millstream.errors import InvalidValue
from millstream.operations import SearchRuns
from millstream.search.evaluate import History, Record
from millstream.search.parser import parse_order
from millstream.search.vocabulary import RUNS
from millstream.stores.sql.database import Database
from millstream.stores.sql.planner import Limits
from millstream.stores.sql.schema import keys, metrics, params, runs
from millstream.stores.sql.search import find_runs, search_runs
from millstream.stores.sql.transaction import Transaction
from tests.unit.stores.sql.searching import add, enter, found_by, ordered, transaction

ALONG_INDEXES = Limits(few=1, first_window=2, largest_window=4)
BOTH = pytest.mark.parametrize("limits", [Limits(), ALONG_INDEXES])
DESCENDING = ["metrics.a DESC"]


def run(number: int, value: float | None, start_time: int | None = None) -> Record:
    return Record(
        {"run_name": str(number), "status": "RUNNING", "artifact_uri": "", "start_time": start_time or number},
        {} if value is None else {"a": value},
        {"a": str(number % 3)},
    )


def page_of(
    work: Transaction,
    experiment: int,
    token: str | None = None,
    *,
    order_by: Sequence[str] = DESCENDING,
    filter: str | None = None,
    limits: Limits = ALONG_INDEXES,
) -> tuple[list[str], str | None]:
    page = find_runs(work, [str(experiment)], filter, order_by, ViewType.ACTIVE_ONLY, 3, token, limits)
    return [row.run_name for row in page.rows], page.token


@BOTH
def test_pages_while_others_write(either: Database, limits: Limits) -> None:
    with transaction(either) as work:
        experiment, _ = enter(work.connection, [run(number, float(number // 2)) for number in range(10)])
        first, token = page_of(work, experiment, limits=limits)
        assert first == ["9", "8", "7"]
        # One comes before the page, one within what is left, one of the page read and one that is still to come go.
        add(work.connection, experiment, [run(20, 50.0), run(21, 2.5)])
        for gone in ("8", "3"):
            work.connection.execute(update(runs).where(runs.c.run_name == gone).values(deleted_time=1))
        rest: list[str] = []
        while token is not None:
            found, token = page_of(work, experiment, token, limits=limits)
            rest += found
        assert rest == ["6", "21", "5", "4", "2", "1", "0"]


@BOTH
def test_the_run_that_a_page_ended_with_may_go(either: Database, limits: Limits) -> None:
    with transaction(either) as work:
        experiment, _ = enter(work.connection, [run(number, 1.0) for number in range(6)])
        first, token = page_of(work, experiment, limits=limits)
        work.connection.execute(update(runs).where(runs.c.run_name == first[-1]).values(deleted_time=1))
        assert page_of(work, experiment, token, limits=limits) == (["2", "1", "0"], None)


@BOTH
def test_a_metric_that_nobody_had_logged_may_come_between_pages(either: Database, limits: Limits) -> None:
    with transaction(either) as work:
        experiment, _ = enter(work.connection, [run(number, None) for number in range(5)])
        order = ["metrics.later DESC", "params.later", "start_time"]
        first, token = page_of(work, experiment, order_by=order, limits=limits)
        work.connection.execute(insert(keys).values(name="later"))
        number = work.connection.execute(select(keys.c.id).where(keys.c.name == "later")).scalar_one()
        last = work.connection.execute(select(runs.c.id).where(runs.c.run_name == "0")).scalar_one()
        work.connection.execute(
            insert(metrics).values(
                run=last,
                key=number,
                experiment_id=experiment,
                value=1.0,
                step=0,
                timestamp=0,
                first_step=0,
                first_timestamp=0,
            )
        )
        work.connection.execute(insert(params).values(run=last, key=number, experiment_id=experiment, value="x"))
        second, token = page_of(work, experiment, token, order_by=order, limits=limits)
        assert (first, second, token) == (["0", "1", "2"], ["3", "4"], None)


@BOTH
def test_several_experiments_have_one_order(either: Database, limits: Limits) -> None:
    with transaction(either) as work:
        one, first = enter(work.connection, [run(number, float(number)) for number in range(0, 9, 2)])
        two, second = enter(
            work.connection, [run(number, None if number > 5 else float(number)) for number in range(7)]
        )
        by_metric = ["metrics.a DESC"]
        everything = ordered([*first, *second], parse_order(by_metric, RUNS))
        for page in (1, 2, 5, 50):
            assert found_by(work, [one, two], None, by_metric, page=page, limits=limits) == everything
        assert found_by(work, [two, one, two, 999_999], "params.a = '1'", ["params.a", "run_id DESC"]) == sorted(
            (str(record.attributes["run_id"]) for record in [*first, *second] if record.params["a"] == "1"),
            reverse=True,
        )
        assert found_by(work, [], None, []) == []


def test_an_experiment_that_cannot_be_is_passed_over(either: Database) -> None:
    with transaction(either) as work:
        for name in ("x", "", "-1", "9" * 30, "²"):
            assert find_runs(work, [name], None, [], ViewType.ALL, 1, None).rows == []


@BOTH
def test_views(either: Database, limits: Limits) -> None:
    with transaction(either) as work:
        experiment, known = enter(work.connection, [run(number, 1.0) for number in range(8)], deleted=(2, 5))
        ids = [str(record.attributes["run_id"]) for record in reversed(known)]
        gone = [ids[2], ids[5]]
        for order in ([], ["metrics.a"], ["params.a"]):
            by_view = {
                view: found_by(work, [experiment], "metrics.a = 1", order, page=2, view=view, limits=limits)
                for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL)
            }
            assert sorted(by_view[ViewType.DELETED_ONLY]) == sorted(gone)
            assert sorted(by_view[ViewType.ACTIVE_ONLY]) == sorted(set(ids) - set(gone))
            assert sorted(by_view[ViewType.ALL]) == sorted(ids)


@pytest.mark.parametrize(
    "change",
    [
        {"filter": "metrics.a > 0"},
        {"order_by": ["metrics.a"]},
        {"order_by": []},
    ],
)
def test_a_token_continues_its_own_search_only(sqlite: Database, change: dict[str, object]) -> None:
    with transaction(sqlite) as work:
        experiment, _ = enter(work.connection, [run(number, 1.0) for number in range(5)])
        elsewhere, _ = enter(work.connection, [run(number, 1.0) for number in range(5)])
        _, token = page_of(work, experiment)
        with pytest.raises(InvalidValue, match="Invalid page token: it belongs to a search with another"):
            page_of(work, experiment, token, **change)  # type: ignore[arg-type]
        with pytest.raises(InvalidValue, match="Invalid page token: it belongs to a search with another"):
            page_of(work, elsewhere, token)


def test_tokens_that_no_search_made(either: Database) -> None:
    with transaction(either) as work:
        experiment, _ = enter(work.connection, [run(number, 1.0) for number in range(5)])
        _, token = page_of(work, experiment)
        assert token is not None
        of, states = msgspec.msgpack.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        forged = [
            "x",
            "é",
            "====",
            token[:-3],
            token + "!",
            base64.urlsafe_b64encode(b"\xc1").decode(),
            *(
                base64.urlsafe_b64encode(msgspec.msgpack.encode([of, changed])).decode()
                for changed in (
                    states[:-1],
                    [*states, [0, 1]],
                    [[0, "x"], *states[1:]],
                    [[3, 0], *states[1:]],
                    [[-1, 0], *states[1:]],
                    [*states[:-1], [0, 1]],
                    [states[0], [1, 0], states[2]],
                    [[0, 2**64 - 1], *states[1:]],
                    [[0, None]],
                    5,
                )
            ),
        ]
        for other in forged:
            with pytest.raises(InvalidValue, match="Invalid page token"):
                page_of(work, experiment, other)
        for ending in ([[0, float("inf")], *states[1:]], [[1, 0], *states[1:]], [[2, 0], *states[1:]]):
            forged_well = base64.urlsafe_b64encode(msgspec.msgpack.encode([of, ending])).decode()
            page_of(work, experiment, forged_well)


@BOTH
def test_nan_comes_before_what_is_missing_and_both_come_last(either: Database, limits: Limits) -> None:
    with transaction(either) as work:
        nan, low, high = float("nan"), float("-inf"), float("inf")
        values = [None, nan, high, 0.0, low, nan, None, 0.0]
        experiment, _ = enter(work.connection, [run(number, value) for number, value in enumerate(values)])
        for order, expected in (("ASC", "47325160"), ("DESC", "27345160")):
            read, token = page_of(work, experiment, order_by=[f"metrics.a {order}"], limits=limits)
            while token:
                found, token = page_of(work, experiment, token, order_by=[f"metrics.a {order}"], limits=limits)
                read += found
            assert "".join(read) == expected


def test_projection_and_limits_of_the_operation(either: Database) -> None:
    history = History.of([(1.0, 0, 0), (3.0, 0, 1)])
    record = Record(
        {"status": "RUNNING", "artifact_uri": "", "start_time": 1},
        {"a": history, "b.c": history},
        {"a": "1", "b.c": "2"},
        {"a": "3", "x y": "4"},
    )
    with transaction(either) as work:
        experiment, _ = enter(work.connection, [record])
        whole = search_runs(work, SearchRuns([str(experiment)])).runs[0].data
        assert whole.to_dictionary() == {
            "metrics": {"a": 3.0, "b.c": 3.0},
            "params": {"a": "1", "b.c": "2"},
            "tags": {"a": "3", "x y": "4"},
        }
        some = search_runs(work, SearchRuns([str(experiment)], metrics=["b.c", "nobody"], params=[], tags=["x y"]))
        assert some.runs[0].data.to_dictionary() == {"metrics": {"b.c": 3.0}, "params": {}, "tags": {"x y": "4"}}
        assert some.next_page_token is None
        for wrong in (0, -1, 50_001):
            with pytest.raises(InvalidValue, match="max_results"):
                search_runs(work, SearchRuns([str(experiment)], max_results=wrong))
        with pytest.raises(InvalidValue, match="view_type"):
            search_runs(work, SearchRuns([str(experiment)], run_view_type="SOME"))


@BOTH
def test_runs_without_a_start_time_come_last_by_id(either: Database, limits: Limits) -> None:
    with transaction(either) as work:
        timeless = [
            Record({"run_name": str(number), "status": "RUNNING", "artifact_uri": "", "start_time": None})
            for number in range(9)
        ]
        experiment, known = enter(work.connection, [*timeless, run(10, None)])
        for order in ([], ["start_time"], ["start_time DESC"]):
            assert found_by(work, [experiment], None, order, page=2, limits=limits) == [
                str(known[-1].attributes["run_id"]),
                *sorted(str(record.attributes["run_id"]) for record in known[:-1]),
            ]
        work.connection.execute(delete(runs).where(runs.c.experiment_id == experiment))
        assert found_by(work, [experiment], None, [], limits=limits) == []
