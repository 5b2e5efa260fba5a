"""A backend that was written for MLflow finds what it imports, and what that gives."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from millstream.errors import EntryPointNotFound, MissingValue
from millstream.projects import SubmittedRun


def test_what_a_backend_made_for_mlflow_uses(tracking: Path) -> None:
    names = import_module("millstream.projects.utils")
    abstract = import_module("millstream.projects.backend.abstract_backend").AbstractBackend
    assert import_module("millstream.projects.submitted_run").SubmittedRun is SubmittedRun
    with pytest.raises(TypeError):
        abstract()

    (tracking / "MLproject").write_text(
        "entry_points: {main: {parameters: {a: float, b: {default: 2}}, command: 'python t.py {a} {b}'}}"
    )
    folder = names.fetch_and_validate_project(str(tracking), None, "main", {"a": "1 2"})
    assert folder == str(tracking)
    with pytest.raises(MissingValue):
        names.fetch_and_validate_project(str(tracking), None, "main", None)
    with pytest.raises(EntryPointNotFound):
        names.fetch_and_validate_project(str(tracking), None, "train", None)
    project = names.load_project(folder)
    assert names.get_entry_point_command(project, "main", {"a": "1 2"}, None) == ["python t.py '1 2' 2"]
    assert project.get_entry_point("main").compute_command({"a": 1, "c": 3}, None) == "python t.py 1 2 --c 3"
    run = names.get_or_create_run(None, str(tracking), "0", folder, None, "main", {"a": 1})
    assert (run.info.status, run.info.experiment_id) == ("RUNNING", "0")
    again = names.get_or_create_run(run.info.run_id, str(tracking), "0", folder, None, "main", {})
    assert again.data.params == {"a": "1"}
    assert again.data.tags["mlflow.project.entryPoint"] == "main"
    assert names.get_run_env_vars(run.info.run_id, "0")["MLFLOW_RUN_ID"] == run.info.run_id
