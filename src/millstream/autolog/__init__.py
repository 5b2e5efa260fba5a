"""Automatic logging: a library's trainings are logged without a line of code in the program.

A library's module lies here under its name, has a line in ``libraries.LIBRARIES``, and looks like this::

    @autologging("boost")                                  # its arguments, as in MLflow, become the settings
    def autolog(rounds=10, log_models=True, log_datasets=True, disable=False, exclusive=False, silent=False, …):
        \"""Log every training of boost: …\"""

    def install(patches: Patches) -> None:                 # called once boost is imported (never imports it before)
        import boost

        patches.train(boost, "train", _train)              # a call that trains: the active run, or one of its own
        patches.watch(boost.Booster, "score", _score)      # any other call: no run

    def _train(training: Training) -> Generator[None, Any, None]:
        training.log_params({"eta": training.argument("eta")})          # arguments by name, defaults included
        dataset = training.log_dataset(training.argument("X"), training.argument("y"))
        training.begin_model()                                          # only for metrics of epochs: they belong to it
        ours = Callback(training)                                       # its steps in `with training.safely("…"):`
        training.kwargs["callbacks"] = [*(training.argument("callbacks") or ()), ours]
        booster = yield                                                 # the original is called here, exactly once
        training.log_metrics({"best": booster.best}, step=3, dataset=dataset)
        training.log_model("boost", booster, examples=training.argument("X"), predict=booster.predict)

No method of a training raises; an error anywhere in a module of ours is one warning in the log, and training never sees
it. Where the original raises, the generator is closed at its ``yield`` (``finally:`` runs) and the run is FAILED. Calls
made inside a patched call, of whatever library, are not logged again. ``training.settings`` are the arguments of
``autolog``. More: :mod:`millstream.autolog.training` and :mod:`millstream.autolog.patching`.
"""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

from millstream.autolog.libraries import LIBRARIES, autologging, switch_all
from millstream.autolog.patching import Call, Patches
from millstream.autolog.training import Training, first_rows

__all__ = ["LIBRARIES", "Call", "Patches", "Training", "autolog", "autologging", "first_rows"]


def autolog(
    log_input_examples: bool = False, log_model_signatures: bool = True, log_models: bool = True,
    log_datasets: bool = True, log_traces: bool = True, disable: bool = False, exclusive: bool = False,
    disable_for_unsupported_versions: bool = False, silent: bool = False, extra_tags: dict[str, str] | None = None,
    exclude_flavors: list[str] | None = None,
) -> None:
    """Log the trainings of every library that can be, those that are imported later too; none is imported for it.

    A training logs into the active run, or into one that is made for it (with ``extra_tags``) and ended with it:
    parameters, metrics, models (``log_models``) with their signatures (``log_model_signatures``) and, with
    ``log_input_examples``, five rows of their data, and the datasets (``log_datasets``). With ``exclusive`` nothing is
    logged into a run that the program started itself. ``silent`` keeps our messages out of the log.

    A library's own ``autolog`` (such as ``millstream.sklearn.autolog``) wins over this one, before and after it.
    ``exclude_flavors`` names libraries to leave alone. ``disable`` switches every library off, also one whose own
    ``autolog`` was called, and puts its original functions back. ``log_traces`` and
    ``disable_for_unsupported_versions`` are taken for MLflow's sake; what a version of a library does not have is not
    patched.
    """
    settings: dict[str, Any] = {
        "log_input_examples": log_input_examples, "log_model_signatures": log_model_signatures,
        "log_models": log_models, "log_datasets": log_datasets, "log_traces": log_traces, "disable": disable,
        "exclusive": exclusive, "disable_for_unsupported_versions": disable_for_unsupported_versions,
        "silent": silent, "extra_tags": extra_tags,
    }
    switch_all(settings, exclude_flavors)


class _Room(types.ModuleType):
    """This package, which is what ``millstream.autolog`` names, and so can be called like the function."""

    __call__ = staticmethod(autolog)
    __signature__ = inspect.signature(autolog)


sys.modules[__name__].__class__ = _Room
