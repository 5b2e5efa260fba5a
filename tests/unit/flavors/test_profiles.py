"""Which profile a saved or logged model carries."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import millstream
import millstream.data
import millstream.pyfunc
import millstream.sklearn
from millstream.errors import CorruptModel, InvalidValue
from millstream.flavors import profiles
from millstream.models.mlmodel import Model
from millstream.models.profile import FILE, Profile, profile
from millstream.monitoring import get_profile, set_profile
from tests.isolation import isolated

X, Y = load_iris(return_X_y=True, as_frame=True)
MODEL = LogisticRegression(max_iter=500).fit(X, Y)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with isolated(tmp_path, monkeypatch):
        yield


def test_training_data_that_are_given_are_profiled(tmp_path: Path) -> None:
    millstream.sklearn.save_model(MODEL, tmp_path / "model", training_profile=X)
    found = Profile.load(tmp_path / "model")
    assert found is not None
    assert [column.name for column in found.columns] == list(X.columns)
    assert Model.load(tmp_path / "model").to_dict()["training_profile"] == FILE
    assert millstream.sklearn.load_model(tmp_path / "model").predict(X[:2]).tolist() == MODEL.predict(X[:2]).tolist()
    (tmp_path / "model" / FILE).write_text("{}")
    with pytest.raises(CorruptModel, match=FILE):
        millstream.sklearn.load_model(tmp_path / "model")


def test_a_profile_that_is_given_is_kept(tmp_path: Path) -> None:
    made = profile(X, Y)
    millstream.sklearn.save_model(MODEL, tmp_path / "model", training_profile=made)
    assert Profile.load(tmp_path / "model") == made


def test_a_model_without_data_has_none(tmp_path: Path) -> None:
    millstream.sklearn.save_model(MODEL, tmp_path / "model")
    assert Profile.load(tmp_path / "model") is None
    assert "training_profile" not in Model.load(tmp_path / "model").to_dict()
    with pytest.raises(InvalidValue, match="axes"):
        millstream.sklearn.save_model(MODEL, tmp_path / "other", training_profile=np.zeros((2, 2, 2)))
    assert not (tmp_path / "other").exists()


def test_the_data_set_that_a_run_has_noted_is_profiled() -> None:
    with millstream.start_run():
        dataset = millstream.data.from_pandas(X.assign(target=Y), targets="target")
        millstream.log_input(dataset, context="training")
        made = millstream.sklearn.log_model(MODEL, name="model")
    found = get_profile(made.model_uri)
    assert found is not None
    assert [column.name for column in found.columns] == list(X.columns)
    with millstream.start_run():
        millstream.log_input(dataset, context="validation")
        assert get_profile(millstream.sklearn.log_model(MODEL, name="model").model_uri) is None
    with millstream.start_run() as run:
        millstream.log_input(millstream.data.from_numpy(X.to_numpy(), targets=Y.to_numpy()))
        gc.collect()
        assert profiles.of_run(run.info.run_id, None) is None  # the program has dropped it


def test_autologged_models_carry_one_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    millstream.sklearn.autolog(silent=True)
    try:
        LogisticRegression(max_iter=500).fit(X, Y)
        first = millstream.last_logged_model()
        monkeypatch.setenv("MILLSTREAM_TRAINING_PROFILE", "false")
        LogisticRegression(max_iter=500).fit(X, Y)
        second = millstream.last_logged_model()
    finally:
        millstream.sklearn.autolog(disable=True)
    assert first is not None
    assert second is not None
    found = get_profile(first.model_uri)
    assert found is not None
    assert (found.rows, len(found.columns)) == (150, 4)
    assert get_profile(second.model_uri) is None


def test_a_profile_is_set_afterwards(tmp_path: Path) -> None:
    made = millstream.sklearn.log_model(MODEL, name="model", registered_model_name="iris")
    assert get_profile(made.model_uri) is None
    assert set_profile(made.model_uri, X, Y) == get_profile(made.model_uri)
    assert len(millstream.sklearn.load_model(made.model_uri).predict(X)) == 150
    set_profile("models:/iris/1", X[:50])
    found = get_profile("models:/iris/latest")
    assert found is not None
    assert found.rows == 50
    folder = tmp_path / "plain"
    millstream.pyfunc.save_model(folder, python_model=lambda model_input: model_input, pip_requirements=[])
    set_profile(folder, pd.DataFrame({"a": [1, 2]}))
    assert json.loads((folder / FILE).read_text())["rows"] == 2
    assert Model.load(folder).to_dict()["training_profile"] == FILE
    millstream.pyfunc.load_model(str(folder))


def test_what_has_no_rows_and_columns_is_passed_over() -> None:
    for data in (None, np.zeros((2, 3, 4)), np.zeros((2, 5_000)), ["a", ["b"]], 3, object()):
        assert profiles.seen(data) is None or isinstance(data, list)


def test_predictions_that_fail_or_have_no_form_are_left_out() -> None:
    def fails(data: Any) -> Any:
        raise ZeroDivisionError

    assert profiles.of(X, fails).predictions == []
    assert profiles.of(X, lambda data: np.zeros((len(data), 2, 2))).predictions == []
    found = profiles.of(X.to_numpy(), lambda data: data[:, 0]).predictions
    assert [column.kind for column in found] == ["number"]
