"""What a flavor is, and the options that every flavor's ``save_model`` and ``log_model`` take.

A flavor is a module of functions, named as the library is, which ``millstream.<library>`` offers to users:

    save_model(model, path, conda_env=None, code_paths=None, mlflow_model=None, …its own…,
               **options: Unpack[SaveOptions])
    log_model(model, artifact_path=None, conda_env=None, code_paths=None, …its own…,
              **options: Unpack[LogOptions])
    load_model(model_uri, dst_path=None, …its own…)
    get_default_pip_requirements(), get_default_conda_env()
    _load_pyfunc(path, model_config=None)      the model as a python function: an object with predict(data, params)

Its ``save_model`` hands :func:`millstream.flavors.saving.save` a function that writes the library's files into a folder
and returns a :class:`Written`; everything else that a model folder holds is written there, once for all flavors.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from millstream.models.signature import ModelSignature

Call = TypeVar("Call", bound=Callable[..., Any])


class SaveOptions(TypedDict, total=False):
    """What every ``save_model`` takes beside the model and its place.

    ``signature`` says what the model takes and gives; from ``input_example`` it is inferred when it is not given
    (``False`` switches that off). ``pip_requirements`` (lines, or the path of a file) replace those that the model is
    seen to need, ``extra_pip_requirements`` are added to them. ``metadata`` is kept in the MLmodel file as it is.
    ``extra_files`` are addresses of files that go along, below ``extra_files/``. ``training_profile`` is the training
    data, or its profile (:func:`millstream.monitoring.profile`), against which requests are held when it is served.
    """

    signature: ModelSignature | bool | None
    input_example: Any
    pip_requirements: Iterable[str] | str | None
    extra_pip_requirements: Iterable[str] | str | None
    metadata: Mapping[str, Any] | None
    extra_files: Iterable[str] | None
    training_profile: Any


class LogOptions(SaveOptions, total=False):
    """What every ``log_model`` takes beside that.

    ``name`` (of old: ``artifact_path``) names the logged model. ``registered_model_name`` registers it as the next
    version of that registered model. ``params`` and ``tags`` are the logged model's own, ``model_type`` the user's word
    for its kind, ``step`` that of the run at which it was made, ``model_id`` an already initialized logged model to
    fill. ``run_id`` names another run than the active one.
    """

    name: str | None
    registered_model_name: str | None
    await_registration_for: int | None
    params: Mapping[str, Any] | None
    tags: Mapping[str, Any] | None
    model_type: str | None
    step: int
    model_id: str | None
    run_id: str | None


@dataclass(frozen=True)
class Written:
    """What a flavor has written into a model folder.

    ``block`` is its block in MLmodel. ``python_function`` holds what that block of MLmodel needs of it
    (``model_path`` or ``data``, ``predict_fn``, …), None for a model that cannot predict. ``modules`` are the top-level
    modules that loading the model imports, beside those of the flavor. ``predict(data, params)`` is the python
    function, without loading what was just written: with it a signature is inferred.
    """

    block: dict[str, Any]
    python_function: dict[str, Any] | None = None
    modules: set[str] = field(default_factory=set)
    predict: Callable[[Any, dict[str, Any] | None], Any] | None = None


@dataclass(frozen=True)
class Flavor:
    """``name`` is the key in MLmodel; ``loader`` the module that loads it as a python function, by MLflow's name;
    ``modules`` what each of its models needs."""

    name: str
    loader: str
    modules: tuple[str, ...]

    def default_requirements(self) -> list[str]:
        """The pins of what each model of the flavor needs, as installed here."""
        from millstream.models.requirements import infer_requirements

        return infer_requirements(self.modules)

    def default_conda_env(self) -> dict[str, Any]:
        """The same as the content of a conda.yaml."""
        from millstream.models.environment_files import resolve

        return resolve(inferred=self.default_requirements()).conda_env()


def spelled_out(call: Call) -> Call:
    """Show the options behind ``**options`` in the signature of ``call``, and refuse others by name (TypeError)."""
    plain = inspect.signature(call)
    kind = LogOptions if "LogOptions" in str(plain.parameters["options"].annotation) else SaveOptions
    options = dict.fromkeys([*SaveOptions.__annotations__, *kind.__annotations__])
    shown = [one for one in plain.parameters.values() if one.name != "options"]
    shown += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=0 if name == "step" else None)
              for name in options if name not in plain.parameters]
    known = {one.name for one in shown}

    @functools.wraps(call)
    def checked(*arguments: Any, **keywords: Any) -> Any:
        for name in keywords:
            if name not in known:
                raise TypeError(f"{call.__name__}() got an unexpected keyword argument {name!r}")
        return call(*arguments, **keywords)

    checked.__signature__ = plain.replace(parameters=shown)  # type: ignore[attr-defined]
    return checked  # type: ignore[return-value]


