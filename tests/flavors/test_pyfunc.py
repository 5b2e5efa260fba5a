"""Models that are Python code across the border: each side loads what the other saved, and predicts the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from millstream import pyfunc
from tests.flavors.foreign import Foreign


class Scale(pyfunc.PythonModel):
    def load_context(self, context: Any) -> None:
        self.factor = float(Path(context.artifacts["factor"]).read_text())

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
        return model_input["x"] * self.factor + (params or {}).get("more", 0)


def test_mlflow_predicts_with_a_class_saved_here(tmp_path: Path, foreign: Foreign) -> None:
    import cloudpickle

    (tmp_path / "factor.txt").write_text("3")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        pyfunc.save_model(tmp_path / "model", python_model=Scale(), artifacts={"factor": str(tmp_path / "factor.txt")},
                          input_example=(pd.DataFrame({"x": [1.0]}), {"more": 0.5}))
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    result = foreign.run(
        """
        import mlflow, sys

        model = mlflow.pyfunc.load_model(folder)
        kind = type(model.unwrap_python_model())
        result = (model.predict(data).tolist(), model.predict(data, params={"more": 1.0}).tolist(),
                  issubclass(kind, mlflow.pyfunc.PythonModel), "millstream" in sys.modules)
        """,
        folder=str(tmp_path / "model"), data=pd.DataFrame({"x": [1.0, 2.0]}),
    )
    assert result == ([3.5, 6.5], [4.0, 7.0], True, False)


def test_mlflow_predicts_with_a_function_and_with_hints_saved_here(tmp_path: Path, foreign: Foreign) -> None:
    def shout(texts: list[str]) -> list[str]:
        return [text.upper() for text in texts]

    pyfunc.save_model(tmp_path / "hinted", python_model=shout)
    pyfunc.save_model(tmp_path / "plain", python_model=lambda frame: frame["x"] * 2)
    assert foreign.predict(tmp_path / "hinted", ["a"]) == ["A"]
    assert foreign.predict(tmp_path / "plain", pd.DataFrame({"x": [2.0]})).tolist() == [4.0]


SAY = """
import mlflow


class Say(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [mlflow.models.ModelConfig().get("word")] * len(model_input)


mlflow.models.set_model(Say())
"""
SAVE_THERE = """
    import mlflow
    from pathlib import Path


    class Scale(mlflow.pyfunc.PythonModel):
        def load_context(self, context):
            self.factor = float(Path(context.artifacts["factor"]).read_text())

        def predict(self, context, model_input, params=None):
            return model_input["x"] * self.factor + (params or {}).get("more", 0)


    class Hinted(mlflow.pyfunc.PythonModel):
        def predict(self, model_input: list[str]) -> list[str]:
            return [text.upper() for text in model_input]


    def shout(model_input: list[str]) -> list[str]:
        return [text.upper() for text in model_input]


    place = Path(place)
    (place / "factor.txt").write_text("3")
    script = place / "script.py"
    script.write_text(say)
    pins = ["cloudpickle"]
    mlflow.pyfunc.save_model(place / "class", python_model=Scale(), artifacts={"factor": str(place / "factor.txt")},
                             pip_requirements=pins)
    mlflow.pyfunc.save_model(place / "hinted", python_model=Hinted(), pip_requirements=pins)
    mlflow.pyfunc.save_model(place / "function", python_model=shout, pip_requirements=pins, input_example=["a"])
    mlflow.pyfunc.save_model(place / "script", python_model=str(script), model_config={"word": "hm"},
                             pip_requirements=pins)
    result = None
"""


def test_code_saved_by_mlflow_predicts_the_same_here(tmp_path: Path, foreign: Foreign, trusting: None) -> None:
    foreign.run(SAVE_THERE, place=str(tmp_path), say=SAY)

    def load(name: str) -> pyfunc.PyFuncModel:
        return pyfunc.load_model(str(tmp_path / name))

    frame = pd.DataFrame({"x": [1.0, 2.0]})
    assert load("class").predict(frame).tolist() == [3.0, 6.0]
    assert load("hinted").predict(["a"]) == ["A"]
    assert load("function").predict(["a"]) == ["A"]
    assert load("script").predict([1, 2]) == ["hm", "hm"]
