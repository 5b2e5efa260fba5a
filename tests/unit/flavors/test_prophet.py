"""Prophet models as folders: what is written and what comes back."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import prophet
import pytest

import millstream.prophet
import millstream.pyfunc
from millstream.errors import CorruptModel, InvalidValue
from millstream.models.mlmodel import Model
from tests.isolation import isolated

# Prophet reads its JSON with a word that pandas 3 wants to drop.
pytestmark = pytest.mark.filterwarnings("ignore:The 'convert_dates' keyword in read_json:DeprecationWarning")
PLAIN: dict[str, Any] = {
    "weekly_seasonality": False, "yearly_seasonality": False, "daily_seasonality": False, "uncertainty_samples": 0,
}
ahead = pd.DataFrame({"ds": pd.date_range("2020-03-01", periods=5)})


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with isolated(tmp_path, monkeypatch):
        yield


@pytest.fixture(scope="module")
def fitted() -> Any:
    logging.getLogger("cmdstanpy").setLevel(logging.WARNING)
    frame = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=60), "y": np.sin(np.arange(60) / 7)})
    return prophet.Prophet(**PLAIN).fit(frame)


def test_a_model_comes_back_as_it_was(fitted: Any) -> None:
    millstream.prophet.save_model(fitted, "model", input_example=ahead[:2], metadata={"owner": "me"})
    loaded = millstream.prophet.load_model("model")
    pd.testing.assert_frame_equal(loaded.predict(ahead), fitted.predict(ahead))
    told = Model.load("model")
    assert told.metadata == {"owner": "me"}
    assert told.flavors["prophet"] == {
        "code": None, "data": "model.pr", "model_type": "Prophet", "prophet_version": prophet.__version__,
    }
    assert told.flavors["python_function"]["loader_module"] == "mlflow.prophet"
    function = millstream.pyfunc.load_model("model")
    # A column that the signature calls datetime is counted in nanoseconds, as in MLflow.
    counted = ahead.astype({"ds": "datetime64[ns]"})
    pd.testing.assert_frame_equal(function.predict(ahead), fitted.predict(counted))
    schema: Any = function.metadata.get_input_schema()
    assert schema.to_dict() == [{"type": "datetime", "name": "ds", "required": True}]
    assert isinstance(function.get_raw_model(), prophet.Prophet)
    assert "prophet==" in Path("model/requirements.txt").read_text()


def test_what_is_refused(fitted: Any) -> None:
    wrong: list[Any] = [prophet.Prophet(), {}]
    for one in wrong:
        with pytest.raises(InvalidValue, match="a fitted Prophet is expected"):
            millstream.prophet.save_model(one, "model")
    assert not Path("model").exists()


@pytest.mark.parametrize("content", ["", "{}", '"{}"', "12"])
def test_a_file_that_is_no_model_is_corrupt(content: str, fitted: Any) -> None:
    millstream.prophet.save_model(fitted, "model")
    Path("model/manifest.json").unlink()
    Path("model/model.pr").write_text(content)
    with pytest.raises(CorruptModel, match=r"Prophet does not read .*model\.pr"):
        millstream.prophet.load_model("model")


def test_a_model_is_logged(fitted: Any) -> None:
    with millstream.start_run() as run:
        info = millstream.prophet.log_model(fitted, name="waves")
    assert (info.name, info.run_id) == ("waves", run.info.run_id)
    pd.testing.assert_frame_equal(millstream.prophet.load_model(info.model_uri).predict(ahead), fitted.predict(ahead))
    assert millstream.prophet.get_default_conda_env()["name"] == "mlflow-env"
