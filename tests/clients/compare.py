"""Compares what a program sees on another server, or with another client package, with what it sees on MLflow's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.clients.run import run_program
from tests.servers import keeper

_ABSENT = "<nothing>"

# What differs on purpose: program, key of its document, and why.
EXPLAINED: dict[tuple[str, str], str] = {
    ("experiments", "rename to a taken name"): "MLflow passes a database error on; ours says that the name is taken",
    ("experiments", "wrong filter name = 'a' OR name = 'b'"): "the filter language has OR",
    ("values", "infinite metrics"): "MLflow's database store turns infinities into the largest float; ours keeps them",
    ("values", "history infinite"): "MLflow's database store turns infinities into the largest float; ours keeps them",
    ("values", "history of an absent run"): "MLflow answers with an empty history; ours says that there is no such run",
    ("search", "wrong (metrics.loss < 1)"): "the filter language has parentheses",
    ("search", "wrong metrics.loss < 1 or metrics.loss > 2"): "the filter language has OR",
    ("search", "wrong not metrics.loss < 1"): "the filter language has NOT",
    ("artifacts", "list an empty file"): "MLflow leaves the size of an empty file out; ours says 0",
    ("datasets", "no name"): "MLflow keeps a dataset that nobody can name; ours asks for a name",
    ("logged_models", "filter status = 'READY'"): "MLflow compares with its own numbers and finds nothing",
    ("logged_models", "filter status != 'READY'"): "MLflow compares with its own numbers and finds everything",
    (
        "logged_models",
        "metrics",
    ): "MLflow lists every point; ours the last of each run and dataset, the history is the run's",
    ("logged_models", "parameter changed"): "MLflow passes a database error on; ours says that the parameter is taken",
    ("logged_models", "wrong name = 'a' OR name = 'b'"): "the filter language has OR",
    ("statistics", "ARIMA metrics"): "MLflow's database store turns infinities into the largest float; ours keeps them",
    # What our own autologging stores of a program, beside what MLflow's does.
    ("boosters, ours", "XGBoost models"): "a model that metrics of rounds belong to has the parameters of its run too",
    ("boosters, ours", "LightGBM models"): "a model that metrics of rounds belong to has the parameters of its run too",
    **{
        ("statistics, ours", f"{name} datasets"): "log_datasets of MLflow's statsmodels logs none; ours logs the data"
        for name in ("OLS", "formula", "Logit", "ARIMA")
    },
    **{
        ("statistics, ours", f"{name} {row}"): "MLflow logs inspect._empty for further arguments that nobody has given"
        for name in ("OLS", "formula", "Logit") for row in ("params", "models")
    },
    ("statistics, ours", "ARIMA metrics"): "MLflow's database store has no infinities; ours has",
    **{
        ("networks, ours", f"{name} models"): "a model that metrics of epochs belong to has its run's parameters too"
        for name in ("digits", "keras", "tensorflow")
    },
    **{
        ("networks, ours", f"{name} metrics"): "MLflow keeps every validation at step 0; ours at the step of its epoch"
        for name in ("digits", "keras")
    },
    **{
        ("networks, ours", f"{name} flavors"): "MLflow's Keras models bring no code of their own; ours may, and say so"
        for name in ("keras", "by hand")
    },
    ("lightning, ours", "diabetes metrics"): "values of a step are one late in MLflow, and an early stop is at step 0",
    ("lightning, ours", "diabetes params"): "MLflow also logs stopped_epoch=0, as it is before the training",
    ("lightning, ours", "digits models"): "a model that metrics of epochs belong to has the parameters of its run too",
    ("networks, ours", "keras example"): "MLflow's Keras autologging loses the example when the signature is known",
    # The digest of predictions changes from run to run: the plan that makes them has the random uids of the stages.
    ("grid", "grid datasets"): "Spark's hash of the predictions' plan is another each time, on MLflow's server too",
    ("grid, ours", "grid datasets"): "MLflow starts a job that counts the rows; ours says what Spark knows already",
    ("grid, ours", "grid artifacts"): "MLflow's Spark models are folders of the run; ours are logged models",
    **{
        ("grid, ours", f"grid {row}"): "MLflow's Spark models are folders of the run; ours are logged models"
        for row in ("models", "flavors", "signature", "example")
    },
    ("grid, ours", "best_model signature"): "MLflow logs the best model without a signature; ours with one",
}


def expected(program: str, client: str) -> dict[str, Any]:
    """The document of ``program`` on MLflow's server, made once a test session."""
    made = keeper.session_folder() / f"{program}-{client}.json"
    with keeper.locked(made.name):
        if not made.exists():
            uri = keeper.shared("mlflow")["uri"]
            document = run_program(program, client, uri, keeper.session_folder())
            made.write_text(json.dumps(document), encoding="utf-8")
    loaded: dict[str, Any] = json.loads(made.read_text(encoding="utf-8"))
    return loaded


def differences(theirs: dict[str, Any], ours: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys whose values differ, each with both values."""
    return {
        key: (theirs.get(key, _ABSENT), ours.get(key, _ABSENT))
        for key in sorted({*theirs, *ours})
        if theirs.get(key, _ABSENT) != ours.get(key, _ABSENT)
    }


def check(program: str, client: str, ours: dict[str, Any], theirs: dict[str, Any], table: str) -> None:
    """Asserts that the documents are equal but for what EXPLAINED lists, and adds the outcome to a printed table."""
    found = differences(theirs, ours)
    unexplained = {key: pair for key, pair in found.items() if (program, key) not in EXPLAINED}
    explained = len(found) - len(unexplained)
    outcome = f"{len(unexplained)} DIFFER" if unexplained else f"equal, {explained} explained" if explained else "equal"
    row = {"program": program, "client": client, "compared": len({*theirs, *ours}), "outcome": outcome}
    with keeper.locked("rows"), (keeper.session_folder() / f"{table}.rows").open("a") as rows:
        rows.write(json.dumps(row) + "\n")
    shown = "\n".join(f"  {key}:\n    MLflow: {a}\n    ours:   {b}" for key, (a, b) in unexplained.items())
    assert not unexplained, f"{program} with client {client} differs from MLflow's server:\n{shown}"


def tables(session: Path) -> dict[str, list[str]]:
    """The printed tables of this session: title, and lines of program × client."""
    made = {}
    for path in sorted(session.glob("*.rows")):
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        clients = sorted({row["client"] for row in rows})
        lines = ["".join(["program".ljust(18), *(client.rjust(24) for client in clients)])]
        for program in dict.fromkeys(row["program"] for row in rows):
            cells = {
                row["client"]: f"{row['outcome']} ({row['compared']})" for row in rows if row["program"] == program
            }
            lines.append("".join([program.ljust(18), *(cells.get(client, "-").rjust(24) for client in clients)]))
        made[path.stem] = lines
    return made
