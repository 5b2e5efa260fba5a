"""The training profile of a model, read and set by the model's address."""

from __future__ import annotations

import os
from typing import Any

from millstream.artifacts.uris import parse_model_uri, scheme
from millstream.errors import ArtifactNotFound, BadModel
from millstream.flavors import loading
from millstream.flavors.changing import rewrite
from millstream.models import mlmodel
from millstream.models.mlmodel import Model
from millstream.models.profile import FILE, KEY, Profile, profile
from millstream.operations import GetVersionProfile, SetVersionProfile
from millstream.tracking import stores
from millstream.tracking.versions import chosen_version


def set_profile(model_uri: str | os.PathLike[str], data: Any, predictions: Any = None) -> Profile:
    """Say what the training data of the model at ``model_uri`` looked like; returns the profile.

    ``data`` is the data, or a :class:`Profile` of it; ``predictions`` are the model's for it. A version of a registered
    model (``models:/name/3``, ``models:/name@alias``) keeps the profile in the registry, for its files do not change;
    any other model gets it as a file. Raises InvalidValue, RegisteredModelNotFound.
    """
    made = data if isinstance(data, Profile) else profile(data, predictions)
    named = _registered(model_uri)
    if named is not None:
        stores.store(stores.get_registry_uri()).execute(SetVersionProfile(*named, made.to_json()))
        return made
    model = Model.load(loading.fetch_file(model_uri, mlmodel.FILE))
    model.others[KEY] = FILE
    rewrite(model_uri, {FILE: made.to_json(), mlmodel.FILE: model.to_yaml()})
    return made


def get_profile(model_uri: str | os.PathLike[str]) -> Profile | None:
    """The profile of the training data of the model at ``model_uri``, None where nothing says what it looked like."""
    named = _registered(model_uri)
    if named is not None:
        text = stores.store(stores.get_registry_uri()).execute(GetVersionProfile(*named)).profile
        if text is not None:
            return Profile.from_json(text)
        model_uri = f"models:/{named[0]}/{named[1]}"
    try:
        file = loading.fetch_file(model_uri, FILE)
    except (ArtifactNotFound, BadModel):
        return None
    return Profile.from_json(file.read_bytes())


def _registered(model_uri: str | os.PathLike[str]) -> tuple[str, str] | None:
    """The model and version that an address names; None for an address of something else."""
    uri = os.fspath(model_uri)
    if scheme(uri) != "models":
        return None
    parsed = parse_model_uri(uri)
    if parsed.name is None:
        return None
    return parsed.name, chosen_version(parsed, stores.store(stores.get_registry_uri())).version
