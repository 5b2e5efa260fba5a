"""The ``MLmodel`` file: what a model folder says of itself.

The keys are those that MLflow 3.17 writes and reads (``flavors``, ``signature``, ``saved_input_example_info``, …), as
its users' models and servers hold them; ``millstream_version`` stands beside ``mlflow_version``. Keys that are not
known here are kept.
"""

from __future__ import annotations

import functools
import importlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from millstream import yaml_texts
from millstream._version import VERSION
from millstream.errors import BadModel, InvalidValue

if TYPE_CHECKING:
    from millstream.models.info import ModelInfo
    from millstream.models.schema import ParamSchema, Schema
    from millstream.models.signature import ModelSignature

FILE = "MLmodel"
# What a registry needs of a model to show it.
METADATA_FILES = [FILE, "conda.yaml", "requirements.txt", "python_env.yaml"]
MLMODEL_FILE_NAME = FILE  # its name in MLflow
PYTHON_FUNCTION = "python_function"
# The newest version of MLflow whose models we write; a reader there compares it with its own.
COMPATIBLE_VERSION = "3.17.2"


class Model:
    """A model's description, and a folder's when it was loaded from one.

    ``flavors`` maps the name of each flavor to its block. ``signature`` is None for a model that says nothing of its
    input. ``metadata`` is the user's own. ``run_id`` and ``model_id`` are those of the run and of the logged model that
    it belongs to; ``artifact_path`` is where its files were put.
    """

    def __init__(
        self, artifact_path: str | None = None, run_id: str | None = None,
        utc_time_created: datetime | str | None = None, flavors: dict[str, dict[str, Any]] | None = None,
        signature: ModelSignature | None = None, saved_input_example_info: dict[str, Any] | None = None,
        model_uuid: str | None = None, mlflow_version: str | None = COMPATIBLE_VERSION,
        metadata: dict[str, Any] | None = None, model_size_bytes: int | None = None, model_id: str | None = None,
        millstream_version: str | None = VERSION, **others: Any,
    ) -> None:
        self.artifact_path = artifact_path
        self.run_id = run_id
        self.utc_time_created = str(utc_time_created or datetime.now(timezone.utc).replace(tzinfo=None))
        self.flavors = flavors if flavors is not None else {}
        self.signature = signature
        self.saved_input_example_info = saved_input_example_info
        self.model_uuid = model_uuid or uuid.uuid4().hex
        self.mlflow_version = mlflow_version
        self.metadata = metadata
        self.model_size_bytes = model_size_bytes
        self.model_id = model_id
        self.millstream_version = millstream_version
        self.others = others
        self.folder: Path | None = None

    def add_flavor(self, name: str, **params: Any) -> Model:
        """Add the block of a flavor, or replace it."""
        self.flavors[name] = params
        return self

    def get_input_schema(self) -> Schema | None:
        """What the model takes, None where nothing is said."""
        return self.signature.inputs if self.signature else None

    def get_output_schema(self) -> Schema | None:
        """What the model gives, None where nothing is said."""
        return self.signature.outputs if self.signature else None

    def get_params_schema(self) -> ParamSchema | None:
        """The parameters of a prediction, None where there are none."""
        return self.signature.params if self.signature else None

    def load_input_example(self, path: str | None = None) -> Any:
        """The input example of the folder, as a prediction takes it; None for a model without one."""
        if self.saved_input_example_info is None:
            return None
        from millstream.models import examples

        return examples.load(self._folder(path), self.saved_input_example_info, self.get_input_schema())

    def load_input_example_params(self, path: str | None = None) -> dict[str, Any] | None:
        """The parameters of the input example; None where it has none."""
        if self.saved_input_example_info is None:
            return None
        from millstream.models import examples

        return examples.load_params(self._folder(path), self.saved_input_example_info)

    def get_serving_input(self, path: str | None = None) -> str | None:
        """The input example as the JSON text that a scoring server takes; None for a model without one."""
        name = (self.saved_input_example_info or {}).get("serving_input_path")
        return (self._folder(path) / name).read_text() if name else None

    def _folder(self, path: str | None) -> Path:
        folder = Path(path) if path is not None else self.folder
        if folder is None:
            raise InvalidValue("this model was not loaded from a folder", hint="name its folder: path='…'")
        return folder

    def to_dict(self) -> dict[str, Any]:
        """The content of the file, with the signature as it is written there."""
        written: dict[str, Any] = {
            "artifact_path": self.artifact_path, "run_id": self.run_id, "utc_time_created": self.utc_time_created,
            "flavors": self.flavors, "model_uuid": self.model_uuid, "model_id": self.model_id,
            "mlflow_version": self.mlflow_version, "millstream_version": self.millstream_version,
            "model_size_bytes": self.model_size_bytes, "metadata": self.metadata,
            "saved_input_example_info": self.saved_input_example_info, **self.others,
        }
        if self.signature is not None:
            written["signature"] = self.signature.to_dict()
            written["is_signature_from_type_hint"] = self.signature.is_from_type_hint
            written["type_hint_from_example"] = self.signature.type_hint_from_example
        return {key: value for key, value in written.items() if value is not None}

    def to_yaml(self, stream: TextIO | None = None) -> str:
        """The text of the file, which is written into ``stream`` if there is one."""
        import yaml

        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        text: str = yaml.dump(_plain(self.to_dict()), Dumper=dumper, default_flow_style=False, allow_unicode=True)
        if stream is not None:
            stream.write(text)
        return text

    def to_json(self) -> str:
        """The content of the file as JSON."""
        return json.dumps(_plain(self.to_dict()))

    def save(self, path: str | Path) -> None:
        """Write the file ``path``."""
        Path(path).write_text(self.to_yaml(), encoding="utf-8")

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Model:
        """The model with this content. Raises BadModel for one without flavors."""
        from millstream.models.signature import ModelSignature

        known = dict(fields)
        if not isinstance(known.get("flavors"), dict):
            raise BadModel("the MLmodel file names no flavors", hint="save the model again")
        signature = known.pop("signature", None)
        from_hint = known.pop("is_signature_from_type_hint", None)
        from_example = known.pop("type_hint_from_example", None)
        made = cls(**{"mlflow_version": None, "millstream_version": None, **known})
        if signature is not None:
            made.signature = ModelSignature.from_dict(signature)
            made.signature.is_from_type_hint = bool(from_hint)
            made.signature.type_hint_from_example = bool(from_example)
        return made

    @classmethod
    def load(cls, path: str | Path) -> Model:
        """The model that a folder (or the file itself, or an address) describes. Raises BadModel."""
        from millstream.artifacts.uris import scheme

        if scheme(str(path)) not in ("", "file"):
            # Addresses are looked up in a tracking store, which stands behind this room.
            path = importlib.import_module("millstream.tracking.files").download_artifacts(str(path))
        file = Path(str(path).removeprefix("file://"))
        if file.is_dir():
            file /= FILE
        try:
            fields = yaml_texts.read(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise BadModel(f"there is no model at {file.parent}: it holds no file named {FILE}",
                           hint="name the folder that save_model() or log_model() wrote") from None
        except (InvalidValue, UnicodeDecodeError) as error:
            raise BadModel(f"the file {file} cannot be read: {error}", hint="fetch or save the model again") from None
        if not isinstance(fields, dict):
            raise BadModel(f"the file {file} describes no model", hint="fetch or save the model again")
        made = cls.from_dict(fields)
        made.folder = file.parent
        return made

    @classmethod
    def log(
        cls, artifact_path: str | None, flavor: Any, registered_model_name: str | None = None,
        await_registration_for: int | None = 300, metadata: Mapping[str, Any] | None = None, run_id: str | None = None,
        name: str | None = None, model_type: str | None = None, params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None, step: int = 0, model_id: str | None = None, **options: Any,
    ) -> ModelInfo:
        """Save a model with ``flavor.save_model(path=…, mlflow_model=…, **options)`` and log it.

        It is how a flavor that someone else has written logs its models; ours have ``log_model``.
        """
        logging = importlib.import_module("millstream.flavors.logging")
        if metadata is not None:
            options["metadata"] = metadata
        info: ModelInfo = logging.log(
            functools.partial(flavor.save_model, **options), artifact_path, name=name, run_id=run_id,
            registered_model_name=registered_model_name, await_registration_for=await_registration_for, params=params,
            tags=tags, model_type=model_type, step=step, model_id=model_id,
        )
        return info

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Model: {', '.join(self.flavors)}>"


def _plain(value: Any) -> Any:
    """``value`` in what YAML and JSON have; texts and numbers of other libraries become Python's."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or type(value) in (str, int, float, bool):
        return value
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)


def __getattr__(name: str) -> Any:
    # MLflow's users import these from here; they live in rooms behind this one.
    if name in {"ModelInfo", "get_model_info", "set_model", "update_model_requirements"}:
        return getattr(importlib.import_module("millstream.models"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
