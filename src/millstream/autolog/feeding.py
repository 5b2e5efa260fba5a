"""The data that a Keras training is fed with, looked at without taking anything away from it.

An iteration over a ``tf.data.Dataset`` may change the next one: a shuffle draws its order anew, a generator is used up.
So only those are read that give the same elements each time, and of others only what they say of their elements.
"""

from __future__ import annotations

import hashlib
import importlib
import math
import sys
from functools import cached_property
from typing import Any

from millstream.data import Dataset

DEFAULT_BATCH = 32  # what keras.Model.fit takes of arrays when nothing is said
# Steps of tf.data that give the same elements each time.
_REPEATABLE = frozenset({
    "TensorDataset", "TensorSliceDataset", "RangeDataset", "BatchDataset", "ParallelBatchDataset", "TakeDataset",
    "SkipDataset", "ZipDataset", "PrefetchDataset", "OptionsDataset", "ConcatenateDataset",
})
# What is read of data for its digest, at most.
_BYTES = 64 << 20


def batch_size(x: Any, given: Any) -> Any:
    """The size of the batches, None where only the data know it."""
    if given is not None:
        return given
    if _is_stream(x):
        shapes = [spec.shape for spec in _flat(x.element_spec)]
        if shapes and shapes[0].rank:
            told = (int(step._batch_size) for step in _steps(x) if hasattr(step, "_batch_size"))
            return shapes[0][0] or next(told, None)
        return None
    if getattr(x, "batch_size", None) is not None:  # a keras.utils.PyDataset, or a DataLoader of torch
        return x.batch_size
    return DEFAULT_BATCH if hasattr(x, "shape") or isinstance(x, (list, dict)) else None


def pair(data: Any) -> tuple[Any, Any]:
    """Features and targets of ``validation_data``, which is a tuple of them or whatever ``x`` may be."""
    if isinstance(data, (tuple, list)):
        return (data[0], data[1]) if len(data) > 1 else (None, None)
    return data, None


def dataset_of(x: Any) -> Dataset | None:
    """The dataset of a ``tf.data.Dataset``; None for other data."""
    if not _is_stream(x):
        return None
    from millstream import data

    if _is_repeatable(x) and _size(x) <= _BYTES:
        return data.from_tensorflow(x)
    return _described(x)


def example_of(x: Any, model: Any) -> Any:
    """The data by whose first rows the model is shown: arrays as they are, several by the names of the inputs, the
    first batch of a ``tf.data.Dataset``; None where looking at them would change them."""
    if _is_stream(x):
        if not _is_repeatable(x) or not _flat(x.element_spec)[0].shape.rank:
            return None
        element = next(iter(x.take(1).as_numpy_iterator()), None)
        x = element[0] if isinstance(element, tuple) else element
    inputs = getattr(model, "inputs", None) or ()
    if isinstance(x, (list, tuple)) and len(x) == len(inputs) > 1:
        x = {one.name: part for one, part in zip(inputs, x, strict=True)}
    if isinstance(x, dict):
        return {name: _array(part) for name, part in x.items()}
    return _array(x)


def signature_of(model: Any) -> Any:
    """The signature that a model has by its own description of inputs and outputs. None for one that has none."""
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        return None
    from millstream.models.signature import ModelSignature

    return ModelSignature(_schema(inputs), _schema(outputs))


def _array(part: Any) -> Any:
    """Tensors as arrays; DataFrames, arrays and lists as they are; None for what is none of these."""
    if hasattr(part, "iloc") or isinstance(part, list) or type(part).__module__ == "numpy":
        return part
    if hasattr(part, "shape") and hasattr(part, "dtype") and "keras" in sys.modules:
        keras = importlib.import_module("keras")
        return keras.ops.convert_to_numpy(part[:8])
    return None


def _is_stream(x: Any) -> bool:
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(x, tensorflow.data.Dataset)


def _flat(spec: Any) -> list[Any]:
    flat: list[Any] = importlib.import_module("tensorflow").nest.flatten(spec)
    return flat


def _steps(stream: Any) -> list[Any]:
    """The stream and all that it is made from."""
    return [stream, *(step for one in stream._inputs() for step in _steps(one))]


def _is_repeatable(stream: Any) -> bool:
    return all(type(step).__name__.lstrip("_") in _REPEATABLE for step in _steps(stream))


def _size(stream: Any) -> float:
    """The size of all elements in bytes, infinite where it cannot be told."""
    count = int(stream.cardinality().numpy())
    if count < 0:
        return math.inf
    size = batch_size(stream, None)
    return float(sum(
        count * math.prod(side or size or math.inf for side in spec.shape) * (spec.dtype.size or 16)
        for spec in _flat(stream.element_spec)
    ))


def _schema(specs: Any) -> Any:
    """The schema of tensors of Keras or TensorFlow: a list, tuple or dict of them, or one."""
    import numpy

    from millstream.models.schema import Schema, TensorSpec

    if isinstance(specs, dict):
        named = list(specs.items())
    elif isinstance(specs, (list, tuple)) and len(specs) > 1:
        named = [(getattr(one, "name", None) or str(position), one) for position, one in enumerate(specs)]
    else:
        named = [(None, specs[0] if isinstance(specs, (list, tuple)) else specs)]

    def typed(spec: Any) -> Any:
        name = getattr(spec.dtype, "name", spec.dtype)
        return numpy.dtype("str" if name == "string" else name)

    return Schema([
        TensorSpec(typed(spec), tuple(-1 if side is None else side for side in spec.shape), name)
        for name, spec in named
    ])


def _described(stream: Any) -> Dataset | None:
    """A dataset that is known by what the stream says of itself alone."""
    from millstream.data.dataset_source_registry import source_of
    from millstream.data.schema import TensorDatasetSchema
    from millstream.data.tensorflow_dataset import TensorFlowDataset

    spec = stream.element_spec
    described = spec if isinstance(spec, dict) else dict(enumerate(spec)) if isinstance(spec, tuple) else spec
    if isinstance(described, dict) and any(not hasattr(one, "shape") for one in described.values()):
        described = None  # nested deeper than a schema goes

    class Described(TensorFlowDataset):
        @cached_property
        def schema(self) -> TensorDatasetSchema | None:
            if isinstance(described, dict):
                return TensorDatasetSchema(_schema({str(name): one for name, one in described.items()}))
            return TensorDatasetSchema(_schema(described)) if described is not None else None

    text = repr((spec, int(stream.cardinality().numpy()), [type(step).__name__ for step in _steps(stream)]))
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Described(stream, source_of(None), digest=digest)
