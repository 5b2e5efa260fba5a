"""scikit-learn models across the border: each side loads what the other saved, and predicts the same.

The pattern for other flavors: a model fitted once a module, one test a direction, predictions compared in full.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import millstream
import millstream.pyfunc
import millstream.sklearn
from millstream.errors import UntrustedModel
from tests.flavors.foreign import Foreign

FORMATS = ("cloudpickle", "pickle", "skops")


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    random = np.random.default_rng(7)
    return pd.DataFrame({
        "length": random.normal(5, 1, 60), "width": random.normal(2, 1, 60),
        "colour": random.choice(["red", "blue"], 60),
    })


@pytest.fixture(scope="module")
def fitted(data: pd.DataFrame) -> Pipeline:
    """A pipeline as people have them: columns by name, two kinds of them, a classifier of text labels."""
    columns = ColumnTransformer([("numbers", StandardScaler(), ["length", "width"]),
                                 ("words", OneHotEncoder(), ["colour"])])
    labels = np.where(data["length"] + (data["colour"] == "red") > 5.5, "large", "small")
    return make_pipeline(columns, LogisticRegression()).fit(data, labels)


# Saved here, loaded there.


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("door", ["mlflow.pyfunc", "mlflow.sklearn"])
def test_mlflow_predicts_the_same_with_a_model_saved_here(
    form: str, door: str, fitted: Pipeline, data: pd.DataFrame, tmp_path: Path, foreign: Foreign
) -> None:
    millstream.sklearn.save_model(fitted, str(tmp_path / "model"), serialization_format=form, input_example=data[:3])
    theirs = foreign.predict(tmp_path / "model", data, door)
    np.testing.assert_array_equal(theirs, fitted.predict(data))


def test_mlflow_calls_the_method_that_was_chosen_here(
    fitted: Pipeline, data: pd.DataFrame, tmp_path: Path, foreign: Foreign
) -> None:
    millstream.sklearn.save_model(fitted, str(tmp_path / "model"), pyfunc_predict_fn="predict_proba")
    np.testing.assert_array_equal(foreign.predict(tmp_path / "model", data), fitted.predict_proba(data))


def test_mlflow_reads_the_description_of_a_model_saved_here(
    fitted: Pipeline, data: pd.DataFrame, tmp_path: Path, foreign: Foreign
) -> None:
    millstream.sklearn.save_model(
        fitted, str(tmp_path / "model"), input_example=data[:3], metadata={"owner": "me"},
        signature=millstream.models.infer_signature(data, fitted.predict(data)),
    )
    told = foreign.run(
        """
        import mlflow

        info = mlflow.models.get_model_info(folder)
        result = {
            "signature": info.signature == mlflow.models.infer_signature(data, predictions),
            "columns": info.signature.inputs.to_dict(), "metadata": info.metadata, "flavors": sorted(info.flavors),
            "example": mlflow.pyfunc.load_model(folder).input_example,
        }
        """,
        folder=str(tmp_path / "model"), data=data, predictions=fitted.predict(data),
    )
    pd.testing.assert_frame_equal(told.pop("example"), data[:3])
    assert told == {
        "signature": True,
        "columns": [{"type": "double", "name": "length", "required": True},
                    {"type": "double", "name": "width", "required": True},
                    {"type": "string", "name": "colour", "required": True}],
        "metadata": {"owner": "me"},
        "flavors": ["python_function", "sklearn"],
    }


def test_mlflow_loads_a_model_logged_here_from_our_server(
    fitted: Pipeline, data: pd.DataFrame, served: str, foreign: Foreign
) -> None:
    with millstream.start_run():
        info = millstream.sklearn.log_model(fitted, name="model", input_example=data[:3])
    theirs = foreign.run(
        """
        import mlflow

        mlflow.set_tracking_uri(server)
        result = {uri: mlflow.pyfunc.load_model(uri).predict(data) for uri in uris}
        mlflow.set_tracking_uri(None)
        """,
        server=served, data=data, uris=[info.model_uri, f"runs:/{info.run_id}/model"],
    )
    for predictions in theirs.values():
        np.testing.assert_array_equal(predictions, fitted.predict(data))


# Saved there, loaded here.


SAVE = """
    import mlflow.sklearn

    # With requirements of its own choice mlflow would load the model in yet another process, for seconds.
    mlflow.sklearn.save_model(model, folder, pip_requirements=["scikit-learn"], **options)
"""


@pytest.mark.parametrize("form", FORMATS)
def test_a_model_saved_by_mlflow_predicts_the_same_here(
    form: str, fitted: Pipeline, data: pd.DataFrame, tmp_path: Path, foreign: Foreign, trusting: None
) -> None:
    options: dict[str, Any] = {"serialization_format": form, "input_example": data[:3]}
    foreign.run(SAVE, model=fitted, folder=str(tmp_path / "model"), options=options)
    uri = str(tmp_path / "model")
    np.testing.assert_array_equal(millstream.pyfunc.load_model(uri).predict(data), fitted.predict(data))
    np.testing.assert_array_equal(millstream.sklearn.load_model(uri).predict(data), fitted.predict(data))


def test_a_model_saved_by_mlflow_is_no_more_trusted_than_its_folder(
    fitted: Pipeline, tmp_path: Path, foreign: Foreign, tracking: Path
) -> None:
    options = {"serialization_format": "cloudpickle"}
    foreign.run(SAVE, model=fitted, folder=str(tmp_path / "model"), options=options)
    with pytest.raises(UntrustedModel, match=r"model\.pkl"):
        millstream.sklearn.load_model(str(tmp_path / "model"))


def test_a_model_logged_by_mlflow_into_our_server_is_loaded_from_there(
    fitted: Pipeline, data: pd.DataFrame, served: str, foreign: Foreign
) -> None:
    logged = foreign.run(
        """
        import mlflow

        mlflow.set_tracking_uri(server)
        with mlflow.start_run() as run:
            mlflow.log_param("depth", 3)
            info = mlflow.sklearn.log_model(model, name="model", serialization_format="cloudpickle",
                                            input_example=data[:3], pip_requirements=["scikit-learn"],
                                            registered_model_name="from mlflow")
            mlflow.log_metric("accuracy", 0.5)
        mlflow.set_tracking_uri(None)
        result = {"run": run.info.run_id, "uri": info.model_uri, "model": info.model_id}
        """,
        server=served, data=data, model=fitted,
    )
    # It carries nobody's seal: the store in use is what is trusted.
    place = millstream.get_logged_model(logged["model"]).artifact_location
    assert place.startswith("mlflow-artifacts:")
    for uri in (logged["uri"], f"runs:/{logged['run']}/model", "models:/from mlflow/1", "models:/from mlflow/latest",
                place):
        np.testing.assert_array_equal(millstream.pyfunc.load_model(uri).predict(data), fitted.predict(data))
    found = millstream.get_logged_model(logged["model"])
    assert found.params == {"depth": "3"}
    assert [(metric.key, metric.value) for metric in found.metrics] == [("accuracy", 0.5)]


# Neither MLflow nor this environment.


PREDICT_ELSEWHERE = """
import json, sys
import millstream.pyfunc, pandas

folder, data = sys.argv[1:]
print(json.dumps(millstream.pyfunc.load_model(folder).predict(pandas.read_csv(data)).tolist()))
"""


@pytest.mark.slow
def test_its_own_requirements_are_all_that_a_model_needs(
    data: pd.DataFrame, tmp_path: Path, environment_of: Callable[[Path], Path]
) -> None:
    # A function of this file: cloudpickle carries it along, as this file is nowhere over there.
    model = make_pipeline(FunctionTransformer(lambda frame: frame[["length", "width"]] ** 2), LogisticRegression())
    model.fit(data, data["length"] > 5)
    folder, file = tmp_path / "model", tmp_path / "data.csv"
    millstream.sklearn.save_model(model, str(folder))
    data.to_csv(file, index=False)
    done = subprocess.run(
        [environment_of(folder), "-c", PREDICT_ELSEWHERE, folder, file], cwd=tmp_path, capture_output=True, text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"}, check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == model.predict(data).tolist()
