"""What is registered does not change by way of its address."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

import millstream
import millstream.sklearn
from millstream import models
from millstream.errors import ArtifactNotFound, BadModel, InvalidValue
from tests.isolation import isolated


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with isolated(tmp_path, monkeypatch):
        yield


@pytest.mark.parametrize("address", ["models:/line/1", "models:/line/latest", "models:/line@best"])
def test_a_version_of_a_registered_model_is_not_changed(address: str) -> None:
    data = np.array([[1.0], [2.0]])
    info = millstream.sklearn.log_model(
        LinearRegression().fit(data, data[:, 0]), name="line", input_example=data, registered_model_name="line"
    )
    millstream.MlflowClient().set_registered_model_alias("line", "best", "1")
    signature = models.infer_signature(data, [1.0, 2.0])
    with pytest.raises(InvalidValue, match="registered model line"):
        models.set_signature(address, signature)
    with pytest.raises(InvalidValue, match="registered model line"):
        models.update_model_requirements(address, "add", ["six"])
    found = models.get_model_info(address)
    assert found.signature == info.signature != signature
    with open(millstream.pyfunc.get_model_dependencies(address)) as lines:
        assert "six" not in lines.read()


def test_an_address_without_a_model_is_told(tmp_path: Path) -> None:
    with millstream.start_run() as run:
        millstream.log_text("", "notes.txt")
    for address in (f"runs:/{run.info.run_id}/model", str(tmp_path / "nowhere")):
        with pytest.raises(ArtifactNotFound, match=address):
            millstream.pyfunc.load_model(address)


def test_a_script_that_is_not_there_is_told() -> None:
    with pytest.raises(BadModel, match=r"model\.py"):
        millstream.pyfunc.log_model(name="model", python_model="model.py")


def test_what_is_no_signature_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="signature"):
        millstream.sklearn.save_model(
            LinearRegression(), tmp_path / "model", signature="double -> double"  # type: ignore[arg-type]
        )
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(("module", "name"), [
    ("millstream.models.signature", "set_signature"), ("millstream.models.model", "ModelInfo"),
    ("millstream.models.model", "get_model_info"), ("millstream.models.utils", "add_libraries_to_model"),
])
def test_names_are_where_mlflows_users_import_them_from(module: str, name: str) -> None:
    assert getattr(importlib.import_module(module), name) is getattr(models, name)
