"""Running a run again: what it was decides how, and the two are compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from millstream.entities import RunTag
from millstream.errors import CannotRerun, InvalidValue
from millstream.operations import LogBatch
from millstream.projects.reruns import environment, projects, scripts
from millstream.projects.reruns.comparing import Comparison, compare
from millstream.tracking.client import MlflowClient
from millstream.tracking.stores import get_tracking_uri, store

if TYPE_CHECKING:
    from millstream.entities import Run

__all__ = ["ARTIFACT", "EQUAL", "rerun"]

ARTIFACT = "rerun/comparison.json"
EQUAL = "millstream.rerun.equal"


def rerun(
    run_id: str, *, tolerance: float = 0.0, ignore: Iterable[str] = (), env_manager: str | None = None,
    arguments: Sequence[str] | None = None,
) -> Comparison:
    """Run a run again, as a new run of the same experiment, and compare the two.

    Code, environment, data and parameters are those of the old run: its commit in a clone of its own or the code that
    was kept with it, the packages that it recorded or its project's environment, data whose digests are the same. The
    new run bears the tag ``millstream.rerun.of``; it keeps the comparison as ``rerun/comparison.json``. Numbers may
    differ by ``tolerance · max(1, |a|, |b|)``; ``ignore`` are patterns of names of metrics, parameters, data sets and
    artifacts that do not count. ``env_manager`` "local" takes the environment of this process. ``arguments`` replace
    those of a script, where they were not recorded.

    Raises RunNotFound, and CannotRerun, naming what is missing and the next step, before anything runs.
    """
    uri = get_tracking_uri()
    run = MlflowClient(uri).get_run(run_id)
    if run.info.status == "RUNNING":
        raise CannotRerun(f"the run {run_id} has not ended yet", hint="wait for its end")
    if not tolerance >= 0:
        raise InvalidValue.of("tolerance", tolerance, "it is a number from 0 on")
    if projects.is_project(run):
        new_run_id, notes = projects.run_again(run, uri, env_manager=env_manager)
    else:
        new_run_id, notes = scripts.run_again(run, uri, env_manager=env_manager, arguments=arguments)
    new = MlflowClient(uri).get_run(new_run_id)
    left_out = tuple(ignore)
    before, after = projects.steps_of(run, uri), projects.steps_of(new, uri)
    steps = tuple(compare(before[name], after[name], tolerance=tolerance, ignore=left_out, uri=uri, name=name)
                  for name in before if name in after)
    found = compare(run_id, new_run_id, tolerance=tolerance, ignore=left_out, uri=uri, steps=steps,
                    notes=(*notes, *_changed(run, new, uri)))
    _record(found, uri)
    return found


def _record(comparison: Comparison, uri: str) -> None:
    """Keep a comparison with the new run."""
    client = MlflowClient(uri)
    client.log_text(comparison.new_run_id, json.dumps(comparison.to_dict(), indent=1), ARTIFACT)
    tags = [RunTag(scripts.OF, comparison.run_id), RunTag(EQUAL, str(comparison.equal).lower())]
    store(uri).execute(LogBatch(comparison.new_run_id, tags=tags))


def _changed(before: Run, after: Run, uri: str) -> tuple[str, ...]:
    """What the environments that both runs recorded have not in common."""
    facts = environment.recorded(before, uri), environment.recorded(after, uri)
    return environment.differences(facts[0], facts[1]) if facts[0] and facts[1] else ()
