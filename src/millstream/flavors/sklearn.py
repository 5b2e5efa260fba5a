"""scikit-learn: any estimator, pipeline or search, as cloudpickle (the default), pickle or skops."""

from __future__ import annotations

import functools
import os
import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream import settings
from millstream.errors import BadModel, InvalidValue, UntrustedModel
from millstream.flavors import arrays, loading, logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out
from millstream.models import pickles, requirements

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo
    from millstream.models.mlmodel import Model

FLAVOR = Flavor("sklearn", "mlflow.sklearn", ("sklearn", "scipy", "numpy", "pandas"))
SERIALIZATION_FORMAT_PICKLE = "pickle"
SERIALIZATION_FORMAT_CLOUDPICKLE = "cloudpickle"
SERIALIZATION_FORMAT_SKOPS = "skops"
SUPPORTED_SERIALIZATION_FORMATS = [
    SERIALIZATION_FORMAT_PICKLE, SERIALIZATION_FORMAT_CLOUDPICKLE, SERIALIZATION_FORMAT_SKOPS,
]
PREDICT_FUNCTIONS = (
    "predict", "predict_proba", "predict_log_proba", "predict_joint_log_proba", "transform", "score_samples",
    "decision_function",
)


@spelled_out
def save_model(
    sk_model: Any, path: str | os.PathLike[str], conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, mlflow_model: Model | None = None,
    serialization_format: str | None = None, pyfunc_predict_fn: str = "predict",
    skops_trusted_types: list[str] | None = None, **options: Unpack[SaveOptions],
) -> None:
    """Save an estimator as the model in the folder ``path``.

    ``serialization_format`` is cloudpickle unless given; skops stores no code, and loads types beyond those it knows
    itself only where they are named in ``skops_trusted_types``. ``pyfunc_predict_fn`` is the method that the python
    function calls, such as predict_proba. Raises InvalidValue for another format or method.
    """
    if serialization_format is None:
        serialization_format = SERIALIZATION_FORMAT_SKOPS if skops_trusted_types else SERIALIZATION_FORMAT_CLOUDPICKLE
    if serialization_format not in SUPPORTED_SERIALIZATION_FORMATS:
        raise InvalidValue.of("serialization_format", serialization_format, "it is not known",
                              hint=f"choose among {', '.join(SUPPORTED_SERIALIZATION_FORMATS)}")

    def write(folder: Path) -> Written:
        name = "model.skops" if serialization_format == SERIALIZATION_FORMAT_SKOPS else "model.pkl"
        modules = _write(sk_model, folder / name, serialization_format, skops_trusted_types)
        block = {
            "pickled_model": name, "serialization_format": serialization_format,
            "sklearn_version": _version(), "skops_trusted_types": skops_trusted_types,
        }
        python_function = None
        if hasattr(sk_model, pyfunc_predict_fn):
            python_function = {"model_path": name, "predict_fn": pyfunc_predict_fn}
        elif pyfunc_predict_fn != "predict":
            raise InvalidValue(f"a {type(sk_model).__name__} has no method {pyfunc_predict_fn!r}",
                               hint=f"it has {', '.join(one for one in PREDICT_FUNCTIONS if hasattr(sk_model, one))}")
        predict = PythonFunction(sk_model, pyfunc_predict_fn).predict if python_function else None
        return Written(block, python_function, modules, predict)

    saving.save(FLAVOR, path, write, conda_env=conda_env, code_paths=code_paths, mlflow_model=mlflow_model, **options)


@spelled_out
def log_model(
    sk_model: Any, artifact_path: str | None = None, conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, serialization_format: str | None = None,
    pyfunc_predict_fn: str = "predict", skops_trusted_types: list[str] | None = None, **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save an estimator, see :func:`save_model`, and log it."""
    save = functools.partial(
        save_model, sk_model, conda_env=conda_env, code_paths=code_paths, serialization_format=serialization_format,
        pyfunc_predict_fn=pyfunc_predict_fn, skops_trusted_types=skops_trusted_types,
    )
    return logging.log(save, artifact_path, **options)


def load_model(model_uri: str | os.PathLike[str], dst_path: str | None = None) -> Any:
    """The estimator of the model at ``model_uri``. Raises BadModel, CorruptModel, UntrustedModel."""
    folder, _, block = loading.open_model(model_uri, FLAVOR.name, dst_path)
    return _read(loading.file_of(folder, block, "pickled_model", default="model.pkl"), block)


def get_default_pip_requirements(include_cloudpickle: bool = True, include_skops: bool = False) -> list[str]:
    """The pins of what every scikit-learn model needs."""
    further = [name for name, wanted in (("cloudpickle", include_cloudpickle), ("skops", include_skops)) if wanted]
    return requirements.infer_requirements([*FLAVOR.modules, *further])


def get_default_conda_env(include_cloudpickle: bool = True, include_skops: bool = False) -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    from millstream.models.environment_files import resolve

    return resolve(inferred=get_default_pip_requirements(include_cloudpickle, include_skops)).conda_env()


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PythonFunction:
    """The python function of a model: ``path`` is its file, whose folder's MLmodel says how to read it."""
    from millstream.models.mlmodel import Model

    file = Path(path)
    if file.is_dir():  # models of MLflow before 1.0 name their folder
        file = file / "model.pkl"
    model = Model.load(file.parent)
    block = model.flavors.get(FLAVOR.name) or {"serialization_format": SERIALIZATION_FORMAT_PICKLE}
    configured = (model_config or {}).get("predict_fn")
    method = configured or (model.flavors.get("python_function") or {}).get("predict_fn") or "predict"
    return PythonFunction(_read(file, block), method)


class PythonFunction:
    """An estimator that predicts by one of its methods."""

    def __init__(self, sk_model: Any, method: str = "predict") -> None:
        self.sk_model = sk_model
        self._call = getattr(sk_model, method)

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """What the method gives for ``data``; ``params`` are its further arguments."""
        return self._call(data, **(params or {}))

    def on_arrays(self, names: Sequence[str]) -> Callable[[Any], Any] | None:
        """``predict`` for arrays of doubles with these columns, the same to the last bit; None where nobody knows."""
        method = self._call.__name__
        plain = arrays.plain(self.sk_model, names)
        if plain is None or not hasattr(plain, method):
            return None
        made = arrays.undivided(getattr(plain, method), plain)
        return made if arrays.proven(self._call, made, names) else None

    def get_raw_model(self) -> Any:
        """The estimator."""
        return self.sk_model


def _write(sk_model: Any, file: Path, serialization_format: str, trusted: list[str] | None) -> set[str]:
    """Write the estimator, and say which modules its file names."""
    if serialization_format == SERIALIZATION_FORMAT_SKOPS:
        io = _skops()
        text = io.dumps(sk_model)
        unknown = [name for name in io.get_untrusted_types(data=text) if name not in (trusted or [])]
        if unknown:
            raise UntrustedModel(
                f"skops does not know these types by itself: {', '.join(unknown)}",
                hint="name them in skops_trusted_types=[…] if you trust them, or save as cloudpickle, the default",
            )
        file.write_bytes(text)
        return {"skops", *(name.partition(".")[0] for name in trusted or ())}
    text = pickle.dumps(sk_model) if serialization_format == SERIALIZATION_FORMAT_PICKLE else pickles.dumps(sk_model)
    file.write_bytes(text)
    return requirements.modules_of_pickle(text) | ({"cloudpickle"} if serialization_format != "pickle" else set())


def _read(file: Path, block: Mapping[str, Any]) -> Any:
    serialization_format = block.get("serialization_format", SERIALIZATION_FORMAT_PICKLE)
    if serialization_format in (SERIALIZATION_FORMAT_PICKLE, SERIALIZATION_FORMAT_CLOUDPICKLE):
        return pickles.load(file)
    if serialization_format != SERIALIZATION_FORMAT_SKOPS:
        raise BadModel(f"{file} is written in the format {serialization_format!r}, which is not known here",
                       hint="update Millstream, or save the model again")
    io = _skops()
    # The model's own list is its maker's word: it counts where he is trusted, the operator's list counts always.
    trusted = [name.strip() for name in (settings.SKOPS_TRUSTED_TYPES.get() or "").split(",") if name.strip()]
    unknown = [name for name in io.get_untrusted_types(file=file) if name not in trusted]
    if unknown:
        pickles.allow(file)
    return io.load(file, trusted=[*trusted, *unknown])


def _skops() -> Any:
    try:
        import skops.io
    except ModuleNotFoundError:
        raise BadModel("the format skops needs the package skops", hint="pip install skops") from None
    return skops.io


def _version() -> str:
    import sklearn

    return str(sklearn.__version__)
