"""Python functions: code of users as models, in each of its forms, and how every model predicts."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

import millstream
from millstream import pyfunc
from millstream.environments.interpreters import uv
from millstream.errors import AlreadyExists, BadModel, InvalidValue, NotSupported
from millstream.models import Model, ModelSignature, infer_signature
from tests.isolation import isolated


@pytest.fixture(autouse=True)
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with isolated(tmp_path, monkeypatch):
        monkeypatch.setenv("MILLSTREAM_KEY_FILE", str(tmp_path / "key"))
        yield tmp_path


class Scale(pyfunc.PythonModel):
    """A model that reads an artifact, a configuration and a parameter."""

    def load_context(self, context: pyfunc.PythonModelContext) -> None:
        self.factor = float(Path(context.artifacts["factor"]).read_text())

    def predict(self, context: pyfunc.PythonModelContext, model_input: Any, params: Any = None) -> Any:
        return model_input * self.factor + context.model_config.get("offset", 0) + (params or {}).get("more", 0)


def saved_scale(tmp_path: Path, **options: Any) -> str:
    (tmp_path / "factor.txt").write_text("3")
    pyfunc.save_model(tmp_path / "model", python_model=Scale(), artifacts={"factor": str(tmp_path / "factor.txt")},
                      **options)
    return str(tmp_path / "model")


def test_a_class_with_artifacts_configuration_and_params(tmp_path: Path) -> None:
    data = numpy.array([[1.0], [2.0]])
    signature = infer_signature(data, data, {"more": 0.5})
    uri = saved_scale(tmp_path, model_config={"offset": 10}, signature=signature)
    (tmp_path / "factor.txt").unlink()  # the model has its own
    model = pyfunc.load_model(uri)
    assert model.predict(data).tolist() == [[13.5], [16.5]]
    assert model.predict(data, params={"more": 1.0}).tolist() == [[14.0], [17.0]]
    assert model.model_config == {"offset": 10}
    assert type(model.unwrap_python_model()).__name__ == "Scale"
    assert model.unwrap_python_model() is model.get_raw_model()
    assert pyfunc.load_model(uri, model_config={"offset": 0}).predict(data).tolist() == [[3.5], [6.5]]
    (tmp_path / "config.yaml").write_text("offset: 1\n")
    assert pyfunc.load_model(uri, model_config=str(tmp_path / "config.yaml")).predict(data).tolist() == [[4.5], [7.5]]


def test_its_description_is_the_one_that_mlflow_knows(tmp_path: Path) -> None:
    described = Model.load(saved_scale(tmp_path, model_config={"offset": 10}, metadata={"owner": "me"}))
    block = described.flavors["python_function"]
    assert block["loader_module"] == "mlflow.pyfunc.model"
    assert block["python_model"] == "python_model.pkl"
    assert block["artifacts"] == {"factor": {"path": "artifacts/factor.txt", "uri": str(tmp_path / "factor.txt")}}
    assert block["config"] == {"offset": 10}
    assert block["streamable"] is False
    assert described.metadata == {"owner": "me"}
    requirements = (tmp_path / "model" / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in requirements] == ["cloudpickle"]


def test_two_artifacts_of_one_file_name(tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "part.txt").write_text(folder)

    class Both(pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return [Path(context.artifacts[name]).read_text() for name in ("one", "two")]

    pyfunc.save_model(tmp_path / "model", python_model=Both(),
                      artifacts={"one": str(tmp_path / "a/part.txt"), "two": str(tmp_path / "b/part.txt")})
    assert pyfunc.load_model(str(tmp_path / "model")).predict(None) == ["a", "b"]


def test_a_function(tmp_path: Path) -> None:
    factor = 2
    pyfunc.save_model(tmp_path / "model", python_model=lambda frame: frame * factor,
                      input_example=pandas.DataFrame({"x": [1.0]}))
    model = pyfunc.load_model(str(tmp_path / "model"))
    assert model.predict(pandas.DataFrame({"x": [4.0]})).x.tolist() == [8.0]
    schema = model.metadata.get_input_schema()
    assert schema is not None
    assert schema.input_names() == ["x"]
    assert model.input_example.x.tolist() == [1.0]


def test_type_hints_are_the_signature(tmp_path: Path) -> None:
    def shout(texts: list[str]) -> list[str]:
        return [text.upper() for text in texts]

    pyfunc.save_model(tmp_path / "model", python_model=shout)
    model = pyfunc.load_model(str(tmp_path / "model"))
    assert model.metadata.signature is not None
    assert model.metadata.signature.is_from_type_hint
    assert model.predict(["a", "b"]) == ["A", "B"]
    with pytest.raises(InvalidValue, match="str"):
        model.predict([1])


class Letters(pyfunc.PythonModel):
    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        return list(model_input)

    def predict_stream(self, context: Any, model_input: Any, params: Any = None) -> Iterator[str]:
        yield from model_input


def test_a_model_that_streams(tmp_path: Path) -> None:
    pyfunc.save_model(tmp_path / "model", python_model=Letters())
    model = pyfunc.load_model(str(tmp_path / "model"))
    assert model.metadata.flavors["python_function"]["streamable"] is True
    parts = model.predict_stream("abc")
    assert next(parts) == "a"
    assert list(parts) == ["b", "c"]


@pytest.mark.parametrize("predict", [
    lambda self, model_input: model_input,
    lambda self, model_input, params=None: model_input,
    lambda self, context, model_input: model_input,
    lambda self, context, model_input, params=None: model_input,
    lambda self, ctx, data: data,
])
def test_predict_gets_what_it_asks_for(tmp_path: Path, predict: Any) -> None:
    made = type("Made", (pyfunc.PythonModel,), {"predict": predict})()
    pyfunc.save_model(tmp_path / "model", python_model=made)
    assert pyfunc.load_model(str(tmp_path / "model")).predict([1, 2]) == [1, 2]


SCRIPT = """
import millstream as mlflow

config = mlflow.models.ModelConfig(development_config={"word": "draft"})


class Say(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [config.get("word")] * len(model_input)


mlflow.models.set_model(Say())
"""


def test_a_script(tmp_path: Path) -> None:
    (tmp_path / "say.py").write_text(SCRIPT)
    pyfunc.save_model(tmp_path / "model", python_model=str(tmp_path / "say.py"), model_config={"word": "final"})
    (tmp_path / "say.py").unlink()
    uri = str(tmp_path / "model")
    assert not list((tmp_path / "model").glob("*.pkl"))
    assert pyfunc.load_model(uri).predict([1, 2]) == ["final", "final"]
    assert pyfunc.load_model(uri, model_config={"word": "other"}).predict([1]) == ["other"]


def test_a_script_that_sets_no_model(tmp_path: Path) -> None:
    (tmp_path / "say.py").write_text("x = 1\n")
    with pytest.raises(BadModel, match="sets no model") as refused:
        pyfunc.save_model(tmp_path / "model", python_model=str(tmp_path / "say.py"))
    assert "set_model" in str(refused.value.hint)
    assert not (tmp_path / "model").exists()


LOADER = """
from pathlib import Path


class Words:
    def __init__(self, words):
        self.words = words

    def predict(self, data):
        return [word in self.words for word in data]


def _load_pyfunc(path):
    return Words(Path(path).read_text().split())
"""


def test_files_with_a_module_that_loads_them(tmp_path: Path) -> None:
    (tmp_path / "words_loader.py").write_text(LOADER)
    (tmp_path / "words.txt").write_text("one two")
    pyfunc.save_model(tmp_path / "model", loader_module="words_loader", data_path=tmp_path / "words.txt",
                      code_paths=[str(tmp_path / "words_loader.py")])
    assert pyfunc.load_model(str(tmp_path / "model")).predict(["two", "three"]) == [True, False]


def test_two_models_with_modules_of_one_name(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "clashing_words.py").write_text(LOADER.replace("in self.words", f"== {name!r}"))
        (tmp_path / name / "data.txt").write_text(name)
        pyfunc.save_model(tmp_path / f"model {name}", loader_module="clashing_words",
                          data_path=tmp_path / name / "data.txt",
                          code_paths=[str(tmp_path / name / "clashing_words.py")])
    loaded = {name: pyfunc.load_model(str(tmp_path / f"model {name}")) for name in ("first", "second", "first")}
    for name, model in loaded.items():
        assert model.predict(["first", "second"]) == [name == "first", name == "second"]


def test_modules_of_the_project_go_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_rules.py").write_text("def rule(x):\n    return x + 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import own_rules  # type: ignore[import-not-found]

    rule = own_rules.rule
    pyfunc.save_model(tmp_path / "model", python_model=lambda x: rule(x), infer_code_paths=True)
    assert (tmp_path / "model" / "code" / "own_rules.py").is_file()
    sys.modules.pop("own_rules")
    (tmp_path / "own_rules.py").unlink()
    assert pyfunc.load_model(str(tmp_path / "model")).predict(1) == 2


def test_the_pins_of_a_locked_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.10"\ndependencies = []\n'
        '[dependency-groups]\nmore = []\n'
    )
    with pytest.raises(InvalidValue, match=r"no uv\.lock"):
        pyfunc.save_model(tmp_path / "model", python_model=lambda x: x, uv_project_path=project)
    subprocess.run([uv(), "lock", "--quiet", "--offline", "--project", str(project)], check=True)
    pyfunc.save_model(tmp_path / "model", python_model=lambda x: x, uv_project_path=project, uv_groups=["more"])
    assert (tmp_path / "model" / "uv.lock").read_text() == (project / "uv.lock").read_text()
    lines = (tmp_path / "model" / "requirements.txt").read_text().splitlines()
    assert [line.partition("==")[0] for line in lines] == ["cloudpickle"]
    with pytest.raises(InvalidValue, match="uv cannot read the lock"):
        pyfunc.save_model(tmp_path / "other", python_model=lambda x: x, uv_project_path=project, uv_extras=["none"])


def test_what_platforms_know_is_kept(tmp_path: Path) -> None:
    resources = {"api_version": "1", "databricks": {"uc_connection": [{"name": "c"}]}}
    pyfunc.save_model(tmp_path / "model", python_model=lambda x: x, resources=resources)
    assert Model.load(tmp_path / "model").others["resources"] == resources


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="either a python_model or a loader_module"):
        pyfunc.save_model(tmp_path / "model")
    with pytest.raises(InvalidValue, match="neither a PythonModel nor a function"):
        pyfunc.save_model(tmp_path / "model", python_model=3)
    with pytest.raises(InvalidValue, match="exactly one argument"):
        pyfunc.save_model(tmp_path / "model", python_model=lambda a, b: a)
    with pytest.raises(TypeError, match=r"save_model\(\) got an unexpected keyword argument 'sinature'"):
        pyfunc.save_model(tmp_path / "model", python_model=lambda a: a, sinature=None)  # type: ignore[call-arg]
    with pytest.raises(BadModel, match="no file named MLmodel"):
        pyfunc.load_model(str(tmp_path))
    assert not (tmp_path / "model").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.txt").write_text("mine")
    with pytest.raises(AlreadyExists, match="there is something at"):
        pyfunc.save_model(tmp_path / "model", python_model=lambda a: a)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["mine.txt"]


def test_a_library_model_asked_for_its_python_model(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    from millstream import sklearn

    sklearn.save_model(LinearRegression().fit([[0.0]], [1.0]), tmp_path / "model")
    model = pyfunc.load_model(str(tmp_path / "model"))
    assert isinstance(model.get_raw_model(), LinearRegression)
    with pytest.raises(NotSupported, match="not written as a PythonModel"):
        model.unwrap_python_model()
    with pytest.raises(NotSupported, match="does not stream"):
        model.predict_stream([[1.0]])


def test_the_example_that_does_not_predict_costs_only_the_signature(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(data: Any) -> Any:
        raise RuntimeError("no")

    with caplog.at_level(logging.WARNING, "millstream"):
        pyfunc.save_model(tmp_path / "model", python_model=broken, input_example=[1.0])
    assert "its input example does not predict" in caplog.text
    assert Model.load(tmp_path / "model").signature is None


def test_logged_with_its_run(tmp_path: Path) -> None:
    millstream.set_experiment("models")
    with millstream.start_run() as run:
        millstream.log_param("depth", 3)
        millstream.log_metric("accuracy", 0.5)
        info = pyfunc.log_model(name="shout", python_model=lambda data: data, params={"own": 1}, tags={"a": "b"},
                                model_type="text", input_example=numpy.array([1.0]))
        millstream.log_metric("later", 0.75)
        millstream.log_metric("elsewhere", 1.0, step=1)
    logged = millstream.get_logged_model(info.model_id or "")
    assert info.model_uri == f"models:/{logged.model_id}"
    assert (logged.name, str(logged.status), logged.source_run_id) == ("shout", "READY", run.info.run_id)
    assert logged.params == {"depth": "3", "own": "1"}
    assert logged.tags["a"] == "b"
    assert {metric.key: metric.value for metric in logged.metrics} == {"accuracy": 0.5, "later": 0.75}
    outputs = millstream.get_run(run.info.run_id).outputs.model_outputs
    assert [(made.model_id, made.step) for made in outputs] == [(info.model_id, 0)]
    for uri in (info.model_uri, f"runs:/{run.info.run_id}/shout"):
        assert pyfunc.load_model(uri).predict(numpy.array([2.0])).tolist() == [2.0]
    assert isinstance(info.signature, ModelSignature)


def test_logged_without_a_run_and_by_the_old_name(tmp_path: Path) -> None:
    info = pyfunc.log_model("old style", python_model=lambda data: data)
    assert info.run_id is None
    assert millstream.get_logged_model(info.model_id or "").name == "old style"
    assert millstream.active_run() is None
    with pytest.raises(InvalidValue, match="named twice"):
        pyfunc.log_model("one", name="two", python_model=lambda data: data)


def test_a_model_that_cannot_be_saved_is_failed(tmp_path: Path) -> None:
    with millstream.start_run(), pytest.raises(InvalidValue):
        pyfunc.log_model(name="broken", python_model=3)
    (found,) = millstream.search_logged_models(output_format="list")
    assert str(found.status) == "FAILED"


def test_a_signature_given_later(tmp_path: Path) -> None:
    data = pandas.DataFrame({"x": [1.0]})
    for uri in (pyfunc.log_model(name="m", python_model=lambda data: data).model_uri, str(tmp_path / "model")):
        if uri == str(tmp_path / "model"):
            pyfunc.save_model(uri, python_model=lambda data: data)
        assert millstream.models.get_model_info(uri).signature is None
        millstream.models.set_signature(uri, infer_signature(data, data))
        assert millstream.models.get_model_info(uri).signature == infer_signature(data, data)
        assert pyfunc.load_model(uri).predict(data).x.tolist() == [1.0]  # sealed and whole as before


def test_a_request_body_is_tried_before_it_is_served(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"x": [1.0, 2.0]})
    pyfunc.save_model(tmp_path / "model", python_model=lambda data: data * 2, input_example=frame)
    uri = str(tmp_path / "model")
    body = millstream.models.convert_input_example_to_serving_input(frame)
    assert millstream.models.validate_serving_input(uri, body).x.tolist() == [2.0, 4.0]
    with pytest.raises(InvalidValue, match="'x'"):
        millstream.models.validate_serving_input(uri, '{"dataframe_split": {"columns": ["y"], "data": [[1.0]]}}')
