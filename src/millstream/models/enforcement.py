"""Data and parameters checked against what a model takes, and brought into its types.

An :class:`Enforcer` is made once for a schema and called for each prediction. A DataFrame whose columns and types are
those of the schema is given back as it is, after two comparisons; no column of it is touched. What a prediction server
reads from JSON has no types of its own: see :func:`millstream.models.payloads.parse`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from millstream.errors import InvalidValue, SchemaMismatch
from millstream.models.cells import from_python
from millstream.models.columns import conversion, spark_fits, together
from millstream.models.schema import AnyType, Array, ColSpec, Map, Object, ParamSchema, Schema
from millstream.models.signature import ModelSignature
from millstream.models.tensors import TensorEnforcer
from millstream.models.widening import Convert, Misfit

_log = logging.getLogger(__name__)

# Plans for frames of that many different types are kept; callers send the same few.
KEPT_PLANS = 64
SHOWN_COLUMNS = 10


class Enforcer:
    """Brings data into the columns or tensors of a schema.

    Called with a DataFrame (pandas, polars, Spark, an Arrow table), a Series, an array, a dict or a list of values or
    of rows, a sparse matrix or a single value, it gives what the model's ``predict`` gets: a pandas DataFrame for
    columns (Spark's stays one), arrays for tensors. Columns that the schema does not name are left out, optional ones
    may be missing. Raises SchemaMismatch, which tells every fault with its remedy.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._tensors = TensorEnforcer(schema) if schema.is_tensor_spec() else None
        self._columns = [spec for spec in schema if isinstance(spec, ColSpec)]
        self._names = schema.input_names()
        self._named = schema.has_input_names()
        self._open = not self._named and len(self._columns) == 1 and isinstance(self._columns[0].type, AnyType)
        self._labels: Any = None
        self._fitting: tuple[Any, ...] | None = None
        self._plans: dict[tuple[Any, ...], list[Convert | None]] = {}

    def __call__(self, data: Any) -> Any:
        """``data`` as the model takes them. Raises SchemaMismatch."""
        if self._tensors is not None:
            return self._tensors(data)
        if self._open:  # a schema that says nothing
            return data
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(data, pandas.DataFrame):
            return self._frame(data, pandas)
        return self._other(data)

    def _frame(self, data: Any, pandas: Any) -> Any:
        if self._named:
            if self._labels is None:
                self._labels = pandas.DataFrame(columns=self._names).columns
            if not data.columns.equals(self._labels):
                return self._some(data)
        elif len(data.columns) != len(self._names):
            return self._first(data)
        types = _types(data)
        if types == self._fitting:
            return data
        return self._converted(data, self._columns, types)

    def _some(self, data: Any) -> Any:
        """A frame with other columns than the schema's, or in another order."""
        columns = data.columns
        if not columns.is_unique:
            repeated = set(columns[columns.duplicated()])
            if twice := [name for name in self._names if name in repeated]:
                raise SchemaMismatch(
                    f"the columns {_listed(twice)} come more than once",
                    hint="keep one of each: df.loc[:, ~df.columns.duplicated()]",
                )
            data = data.loc[:, ~columns.duplicated()]
        here = data.columns.get_indexer(self._labels) >= 0
        labels, specs, missing = self._labels, self._columns, []
        if not here.all():
            labels = labels[here]
            specs = [spec for spec, found in zip(specs, here, strict=True) if found]
            missing = [spec.name for spec, found in zip(self._columns, here, strict=True)
                       if spec.required and not found]
        chosen = data.reindex(columns=labels)
        return self._converted(chosen, specs, _types(chosen), missing, data)

    def _first(self, data: Any) -> Any:
        """A frame with another number of columns than a schema without names."""
        wanted = len(self._names)
        if len(data.columns) < wanted:
            raise SchemaMismatch(
                f"the model takes {wanted} columns, found {len(data.columns)}",
                hint=f"their types are, in this order: {', '.join(repr(spec.type) for spec in self._columns)}",
            )
        chosen = data.iloc[:, :wanted]
        return self._converted(chosen, self._columns, _types(chosen))

    def _converted(
        self, data: Any, specs: Sequence[ColSpec], types: tuple[Any, ...], missing: Sequence[Any] = (),
        given: Any = None,
    ) -> Any:
        whole = len(specs) == len(self._columns)
        plan = self._plans.get(types) if whole else None
        if plan is None:
            plan = [conversion(dtype, spec.type, spec.required) for dtype, spec in zip(types, specs, strict=True)]
            if whole:
                if len(self._plans) >= KEPT_PLANS:
                    self._plans.clear()
                self._plans[types] = plan
        if not missing and not any(plan):
            if whole:
                self._fitting = types
            return data
        if not missing and (convert := together(plan)) is not None:
            return convert(data)
        faults = _Faults(self, given if given is not None else data, missing)
        made = {}
        for position, (spec, convert) in enumerate(zip(specs, plan, strict=True)):
            if convert is not None:
                column = data.iloc[:, position]
                try:
                    new = convert(column)
                    if new is not column:
                        made[position] = new
                except Misfit as misfit:
                    faults.add(data.columns[position], spec, misfit)
        faults.raise_any()
        return _replaced(data, made) if made else data

    def _other(self, data: Any) -> Any:
        import pandas

        if isinstance(data, pandas.Series):
            return self._frame(data.to_frame(0 if data.name is None else data.name), pandas)
        package = type(data).__module__.partition(".")[0]
        if package == "pyarrow" and hasattr(data, "to_pandas"):
            return self._frame(data.to_pandas(), pandas)
        if package == "polars" and hasattr(data, "to_pandas"):
            return self._frame(_from_polars(data.to_frame() if hasattr(data, "to_frame") else data), pandas)
        if package == "pyspark" and hasattr(data, "schema"):
            return self._spark(data)
        if type(data).__name__ == "ndarray" and data.ndim in (1, 2):
            one = data.ndim == 1 or self._is_one(Array)
            return self._frame(pandas.DataFrame({0: list(data) if data.ndim == 2 else data} if one else data), pandas)
        if isinstance(data, dict):
            return self._from_dict(data)
        if isinstance(data, list):
            return self._from_list(data)
        if data is None or hasattr(data, "shape") and data.shape:
            raise SchemaMismatch(
                f"the model takes columns, found a value of type {type(data).__name__}",
                hint=f"give a DataFrame, or a dict or list of rows, with {self._described()}",
            )
        return self._from_list([data])

    def _from_dict(self, data: dict[Any, Any]) -> Any:
        if self._is_one(Object, Map):
            return self._from_columns({0: [data]})
        named = data if self._named else dict(enumerate(data.values()))
        columns, single = {}, []
        for name, spec in zip(self._names, self._columns, strict=True):
            if name not in named:
                continue
            values = named[name]
            if type(values).__name__ == "ndarray" and not values.ndim:
                values = values.item()
            if not isinstance(values, list) and getattr(values, "ndim", 0) == 1 and not _is_array(spec, values):
                values = list(values)
            elif not isinstance(values, list) or _is_array(spec, values):
                values = [values]
                single.append(name)
            columns[name] = values
        rows = {len(values) for name, values in columns.items() if name not in single}
        if len(rows) > 1:
            lengths = ", ".join(f"{name!r}: {len(values)}" for name, values in columns.items() if name not in single)
            raise SchemaMismatch(f"the columns have different lengths: {lengths}", hint="give one value a row to each")
        for name in single if rows else ():
            columns[name] = columns[name] * max(rows)
        return self._from_columns(columns, data)

    def _from_list(self, data: list[Any]) -> Any:
        if data and all(isinstance(row, dict) for row in data) and not self._is_one(Object, Map):
            names = self._names if self._named else list(dict.fromkeys(name for row in data for name in row))
            given = dict.fromkeys(name for row in data for name in row)
            columns = {name: [row.get(name) for row in data] for name in names if name in given}
            if not self._named:
                columns = dict(enumerate(columns.values()))
            return self._from_columns(columns, given)
        if len(self._names) == 1 and not (data and all(_is_row(row) for row in data) and not self._is_one(Array)):
            return self._from_columns({0: data})
        widths = {len(row) if _is_row(row) else 0 for row in data}
        if len(widths) > 1:
            raise SchemaMismatch("the rows have different lengths", hint=f"each row has {self._described()}")
        return self._from_columns({position: [row[position] for row in data] for position in range(max(widths or {0}))})

    def _from_columns(self, columns: dict[Any, Any], given: Any = None) -> Any:
        """A frame from lists of Python's own values."""
        import pandas

        missing = [
            name for name, spec in zip(self._names, self._columns, strict=True) if spec.required and name not in columns
        ]
        faults = _Faults(self, given if given is not None else columns, missing)
        made = {}
        for name, spec in zip(self._names, self._columns, strict=True):
            if name in columns:
                try:
                    made[name] = from_python(columns[name], spec.type, spec.required)
                except Misfit as misfit:
                    faults.add(name, spec, misfit)
        faults.raise_any()
        frame = pandas.DataFrame(made)
        if not self._named and given is not None:
            frame.columns = pandas.Index(list(given)[: len(frame.columns)])
        return frame

    def _spark(self, data: Any) -> Any:
        found = {part.name: part.dataType.jsonValue() for part in data.schema.fields}
        names = self._names if self._named else list(found)
        wanted = list(zip(names, self._columns, strict=self._named))
        missing = [name for name, spec in wanted if spec.required and name not in found]
        missing += self._names[len(wanted):]
        faults = _Faults(self, found, missing)
        for name, spec in wanted:
            if name in found and not spark_fits(found[name], spec.type, name):
                faults.add(name, spec, Misfit(f"Spark's {found[name]}", "df.withColumn({}, df[{}].cast(…))"))
        faults.raise_any()
        return data.select(*["`" + name.replace("`", "``") + "`" for name, _ in wanted if name in found])

    def _is_one(self, *kinds: type) -> bool:
        return not self._named and len(self._columns) == 1 and isinstance(self._columns[0].type, kinds)

    def _described(self) -> str:
        shown = [f"{name!r}: {spec.type!r}" for name, spec in zip(self._names, self._columns, strict=True)]
        more = f" and {len(shown) - SHOWN_COLUMNS} more" if len(shown) > SHOWN_COLUMNS else ""
        return f"the column{'s' if len(shown) > 1 else ''} {', '.join(shown[:SHOWN_COLUMNS])}{more}"


class _Faults:
    """What is wrong with some data, told together."""

    def __init__(self, enforcer: Enforcer, given: Any, missing: Sequence[Any]) -> None:
        self.messages: list[str] = []
        self.remedies: list[str] = []
        if missing:
            names = list(given)
            extra = [name for name in names if name not in enforcer._names]
            self.messages.append(f"{_listed(missing)} {'is' if len(missing) == 1 else 'are'} missing"
                                 + (f" (found {_listed(extra)} instead)" if extra else ""))
            unnamed = names == list(range(len(names)))
            self.remedies.append(
                f"name the columns: pandas.DataFrame(data, columns=[{_listed(enforcer._names)}])" if unnamed
                else f"the model takes {enforcer._described()}; add {_listed(missing)}"
            )

    def add(self, name: Any, spec: ColSpec, misfit: Misfit) -> None:
        self.messages.append(f"the column {name!r} should be {spec.type!r}, found {misfit.found}")
        if misfit.remedy:
            self.remedies.append(misfit.remedy.replace("{}", repr(name)))

    def raise_any(self) -> None:
        if self.messages:
            more = len(self.messages) - SHOWN_COLUMNS
            raise SchemaMismatch(
                "the data do not fit the model's signature: " + "; ".join(self.messages[:SHOWN_COLUMNS])
                + (f"; and {more} more" if more > 0 else ""),
                hint="; ".join(self.remedies[:SHOWN_COLUMNS]) or None,
            )


def enforce_input(data: Any, schema: Schema | ModelSignature | None) -> Any:
    """``data`` as a model with this schema (or signature) takes them, see :class:`Enforcer`. Raises SchemaMismatch."""
    inputs = schema.inputs if isinstance(schema, ModelSignature) else schema
    return data if inputs is None else Enforcer(inputs)(data)


def validate_schema(data: Any, expected_schema: Schema) -> None:
    """Check that a model with this schema takes ``data``. Raises SchemaMismatch."""
    Enforcer(expected_schema)(data)


def enforce_params(params: Any, schema: ParamSchema | None) -> dict[str, Any]:
    """The parameters of a prediction: those given, in their types, and the defaults of the others.

    Parameters that the schema does not name are left out, with a warning. Raises SchemaMismatch for values that do not
    fit, all together.
    """
    if params is not None and not isinstance(params, Mapping):
        raise SchemaMismatch(f"params is a dict of names and values, got {type(params).__name__}")
    given = {str(name): value for name, value in (params or {}).items()}
    made, faults = {}, []
    for spec in schema or ():
        if spec.name not in given:
            made[spec.name] = list(spec.default) if isinstance(spec.default, list) else spec.default
            continue
        try:
            made[spec.name] = spec.validate(given[spec.name])
        except InvalidValue as fault:
            faults.append(fault.message)
    if faults:
        raise SchemaMismatch(f"the parameters do not fit the model's signature: {'; '.join(faults)}",
                             hint=f"the model takes {schema!r}")
    if unknown := [name for name in given if name not in made]:
        known = f"its parameters are {_listed(list(made))}" if made else "its signature has no parameters"
        _log.warning("the parameters %s are left out, as the model does not know them: %s", _listed(unknown), known)
    return made


def _types(data: Any) -> tuple[Any, ...]:
    """The types of the columns."""
    try:
        # What dtypes is made from; the Series around it takes longer than all the rest of a check.
        return tuple(data._mgr.get_dtypes())
    except AttributeError:
        return tuple(data.dtypes)


def _replaced(data: Any, columns: dict[int, Any]) -> Any:
    """A frame with new values for the columns at some positions."""
    import pandas

    made = pandas.DataFrame(
        {position: getattr(columns[position], "array", columns[position]) if position in columns
         else data.iloc[:, position].array for position in range(len(data.columns))},
        index=data.index,
    )
    made.columns = data.columns
    return made


def _from_polars(data: Any) -> Any:
    """A polars frame as a pandas one: arrays of numbers and dates where nothing is missing, else Python's values."""
    import pandas

    def column(series: Any) -> Any:
        plain = series.dtype.is_numeric() or series.dtype.is_temporal() or str(series.dtype) == "Boolean"
        if plain and (not series.null_count() or series.dtype.is_float()):
            return series.to_numpy()
        return pandas.Series(series.to_list(), dtype=object)

    return pandas.DataFrame({series.name: column(series) for series in data.get_columns()})


def _is_row(row: Any) -> bool:
    return isinstance(row, (list, tuple)) or getattr(row, "ndim", 0) == 1


def _is_array(spec: ColSpec, values: Any) -> bool:
    """Whether ``values`` are the one list of a column of lists, and not a column."""
    depth, kind = 0, spec.type
    while isinstance(kind, Array):
        depth, kind = depth + 1, kind.dtype
    found = getattr(values, "ndim", None)
    if found is None:
        found, inner = 0, values
        while isinstance(inner, list):
            found, inner = found + 1, inner[0] if inner else None
    return bool(depth) and found <= depth


def _listed(names: Sequence[Any]) -> str:
    shown = ", ".join(repr(name) for name in names[:SHOWN_COLUMNS])
    return shown + (f" and {len(names) - SHOWN_COLUMNS} more" if len(names) > SHOWN_COLUMNS else "")
