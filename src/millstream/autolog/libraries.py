"""The libraries that can be autologged, and what each of them is set to."""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
import threading
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar

from millstream.autolog import hooks
from millstream.autolog.patching import Patches
from millstream.autolog.safety import show_our_warnings

logger = logging.getLogger("millstream")

_Function = TypeVar("_Function", bound=Callable[..., None])

_lock = threading.RLock()


class Settings(SimpleNamespace):
    """What a library's ``autolog`` was called with, by name; what it does not have is as below."""

    log_input_examples = False
    log_model_signatures = True
    log_models = True
    log_datasets = True
    log_post_training_metrics = True
    max_tuning_runs: int | None = 5
    pos_label: Any = None
    exclusive = False
    silent = False
    registered_model_name: str | None = None
    extra_tags: dict[str, str] | None = None


class Library:
    """One library: off, waiting for its import, or patched.

    ``hook`` is the module whose import it waits for, ``module`` ours, with ``autolog`` and ``install``. ``settings``
    are what its ``autolog`` was called with, or what the global one gave it. ``is_own`` says that its own was called.
    """

    def __init__(self, name: str, hook: str, module: str) -> None:
        self.name = name
        self.hook = hook
        self.module = module
        self.is_off = True
        self.is_own = False
        self.settings = Settings()
        self.patches = Patches(self)
        self._is_patched = False
        self._globally: dict[str, Any] = {}

    def switch_on(self, settings: dict[str, Any]) -> None:
        """Let the library's own settings hold from now on."""
        with _lock:
            self.is_own = True
            self.settings = Settings(**settings)
            self._wait()

    def switch_on_globally(self, settings: dict[str, Any]) -> None:
        """Let the settings of the global call hold, those that the library has; the others are its defaults."""
        with _lock:
            self._globally = settings
            self._wait()

    def switch_off(self) -> None:
        """Take the patches back, and do not wait for the library any more."""
        with _lock:
            self.is_off = True
            hooks.forget(self._install)
            self.patches.undo()
            self._is_patched = False
            if all(library.is_off for library in LIBRARIES.values()):
                show_our_warnings()

    def _wait(self) -> None:
        if self.is_off:
            self.is_off = False
            hooks.when_imported(self.hook, self._install)
        elif not self.is_own and self._is_patched:
            self._settle()

    def _install(self, module: ModuleType) -> None:
        with _lock:
            if self.is_off or self._is_patched:
                return
            try:
                self._settle()
                self._ours().install(self.patches)
                self._is_patched = True
            except Exception as error:
                self.patches.undo()
                logger.warning("%s is not autologged: %s: %s", self.name, type(error).__name__, error)
                logger.debug("where patching %s failed", self.name, exc_info=error)

    def _settle(self) -> None:
        if not self.is_own:
            known = inspect.signature(self._ours().autolog).parameters
            defaults = {name: parameter.default for name, parameter in known.items()}
            given = {name: value for name, value in self._globally.items() if name in known}
            self.settings = Settings(**{**defaults, **given})

    def _ours(self) -> Any:
        return importlib.import_module(self.module)


# A line for each library: the name that users and tags have, the module whose import is waited for, our module.
_TABLE: list[tuple[str, str, str]] = [
    ("sklearn", "sklearn", "sklearn"),
    ("pytorch", "torch", "pytorch"),
    ("xgboost", "xgboost", "xgboost"),
    ("lightgbm", "lightgbm", "lightgbm"),
    ("catboost", "catboost", "catboost"),
    ("statsmodels", "statsmodels", "statsmodels"),
    ("keras", "keras", "keras"),
    ("tensorflow", "keras", "tensorflow"),
    ("spark", "pyspark.sql", "spark"),
    ("pyspark.ml", "pyspark.ml", "pyspark"),
]
LIBRARIES: dict[str, Library] = {
    name: Library(name, hook, f"millstream.autolog.{module}") for name, hook, module in _TABLE
}


def autologging(name: str) -> Callable[[_Function], _Function]:
    """Make a function with a signature and a docstring the ``autolog`` of the library ``name``.

    Its arguments become the library's settings; ``disable=True`` switches the library off.
    """

    def decorate(function: _Function) -> _Function:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def autolog(*args: Any, **kwargs: Any) -> None:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            settings = dict(bound.arguments)
            function(**settings)  # checks of the library's own arguments
            library = LIBRARIES[name]
            if settings.get("disable"):
                library.is_own = True
                library.switch_off()
            else:
                library.switch_on(settings)

        return autolog  # type: ignore[return-value]

    return decorate


def switch_all(settings: dict[str, Any], exclude: list[str] | None) -> None:
    """The global switch. A library whose own autolog() was called keeps what that said."""
    unknown = set(exclude or ()) - set(LIBRARIES)
    if unknown:  # programs written for MLflow leave out libraries that only MLflow logs
        logger.debug("exclude_flavors names %s, which is not autologged anyway", ", ".join(sorted(unknown)))
    for name, library in LIBRARIES.items():
        if settings["disable"]:
            library.switch_off()
            library.is_own = False
        elif not library.is_own and name not in (exclude or ()):
            library.switch_on_globally(settings)
