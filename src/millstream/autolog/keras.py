"""Autologging of Keras 3, whatever it computes with."""

from __future__ import annotations

import inspect
from collections.abc import Generator
from typing import Any

from millstream.autolog import feeding
from millstream.autolog.epochs import Watch, callback, optimizer_params, summary
from millstream.autolog.libraries import autologging
from millstream.autolog.patching import Patches
from millstream.autolog.training import Training

__all__ = ["CHOSEN", "Fit", "autolog", "fit", "install", "log_beginning", "log_end"]

# What fit() is called with, but for data and callbacks.
ARGUMENTS = (
    "batch_size", "epochs", "validation_split", "shuffle", "class_weight", "sample_weight", "initial_epoch",
    "steps_per_epoch", "validation_steps", "validation_batch_size", "validation_freq",
)


@autologging("keras")
def autolog(
    log_every_epoch: bool = True, log_every_n_steps: int | None = None, log_models: bool = True,
    log_model_signatures: bool = True, save_exported_model: bool = False, log_datasets: bool = True,
    log_input_examples: bool = False, disable: bool = False, exclusive: bool = False,
    disable_for_unsupported_versions: bool = False, silent: bool = False, registered_model_name: str | None = None,
    save_model_kwargs: dict[str, Any] | None = None, extra_tags: dict[str, str] | None = None,
) -> None:
    """Log every ``keras.Model.fit``.

    - Parameters: the arguments of the call, and the optimizer's as ``optimizer_<name>``.
    - Metrics after each epoch (``log_every_epoch``), or after each ``log_every_n_steps`` batches; those on the
      validation data also as ``validation_<name>``.
    - ``model_summary.txt``, the model (``log_models``; ``save_exported_model`` and ``save_model_kwargs`` as in
      :func:`millstream.keras.save_model`), and the data (``log_datasets``).

    Where ``millstream.tensorflow.autolog`` is on too, one of the two logs a training: the one that was called by
    itself, the last one of both, and TensorFlow's where ``millstream.autolog`` switched both on. The other arguments
    are those of :func:`millstream.autolog`.
    """
    CHOSEN["last"] = "keras"


# Which of the two libraries' own autolog() was called last.
CHOSEN = {"last": ""}


def install(patches: Patches) -> None:
    """Patch ``fit`` of the class that ``keras.Model`` has it from: TensorFlow's patch is one of ``keras.Model`` itself,
    so that each can be taken back without the other."""
    import keras

    trainer = next(one for one in keras.Model.__mro__[1:] if "fit" in vars(one))
    patches.train(trainer, "fit", fit, kind=Fit)


class Fit(Training):
    """A call of ``fit``."""

    def add_callback(self, made: Any) -> Any:
        """Let a callback of ours take part, after the caller's; his list stays his. Gives what takes it out again."""
        given: Any = self.arguments.get("callbacks")
        bound = inspect.signature(self.original).bind(*self.args, **self.kwargs)
        if hasattr(given, "append") and not isinstance(given, list):  # a keras.callbacks.CallbackList
            made.set_model(self.instance)  # which such a list does once, when it is made
            given.append(made)
            return lambda: given.callbacks.remove(made)
        own = [] if given is None else [*given] if isinstance(given, (list, tuple)) else [given]
        bound.arguments["callbacks"] = [*own, made]
        self.args, self.kwargs = bound.args, bound.kwargs
        return lambda: None


def log_beginning(training: Training, prefix: str) -> None:
    """Log the parameters and the data of a call of ``fit``."""
    arguments = training.arguments
    with training.safely("parameters"):
        params = {name: arguments[name] for name in ARGUMENTS if name in arguments}
        params["batch_size"] = feeding.batch_size(arguments.get("x"), params.get("batch_size"))
        training.log_params({**params, **optimizer_params(training.instance, prefix)})
    for context, data in (("train", (arguments.get("x"), arguments.get("y"))),
                          ("eval", feeding.pair(arguments.get("validation_data")))):
        if training.settings.log_datasets and data[0] is not None:
            with training.safely(f"the dataset ({context})"):
                stream = feeding.dataset_of(data[0])
                if stream is not None:
                    training.log_made_dataset(stream, context)
                else:
                    training.log_dataset(*data, context)


def log_end(training: Training, flavor: str, **options: Any) -> None:
    """Log the trained model with ``flavor``, whose ``log_model`` takes the options."""
    from millstream.flavors.keras_models import PythonFunction

    model, settings = training.instance, training.settings
    if not settings.log_models:
        return
    x = training.arguments.get("x")
    example = None
    with training.safely("the input example"):
        example = feeding.example_of(x, model)
    if example is None and settings.log_model_signatures:
        with training.safely("the signature of the model"):
            options["signature"] = feeding.signature_of(model)
    training.log_model(flavor, model, examples=example, predict=PythonFunction(model).predict, **options)


def fit(training: Fit) -> Generator[None, Any, None]:
    """Accompany a call of ``fit`` as ``millstream.keras.autolog`` says."""
    settings = training.settings
    log_beginning(training, "optimizer_")
    training.begin_model()
    told: dict[str, str] = {}
    watch = Watch(training, settings.log_every_epoch, settings.log_every_n_steps)
    undo = training.add_callback(callback(watch, training.safely, lambda model: told.update(text=summary(model))))
    try:
        yield
        log_end(training, "keras", save_exported_model=settings.save_exported_model,
                save_model_kwargs=settings.save_model_kwargs)
    finally:
        undo()
        if told:
            training.log_text(told["text"], "model_summary.txt")
