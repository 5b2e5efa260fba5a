"""LightGBM: boosters as text, estimators of its scikit-learn interface as skops, cloudpickle or pickle."""

from __future__ import annotations

import functools
import os
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millstream import settings
from millstream.errors import BadModel, CorruptModel, InvalidValue, UntrustedModel
from millstream.flavors import loading, logging, saving
from millstream.flavors.contract import Flavor, LogOptions, SaveOptions, Written, spelled_out
from millstream.models import pickles, requirements

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from millstream.models.info import ModelInfo
    from millstream.models.mlmodel import Model

FLAVOR = Flavor("lightgbm", "mlflow.lightgbm", ("lightgbm", "numpy", "scipy", "pandas"))
SERIALIZATION_FORMAT_PICKLE = "pickle"
SERIALIZATION_FORMAT_CLOUDPICKLE = "cloudpickle"
SERIALIZATION_FORMAT_SKOPS = "skops"
_FORMATS = (SERIALIZATION_FORMAT_PICKLE, SERIALIZATION_FORMAT_CLOUDPICKLE, SERIALIZATION_FORMAT_SKOPS)
_BOOSTER = "lightgbm.basic.Booster"
# What estimators of LightGBM consist of beside what skops knows itself. None of it runs code of a file: a booster is
# read from its text, the others are plain attributes.
_KNOWN_TYPES = frozenset({
    _BOOSTER, "collections.OrderedDict", "lightgbm.sklearn.LGBMClassifier", "lightgbm.sklearn.LGBMModel",
    "lightgbm.sklearn.LGBMRanker", "lightgbm.sklearn.LGBMRegressor",
})


@spelled_out
def save_model(
    lgb_model: Any, path: str | os.PathLike[str], conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, mlflow_model: Model | None = None,
    serialization_format: str | None = None, skops_trusted_types: list[str] | None = None,
    **options: Unpack[SaveOptions],
) -> None:
    """Save a ``Booster``, or an estimator such as ``LGBMClassifier``, as the model in the folder ``path``.

    A booster is LightGBM's text. An estimator is written as ``serialization_format`` says: skops, which stores no code,
    where skops is installed and knows all of it (types beyond those of LightGBM are named in ``skops_trusted_types``),
    else cloudpickle. Raises InvalidValue for another format, or for what is no model of LightGBM.
    """
    import lightgbm

    if serialization_format is not None and serialization_format not in _FORMATS:
        raise InvalidValue.of("serialization_format", serialization_format, "it is not known",
                              hint=f"choose among {', '.join(_FORMATS)}")
    is_booster = isinstance(lgb_model, lightgbm.Booster)
    if not is_booster and not isinstance(lgb_model, lightgbm.LGBMModel):
        raise InvalidValue(f"a Booster or an estimator of LightGBM is expected, not {type(lgb_model).__name__}",
                           hint="give what lightgbm.train() returned, or a fitted LGBMClassifier, LGBMRegressor, …")
    kind = type(lgb_model)

    def write(folder: Path) -> Written:
        if is_booster:
            name, form, modules = "model.lgb", serialization_format or _default_format(), {kind.__module__}
            lgb_model.save_model(str(folder / name))
        else:
            name, form, modules = _write(lgb_model, folder, serialization_format, skops_trusted_types)
        trusted = None
        if form == SERIALIZATION_FORMAT_SKOPS:
            trusted = sorted({*_KNOWN_TYPES, *(skops_trusted_types or ())})
        block = {"data": name, "lgb_version": lightgbm.__version__, "serialization_format": form,
                 "model_class": f"{kind.__module__}.{kind.__qualname__}", "skops_trusted_types": trusted}
        return Written(block, {"data": name}, modules, PythonFunction(lgb_model).predict)

    saving.save(FLAVOR, path, write, conda_env=conda_env, code_paths=code_paths, mlflow_model=mlflow_model, **options)


@spelled_out
def log_model(
    lgb_model: Any, artifact_path: str | None = None, conda_env: Mapping[str, Any] | str | None = None,
    code_paths: Iterable[str] | None = None, serialization_format: str | None = None,
    skops_trusted_types: list[str] | None = None, **options: Unpack[LogOptions],
) -> ModelInfo:
    """Save a model, see :func:`save_model`, and log it."""
    save = functools.partial(
        save_model, lgb_model, conda_env=conda_env, code_paths=code_paths, serialization_format=serialization_format,
        skops_trusted_types=skops_trusted_types,
    )
    return logging.log(save, artifact_path, **options)


def load_model(model_uri: str | os.PathLike[str], dst_path: str | None = None) -> Any:
    """The ``Booster`` or estimator of the model at ``model_uri``. Raises BadModel, CorruptModel, UntrustedModel."""
    folder, _, block = loading.open_model(model_uri, FLAVOR.name, dst_path)
    return _read(loading.file_of(folder, block, "data", default="model.lgb"), block)


def get_default_pip_requirements(include_cloudpickle: bool = False, include_skops: bool = False) -> list[str]:
    """The pins of what every LightGBM model needs."""
    further = [name for name, wanted in (("cloudpickle", include_cloudpickle), ("skops", include_skops)) if wanted]
    return requirements.infer_requirements([*FLAVOR.modules, *further])


def get_default_conda_env(include_cloudpickle: bool = False, include_skops: bool = False) -> dict[str, Any]:
    """The same as the content of a conda.yaml."""
    from millstream.models.environment_files import resolve

    return resolve(inferred=get_default_pip_requirements(include_cloudpickle, include_skops)).conda_env()


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PythonFunction:
    """The python function of a model: ``path`` is its file, whose folder's MLmodel says how to read it."""
    from millstream.models.mlmodel import Model

    file = Path(path)
    return PythonFunction(_read(file, Model.load(file.parent).flavors.get(FLAVOR.name) or {}))


class PythonFunction:
    """A booster or an estimator that predicts."""

    def __init__(self, lgb_model: Any) -> None:
        self.lgb_model = lgb_model

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """What ``predict`` of the model gives for ``data``; ``params`` change nothing."""
        return self.lgb_model.predict(data)

    def get_raw_model(self) -> Any:
        """The booster or estimator."""
        return self.lgb_model


def _default_format() -> str:
    from importlib.util import find_spec

    return SERIALIZATION_FORMAT_SKOPS if find_spec("skops") is not None else SERIALIZATION_FORMAT_CLOUDPICKLE


def _write(
    lgb_model: Any, folder: Path, asked: str | None, named: list[str] | None
) -> tuple[str, str, set[str]]:
    """Write an estimator; the name of its file, its format, and the modules that the file names."""
    form = asked or _default_format()
    trusted = {*_KNOWN_TYPES, *(named or ())}
    if form == SERIALIZATION_FORMAT_SKOPS:
        io = _skops()
        text = io.dumps(lgb_model)
        unknown = [name for name in io.get_untrusted_types(data=text) if name not in trusted]
        if not unknown:
            (folder / "model.skops").write_bytes(text)
            return "model.skops", form, {"skops", "sklearn", *(name.partition(".")[0] for name in trusted)}
        if asked is not None:
            raise UntrustedModel(
                f"skops does not know these types by itself: {', '.join(unknown)}",
                hint="name them in skops_trusted_types=[…] if you trust them, or give no serialization_format",
            )
        form = SERIALIZATION_FORMAT_CLOUDPICKLE
    text = pickle.dumps(lgb_model) if form == SERIALIZATION_FORMAT_PICKLE else pickles.dumps(lgb_model)
    (folder / "model.pkl").write_bytes(text)
    modules = requirements.modules_of_pickle(text) | {"sklearn"}
    return "model.pkl", form, modules | ({"cloudpickle"} if form == SERIALIZATION_FORMAT_CLOUDPICKLE else set())


def _read(file: Path, block: Mapping[str, Any]) -> Any:
    import lightgbm

    if str(block.get("model_class") or _BOOSTER) == _BOOSTER:  # MLflow before 1.19 has boosters only
        try:
            return lightgbm.Booster(model_file=str(file))
        except lightgbm.basic.LightGBMError as error:
            raise CorruptModel(f"LightGBM does not read {file}: {error}",
                               hint="fetch or save the model again") from None
    form = block.get("serialization_format")
    if form is None or form in (SERIALIZATION_FORMAT_PICKLE, SERIALIZATION_FORMAT_CLOUDPICKLE):
        return pickles.load(file)
    if form != SERIALIZATION_FORMAT_SKOPS:
        raise BadModel(f"{file} is written in the format {form!r}, which is not known here",
                       hint="update Millstream, or save the model again")
    io = _skops()
    # The model's own list is its maker's word: it counts where he is trusted, ours and the operator's count always.
    ours = {name.strip() for name in (settings.SKOPS_TRUSTED_TYPES.get() or "").split(",")} | _KNOWN_TYPES
    found = io.get_untrusted_types(file=file)
    if not ours.issuperset(found):
        pickles.allow(file)
    return io.load(file, trusted=found)


def _skops() -> Any:
    try:
        import skops.io
    except ModuleNotFoundError:
        raise BadModel("the format skops needs the package skops", hint="pip install skops") from None
    return skops.io
