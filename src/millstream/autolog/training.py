"""One autologged training: the call, the run, and all that a library's module logs into it."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import random
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from millstream.autolog import children, sessions
from millstream.autolog.children import Child
from millstream.autolog.patching import Call
from millstream.autolog.safety import Safely
from millstream.errors import InvalidValue, MillstreamError, StoreUnavailable
from millstream.flavors import profiles
from millstream.tracking import artifacts, checks
from millstream.tracking.clock import next_time

if TYPE_CHECKING:
    from millstream.autolog.sessions import Session
    from millstream.data import Dataset
    from millstream.models.info import ModelInfo
    from millstream.models.signature import ModelSignature
    from millstream.tracking.recorder import Recorder

EXAMPLE_ROWS = 5
# A sparse matrix that would take more room as an array gets no dataset.
_MOST_DENSE_BYTES = 1 << 27
# Whose threads look after worker processes, and draw nothing.
_KEEPERS = ("joblib", "loky", "multiprocessing")
# How long the end of a run waits for a store that did not answer during the training.
_GOOD_BYE_SECONDS = 1.0

_Method = TypeVar("_Method", bound=Callable[..., Any])


def _unless_cut_off(method: _Method) -> _Method:
    """Do nothing more once the store does not answer: a training would wait for it time and again. What goes through
    the outbox is kept, and sent later."""

    @functools.wraps(method)
    def checked(training: Training, *args: Any, **kwargs: Any) -> Any:
        return None if training._is_cut_off else method(training, *args, **kwargs)

    return checked  # type: ignore[return-value]


class _Sending(Safely):
    """A block of a training that notices when the store is gone."""

    __slots__ = ("training",)

    def __init__(self, training: Training, what: str) -> None:
        super().__init__(training.library.name, what, silent=bool(training.settings.silent), told=training.told)
        self.training = training

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, StoreUnavailable):
            self.training._is_cut_off = True
        return super().__exit__(kind, error, trace)


class Training(Call):
    """A call that trains a model, with the run that it logs into.

    Everything is logged to that run, from whatever thread. What cannot be logged is one line of warning, and the next
    call goes on: no method raises, so a module does not guard them. ``model_id`` is the logged model of the training,
    None until there is one.
    """

    model_id: str | None = None
    _session: Session
    _started: bool = False
    _is_cut_off: bool = False

    def begin(self) -> bool:
        """Find or make the run."""
        session = sessions.begin(self.library.name, self.settings)
        if session is None:
            return False
        self._session = session
        return True

    def end(self, status: str) -> None:
        """End the run, if it was made for this training. A model that was begun and never logged is FAILED."""
        try:
            if self._started and self.model_id is not None and not self._is_cut_off:
                from millstream.tracking.client import MlflowClient

                MlflowClient(self.recorder.uri).finalize_logged_model(self.model_id, "FAILED")
        finally:
            self._session.end(status, _GOOD_BYE_SECONDS if self._is_cut_off else None)

    def safely(self, what: str) -> Safely:
        """A block whose error is a warning ("autologging of … misses <what>"), told once a call."""
        return _Sending(self, what)

    @property
    def run_id(self) -> str:
        """The run."""
        return self._session.run_id

    @property
    def experiment_id(self) -> str:
        """The run's experiment."""
        return self._session.experiment_id

    @property
    def recorder(self) -> Recorder:
        """What takes the entries of the run."""
        return self._session.recorder

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log parameters, any number, values cut to their limit. One that the run has with another value keeps it."""
        with self.safely("parameters"):
            keeper = self.recorder
            try:
                keeper.log_params(params, directly=not keeper.buffered)
                return
            except InvalidValue:
                pass  # some of them: the others are good
            refused: list[str] = []
            why: MillstreamError | None = None
            for key, value in params.items():
                try:
                    keeper.log_params({key: value}, directly=not keeper.buffered)
                except InvalidValue as error:
                    refused.append(str(key))
                    why = why or error
            if why is not None:
                raise InvalidValue(f"{', '.join(refused)}: {why}")

    def log_metrics(self, metrics: Mapping[str, Any], step: int = 0, *, dataset: Dataset | None = None) -> None:
        """Log a point of each metric, measured on ``dataset`` (one that :meth:`log_dataset` returned).

        They belong to the training's model too, if there is one. Costs microseconds.
        """
        with self.safely("metrics"):
            keeper = self.recorder
            sound: dict[str, float] = {}
            bad: InvalidValue | None = None
            for key, value in metrics.items():
                try:
                    sound[checks.metric_key(key)] = checks.number(value, key)
                except InvalidValue as error:
                    bad = bad or error
            if keeper.buffered and self.model_id is not None:
                # The model is what this training makes, so nobody needs to enter it as an input.
                name, digest = (dataset.name, dataset.digest) if dataset is not None else (None, None)
                keeper.log.metrics(sound, next_time(keeper.times, sound, step), step, self.model_id, name, digest)
            else:
                keeper.log_metrics(sound, step, None, model_id=self.model_id, dataset=dataset,
                                   directly=not keeper.buffered)
            if bad is not None:
                raise bad

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags of the run."""
        with self.safely("tags"):
            self.recorder.set_tags(tags, directly=not self.recorder.buffered)

    @_unless_cut_off
    def log_text(self, text: str, artifact_file: str) -> None:
        """Store a text as ``artifact_file`` of the run."""
        with self.safely(artifact_file):
            artifacts.log_text(text, artifact_file, self.run_id)

    @_unless_cut_off
    def log_dict(self, content: Any, artifact_file: str) -> None:
        """Store ``content`` as JSON (or YAML, by the name)."""
        with self.safely(artifact_file):
            artifacts.log_dict(content, artifact_file, self.run_id)

    @_unless_cut_off
    def log_figure(self, figure: Any, artifact_file: str, **save_kwargs: Any) -> None:
        """Store a figure of matplotlib in the format that the file's name ends in. Make it with
        ``matplotlib.figure.Figure``, which leaves ``pyplot`` and the program's backend alone."""
        from millstream.tracking.client import MlflowClient

        with self.safely(artifact_file):
            MlflowClient(self.recorder.uri).log_figure(self.run_id, figure, artifact_file, save_kwargs=save_kwargs)

    @_unless_cut_off
    def log_bytes(self, content: bytes, artifact_file: str) -> None:
        """Store ``content`` as ``artifact_file`` of the run: a plot, say; see :mod:`millstream.autolog.drawing`."""
        with self.safely(artifact_file):
            artifacts.log_stream(io.BytesIO(content), artifact_file, self.run_id)

    @_unless_cut_off
    def log_artifact(self, local_path: str, artifact_path: str | None = None) -> None:
        """Store a local file or folder in the folder ``artifact_path`` of the run."""
        with self.safely(local_path):
            artifacts.log_artifact(local_path, artifact_path, self.run_id)

    @_unless_cut_off
    def log_dataset(self, X: Any, y: Any = None, context: str = "train", name: str | None = None) -> Dataset | None:
        """Note data as an input of the run, by its digest and schema; what no dataset describes is passed over.

        ``X`` is a DataFrame, an array, a sparse matrix, lists, or a dict of arrays, ``y`` what is to be learned.
        Returns the dataset, for :meth:`log_metrics`; None without ``log_datasets``.
        """
        if not self.settings.log_datasets:
            return None
        with self.safely(f"the dataset ({context})"):
            made = dataset_of(X, y, name)
            if made is not None:
                self._log_input(made, context)
            return made
        return None

    @_unless_cut_off
    def log_made_dataset(self, dataset: Dataset, context: str = "train") -> None:
        """Note a dataset that the library's module has made by itself as an input of the run."""
        if self.settings.log_datasets:
            with self.safely(f"the dataset ({context})"):
                self._log_input(dataset, context)

    def _log_input(self, dataset: Dataset, context: str) -> None:
        from millstream.entities import DatasetInput, InputTag
        from millstream.operations import LogInputs
        from millstream.tracking.recorder import entity_of
        from millstream.tracking.tags import MLFLOW_DATASET_CONTEXT

        used = DatasetInput(entity_of(dataset), [InputTag(MLFLOW_DATASET_CONTEXT, context)])
        self.recorder.store.execute(LogInputs(self.run_id, [used], []))

    @_unless_cut_off
    def log_children(self, runs: Sequence[Child], *, dataset: Dataset | None = None) -> None:
        """Log finished runs below this training's run, the candidates of a search, say, each trained on ``dataset``."""
        with self.safely("child runs"):
            children.log(self, runs, dataset)

    def log_child(
        self, params: Mapping[str, Any], metrics: Mapping[str, Any], tags: Mapping[str, Any] | None = None, *,
        dataset: Dataset | None = None, run_name: str | None = None, start_time: int | None = None,
    ) -> None:
        """Log one finished run below this training's run. ``start_time`` is in milliseconds since the epoch, now
        unless given."""
        self.log_children([Child(params, metrics, tags or {}, run_name, start_time)], dataset=dataset)

    @_unless_cut_off
    def begin_model(self, name: str = "model") -> None:
        """Create the training's logged model before there is one to save, so that the metrics of every epoch belong to
        it. :meth:`log_model` fills it; a training that fails leaves it FAILED."""
        if not self.settings.log_models or self.model_id is not None:
            return
        with self.safely("the model"):
            from millstream.tracking.models import initialize_logged_model

            self.model_id = initialize_logged_model(name, self.run_id).model_id
            self._started = True

    @_unless_cut_off
    def log_model(
        self, flavor: str, model: Any, name: str = "model", *, examples: Any = None,
        predict: Callable[[Any], Any] | None = None, data: Any = None, **options: Any,
    ) -> ModelInfo | None:
        """Log a model with ``millstream.flavors.<flavor>.log_model(model, name=name, …, **options)``.

        ``examples`` are the data it was trained on, or some of it, or a function without arguments that returns
        them; ``predict`` gives the predictions for the first five rows, from which the signature is inferred
        (None: the flavor does it, from the example). ``data`` are the training data whose profile goes along.
        The settings say whether a model, its signature and an input example are logged, and what it is
        registered as. None when none is logged.
        """
        if not self.settings.log_models:
            return None
        with self.safely("the model"):
            if self.settings.log_input_examples or self.settings.log_model_signatures:
                options = {**self._described(examples, predict), **options}
            with self.safely("the training profile"), random_states_kept():
                if (made_profile := profiles.seen(data, predict)) is not None:
                    options["training_profile"] = made_profile
            if self.settings.registered_model_name:
                options.setdefault("registered_model_name", self.settings.registered_model_name)
            if self.model_id is not None and self._started:
                options.update(model_id=self.model_id, params=dict(self.recorder.params))
            options.setdefault("run_id", self.run_id)
            log_model = importlib.import_module(f"millstream.flavors.{flavor}").log_model
            made: ModelInfo = log_model(model, name=name, **options)
            self.model_id = made.model_id
            self._started = False
            return made
        return None

    def _described(self, examples: Any, predict: Callable[[Any], Any] | None) -> dict[str, Any]:
        """The input example and the signature, as the settings ask for them."""
        example = None
        signature: ModelSignature | bool | None = None
        with self.safely("the input example"):
            example = first_rows(examples() if callable(examples) else examples, EXAMPLE_ROWS)
        if example is None:
            return {}
        if self.settings.log_model_signatures and predict is not None:
            with self.safely("the signature of the model"):
                signature = signature_of(example, predict)
        elif not self.settings.log_model_signatures:
            signature = False
        described: dict[str, Any] = {"input_example": example} if self.settings.log_input_examples else {}
        return {**described, "signature": signature} if signature is not None else described


def signature_of(example: Any, predict: Callable[[Any], Any]) -> ModelSignature:
    """The signature of a model that predicts like that. ``predict`` gets a copy of the example, and what it draws from
    the global generators of Python and numpy is given back: the program goes on as without it."""
    from millstream.models.signature import infer_signature

    with random_states_kept():
        return infer_signature(example, predict(copied(example)))


@contextlib.contextmanager
def random_states_kept() -> Iterator[None]:
    """A block whose draws from the global generators of Python and numpy are given back; not while other threads may be
    drawing from them, whose draws would come again."""
    main = threading.main_thread()
    others = (
        thread for thread in threading.enumerate()
        if thread is not main and not thread.daemon and type(thread).__module__.partition(".")[0] not in _KEEPERS
    )
    if threading.current_thread() is not main or any(others):
        yield
        return
    plain = random.getstate()
    np = sys.modules.get("numpy")
    arrays = np.random.get_state(legacy=False) if np is not None else None
    try:
        yield
    finally:
        random.setstate(plain)
        if np is not None:
            np.random.set_state(arrays)


def first_rows(data: Any, rows: int = EXAMPLE_ROWS) -> Any:
    """A copy of the first rows of a DataFrame, Series, array, sparse matrix, list or dict of those; None for others."""
    if data is None or isinstance(data, (str, bytes)):
        return None
    if isinstance(data, Mapping):
        return {key: first_rows(value, rows) for key, value in data.items()}
    if hasattr(data, "iloc"):
        return data.iloc[:rows].copy()
    if isinstance(data, (list, tuple)):
        return list(data[:rows])
    if hasattr(data, "tocsr"):
        return data.tocsr()[:rows]
    if hasattr(data, "shape") and hasattr(data, "__getitem__"):
        return copied(data[:rows])
    return None


def copied(data: Any) -> Any:
    """A copy of data, as deep as its own ``copy`` goes; the data itself where it has none."""
    if isinstance(data, Mapping):
        return {key: copied(value) for key, value in data.items()}
    return data.copy() if hasattr(data, "copy") else data


def dataset_of(X: Any, y: Any = None, name: str | None = None) -> Dataset | None:
    """The dataset of data in memory; None for what none of ours describes. Sparse matrices and lists become arrays."""
    from millstream import data

    numpy: Any = importlib.import_module("numpy")
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        return data.from_pandas(X, name=name)
    if hasattr(X, "iloc"):
        return data.from_pandas(X.to_frame(), name=name)
    features, targets = _arrays(X, numpy), _arrays(y, numpy)
    if features is None:
        return None
    return data.from_numpy(features, targets=targets, name=name)


def _arrays(part: Any, numpy: Any) -> Any:
    if isinstance(part, Mapping):
        arrays = {str(key): _arrays(value, numpy) for key, value in part.items()}
        return None if any(array is None for array in arrays.values()) else arrays
    if part is None or isinstance(part, numpy.ndarray):
        return part
    if hasattr(part, "toarray"):
        whole = part.shape[0] * part.shape[1] * part.dtype.itemsize
        return part.toarray() if whole <= _MOST_DENSE_BYTES else None
    if isinstance(part, (list, tuple)) or hasattr(part, "__array__"):
        array = numpy.asarray(part)
        return None if array.dtype == object else array
    return None
