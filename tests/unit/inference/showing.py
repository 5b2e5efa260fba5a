"""A model that answers each row with what it was given."""

from __future__ import annotations

from typing import Any

import millstream.pyfunc


def showing() -> millstream.pyfunc.PythonModel:
    """The model; its param ``show`` asks for "values", for "fail" and "die", or is the answer itself."""

    class Showing(millstream.pyfunc.PythonModel):  # pickled by value, as one of a program
        def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:
            import os

            def shown(one: Any) -> str:
                if hasattr(one, "columns"):
                    return "frame " + ", ".join(f"{name}: {one[name].dtype}" for name in one.columns)
                if isinstance(one, dict):
                    return ", ".join(f"{name}: {shown(part)}" for name, part in one.items())
                return f"array {one.dtype} {one.shape}"

            asked = (params or {}).get("show")
            rows = len(next(iter(model_input.values()))) if isinstance(model_input, dict) else len(model_input)
            if asked == "fail":
                raise ZeroDivisionError("as asked")
            if asked == "die":
                os._exit(3)
            if asked == "values":
                return [str(value) for value in model_input.iloc[:, 0]]
            if asked and asked.startswith("$"):
                return [os.environ.get(asked[1:])] * rows
            return [asked or shown(model_input)] * rows

    return Showing()
