"""A TensorFlow tensor or ``tf.data.Dataset`` as a data set."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from millstream.data.dataset import Dataset
from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import source_of
from millstream.data.digests import array_digest, element_digest
from millstream.data.frame_dataset import inferred
from millstream.data.schema import TensorDatasetSchema
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from millstream.models.schema import Schema


class TensorFlowDataset(Dataset):
    """Features, and targets of the same kind: two tensors, or two ``tf.data.Dataset``.

    The digest of a ``tf.data.Dataset`` reads all of it. Raises InvalidValue for other objects, for two kinds, and for
    data without an end that comes without a digest.
    """

    def __init__(
        self,
        features: Any,
        source: DatasetSource,
        targets: Any = None,
        name: str | None = None,
        digest: str | None = None,
    ) -> None:
        parts = [features] if targets is None else [features, targets]
        if len({_is_stream(part) for part in parts}) > 1:
            raise InvalidValue("features and targets are two tensors, or two of tf.data.Dataset, not one of each")
        if digest is None and _is_stream(features) and any(_cardinality(part) == -1 for part in parts):
            raise InvalidValue("a tf.data.Dataset without an end has no digest", hint="give one, or take(n) of it")
        self._features = features
        self._targets = targets
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        if _is_stream(self._features):
            return element_digest(_elements(self._features, self._targets))
        return array_digest(self._features.numpy(), None if self._targets is None else self._targets.numpy())

    @property
    def data(self) -> Any:
        """The features."""
        return self._features

    @property
    def targets(self) -> Any:
        """What is to be learned."""
        return self._targets

    @property
    def profile(self) -> dict[str, Any]:
        """``features_cardinality`` and ``targets_cardinality``: numbers in a tensor, elements of a ``tf.data.Dataset``
        (-1 for those without an end, -2 when it cannot tell)."""
        parts = {"features": self._features, "targets": self._targets}
        return {f"{role}_cardinality": _cardinality(data) for role, data in parts.items() if data is not None}

    @cached_property
    def schema(self) -> TensorDatasetSchema | None:
        """The tensors, the first axis of each left open; None for nested elements and for numbers without an axis."""
        features = _schema(self._features)
        targets = None if self._targets is None else _schema(self._targets)
        if features is None or (targets is None and self._targets is not None):
            return None
        return TensorDatasetSchema(features, targets)


def from_tensorflow(
    features: Any,
    source: str | DatasetSource | None = None,
    targets: Any = None,
    name: str | None = None,
    digest: str | None = None,
) -> TensorFlowDataset:
    """The data set of a tensor or a ``tf.data.Dataset``; ``targets`` is of the same kind.

    ``source`` and ``digest`` as in :func:`~millstream.data.pandas_dataset.from_pandas`. Raises InvalidValue as
    :class:`TensorFlowDataset` does, NotFound for a source that nothing knows.
    """
    return TensorFlowDataset(features, source_of(source), targets, name, digest)


def _is_stream(data: Any) -> bool:
    import tensorflow

    if isinstance(data, tensorflow.data.Dataset):
        return True
    if tensorflow.is_tensor(data) and hasattr(data, "numpy"):
        return False
    raise InvalidValue(f"expected a tensor or a tf.data.Dataset, got {type(data).__name__}")


def _cardinality(data: Any) -> int:
    return int(data.cardinality().numpy() if _is_stream(data) else data.numpy().size)


def _elements(*streams: Any) -> Iterator[Any]:
    """Each element of each stream as one flat array."""
    import numpy
    import tensorflow

    for stream in streams:
        for element in () if stream is None else stream.as_numpy_iterator():
            parts = [numpy.ravel(part) for part in tensorflow.nest.flatten(element)]
            yield parts[0] if len(parts) == 1 else numpy.concatenate(parts)


def _schema(data: Any) -> Schema | None:
    if not _is_stream(data):
        return inferred(data.numpy()) if data.shape.rank else None
    element = next(iter(data.take(1).as_numpy_iterator()), None)
    if isinstance(element, tuple):
        element = {str(position): part for position, part in enumerate(element)}
    parts = element.values() if isinstance(element, dict) else [element]
    return inferred(element) if all(getattr(part, "shape", ()) for part in parts) else None
