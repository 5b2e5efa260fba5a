"""Models predict in environments of their own, and what they need is asked for and changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import millstream
import millstream.pyfunc
from millstream import models
from millstream.environments.building import Environment, build, key_of
from millstream.errors import (
    BadModel,
    BadRequest,
    EnvironmentFailed,
    FunctionFailed,
    InvalidValue,
    SchemaMismatch,
    UntrustedModel,
)
from millstream.flavors.isolated import environment_of
from millstream.models.environment_files import read_environment
from tests.isolation import isolated
from tests.unit.environments.condas import asked, stand_in
from tests.unit.environments.wheels import wheel


def model() -> millstream.pyfunc.PythonModel:
    """Does as it is told by its first value, with a module that only its own environment has."""

    class Words(millstream.pyfunc.PythonModel):  # pickled by value, as one of a program or notebook
        def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
            import os

            import beam  # type: ignore[import-not-found]

            (word, *_) = model_input["word"]
            if word == "fail":
                raise ZeroDivisionError("as asked")
            if word == "import":
                import surely_missing  # type: ignore[import-not-found]  # noqa: F401
            if word == "die":
                os._exit(3)
            if word.startswith("$"):
                return [os.environ.get(word[1:])]
            return [f"{one} {beam.version}" for one in model_input["word"]]

    return Words()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert find_spec("beam") is None, "the module is to be in the model's environment only"
    folder = tmp_path_factory.mktemp("shelf")
    for version in ("1.0", "2.0"):
        wheel(folder, "beam", version)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, shelf: Path) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    example = pd.DataFrame({"word": ["a"]})
    millstream.pyfunc.save_model(
        folder, python_model=model(), signature=models.infer_signature(example, ["a 1.0"]),
        pip_requirements=["cloudpickle", f"--find-links {shelf}", "beam==1.0"],
    )
    return folder


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all, so that the environment of the model is built once."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path, environments: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(environments))
        yield tmp_path


Predict = Callable[..., Any]


@pytest.fixture
def predict(saved: Path, capsys: pytest.CaptureFixture[str]) -> Predict:
    """What the model answers, read from what is printed."""

    def ask(data: Any = None, *, model: str | Path = saved, **options: Any) -> Any:
        models.predict(str(model), data, **{"env_manager": "uv", **options})
        return json.loads(capsys.readouterr().out)

    return ask


class TestPredicting:
    def test_it_predicts_where_its_own_modules_are(self, predict: Predict) -> None:
        assert predict(pd.DataFrame({"word": ["x", "y"]})) == {"predictions": ["x 1.0", "y 1.0"]}

    def test_the_answer_can_go_into_a_file(self, saved: Path, tmp_path: Path) -> None:
        models.predict(str(saved), {"dataframe_records": [{"word": "x"}]}, output_path=tmp_path / "answer")
        assert json.loads((tmp_path / "answer").read_text()) == {"predictions": ["x 1.0"]}

    @pytest.mark.parametrize(("content_type", "text"), [
        ("json", '{"dataframe_split": {"columns": ["word"], "data": [["ö"], ["y"]]}}'), ("csv", "word\nö\ny\n"),
    ])
    def test_the_request_may_be_text_or_a_file(
        self, content_type: str, text: str, predict: Predict, tmp_path: Path
    ) -> None:
        expected = {"predictions": ["ö 1.0", "y 1.0"]}
        assert predict(text, content_type=content_type) == expected
        (tmp_path / "request").write_text(text, encoding="utf-8")
        assert predict(input_path=tmp_path / "request", content_type=content_type) == expected

    def test_a_frame_may_go_as_csv(self, predict: Predict) -> None:
        assert predict(pd.DataFrame({"word": ["a,b"]}), content_type="csv") == {"predictions": ["a,b 1.0"]}

    def test_variables_reach_it(self, predict: Predict) -> None:
        asked = pd.DataFrame({"word": ["$TOLD"]})
        assert predict(asked, extra_envs={"TOLD": "so"}) == {"predictions": ["so"]}
        assert "TOLD" not in os.environ

    def test_other_requirements_win(self, predict: Predict) -> None:
        asked = pd.DataFrame({"word": ["x"]})
        assert predict(asked, pip_requirements_override=["beam==2.0"]) == {"predictions": ["x 2.0"]}

    def test_a_logged_model_of_the_store_is_trusted_there_too(self, predict: Predict, shelf: Path) -> None:
        info = millstream.pyfunc.log_model(
            name="words", python_model=model(), pip_requirements=["cloudpickle", f"--find-links {shelf}", "beam==1.0"]
        )
        assert predict(pd.DataFrame({"word": ["x"]}), model=info.model_uri) == {"predictions": ["x 1.0"]}

    def test_all_managers_mean_the_same_environment(self, saved: Path) -> None:
        keys = {key_of(environment_of(saved, manager=manager)) for manager in ("virtualenv", "uv", "conda")}
        assert len(keys) == 1

    def test_ours_takes_the_place_of_an_mlflow_that_the_model_names(self, saved: Path, tmp_path: Path) -> None:
        shutil.copytree(saved, tmp_path / "copy")
        (tmp_path / "copy" / "requirements.txt").write_text("mlflow==3.17.2\nbeam==1.0\n")
        assert environment_of(tmp_path / "copy").requirements == ("beam==1.0", "pandas")
        assert environment_of(tmp_path / "copy", with_mlflow=True).requirements == (
            "mlflow==3.17.2", "beam==1.0", "pandas",
        )
        assert environment_of(tmp_path / "copy").millstream

    def test_wheels_in_the_model_are_installed_from_there(self, saved: Path, tmp_path: Path) -> None:
        for name in ("first", "second place"):
            shutil.copytree(saved, tmp_path / name)
            wheel(tmp_path / name / "wheels", "beam", "1.5")
            (tmp_path / name / "requirements.txt").write_text("cloudpickle\nwheels/beam-1.5-py3-none-any.whl\n")
        first, second = (environment_of(tmp_path / name) for name in ("first", "second place"))
        assert key_of(first) == key_of(second)
        assert second.requirements[1].endswith("/second%20place/wheels/beam-1.5-py3-none-any.whl")
        made = build(Environment(requirements=second.requirements[1:2], build=()))
        assert subprocess.check_output([made.path / "bin" / "beam"], text=True) == "beam 1.5\n"

    def test_here_it_lacks_its_module(self, predict: Predict) -> None:
        with pytest.raises(ModuleNotFoundError, match="beam"):
            predict(pd.DataFrame({"word": ["x"]}), env_manager="local")


class TestErrors:
    def test_an_error_of_ours_comes_back_as_it_is(self, predict: Predict) -> None:
        with pytest.raises(SchemaMismatch, match="word"):
            predict(pd.DataFrame({"other": ["x"]}))

    def test_an_error_of_the_models_code_is_told(self, predict: Predict) -> None:
        with pytest.raises(FunctionFailed, match="ZeroDivisionError: as asked"):
            predict(pd.DataFrame({"word": ["fail"]}))

    def test_a_module_that_its_environment_lacks_is_told_with_the_remedy(self, predict: Predict) -> None:
        with pytest.raises(FunctionFailed, match="surely_missing") as caught:
            predict(pd.DataFrame({"word": ["import"]}))
        assert "update_model_requirements" in str(caught.value.hint)

    def test_a_process_that_dies_is_told(self, predict: Predict) -> None:
        with pytest.raises(EnvironmentFailed, match="status 3"):
            predict(pd.DataFrame({"word": ["die"]}))

    def test_for_a_model_that_nobody_vouches_for_nothing_is_installed(
        self, saved: Path, predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.copytree(saved, tmp_path / "copy")
        (tmp_path / "copy" / "manifest.json").unlink()
        monkeypatch.setenv("MILLSTREAM_ENV_ROOT", str(tmp_path / "envs"))
        with pytest.raises(UntrustedModel, match="packages"):
            predict(pd.DataFrame({"word": ["x"]}), model=tmp_path / "copy")
        with pytest.raises(UntrustedModel):
            millstream.pyfunc.build_model_env(str(tmp_path / "copy"), str(tmp_path / "archives"))
        assert not (tmp_path / "envs").exists()

    def test_pickles_that_are_forbidden_are_so_there_too(
        self, predict: Predict, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MILLSTREAM_ALLOW_PICKLE_DESERIALIZATION", "false")
        with pytest.raises(UntrustedModel, match=r"python_model\.pkl"):
            predict(pd.DataFrame({"word": ["x"]}))

    @pytest.mark.parametrize("text", ["no JSON", "[1]", '{"rows": []}'])
    def test_a_request_that_is_none_is_told(self, text: str, predict: Predict) -> None:
        with pytest.raises(BadRequest):
            predict(text)

    @pytest.mark.parametrize("options", [
        {}, {"input_path": "x", "input_data": "y"}, {"input_data": "x", "content_type": "xml"},
        {"input_data": "x", "env_manager": "docker"}, {"input_data": [1], "content_type": "csv"},
        {"input_data": "x", "env_manager": "local", "extra_envs": {"A": "b"}},
        {"input_data": "x", "env_manager": "local", "pip_requirements_override": ["x"]},
        {"input_data": "{}", "pip_requirements_override": ["$(id)"]},
    ])
    def test_arguments_that_make_no_sense_are_refused(self, options: dict[str, Any], saved: Path) -> None:
        with pytest.raises(InvalidValue):
            models.predict(str(saved), **options)

    def test_packages_of_conda_are_told(self, saved: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        millstream.pyfunc.save_model(
            tmp_path / "model", python_model=model(),
            conda_env={"dependencies": ["python=3.11", "graphviz=9", "pip<30", {"pip": ["cloudpickle"]}]},
        )
        asked = environment_of(tmp_path / "model", manager="conda").conda
        assert asked is not None
        assert asked.packages == ("python=3.11", "graphviz=9", "pip<30")
        assert environment_of(tmp_path / "model").conda is None
        assert environment_of(tmp_path / "model").requirements == ("cloudpickle", "pandas")
        assert "graphviz=9" in caplog.text
        assert environment_of(tmp_path / "model").python == "3.11"
        whole = (tmp_path / "model" / "conda.yaml").read_text()
        (tmp_path / "model" / "conda.yaml").write_text("dependencies: ['no package; of conda']\n")
        assert environment_of(tmp_path / "model").conda is None
        with pytest.raises(InvalidValue, match="no package of conda"):
            environment_of(tmp_path / "model", manager="conda")
        (tmp_path / "model" / "conda.yaml").write_text(whole)
        # As models of old versions were saved: nothing but conda.yaml says what they need.
        for name in ("python_env.yaml", "requirements.txt"):
            (tmp_path / "model" / name).unlink()
        assert environment_of(tmp_path / "model").conda == asked
        assert environment_of(tmp_path / "model", override=["graphviz==0.20"]).conda is None


    def test_a_model_that_needs_conda_predicts_in_an_environment_of_conda(
        self, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        millstream.pyfunc.save_model(tmp_path / "model", python_model=model(), conda_env={
            "dependencies": ["python", "graphviz=9", {"pip": ["cloudpickle", f"--find-links {shelf}", "beam==2.0"]}]})
        tool = stand_in(tmp_path / "bin")
        monkeypatch.setenv("MLFLOW_CONDA_HOME", str(tmp_path))
        models.predict(str(tmp_path / "model"), {"dataframe_records": [{"word": "a"}]}, env_manager="conda")
        assert json.loads(capfd.readouterr().out) == {"predictions": ["a 2.0"]}
        assert asked(tool)["content"]["dependencies"] == ["python", "graphviz=9", "pip"]


class TestDependencies:
    def test_those_of_a_local_model_are_where_it_is(self, saved: Path, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO")
        path = millstream.pyfunc.get_model_dependencies(str(saved))
        assert path == str(saved / "requirements.txt")
        assert f"pip install -r {path}" in caplog.text
        assert millstream.pyfunc.get_model_dependencies(str(saved), format="conda") == str(saved / "conda.yaml")

    def test_those_of_a_logged_model_are_fetched(self, tmp_path: Path) -> None:
        (tmp_path / "limits.txt").write_text("pandas<4\n")
        info = millstream.pyfunc.log_model(
            name="words", python_model=model(), pip_requirements=["cloudpickle", f"-c {tmp_path / 'limits.txt'}"]
        )
        path = Path(millstream.pyfunc.get_model_dependencies(info.model_uri))
        assert path.read_text().splitlines() == ["cloudpickle", "-c constraints.txt"]
        assert path.with_name("constraints.txt").read_text() == "pandas<4"
        assert not list(path.parent.glob("*.pkl"))

    def test_another_format_and_a_folder_that_is_no_model_are_told(self, saved: Path, tmp_path: Path) -> None:
        with pytest.raises(InvalidValue, match="format"):
            millstream.pyfunc.get_model_dependencies(str(saved), format="poetry")
        (tmp_path / "empty").mkdir()
        with pytest.raises(BadModel):
            millstream.pyfunc.get_model_dependencies(str(tmp_path / "empty"))


class TestChanging:
    def logged(self) -> str:
        return str(millstream.pyfunc.log_model(
            name="words", python_model=model(), pip_requirements=["cloudpickle", "numpy==1.0", "scipy>=1"]
        ).model_uri)

    def requirements(self, uri: str) -> list[str]:
        folder = millstream.artifacts.download_artifacts(uri)
        conda = read_environment(folder).conda
        assert conda is not None
        assert conda["dependencies"][-1]["pip"] == Path(folder, "requirements.txt").read_text().splitlines()
        return read_environment(folder).requirements

    def test_requirements_are_added_and_replaced_and_removed(self, caplog: pytest.LogCaptureFixture) -> None:
        uri = self.logged()
        models.update_model_requirements(uri, "add", ["Numpy>=2", "click", "pandas[excel]"])
        assert self.requirements(uri) == ["cloudpickle", "Numpy>=2", "scipy>=1", "click", "pandas[excel]"]
        models.update_model_requirements(uri, "remove", ["numpy", "SciPy==7", "surely-not"])
        assert self.requirements(uri) == ["cloudpickle", "click", "pandas[excel]"]
        assert "surely-not" in caplog.text
        assert millstream.pyfunc.load_model(uri).metadata.flavors["python_function"]

    def test_a_model_in_a_folder_keeps_its_seal(self, saved: Path, tmp_path: Path) -> None:
        millstream.pyfunc.save_model(tmp_path / "model", python_model=model(), pip_requirements=["cloudpickle"])
        models.update_model_requirements(str(tmp_path / "model"), "add", ["click"])
        assert read_environment(tmp_path / "model").requirements == ["cloudpickle", "click"]
        millstream.pyfunc.load_model(str(tmp_path / "model"))

    @pytest.mark.parametrize(("operation", "line"), [("replace", "click"), ("add", "$(id)"), ("remove", "--target /")])
    def test_what_makes_no_sense_changes_nothing(self, operation: str, line: str) -> None:
        uri = self.logged()
        before = self.requirements(uri)
        with pytest.raises(InvalidValue):
            models.update_model_requirements(uri, operation, [line])
        assert self.requirements(uri) == before


class TestArchives:
    def test_an_environment_can_be_carried_away(self, shelf: Path, tmp_path: Path) -> None:
        wheel(shelf, "pandas", "1.0")  # a small one: nothing is predicted with it
        millstream.pyfunc.save_model(
            tmp_path / "model", python_model=model(),
            pip_requirements=[f"--find-links {shelf}", "beam==1.0", "pandas==1.0"],
        )
        archive = millstream.pyfunc.build_model_env(str(tmp_path / "model"), str(tmp_path / "archives"))
        assert millstream.pyfunc.build_model_env(str(tmp_path / "model"), str(tmp_path / "archives"), "uv") == archive
        with tarfile.open(archive) as packed:
            packed.extractall(tmp_path / "unpacked", filter="tar")
        (folder,) = (tmp_path / "unpacked").iterdir()
        assert subprocess.check_output([folder / "bin" / "beam"], text=True) == "beam 1.0\n"
        assert [path.name for path in (tmp_path / "archives").iterdir()] == [Path(archive).name]

    def test_there_is_none_of_here(self, saved: Path, tmp_path: Path) -> None:
        with pytest.raises(InvalidValue, match="local"):
            millstream.pyfunc.build_model_env(str(saved), str(tmp_path), env_manager="local")
