"""What is invalid by itself is refused where it is logged, before the outbox or a store see it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from millstream.errors import InvalidValue, MissingValue
from millstream.operations.limits import PARAM_LENGTH, RUN_NAME_LENGTH, TAG_LENGTH, check_key, check_text
from millstream.tracking.tags import MLFLOW_RUN_NAME

logger = logging.getLogger("millstream")

_MOST = 2**63 - 1
_KEYS_REMEMBERED = 10_000

# Keys that have passed the check: a training loop logs the same few a million times.
sound_keys: set[str] = set()


def metric_key(key: Any) -> str:
    """The key as plain text. Raises InvalidValue for one that MLflow would not take either."""
    if type(key) is str and key in sound_keys:
        return key
    if key is None:
        raise MissingValue.named("key")
    checked = str(check_key(key))
    if len(sound_keys) >= _KEYS_REMEMBERED:
        sound_keys.clear()
    sound_keys.add(checked)
    return checked


def number(value: Any, key: str = "value") -> float:
    """The value of a metric as a float: any real number, numeric text, or an array or tensor with one element.

    numpy, torch, tensorflow and jax are recognised by what their scalars can do, without being imported. Raises
    MissingValue for None and InvalidValue for anything else.
    """
    kind = type(value)
    if kind is float:
        return value  # type: ignore[no-any-return]
    if value is None:
        raise MissingValue.named("value")
    try:
        # An array converts itself only with a warning, and only where it has one element; item() says so.
        if kind is not int and kind is not bool and hasattr(value, "item"):
            value = value.item()
        return float(value)
    except OverflowError:
        raise InvalidValue.of("value", value, f"the metric {key!r} is beyond the numbers of 64 bits") from None
    except (TypeError, ValueError, RuntimeError):
        raise InvalidValue.of(
            "value", value, f"the metric {key!r} is not a valid double (64-bit floating point)",
            hint="log a number, or an array with a single element",
        ) from None


def step(value: Any) -> int:
    """A step as a whole number of 64 bits; None is 0. Raises InvalidValue."""
    return 0 if value is None else _whole("step", value, -_MOST - 1, "a step is a whole number of 64 bits")


def timestamp(value: Any) -> int:
    """Milliseconds since the epoch as a whole number. Raises InvalidValue for a negative one."""
    return _whole("timestamp", value, 0, "a timestamp is in milliseconds since the epoch, not negative")


def _whole(field: str, value: Any, least: int, rule: str) -> int:
    if isinstance(value, (str, bytes)):
        raise InvalidValue.of(field, value, rule)
    try:
        whole = int(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidValue.of(field, value, rule) from None
    if not least <= whole <= _MOST:
        raise InvalidValue.of(field, value, rule)
    return whole


def params(values: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as they are stored: checked keys, values as text, cut to their limit where the settings allow it."""
    return {str(check_key(key)): _cut(key, value, PARAM_LENGTH, "parameter") for key, value in _items(values, "params")}


def tags(values: Mapping[str, Any]) -> dict[str, str]:
    """Tags as they are stored, likewise."""
    made = {str(check_key(key)): _cut(key, value, TAG_LENGTH, "tag") for key, value in _items(values, "tags")}
    if MLFLOW_RUN_NAME in made:
        check_text(made[MLFLOW_RUN_NAME], RUN_NAME_LENGTH, MLFLOW_RUN_NAME)
    return made


def _items(values: Mapping[str, Any], field: str) -> Iterable[tuple[str, Any]]:
    if not isinstance(values, Mapping):
        raise InvalidValue(f"{field} are a dictionary of key and value, not {type(values).__name__}")
    return values.items()


def _cut(key: str, value: Any, limit: int, what: str) -> str:
    text = value if type(value) is str else str(value)
    if "\x00" in text or not _is_unicode(text):
        raise InvalidValue.of(key, text, f"the {what} holds a NUL character, or half of a character",
                              hint="log bytes as an artifact: log_stream(…)")
    if len(text) > limit:
        text = check_text(text, limit, key, cut=True)
        logger.warning("the %s %r is longer than %d characters and was cut", what, key, limit)
    return text


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
