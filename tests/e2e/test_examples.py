"""The programs of examples/, each in a process of its own; what they leave in a store is what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier

import millstream
import millstream.pyfunc
import millstream.sklearn
from millstream.entities import Run
from tests.isolation import isolated

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with isolated(tmp_path, monkeypatch):
        yield tmp_path


def run(example: str, place: Path, *arguments: str, **variables: str) -> str:
    """What an example prints, with its store in ``place``/runs."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / example), *arguments],
        cwd=place, capture_output=True, text=True, check=False,
        env={**os.environ, "MILLSTREAM_TRACKING_URI": str(place / "runs"), **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def runs_of(experiment: str) -> dict[str, Run]:
    found: Any = millstream.search_runs(experiment_names=[experiment], output_format="list")
    return {one.info.run_name: one for one in found}


def test_a_decision_tree_with_autolog_and_tags(tracking: Path) -> None:
    said = run("sklearn/decision_tree.py", tracking)
    (found,) = runs_of("iris").values()
    assert found.info.status == "FINISHED"
    assert {"author": "me", "data": "iris", "purpose": "example"}.items() <= found.data.tags.items()
    assert found.data.params["max_depth"] == "3"
    assert {"training_accuracy_score", "training_f1_score", "training_log_loss", "training_score"} <= {
        *found.data.metrics}
    data = load_iris(as_frame=True)
    x_train, x_test, y_train, y_test = train_test_split(data.data, data.target, random_state=1, stratify=data.target)
    tree = DecisionTreeClassifier(max_depth=3, random_state=1).fit(x_train, y_train)
    assert found.data.metrics["training_score"] == tree.score(x_train, y_train)
    assert found.data.metrics["DecisionTreeClassifier_score_x_test"] == tree.score(x_test, y_test)
    assert f"{tree.score(x_test, y_test):.3f}" in said
    loaded = millstream.sklearn.load_model(f"runs:/{found.info.run_id}/model")
    np.testing.assert_array_equal(loaded.predict(x_test), tree.predict(x_test))
    files = {file.path for file in millstream.artifacts.list_artifacts(run_id=found.info.run_id)}
    assert {"training_confusion_matrix.png", "estimator.html"} <= files


def test_a_random_forest_by_itself_and_by_hand(tracking: Path) -> None:
    run("sklearn/random_forest.py", tracking)
    runs = runs_of("diabetes")
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=42)
    for name, trees in (("by itself", 50), ("by hand", 100)):
        forest = RandomForestRegressor(n_estimators=trees, max_depth=6, max_features=3, random_state=42)
        predicted = forest.fit(x_train, y_train).predict(x_test)
        model = millstream.pyfunc.load_model(f"runs:/{runs[name].info.run_id}/model")
        np.testing.assert_array_equal(model.predict(x_test), predicted)
        schema = model.metadata.get_input_schema()
        assert schema is not None
        assert schema.input_names() == list(x.columns)
        assert runs[name].data.params["n_estimators"] == str(trees)
        error = runs[name].data.metrics["mse" if name == "by hand" else "mean_squared_error_x_test"]
        assert error == pytest.approx(float(np.mean((predicted - y_test) ** 2)))
    assert len(runs["by hand"].data.params) == 4
    (used,) = runs["by itself"].inputs.dataset_inputs
    assert {tag.key: tag.value for tag in used.tags} == {"mlflow.data.context": "train"}


def test_the_demo(tracking: Path) -> None:
    said = run("demo/main.py", tracking, "--folder", "demo", "--port", "0")
    assert "models:/demo-diabetes/1" in said
    assert "'bmi' is missing" in said
    millstream.set_tracking_uri(f"sqlite:///{tracking}/demo/millstream.db")
    best = min(runs_of("demo-autolog").values(), key=lambda one: one.data.metrics["test_rmse"])
    version = millstream.MlflowClient().get_model_version_by_alias("demo-diabetes", "champion")
    assert (version.version, version.run_id) == ("1", best.info.run_id)
