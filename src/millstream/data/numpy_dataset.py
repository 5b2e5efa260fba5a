"""NumPy arrays as a data set."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from millstream.data.dataset import Dataset
from millstream.data.dataset_source import DatasetSource
from millstream.data.dataset_source_registry import source_of
from millstream.data.digests import array_digest
from millstream.data.frame_dataset import inferred
from millstream.data.schema import TensorDatasetSchema
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    import numpy

    Arrays = numpy.ndarray[Any, Any] | dict[str, numpy.ndarray[Any, Any]]


class NumpyDataset(Dataset):
    """An array or a dict of arrays, and the targets that belong to it. Raises InvalidValue for something else."""

    def __init__(
        self,
        features: Arrays,
        source: DatasetSource,
        targets: Arrays | None = None,
        name: str | None = None,
        digest: str | None = None,
    ) -> None:
        for role, data in (("features", features), ("targets", targets)):
            arrays = data.values() if isinstance(data, dict) else [] if data is None else [data]
            if (role == "features" and data is None) or not all(hasattr(array, "nbytes") for array in arrays):
                raise InvalidValue(
                    f"{role}: expected an ndarray or a dict of them, not {type(data).__name__}", hint="numpy.asarray(…)"
                )
        self._features = features
        self._targets = targets
        super().__init__(source, name, digest)

    def _compute_digest(self) -> str:
        return array_digest(self._features, self._targets)

    @property
    def features(self) -> Arrays:
        """The data."""
        return self._features

    @property
    def targets(self) -> Arrays | None:
        """What is to be learned."""
        return self._targets

    @property
    def profile(self) -> dict[str, Any]:
        """``features_shape``, ``features_size``, ``features_nbytes``, and the same for targets; by name for a dict."""
        parts = {"features": self._features, "targets": self._targets}
        return {
            f"{role}_{figure}": {key: _figure(array, figure) for key, array in data.items()}
            if isinstance(data, dict) else _figure(data, figure)
            for role, data in parts.items() if data is not None
            for figure in ("shape", "size", "nbytes")
        }

    @cached_property
    def schema(self) -> TensorDatasetSchema | None:
        """The tensors; None when an array has no axis."""
        features = inferred(self._features)
        targets = None if self._targets is None else inferred(self._targets)
        if features is None or (targets is None and self._targets is not None):
            return None
        return TensorDatasetSchema(features, targets)


def from_numpy(
    features: Arrays,
    source: str | DatasetSource | None = None,
    targets: Arrays | None = None,
    name: str | None = None,
    digest: str | None = None,
) -> NumpyDataset:
    """The data set of an ndarray or a dict of them; ``targets`` are one or a dict too.

    ``source`` and ``digest`` as in :func:`~millstream.data.pandas_dataset.from_pandas`. Raises InvalidValue for other
    data, NotFound for a source that nothing knows.
    """
    return NumpyDataset(features, source_of(source), targets, name, digest)


def _figure(array: Any, name: str) -> Any:
    return list(array.shape) if name == "shape" else int(getattr(array, name))
