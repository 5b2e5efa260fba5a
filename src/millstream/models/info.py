"""What ``log_model`` returns and ``get_model_info`` finds: the facts of a model and its address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from millstream.entities import LoggedModel
    from millstream.models.mlmodel import Model


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was logged or looked up.

    ``model_uri`` is the address for loading it. ``flavors``, ``signature``, ``metadata`` and
    ``saved_input_example_info`` are as in its MLmodel file; ``name``, ``params``, ``tags``, ``metrics`` and
    ``creation_timestamp`` (milliseconds since the epoch) those of the logged model, None for a model that is none.
    """

    artifact_path: str | None
    flavors: dict[str, Any]
    model_uri: str
    model_uuid: str
    run_id: str | None
    saved_input_example_info: dict[str, Any] | None
    signature: Any
    utc_time_created: str
    mlflow_version: str | None
    metadata: dict[str, Any] | None = None
    model_id: str | None = None
    name: str | None = None
    params: dict[str, str] | None = None
    tags: dict[str, str] | None = None
    metrics: list[Any] | None = None
    creation_timestamp: int | None = None
    registered_model_version: int | None = None
    env_vars: list[str] | None = None
    prompts: list[str] | None = None

    @property
    def signature_dict(self) -> dict[str, Any] | None:
        """The signature as it is written into MLmodel; None for a model without one."""
        return self.signature.to_dict() if self.signature is not None else None

    @classmethod
    def of(
        cls, model: Model, logged: LoggedModel | None = None, version: int | None = None, uri: str | None = None
    ) -> ModelInfo:
        """The facts of a description, and of the logged model that it belongs to."""
        known: dict[str, Any] = {} if logged is None else {
            "name": logged.name, "params": logged.params, "tags": logged.tags, "metrics": logged.metrics,
            "creation_timestamp": logged.creation_timestamp,
        }
        return cls(
            artifact_path=model.artifact_path, flavors=model.flavors,
            model_uri=uri or (logged.model_uri if logged is not None else ""), model_uuid=model.model_uuid,
            run_id=model.run_id, saved_input_example_info=model.saved_input_example_info, signature=model.signature,
            utc_time_created=model.utc_time_created, mlflow_version=model.mlflow_version, metadata=model.metadata,
            model_id=model.model_id, registered_model_version=version, env_vars=model.others.get("env_vars"),
            prompts=model.others.get("prompts"), **known,
        )
