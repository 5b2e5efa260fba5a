"""The profile of data: what training data looked like, so that what a model is asked later can be held against it.

A profile holds no rows. Of each column it has how many values there were and how many were missing; of numbers bins
whose edges are quantiles, with their counts, and a bounded random sample; of categories how often each occurred, the
rare ones together; and the fences beyond which a value is far out. It lies in the model's folder as
``training_profile.json``, which the key ``training_profile`` of the MLmodel file names.

Far out is what lies more than three times the distance of the quartiles beyond them: the outer fences of J. W. Tukey,
"Exploratory Data Analysis", 1977. They depend on the middle half of the data only, so outliers in the training data do
not move them.
"""

from __future__ import annotations

import datetime as dates
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from millstream.errors import BadModel, InvalidValue

FILE = "training_profile.json"
# The key of the MLmodel file that names it.
KEY = "training_profile"
FORMAT = 1
PREDICTION = "prediction"

NUMBER, CATEGORY, BOOLEAN, TIME, TEXT = "number", "category", "boolean", "time", "text"

ROWS = 10_000
_COLUMNS = 2_000
_BINS = 10
_SAMPLE, _SAMPLES, _SMALLEST_SAMPLE = 512, 20_000, 64
_CATEGORIES = 100
_CATEGORY_LENGTH = 200
_CLASSES = 50
_FENCE = 3.0
_SEED = 20_240_229


class ColumnProfile(msgspec.Struct, omit_defaults=True):
    """One column. ``count`` is the number of values that are there, ``missing`` of those that are not.

    Of numbers (times are seconds since the epoch, texts their lengths): bin ``i`` holds what is above ``edges[i-1]``
    and at most ``edges[i]``, the last what is above all edges; ``sample`` is a random sample without replacement.
    Of categories: ``categories`` are ``(category, count)``, the most frequent first, ``others`` the count of the rest
    together, ``once`` the number of categories that occurred once.
    """

    name: str
    kind: str
    count: int
    missing: int = 0
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    edges: list[float] = []
    counts: list[int] = []
    sample: list[float] = []
    lower_fence: float | None = None
    upper_fence: float | None = None
    categories: list[tuple[str, int]] = []
    others: int = 0
    once: int = 0

    @property
    def numeric(self) -> bool:
        """Whether it is described by numbers."""
        return self.kind in (NUMBER, TIME, TEXT)


class Profile(msgspec.Struct, omit_defaults=True):
    """The profile of ``rows`` rows; ``profiled`` of them were looked at, ``outlying`` of those have a value far out."""

    rows: int
    profiled: int
    columns: list[ColumnProfile] = []
    predictions: list[ColumnProfile] = []
    outlying: int = 0
    format: int = FORMAT

    def to_json(self) -> str:
        """The content of the file."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Profile:
        """The profile in a text. Raises BadModel for a text that holds none, or one of a newer format."""
        try:
            made = msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise BadModel(f"the training profile is not readable: {error}",
                           hint="set it again: millstream.monitoring.set_profile(…)") from None
        if made.format > FORMAT:
            raise BadModel(f"the training profile has the format {made.format}, this version reads {FORMAT}",
                           hint="update Millstream")
        return made

    @classmethod
    def load(cls, folder: str | Path) -> Profile | None:
        """The profile in a model's folder, None where there is none. Raises BadModel."""
        path = Path(folder) / FILE
        return cls.from_json(path.read_bytes()) if path.is_file() else None

    def column(self, name: str) -> ColumnProfile | None:
        """The column of this name, of the data or of the predictions."""
        return next((one for one in (*self.columns, *self.predictions) if one.name == name), None)


def profile(data: Any, predictions: Any = None, *, rows: int = ROWS) -> Profile:
    """The profile of data and of the predictions for it.

    ``data`` is a DataFrame, a Series, an array with a row a row, a sparse matrix, a list of rows, or a dict of columns;
    ``predictions`` the same, or one value a row. Beyond ``rows`` rows a random sample of them is looked at. The
    program's random numbers stay as they are. Raises InvalidValue for what has no rows or columns.
    """
    import numpy

    columns, total = columns_of(data)
    chosen = None
    if total > rows:
        chosen = numpy.sort(numpy.random.default_rng(_SEED).choice(total, rows, replace=False))
        columns = {name: _take(values, chosen) for name, values in columns.items()}
    profiled = min(total, rows)
    room = max(_SMALLEST_SAMPLE, min(_SAMPLE, _SAMPLES // max(1, len(columns))))
    made = [measure(name, values, profiled, room) for name, values in columns.items()]
    shown: list[ColumnProfile] = []
    if predictions is not None:
        answers, count = columns_of(predictions, prediction=True)
        if chosen is not None and count == total:
            answers = {name: _take(values, chosen) for name, values in answers.items()}
        shown = [
            measure(name, values, len(values), _SAMPLE, CATEGORY if _is_class(values) else None)
            for name, values in answers.items()
        ]
    found = Profile(total, profiled, made, shown)
    found.outlying = int(far_out(found, columns).any(axis=1).sum()) if profiled else 0
    return found


def columns_of(data: Any, *, prediction: bool = False) -> tuple[dict[str, Any], int]:
    """The columns of data by name, and the number of rows; those of predictions are named as in a profile.

    Raises InvalidValue for what has no columns of one length.
    """
    columns, rows = _columns(data, "predictions" if prediction else "data")
    if prediction:
        one = len(columns) == 1
        columns = {PREDICTION if one else f"{PREDICTION}.{name}": values for name, values in columns.items()}
    return columns, rows


def far_out(reference: Profile, columns: Mapping[str, Any]) -> Any:
    """A table of booleans, a row a row and a column a number column of ``reference``: which values are far out."""
    import numpy

    fenced = [one for one in reference.columns if one.lower_fence is not None and one.kind == NUMBER]
    length = max(map(len, columns.values()), default=0)
    found = numpy.zeros((length, len(fenced)), dtype=bool)
    for place, one in enumerate(fenced):
        values = columns.get(one.name)
        if values is not None:
            numbers = as_numbers(values)
            with numpy.errstate(invalid="ignore"):
                found[:, place] = (numbers < one.lower_fence) | (numbers > one.upper_fence)
    return found


def fenced_columns(reference: Profile) -> list[str]:
    """The names of the columns of :func:`far_out`."""
    return [one.name for one in reference.columns if one.lower_fence is not None and one.kind == NUMBER]


def measure(name: str, values: Any, rows: int, room: int = _SAMPLE, kind: str | None = None) -> ColumnProfile:
    """The profile of one column, of this ``kind`` or of the one that its values show."""
    if kind is None:
        kind = kind_of(values)
    if kind in (CATEGORY, BOOLEAN):
        return _of_categories(name, kind, as_categories(values, kind), rows)
    numbers = as_lengths(values) if kind == TEXT else as_times(values) if kind == TIME else as_numbers(values)
    return _of_numbers(name, kind, numbers, rows, room)


def kind_of(values: Any) -> str:
    """The kind of a column by its type, or by its values where the type says nothing."""
    dtype = getattr(values, "dtype", None)
    letter = getattr(dtype, "kind", "O")
    if letter == "b" or str(dtype) == "boolean":
        return BOOLEAN
    if letter in "iuf":
        return NUMBER
    if letter in "Mm":
        return TIME if letter == "M" else NUMBER
    if str(dtype) == "category":
        return CATEGORY
    seen = [value for value in _listed(values) if not _absent(value)]
    if not seen:
        return NUMBER
    if all(isinstance(value, bool) for value in seen):
        return BOOLEAN
    if all(isinstance(value, (int, float, Decimal)) or hasattr(value, "__float__") for value in seen):
        return NUMBER
    if all(isinstance(value, (dates.date, dates.datetime)) for value in seen):
        return TIME
    distinct = len({str(value) for value in seen})
    return CATEGORY if distinct <= max(20, min(1_000, len(seen) // 4)) else TEXT


def _is_class(values: Any) -> bool:
    """Whether predictions are classes: whole numbers, few of them."""
    if getattr(getattr(values, "dtype", None), "kind", "O") not in "iu":
        return False
    return len(set(_listed(values))) <= _CLASSES


def as_numbers(values: Any) -> Any:
    """A column as doubles; what is missing or no number is NaN."""
    import numpy

    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "kind", "O") in "biuf" and not _extension(dtype):
        return numpy.asarray(values, dtype=numpy.float64)
    return numpy.fromiter(map(_number, _listed(values)), dtype=numpy.float64)


def as_times(values: Any) -> Any:
    """A column of dates and times as seconds since the epoch; what is none is NaN."""
    import numpy

    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "kind", "O") == "M" and not hasattr(dtype, "tz"):
        array = numpy.asarray(values).astype("datetime64[us]")
        made = array.astype(numpy.int64) / 1e6
        made[numpy.isnat(array)] = numpy.nan
        return made
    return numpy.fromiter(map(_seconds, _listed(values)), dtype=numpy.float64)


def as_lengths(values: Any) -> Any:
    """The lengths of a column of texts; what is missing is NaN."""
    import numpy

    return numpy.fromiter(
        (math.nan if _absent(value) else float(len(str(value))) for value in _listed(values)), dtype=numpy.float64
    )


def as_categories(values: Any, kind: str = CATEGORY) -> list[str | None]:
    """A column as texts; what is missing is None. Of booleans 0 and 1 are False and True."""
    named = {"0": "False", "1": "True", "false": "False", "true": "True"} if kind == BOOLEAN else {}
    texts = (None if _absent(value) else _category(value) for value in _listed(values))
    return [text if text is None else named.get(text, text) for text in texts]


def _of_numbers(name: str, kind: str, numbers: Any, rows: int, room: int) -> ColumnProfile:
    import numpy

    there = numbers[numpy.isfinite(numbers)]
    made = ColumnProfile(name, kind, len(there), rows - len(there))
    if not len(there):
        return made
    ordered = numpy.sort(there)
    count = len(ordered)
    made.minimum, made.maximum = float(ordered[0]), float(ordered[-1])
    with numpy.errstate(over="ignore", invalid="ignore"):
        made.mean, made.std = _finite(ordered.mean()), _finite(ordered.std())
    places = numpy.ceil(numpy.arange(1, _BINS) * count / _BINS).astype(int) - 1
    edges = numpy.unique(ordered[places])
    ends = numpy.searchsorted(ordered, edges, side="right")
    made.edges = edges.tolist()
    made.counts = numpy.diff(ends, prepend=0, append=count).tolist()
    first, third = ordered[(count - 1) // 4], ordered[-1 - (count - 1) // 4]
    if third > first and count >= _BINS:
        with numpy.errstate(over="ignore"):
            lower, upper = first - _FENCE * (third - first), third + _FENCE * (third - first)
        if numpy.isfinite(lower) and numpy.isfinite(upper):
            made.lower_fence, made.upper_fence = float(lower), float(upper)
    if count > room:
        there = numpy.random.default_rng(_SEED).choice(there, room, replace=False)
    made.sample = there.tolist()
    return made


def _finite(number: Any) -> float | None:
    return float(number) if math.isfinite(number) else None


def _of_categories(name: str, kind: str, values: list[str | None], rows: int) -> ColumnProfile:
    counts = Counter(value for value in values if value is not None)
    count = sum(counts.values())
    common = counts.most_common(_CATEGORIES)
    return ColumnProfile(
        name, kind, count, rows - count, categories=common, others=count - sum(one for _, one in common),
        once=sum(1 for one in counts.values() if one == 1),
    )


def _columns(data: Any, what: str) -> tuple[dict[str, Any], int]:
    """The columns of data by name, and the number of rows."""
    import numpy

    if isinstance(data, Mapping):
        columns = {str(name): _column(values) for name, values in data.items()}
    elif hasattr(data, "columns") and hasattr(data, "iloc"):
        columns = {str(name): data.iloc[:, place] for place, name in enumerate(data.columns)}
    elif hasattr(data, "columns") and hasattr(data, "get_column"):
        columns = {str(name): data.get_column(name).to_numpy() for name in data.columns}
    elif hasattr(data, "iloc"):
        columns = {"0" if data.name is None else str(data.name): data}
    elif hasattr(data, "tocsc"):
        matrix = data.tocsc()
        most = min(matrix.shape[1], _COLUMNS)
        columns = {str(place): matrix[:, place].toarray().ravel() for place in range(most)}
    else:
        if isinstance(data, (list, tuple)) and data and all(isinstance(row, Mapping) for row in data):
            names = list(dict.fromkeys(name for row in data for name in row))
            return _columns({name: [row.get(name) for row in data] for name in names}, what)
        array = data if isinstance(data, numpy.ndarray) else numpy.asarray(data)
        if array.ndim == 1:
            array = array.reshape(-1, 1)
        if array.ndim != 2:
            raise InvalidValue(f"the {what} have {array.ndim} axes, and a profile is of rows and columns",
                               hint="give a table: a DataFrame, or an array with two axes")
        columns = {str(place): array[:, place] for place in range(array.shape[1])}
    columns = dict(list(columns.items())[:_COLUMNS])
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise InvalidValue(f"the {what} have columns of different lengths, or none: {sorted(lengths)}",
                           hint="give a table: a DataFrame, or an array with two axes")
    return columns, lengths.pop()


def _column(values: Any) -> Any:
    return list(values) if isinstance(values, (tuple, list)) else values


def _take(values: Any, chosen: Any) -> Any:
    if hasattr(values, "iloc"):
        return values.iloc[chosen]
    if isinstance(values, list):
        return [values[place] for place in chosen]
    return values[chosen]


def _listed(values: Any) -> Iterable[Any]:
    made: Iterable[Any] = values.tolist() if hasattr(values, "tolist") else values
    return made


def _extension(dtype: Any) -> bool:
    return type(dtype).__module__.partition(".")[0] == "pandas"


def _absent(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)


def _number(value: Any) -> float:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _seconds(value: Any) -> float:
    if isinstance(value, str):
        try:
            value = dates.datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") else value)
        except ValueError:
            return math.nan
    if isinstance(value, dates.datetime):
        return math.nan if _absent(value) else value.replace(tzinfo=value.tzinfo or dates.timezone.utc).timestamp()
    if isinstance(value, dates.date):
        return float((value - dates.date(1970, 1, 1)).days * 86_400)
    return _number(value)


def _category(value: Any) -> str:
    """Whole numbers are the same category whether JSON has written them with a point or not."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return str(value)[:_CATEGORY_LENGTH]
