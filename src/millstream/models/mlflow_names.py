"""What pickles of MLflow's models name that has no other place here, and one decorator that its users import.

MLflow wraps the ``predict`` of a model with type hints; the wrapper is pickled with the model and looks for these when
it is loaded. The data are checked by :mod:`millstream.models.hints` whatever the wrapper does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from millstream.models.hints import convert

Function = TypeVar("Function", bound=Callable[..., Any])


class FuncInfo(NamedTuple):
    """The type hint of the input of a predict function, and the name of that argument."""

    input_type_hint: Any
    input_param_name: str


class _TypeHints:
    """The type hints of a predict function."""

    def __init__(self, input_: Any = None, output: Any = None) -> None:
        self.input = input_
        self.output = output


def _validate_model_input(args: Any, kwargs: Any, index: int, hint: Any, name: str) -> tuple[Any, Any]:
    """The arguments of a call with the input converted as its type hint says."""
    if name in kwargs:
        return args, {**kwargs, name: convert(kwargs[name], hint)}
    return (*args[:index], convert(args[index], hint), *args[index + 1:]), kwargs


def pyfunc(function: Function) -> Function:
    """``function`` itself: what is given to a model made of it is checked without a decorator."""
    return function


# It stands for modules within each other, which needs the form of a package.
__path__: list[str] = []
