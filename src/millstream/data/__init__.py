"""Data sets as inputs of runs: what was read, from where, in which version, and what it looked like.

``from_pandas``, ``from_numpy``, ``from_polars``, ``from_spark``, ``from_huggingface`` and ``from_tensorflow`` describe
data that is in memory, ``load_delta`` a version of a Delta table, ``from_file`` a file, a folder or an address;
``log_input`` records what they return. Name, digest, schema and profile are what MLflow records for the same data.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from millstream.data.dataset import Dataset
    from millstream.data.dataset_source import DatasetSource
    from millstream.data.dataset_source_registry import get_source
    from millstream.data.delta_dataset import load_delta
    from millstream.data.file_dataset import from_file
    from millstream.data.huggingface_dataset import from_huggingface
    from millstream.data.numpy_dataset import from_numpy
    from millstream.data.pandas_dataset import from_pandas
    from millstream.data.polars_dataset import from_polars
    from millstream.data.spark_dataset import from_spark
    from millstream.data.tensorflow_dataset import from_tensorflow

_WHERE = {
    "Dataset": "dataset",
    "DatasetSource": "dataset_source",
    "from_file": "file_dataset",
    "from_huggingface": "huggingface_dataset",
    "from_numpy": "numpy_dataset",
    "from_pandas": "pandas_dataset",
    "from_polars": "polars_dataset",
    "from_spark": "spark_dataset",
    "from_tensorflow": "tensorflow_dataset",
    "get_source": "dataset_source_registry",
    "load_delta": "delta_dataset",
}

__all__ = [
    "Dataset", "DatasetSource", "from_file", "from_huggingface", "from_numpy", "from_pandas", "from_polars",
    "from_spark", "from_tensorflow", "get_source", "load_delta",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        found = globals()[name] = getattr(importlib.import_module(f"millstream.data.{_WHERE[name]}"), name)
        return found
    if name.startswith(("from_", "load_")):
        from millstream.plugins import plugins

        for plugin in plugins("millstream.dataset_constructor", "mlflow.dataset_constructor"):
            if plugin.name == name:
                found = globals()[name] = plugin.load()
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
