"""The files of a model's environment, as MLflow writes and reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest
import yaml

from millstream.errors import InvalidValue, NotFound
from millstream.models.environment_files import model_requirements, read_environment, resolve

ROOT = Path(__file__).parents[3]
FILES = ("conda.yaml", "constraints.txt", "python_env.yaml", "requirements.txt")
PYTHON = ".".join(map(str, sys.version_info[:3]))


def tool(name: str, operator: str = "==") -> str:
    """A tool with the version that is installed here, if any."""
    try:
        return f"{name}{operator}{version(name)}"
    except PackageNotFoundError:
        return name


def content(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.suffix == ".yaml" else path.read_text().splitlines()


def written(folder: Path, **arguments: Any) -> dict[str, Any]:
    resolve(**arguments).write(folder)
    return {path.name: content(path) for path in sorted(folder.iterdir())}


def test_inferred_requirements_are_written_as_mlflow_does(tmp_path: Path) -> None:
    assert written(tmp_path, inferred=["cloudpickle==3.1.2", "numpy==2.4.6"]) == {
        "conda.yaml": {
            "channels": ["conda-forge"],
            "dependencies": [f"python={PYTHON}", tool("pip", "<="), {"pip": ["cloudpickle==3.1.2", "numpy==2.4.6"]}],
            "name": "mlflow-env",
        },
        "python_env.yaml": {
            "python": PYTHON, "build_dependencies": [tool("pip"), tool("setuptools"), tool("wheel")],
            "dependencies": ["-r requirements.txt"],
        },
        "requirements.txt": ["cloudpickle==3.1.2", "numpy==2.4.6"],
    }


@pytest.mark.clients
def test_the_files_mean_the_same_as_those_of_mlflow(tmp_path: Path) -> None:
    """The official client saves a model of the same requirements; only what it says of itself differs."""
    foreign = ROOT / ".envs" / "mlflow-3.17.2" / "bin" / "python"
    (tmp_path / "limits.txt").write_text("pandas<4\n")
    asked = ["scikit-learn==1.9.1", "numpy>=1 ; python_version>'3'", "--extra-index-url https://packages.example/simple",
             f"-c {tmp_path / 'limits.txt'}"]
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, json, mlflow.pyfunc\n"
        "class Model(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input, params=None): return model_input\n"
        "mlflow.pyfunc.save_model(sys.argv[1], python_model=Model(), pip_requirements=json.loads(sys.argv[2]))\n"
    )
    subprocess.run([foreign, program, tmp_path / "theirs", json.dumps(asked)], check=True, capture_output=True,
                   env={**os.environ, "OMP_NUM_THREADS": "1"})
    (tmp_path / "ours").mkdir()
    resolve(pip_requirements=asked).write(tmp_path / "ours")

    def without_them(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without_them(one) for key, one in value.items()}
        if isinstance(value, list):
            return [without_them(one) for one in value if not str(one).startswith(("mlflow==", "python=", "pip"))]
        return value

    ours, theirs = ({name: content(tmp_path / side / name) for name in FILES} for side in ("ours", "theirs"))
    # Each pins the tools of its own environment.
    tools = [line.partition("==")[0] for line in theirs["python_env.yaml"]["build_dependencies"]]
    assert tools == ["pip", "setuptools", "wheel"]
    ours["python_env.yaml"].update(python=theirs["python_env.yaml"]["python"], build_dependencies=tools)
    theirs["python_env.yaml"]["build_dependencies"] = tools
    assert without_them(ours) == without_them(theirs)
    read = read_environment(tmp_path / "theirs")
    assert read.requirements == ["mlflow==3.17.2", "scikit-learn==1.9.1", 'numpy>=1; python_version > "3"',
                                 "--extra-index-url https://packages.example/simple"]
    assert read.constraints == ["pandas<4"]


def test_constraints_have_a_file_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "limits.txt").write_text("pandas<4\n")
    model = tmp_path / "model"
    model.mkdir()
    files = written(model, pip_requirements=["pandas", f"-c {tmp_path / 'limits.txt'}"])
    assert files["requirements.txt"] == ["pandas", "-c constraints.txt"]
    assert files["constraints.txt"] == ["pandas<4"]
    assert files["conda.yaml"]["dependencies"][2] == {"pip": ["pandas", "-c constraints.txt"]}
    again = read_environment(model)
    assert (again.requirements, again.constraints) == (["pandas"], ["pandas<4"])


def test_extra_requirements_win_over_inferred_ones() -> None:
    inferred = ["cloudpickle==3.1.2", "numpy==2.4.6", "scikit-learn==1.9.1"]
    extra = ["Scikit_Learn>=1.8", "numpy", "pandas[excel]", "cloudpickle[x]"]
    assert resolve(extra_pip_requirements=extra, inferred=inferred).requirements == [
        "cloudpickle[x]==3.1.2", "numpy==2.4.6", "Scikit_Learn>=1.8", "pandas[excel]",
    ]
    assert resolve(extra_pip_requirements=[], inferred=inferred).requirements == inferred


def test_given_requirements_take_the_place_of_inferred_ones(tmp_path: Path) -> None:
    assert resolve(pip_requirements=[], inferred=["numpy==1"]).requirements == []
    (tmp_path / "file.txt").write_text("pandas\n")
    assert resolve(pip_requirements=str(tmp_path / "file.txt"), inferred=["numpy==1"]).requirements == ["pandas"]


@pytest.mark.parametrize("arguments", [
    {"conda_env": {}, "pip_requirements": []}, {"conda_env": {}, "extra_pip_requirements": []},
    {"pip_requirements": [], "extra_pip_requirements": []},
])
def test_two_ways_at_once_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue) as caught:
        resolve(**arguments)
    assert all(name in caught.value.message for name in arguments)


def test_a_conda_environment_is_kept_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("click\n")
    content = {"name": "mine", "channels": ["defaults"], "dependencies":
               ["python=3.9", "graphviz", "pip<25", {"pip": ["numpy==1.26.4", "-r more.txt"]}]}
    file = tmp_path / "conda.yaml"
    file.write_text(yaml.safe_dump(content))
    for given in (file, str(file)):
        model = tmp_path / f"model {type(given).__name__}"
        model.mkdir()
        files = written(model, conda_env=given)
        assert files["conda.yaml"] == {
            "name": "mine", "channels": ["defaults"],
            "dependencies": ["python=3.9", "graphviz", "pip<25", {"pip": ["numpy==1.26.4", "click"]}],
        }
        assert files["python_env.yaml"]["python"] == "3.9"
        assert files["requirements.txt"] == ["numpy==1.26.4", "click"]
        assert read_environment(model).python == "3.9"


def test_a_conda_environment_without_pip_has_no_requirements(tmp_path: Path) -> None:
    files = written(tmp_path, conda_env={"dependencies": ["python=3.10.2", "numpy"]})
    assert files["requirements.txt"] == []
    assert files["conda.yaml"] == {"dependencies": ["python=3.10.2", "numpy"]}
    assert files["python_env.yaml"]["python"] == "3.10.2"


@pytest.mark.parametrize(("content", "said"), [("- a\n- b\n", "no mapping"), ("a: [", "YAML"),
                                               ("dependencies: numpy\n", "list")])
def test_a_broken_conda_file_is_told(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "conda.yaml").write_text(content)
    with pytest.raises(InvalidValue, match=said):
        resolve(conda_env=tmp_path / "conda.yaml")


class TestReading:
    def test_a_model_of_an_old_version_has_a_conda_file_only(self, tmp_path: Path) -> None:
        (tmp_path / "env.yaml").write_text("dependencies:\n- python=3.6.15\n- pip:\n  - scikit-learn==0.23.2\n")
        found = read_environment(tmp_path, "env.yaml")
        assert (found.python, found.requirements) == ("3.6.15", ["scikit-learn==0.23.2"])
        assert model_requirements(tmp_path, {"conda": "env.yaml"}).read_text() == "scikit-learn==0.23.2"

    def test_dependencies_may_stand_in_the_python_file_itself(self, tmp_path: Path) -> None:
        (tmp_path / "python_env.yaml").write_text(
            "python: 3.8.18\nbuild_dependencies: [pip==22.0, wheel]\ndependencies: [mlflow<2, numpy==1.24.4]\n"
        )
        found = read_environment(tmp_path, {"virtualenv": "python_env.yaml", "conda": "conda.yaml"})
        assert found.python == "3.8.18"
        assert found.build == ["pip==22.0", "wheel"]
        assert found.requirements == ["mlflow<2", "numpy==1.24.4"]

    def test_a_model_that_tells_nothing_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(NotFound, match=r"requirements\.txt") as caught:
            read_environment(tmp_path)
        assert "local" in str(caught.value.hint)

    @pytest.mark.parametrize("references", ["../conda.yaml", {"virtualenv": "/etc/passwd"}])
    def test_a_file_outside_of_the_model_is_not_read(self, references: Any, tmp_path: Path) -> None:
        with pytest.raises(InvalidValue, match="outside"):
            read_environment(tmp_path, references)

    def test_a_hostile_requirement_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "python_env.yaml").write_text("python: '3.11'\ndependencies: ['numpy; touch /tmp/x', '$(id)']\n")
        with pytest.raises(InvalidValue, match="no requirement"):
            read_environment(tmp_path)
