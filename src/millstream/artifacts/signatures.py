"""The signature in the ``MLmodel`` file of a model's folder, read without loading anything of the model."""

from __future__ import annotations

import json
from typing import Any

from millstream.artifacts import paths
from millstream.artifacts.contract import ArtifactStore
from millstream.errors import ArtifactNotFound, InvalidValue

_FILE = "MLmodel"
# What nobody writes by hand or by program; the file is YAML, which is slow to read.
LARGEST = 2 * 1024 * 1024


def read_signature(store: ArtifactStore, folder: str = "") -> str | None:
    """The signature of the model in ``folder`` as JSON text, ``""`` for one without; None where there is no model.

    Raises InvalidValue for a file that is none, and what the store raises when it cannot be reached.
    """
    try:
        text = store.open(paths.join(folder, _FILE), 0, LARGEST + 1).read()
    except ArtifactNotFound:
        return None
    if len(text) > LARGEST:
        raise InvalidValue(f"the {_FILE} file has more than {LARGEST} bytes")
    found = _parse(text)
    if not isinstance(found, dict):
        raise InvalidValue(f"the {_FILE} file describes no model")
    signature = found.get("signature")
    return json.dumps(signature) if signature else ""


def _parse(text: bytes) -> Any:
    import yaml

    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidValue(f"the {_FILE} file is not YAML: {' '.join(str(error).split())[:200]}") from None
