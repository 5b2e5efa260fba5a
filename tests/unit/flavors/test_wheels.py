"""A model that carries the wheels of all that it requires: fetched, named by its requirements, installed again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import millstream
import millstream.pyfunc
from millstream import models
from millstream.errors import EnvironmentFailed, InvalidValue, UntrustedModel
from millstream.models import manifest
from tests.isolation import isolated
from tests.unit.environments.wheels import wheel


def model() -> millstream.pyfunc.PythonModel:
    """Predicts with a module that is in the model's environment only."""

    class Words(millstream.pyfunc.PythonModel):  # pickled by value
        def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
            import lamp  # type: ignore[import-not-found]

            return [f"{one} {lamp.version}" for one in model_input["word"]]

    return Words()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of two packages, one of which needs the other."""
    folder = tmp_path_factory.mktemp("shelf")
    wheel(folder, "oil", "0.5")
    wheel(folder, "lamp", "1.0", requires=["oil>=0.1"])
    wheel(folder, "lamp", "2.0", requires=["oil>=0.1"])
    return folder


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all, so that the environment of pip is built once."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path, environments: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(environments))
        yield tmp_path


def logged(*requirements: str, shelf: Path, **options: Any) -> Any:
    example = pd.DataFrame({"word": ["a"]})
    with millstream.start_run():
        return millstream.pyfunc.log_model(
            name="words", python_model=model(), signature=models.infer_signature(example, ["a 1.0"]),
            metadata={"owner": "me"}, params={"depth": 3},
            pip_requirements=["--no-index", f"--find-links {shelf}", *requirements], **options,
        )


def folder_of(uri: str) -> Path:
    return Path(millstream.artifacts.download_artifacts(uri))


class TestTheCopy:
    @pytest.fixture
    def before(self, shelf: Path) -> Any:
        return logged("lamp<2", shelf=shelf, registered_model_name="lamps")

    @pytest.fixture
    def after(self, before: Any) -> Any:
        return models.add_libraries_to_model("models:/lamps/1")

    def test_its_requirements_are_its_wheels(self, before: Any, after: Any) -> None:
        folder = folder_of(after.model_uri)
        wheels = ["wheels/lamp-1.0-py3-none-any.whl", "wheels/oil-0.5-py3-none-any.whl"]
        assert (folder / "requirements.txt").read_text().splitlines() == wheels
        assert yaml.safe_load((folder / "conda.yaml").read_text())["dependencies"][-1] == {"pip": wheels}
        assert all((folder / name).is_file() for name in wheels)
        original = (folder_of(before.model_uri) / "requirements.txt").read_text()
        assert (folder / "original_requirements.txt").read_text() == original
        assert "platform" in yaml.safe_load((folder / "MLmodel").read_text())["wheels"]

    def test_it_is_what_the_model_was(self, before: Any, after: Any) -> None:
        assert (after.name, after.run_id, after.params) == ("words_wheels", before.run_id, {"depth": "3"})
        assert (after.signature, after.metadata, after.flavors) == (before.signature, before.metadata, before.flavors)
        assert after.model_id != before.model_id
        run = millstream.get_run(before.run_id)
        assert {one.model_id for one in run.outputs.model_outputs} == {before.model_id, after.model_id}
        assert millstream.get_logged_model(after.model_id).status == "READY"

    def test_it_is_the_next_version_of_the_registered_model(self, after: Any) -> None:
        assert after.registered_model_version == 2
        assert folder_of("models:/lamps/2") == folder_of(after.model_uri)

    def test_its_manifest_knows_the_wheels(self, after: Any, tmp_path: Path) -> None:
        copy = tmp_path / "copy"
        shutil.copytree(folder_of(after.model_uri), copy)
        manifest.check(copy)
        assert manifest.is_own(copy)
        (copy / "wheels" / "oil-0.5-py3-none-any.whl").write_bytes(b"other")
        with pytest.raises(millstream.errors.CorruptModel, match="oil"):
            millstream.pyfunc.load_model(copy)

    def test_it_carries_them_already(self, after: Any) -> None:
        with pytest.raises(InvalidValue, match="already"):
            models.add_libraries_to_model("models:/lamps/2")


def test_the_original_stays(shelf: Path) -> None:
    info = logged("lamp<2", shelf=shelf)
    before = json.loads((folder_of(info.model_uri) / "manifest.json").read_text())
    models.add_libraries_to_model(info.model_uri)
    manifest.check(folder_of(info.model_uri))
    assert manifest.read(folder_of(info.model_uri)) == before


def test_a_model_that_is_not_registered_is_not_unless_asked(shelf: Path) -> None:
    info = logged("oil", shelf=shelf)
    assert models.add_libraries_to_model(info.model_uri).registered_model_version is None
    uri = f"runs:/{info.run_id}/words"
    assert models.add_libraries_to_model(uri, registered_model_name="lamps").registered_model_version == 1


def test_it_goes_into_the_run_that_is_named(shelf: Path) -> None:
    info = logged("oil", shelf=shelf)
    with millstream.start_run() as run:
        pass
    assert models.add_libraries_to_model(info.model_uri, run_id=run.info.run_id).run_id == run.info.run_id


def test_it_predicts_when_the_index_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shelf = tmp_path / "shelf"
    wheel(shelf, "oil", "0.5")
    wheel(shelf, "lamp", "1.5", requires=["oil"])
    example = pd.DataFrame({"word": ["a"]})
    millstream.pyfunc.save_model(tmp_path / "model", python_model=model(),
                                 pip_requirements=["cloudpickle", f"--find-links {shelf}", "lamp"])
    info = models.add_libraries_to_model(str(tmp_path / "model"))
    shutil.rmtree(shelf)
    models.predict(info.model_uri, example, env_manager="uv")
    assert json.loads(capsys.readouterr().out) == {"predictions": ["a 1.5"]}


def test_a_requirement_without_a_wheel_is_named(shelf: Path) -> None:
    info = logged("lamp==3.0", shelf=shelf, registered_model_name="lamps")
    with pytest.raises(EnvironmentFailed, match=r"lamp==3\.0") as caught:
        models.add_libraries_to_model("models:/lamps/1")
    assert "update_model_requirements" in str(caught.value.hint)
    assert "-r" not in caught.value.message
    assert [one.status for one in millstream.search_logged_models(output_format="list")].count("READY") == 1
    assert millstream.get_logged_model(info.model_id).status == "READY"
    with pytest.raises(LookupError):
        folder_of("models:/lamps/2")


def test_nothing_is_fetched_for_a_model_of_unknown_origin(shelf: Path, tmp_path: Path) -> None:
    info = logged("oil", shelf=shelf)
    shutil.copytree(folder_of(info.model_uri), tmp_path / "copy", ignore=shutil.ignore_patterns("manifest.json"))
    with pytest.raises(UntrustedModel, match="packages"):
        models.add_libraries_to_model(str(tmp_path / "copy"))


def test_the_copy_of_someone_elses_model_is_not_sealed(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = logged("oil", shelf=shelf)
    monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "another-key"))
    copy = folder_of(models.add_libraries_to_model(info.model_uri).model_uri)
    manifest.check(copy)
    assert not manifest.is_own(copy)
