"""A data set of the Hugging Face hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millstream.data.dataset_source import DatasetSource
from millstream.errors import InvalidValue, NotSupported

if TYPE_CHECKING:
    from typing_extensions import Self


class HuggingFaceDatasetSource(DatasetSource):
    """What ``datasets.load_dataset`` is called with: path, configuration, files, split and revision."""

    def __init__(
        self,
        path: str,
        config_name: str | None = None,
        data_dir: str | None = None,
        data_files: Any = None,
        split: Any = None,
        revision: Any = None,
        trust_remote_code: bool | None = None,
    ) -> None:
        self.path = path
        self.config_name = config_name
        self.data_dir = data_dir
        self.data_files = data_files
        self.split = split
        self.revision = revision
        # Asked again at each load, never recorded: who loads decides whose code runs.
        self.trust_remote_code = trust_remote_code

    @classmethod
    def _get_source_type(cls) -> str:
        return "hugging_face"

    @classmethod
    def _can_resolve(cls, raw_source: Any) -> bool:
        return False

    @classmethod
    def _resolve(cls, raw_source: Any) -> Self:
        raise InvalidValue.of("source", raw_source, "make a HuggingFaceDatasetSource of it")

    def load(self, **kwargs: Any) -> Any:
        """The data set, by ``datasets.load_dataset``, which gets ``kwargs`` too."""
        try:
            import datasets
        except ImportError:
            raise NotSupported(
                "a data set of the Hugging Face hub needs the package datasets", hint="pip install datasets"
            ) from None
        if self.trust_remote_code is not None:
            kwargs.setdefault("trust_remote_code", self.trust_remote_code)
        return datasets.load_dataset(
            **{"path": self.path, "name": self.config_name, "data_dir": self.data_dir, "data_files": self.data_files,
               "split": self.split, "revision": self.revision, **kwargs}
        )

    def to_dict(self) -> dict[str, Any]:
        """The arguments, under the names that MLflow records; no split is the text ``None``."""
        return {
            "path": self.path,
            "config_name": self.config_name,
            "data_dir": self.data_dir,
            "data_files": self.data_files,
            "split": str(self.split),
            "revision": None if self.revision is None else str(self.revision),
        }

    @classmethod
    def from_dict(cls, source_dict: dict[str, Any]) -> Self:
        """The source with this form."""
        split = source_dict.get("split")
        return cls(
            source_dict["path"], source_dict.get("config_name"), source_dict.get("data_dir"),
            source_dict.get("data_files"), None if split == "None" else split, source_dict.get("revision"),
        )
