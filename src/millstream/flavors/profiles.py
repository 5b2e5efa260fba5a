"""The training profile of a model that is saved: of the data it is given, or of the data set its run has noted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream import settings
from millstream.errors import InvalidValue
from millstream.models.profile import FILE, KEY, ROWS, Profile, profile

if TYPE_CHECKING:
    from millstream.models.mlmodel import Model
    from millstream.models.signature import ModelSignature

logger = logging.getLogger("millstream")

# So many rows are predicted, if the first few take no longer than that.
_PREDICTED, _FEW, _SECONDS = 500, 20, 0.05
# A wide table is looked at in fewer rows: so many values at most.
_VALUES, _FEWEST_ROWS, _MOST_COLUMNS = 1_000_000, 1_000, 1_000


def of(data: Any, predict: Callable[[Any], Any] | None = None) -> Profile:
    """The profile of training data, and of what ``predict`` gives for some of it where that is quick.

    ``data`` may be a profile already. Raises InvalidValue for what has no rows and columns.
    """
    if isinstance(data, Profile):
        return data
    shape = getattr(data, "shape", None)
    wide = int(shape[1]) if isinstance(shape, tuple) and len(shape) == 2 else 1
    made = profile(data, rows=min(ROWS, max(_FEWEST_ROWS, _VALUES // max(1, wide))))
    given = _predicted(data, predict) if predict is not None else None
    if given is not None:
        try:
            made.predictions = profile(data=[0] * len(given), predictions=given).predictions
        except InvalidValue:  # predictions that are no table: pictures, texts with their parts
            pass
    return made


def seen(data: Any, predict: Callable[[Any], Any] | None = None) -> Profile | None:
    """The profile of what a library was trained on; None where it has no form of rows and columns, or is very wide."""
    shape = getattr(data, "shape", None)
    if data is None or not settings.TRAINING_PROFILE.get():
        return None
    if isinstance(shape, tuple) and (len(shape) != 2 or shape[1] > _MOST_COLUMNS):
        return None
    try:
        return of(data, predict)
    except Exception as error:  # whatever a library raises about data of its own kind
        logger.debug("the training data have no profile: %s", error)
        return None


def of_run(run_id: str | None, signature: ModelSignature | bool | None) -> Profile | None:
    """The profile of the data set that a run has noted as an input of its training, while the program keeps it.

    Only the columns that the model takes, where its signature names them.
    """
    from millstream.tracking.logging import training_data

    dataset = training_data.get(run_id) if run_id is not None else None
    frame = getattr(dataset, "df", None)
    if frame is None or not hasattr(frame, "columns") or not hasattr(frame, "iloc"):
        features = getattr(dataset, "features", None)
        return seen(features)
    inputs = getattr(signature, "inputs", None)
    names = list(inputs.input_names()) if inputs is not None and inputs.has_input_names() else None
    if names is None:
        others = {getattr(dataset, "targets", None), getattr(dataset, "predictions", None)}
        names = [name for name in frame.columns if name not in others]
    if not set(names) <= set(frame.columns):
        return None
    return seen(frame[names])


def write(made: Profile, folder: Path, model: Model) -> None:
    """Write the profile into a model's folder, and name it in the model's description."""
    (folder / FILE).write_text(made.to_json(), encoding="utf-8")
    model.others[KEY] = FILE


def _predicted(data: Any, predict: Callable[[Any], Any]) -> Any:
    """Predictions for some rows spread over the data; None where there are none, or it would take long."""
    rows = data.shape[0] if hasattr(data, "shape") else len(data)
    step = max(1, rows // _PREDICTED)
    try:
        some = data.iloc[::step] if hasattr(data, "iloc") else data[::step]
        few = some.iloc[:_FEW] if hasattr(some, "iloc") else some[:_FEW]
        started = time.perf_counter()
        predict(few)
        if time.perf_counter() - started > _SECONDS:
            return None
        return predict(some)
    except Exception as error:  # whatever a library raises about data that it was trained on in another form
        logger.debug("the training profile has no predictions: %s", error)
        return None
