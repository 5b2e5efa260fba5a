"""Lists in pages, read to their end or as far as they are wanted."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from millstream.errors import SearchSyntaxError
from millstream.operations import CreateRun, SearchRuns
from millstream.operations.paging import pages
from millstream.stores.sql.store import SqlStore


@pytest.mark.parametrize(("there", "sizes"), [(0, [0]), (1, [1]), (4, [2, 2]), (5, [2, 2, 1])])
def test_every_page_comes_once(tmp_path: Path, there: int, sizes: list[int]) -> None:
    with SqlStore(f"sqlite:///{tmp_path}/store.db", str(tmp_path / "files")) as store:
        made = [store.execute(CreateRun("0", start_time=number + 1)).run.info.run_id for number in range(there)]
        found = list(pages(store.execute, SearchRuns(["0"], max_results=2, order_by=["start_time ASC"])))
        assert [len(page.runs) for page in found] == sizes
        assert [run.info.run_id for page in found for run in page.runs] == made


def test_a_page_is_asked_for_when_it_is_wanted() -> None:
    asked = []

    class Page:
        next_page_token = "on"

    def execute(operation: SearchRuns) -> Page:
        asked.append(operation.page_token)
        return Page()

    assert len(list(islice(pages(execute, SearchRuns(["0"])), 3))) == 3
    assert asked == [None, "on", "on"]


def test_errors_are_those_of_the_operation(tmp_path: Path) -> None:
    with SqlStore(f"sqlite:///{tmp_path}/store.db", str(tmp_path / "files")) as store:
        found = pages(store.execute, SearchRuns(["0"], "no filter"))
        with pytest.raises(SearchSyntaxError):
            next(found)
