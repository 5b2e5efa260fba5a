"""Errors and their codes under the names that MLflow's users import; :mod:`millstream.errors` has the tree itself.

Every error that this package raises is a ``MlflowException``, and each code is raised as a class of its own, so the
names below that MLflow has beside it are that class or the nearest of ours.
"""

from __future__ import annotations

from millstream.errors import CODE_NUMBERS, HTTP_STATUS, InvalidValue, MillstreamError, NotFound, NotSupported

MlflowException = MillstreamError
RestException = MillstreamError
ExecutionException = MillstreamError
MissingConfigException = NotFound
InvalidUrlException = InvalidValue
MlflowNotImplementedException = NotSupported

ERROR_CODE_TO_HTTP_STATUS = HTTP_STATUS


class ErrorCode:
    """The numbers of error codes in MLflow's protocol, convertible both ways."""

    @staticmethod
    def Name(number: int) -> str:
        """The name of a code. Raises ValueError for a number that is none."""
        for name, known in CODE_NUMBERS.items():
            if known == number:
                return name
        raise ValueError(f"no error code has the number {number}")

    @staticmethod
    def Value(name: str) -> int:
        """The number of a code. Raises ValueError for a name that is none."""
        try:
            return CODE_NUMBERS[name]
        except KeyError:
            raise ValueError(f"no error code has the name {name!r}") from None


def __getattr__(name: str) -> int:
    try:
        return CODE_NUMBERS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return [*globals(), *CODE_NUMBERS]
