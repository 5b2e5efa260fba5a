"""Models over data sets of Ray: actors that load the model once, and predict batch by batch."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream import settings
from millstream.errors import InvalidValue, NotSupported
from millstream.flavors import loading
from millstream.flavors.pyfunc.loading import load_model, read_config
from millstream.inference.batches import with_predictions
from millstream.models import trust
from millstream.models.enforcement import enforce_params
from millstream.models.mlmodel import PYTHON_FUNCTION, Model

if TYPE_CHECKING:
    import pyarrow
    from ray.data import Dataset

__all__ = ["Predictor", "predict"]


class Predictor:
    """A model in an actor of Ray: made of its files, called with tables of Arrow.

    ``content`` are the files as an archive (tar); with ``trusted`` they may run code when they are loaded.
    """

    def __init__(
        self, content: bytes, trusted: bool, params: dict[str, Any] | None, config: dict[str, Any] | None,
        keep: Sequence[str] | None,
    ) -> None:
        folder = Path(tempfile.mkdtemp(prefix="millstream-ray-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)  # a model may read its files later
        with tarfile.open(fileobj=io.BytesIO(content)) as packed:
            packed.extractall(folder, filter="data")
        if trusted:
            trust.vouch(folder)
        self._model = load_model(folder, suppress_warnings=True, model_config=config)
        self._params, self._keep = params, keep

    def __call__(self, batch: pyarrow.Table) -> pyarrow.Table:
        """The batch with predictions."""
        return with_predictions(self._model, batch, params=self._params, keep=self._keep)


def predict(
    dataset: Dataset, model_uri: str | os.PathLike[str], *, params: dict[str, Any] | None = None,
    keep: Sequence[str] | None = None, batch_size: int | None = 4096, actors: int | tuple[int, int] = 1,
    num_cpus: float | None = None, num_gpus: float | None = None,
    model_config: str | os.PathLike[str] | dict[str, Any] | None = None,
) -> Dataset:
    """A data set with the predictions of the model at ``model_uri`` beside its columns, or beside those to ``keep``.

    So many ``actors`` (or from so many to so many) each load the model once; it goes to them through Ray's object
    store, so that they need Millstream and the model's libraries and nothing else. The model is given the columns that
    its signature names. Predictions are one column ``prediction``, several (``prediction_0``, …), or have the names
    that the model gives them. Nothing is computed before the data set is read. ``num_cpus`` and ``num_gpus`` are an
    actor's.

    Raises NotSupported without Ray, InvalidValue, SchemaMismatch for params that do not fit, UntrustedModel, and what
    fetching the model raises.
    """
    try:
        import ray
    except ImportError:
        raise NotSupported("Ray is not installed", hint="pip install millstream[ray]") from None
    if batch_size is not None and batch_size < 1:
        raise InvalidValue.of("batch_size", batch_size, "expected 1 or more, or None for whole blocks")
    folder = loading.fetch(model_uri)
    model = Model.load(folder)
    loading.block_of(model, PYTHON_FUNCTION, os.fspath(model_uri))
    known = model.get_params_schema()
    if params or known is not None:
        enforce_params(params, known)
    config = None if model_config is None else read_config(model_config)
    allowed = settings.ALLOW_PICKLE_DESERIALIZATION.get()
    trusted = trust.knows(folder) if allowed is None else allowed
    if not trusted:
        load_model(folder, suppress_warnings=True, model_config=config)  # raises here what actors would
    content = ray.put(_packed(folder))
    asked = {"num_cpus": num_cpus, "num_gpus": num_gpus}
    options: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    made: Dataset = dataset.map_batches(
        _Remote, batch_size=batch_size, batch_format="pyarrow", concurrency=actors,
        fn_constructor_args=([content], trusted, params, config, None if keep is None else list(keep)), **options,
    )
    return made


class _Remote(Predictor):
    """The same, given a reference to the files: in a list, so that the actor fetches them itself."""

    def __init__(self, content: list[Any], *others: Any) -> None:
        import ray

        super().__init__(ray.get(content[0]), *others)


def _packed(folder: Path) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as packed:
        for one in sorted(folder.iterdir()):
            packed.add(one, one.name)
    return stream.getvalue()
