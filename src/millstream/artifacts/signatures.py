"""The signature in the ``MLmodel`` file of a model's folder, read without loading anything of the model."""

from __future__ import annotations

import json

from millstream import yaml_texts
from millstream.artifacts import paths
from millstream.artifacts.contract import ArtifactStore
from millstream.errors import ArtifactNotFound, InvalidValue

_FILE = "MLmodel"
_PARTS = ("inputs", "outputs", "params")
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
    try:
        found = yaml_texts.read(text)
    except InvalidValue as error:
        raise InvalidValue(f"the {_FILE} file cannot be read: {error.message}") from None
    if not isinstance(found, dict):
        raise InvalidValue(f"the {_FILE} file describes no model")
    signature = found.get("signature")
    if not signature:
        return ""
    # Each part is text: what references within the file would blow up is not written out.
    parts = {name: signature.get(name) for name in _PARTS} if isinstance(signature, dict) else {}
    if not parts or not all(part is None or isinstance(part, str) for part in parts.values()):
        raise InvalidValue(f"the signature in the {_FILE} file is none")
    return json.dumps(parts)

