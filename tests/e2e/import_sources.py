"""Stores of MLflow, made by its official clients, each once a test session; and what those clients read in a store."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.run import ROOT, client_environment, python_of
from tests.servers import keeper

POINTS = 10_000
T0 = 1_600_000_000_000
# Kind → the client that makes it, and its tracking URI below a folder of its own.
KINDS = {
    "database of 3.17": ("3.17.2", "sqlite:///{place}/mlflow.db"),
    "database of 1.27": ("1.27.0", "sqlite:///{place}/mlflow.db"),
    "folder of 3.17": ("3.17.2", "{place}/mlruns"),
    "folder of 2.14": ("2.14.3", "{place}/mlruns"),
    "folder of 1.27": ("1.27.0", "{place}/mlruns"),
}


@dataclass(frozen=True)
class Made:
    """A store of MLflow: its client, where it is, and the ids that tests know by name."""

    client: str
    uri: str
    place: Path
    ids: dict[str, str]


def _run(client: str, program: str, argument: str, uri: str, place: Path) -> str:
    """The output of a program of this folder, run by an official client."""
    done = subprocess.run(
        [python_of(client), ROOT / "tests" / "e2e" / f"{program}.py", argument],
        cwd=place, env={**client_environment(uri, place), "MLFLOW_ALLOW_FILE_STORE": "true"}, capture_output=True,
        text=True, check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def fill(client: str, uri: str, place: Path, points: int = POINTS) -> dict[str, str]:
    """Let an official client fill the store at ``uri``; returns the ids by name."""
    ids: dict[str, str] = json.loads(_run(client, "import_source", str(points), uri, place).splitlines()[-1])
    return ids


def made(kind: str, place: Path) -> Made:
    """A store of a kind, moved to ``place`` by copying; the first one of a session is made by its client.

    The copy is elsewhere than its own records say: an import must find a folder's files where they are.
    """
    client, pattern = KINDS[kind]
    origin = keeper.session_folder() / f"source {kind}"
    with keeper.locked(f"source {kind}"):
        if not (origin / "ids.json").exists():
            origin.mkdir()
            ids = fill(client, pattern.format(place=origin), origin)
            (origin / "ids.json").write_text(json.dumps(ids))
    copied = place / "source"
    shutil.copytree(origin, copied)
    return Made(client, pattern.format(place=copied), copied, json.loads((copied / "ids.json").read_text()))


def dump(client: str, uri: str, place: Path) -> dict[str, Any]:
    """All that an official client reads at ``uri``."""
    target = place / "dump.json"
    _run(client, "import_dump", str(target), uri, place)
    loaded: dict[str, Any] = json.loads(target.read_text())
    return loaded


def as_imported(dumped: dict[str, Any]) -> dict[str, Any]:
    """What MLflow shows of a store, as it is after an import, which tells more or less than MLflow by intention.

    Infinities come back as such. MLflow's databases show NaN as 0 where a model was measured, and a model keeps the
    last point of each metric. Runs of a deleted experiment are deleted. MLflow 1 knew no times of experiments. MLflow's
    file store shows the step 0 for a point that names a dataset, whatever its file says.
    """
    greatest = {"1.7976931348623157e+308": "inf", "-1.7976931348623157e+308": "-inf", "-0.0": "0.0"}
    for experiment in dumped.values():
        if experiment["times"][0] is None:
            experiment["times"] = None
        for run in experiment["runs"].values():
            if experiment["stage"] == "deleted":
                run["info"][4] = "deleted"
            for key, points in run["metrics"].items():
                if key == "acc":
                    points = [[2, *rest] if rest == [T0 + 1, "0.9"] else [step, *rest] for step, *rest in points]
                run["metrics"][key] = sorted([step, time, greatest.get(value, value)] for step, time, value in points)
            run["last"] = {key: greatest.get(value, value) for key, value in run["last"].items()}
        for model in experiment.get("models", {}).values():
            last = {(key, dataset, run): [step, time] for key, step, time, _, dataset, run in sorted(model["metrics"])}
            model["metrics"] = sorted([*map(str, identity), point] for identity, point in last.items())
    return dumped
