"""One answer of a model to one request, as text; and a process that gives it in the model's own environment.

``python -m millstream.flavors.prediction FOLDER CONTENT_TYPE REQUEST ANSWER`` reads the file REQUEST and writes the
file ANSWER, as JSON: ``{"answer": text}``, or ``{"error": …}`` in the form in which errors go over the wire.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from millstream.errors import BadRequest, FunctionFailed, InvalidValue, MillstreamError
from millstream.models import examples, payloads, trust

__all__ = ["TRUSTED", "answer", "request"]

TRUSTED = "MILLSTREAM_MODEL_IS_TRUSTED"  # set for the process by the one that starts it, which trusts the model


def request(data: Any, content_type: str) -> str:
    """The text of a request that holds ``data``; text is taken as it is. Raises InvalidValue."""
    if isinstance(data, str):
        return data
    if content_type == "json":
        if isinstance(data, dict) and not {*data}.isdisjoint(payloads.FORMS):
            return json.dumps(examples.json_values(data))  # a whole request, made by hand
        return json.dumps(examples.serving_payload(data))
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(data, pandas.DataFrame):
        raise InvalidValue(f"a {type(data).__name__} cannot be given as CSV", hint="give a DataFrame, or text")
    return str(data.to_csv(index=False))


def answer(folder: Path, text: str, content_type: str) -> str:
    """What the model in ``folder`` answers to a request, as JSON: ``{"predictions": …}``.

    Raises BadRequest for a request that is not readable, and as loading and predicting do.
    """
    from millstream.flavors.pyfunc.loading import load_model

    model = load_model(folder, suppress_warnings=True)
    if content_type == "csv":
        data, params = _table(text), None
    else:
        data, params = payloads.parse(text, model.metadata.get_input_schema())
    predicted = model.predict(data, params)
    return json.dumps({"predictions": _predictions(predicted)})


def _table(text: str) -> Any:
    import pandas

    try:
        return pandas.read_csv(io.StringIO(text))
    except ValueError as error:
        raise BadRequest(f"the request is no CSV: {error}", hint="its first line names the columns") from None


def _predictions(predicted: Any) -> Any:
    """Predictions as JSON values; a table as a list of objects, one a row."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(predicted, pandas.DataFrame):
        predicted = predicted.to_dict(orient="records")
    elif pandas is not None and isinstance(predicted, pandas.Series):
        predicted = predicted.tolist()
    return examples.json_values(predicted)


def main(arguments: list[str]) -> int:
    """Answer the request in a file, and return the exit status."""
    folder, content_type, given, taken = Path(arguments[0]), arguments[1], Path(arguments[2]), Path(arguments[3])
    if os.environ.pop(TRUSTED, None):
        trust.vouch(folder)
    try:
        told: dict[str, Any] = {"answer": answer(folder, given.read_text(encoding="utf-8"), content_type)}
    except MillstreamError as error:
        told = {"error": error.to_wire()}
    except Exception as error:  # of the model's own code, or of a library
        traceback.print_exc()
        said = f"the model did not predict: {type(error).__name__}: {error}"
        hint = "its traceback was printed above"
        if isinstance(error, ModuleNotFoundError):
            hint = ("the model's requirements lack it: give it in pip_requirements_override, or for good with "
                    "millstream.models.update_model_requirements(model_uri, 'add', […])")
        told = {"error": FunctionFailed(said, hint=hint).to_wire()}
    taken.write_text(json.dumps(told), encoding="utf-8")
    return int("error" in told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
