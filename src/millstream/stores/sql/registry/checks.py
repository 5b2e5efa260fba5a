"""What names, aliases and texts of the registry may be."""

from __future__ import annotations

import re
from collections.abc import Iterable

from millstream.entities.metric import Tag
from millstream.errors import InvalidValue, LimitExceeded, MissingValue
from millstream.operations.limits import check_key, check_text

MODEL_NAME_LENGTH = 256
ALIAS_LENGTH = 255
TAG_LENGTH = 100_000
DESCRIPTION_LENGTH = 100_000
COMMENT_LENGTH = 65_535
_ALIAS = re.compile(r"[\w\-]*")
_VERSION = re.compile(r"[vV]\d+")
_MODEL_ID = re.compile(r"m-[0-9a-f]{32}")


def check_model_name(name: str, field: str = "name") -> str:
    """A name that a registered model may have: it stands in addresses, ``models:/<name>/<version>``."""
    if not name.strip():
        raise MissingValue.named(field)
    if "/" in name or ":" in name:
        raise InvalidValue(
            f"Invalid model name {name!r}. Names cannot contain '/' or ':'.", hint="put a dash or a dot in their place"
        )
    if name in (".", ".."):
        raise InvalidValue.of(field, name, "it would mean another folder")
    if _MODEL_ID.fullmatch(name):
        raise InvalidValue.of(field, name, "models:/… would mean a logged model with this id")
    return check_text(name, MODEL_NAME_LENGTH, field)


def check_alias(alias: str) -> str:
    """A name that may stand for a version; none that already means something in an address."""
    if not alias:
        raise MissingValue.named("alias")
    if len(alias) > ALIAS_LENGTH:
        raise LimitExceeded.of("alias", alias[:20] + "…", f"it has {len(alias)} characters, at most {ALIAS_LENGTH}")
    if not _ALIAS.fullmatch(alias):
        raise InvalidValue.of(
            "alias", alias, "names may only contain alphanumerics, underscores (_), and dashes (-)"
        )
    if alias.lower() == "latest" or _VERSION.fullmatch(alias):
        raise InvalidValue.of("alias", alias, "it is reserved: it already means a version")
    return alias


def check_description(description: str | None) -> str | None:
    """A description that is not too long."""
    return None if description is None else check_text(description, DESCRIPTION_LENGTH, "description")


def check_comment(comment: str | None, field: str = "comment") -> str | None:
    """What somebody says, not too long; None for nothing but space."""
    if comment is None or not comment.strip():
        return None
    if len(comment) > COMMENT_LENGTH:
        raise LimitExceeded.of(
            field, comment[:20] + "…", f"it has {len(comment)} characters, at most {COMMENT_LENGTH} are kept",
            hint="put long texts into the description of the version, or into a file of its run",
        )
    return comment


def check_tag(key: str, value: str) -> tuple[str, str]:
    """A key and a value that a tag may have."""
    return check_key(key), check_text(value, TAG_LENGTH, "value")


def check_tags(tags: Iterable[Tag]) -> dict[str, str]:
    """Tags by key; of two with one key the last."""
    return {
        check_key(tag.key, f"tags[{index}].key"): check_text(tag.value, TAG_LENGTH, f"tags[{index}].value")
        for index, tag in enumerate(tags)
    }
