"""The kinds of files and folders: one for each type that MLflow records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from millstream.artifacts.contract import ArtifactStore
from millstream.artifacts.uris import artifact_store, local_folder
from millstream.data.filesystem_dataset_source import FileSystemDatasetSource


class LocalArtifactDatasetSource(FileSystemDatasetSource):
    """A file or folder of this machine, by its path or its ``file:`` address."""

    source_type = "local"
    schemes = ("", "file")

    @classmethod
    def _can_resolve(cls, raw_source: Any) -> bool:
        return isinstance(raw_source, os.PathLike) or super()._can_resolve(raw_source)

    def load(self, dst_path: str | os.PathLike[str] | None = None) -> str:
        """The absolute path; with ``dst_path`` the path of a copy in that folder. Raises ArtifactNotFound."""
        return super().load(dst_path)

    def _place(self) -> tuple[ArtifactStore, str]:
        # Who names a link means what it leads to; an artifact store follows none.
        path = Path(local_folder(self._uri)).resolve()
        return artifact_store(str(path.parent)), path.name


class S3ArtifactDatasetSource(FileSystemDatasetSource):
    """Objects in S3 or a store like it."""

    source_type = "s3"
    schemes = ("s3",)


class R2ArtifactDatasetSource(FileSystemDatasetSource):
    """Objects in Cloudflare R2."""

    source_type = "r2"
    schemes = ("r2",)


class B2ArtifactDatasetSource(FileSystemDatasetSource):
    """Objects in Backblaze B2."""

    source_type = "b2"
    schemes = ("b2",)


class GCSArtifactDatasetSource(FileSystemDatasetSource):
    """Objects in Google Cloud Storage."""

    source_type = "gs"
    schemes = ("gs",)


class AzureBlobArtifactDatasetSource(FileSystemDatasetSource):
    """Blobs in Azure Blob Storage."""

    source_type = "wasbs"
    schemes = ("wasbs",)


class AzureDataLakeArtifactDatasetSource(FileSystemDatasetSource):
    """Files in Azure Data Lake Storage."""

    source_type = "abfss"
    schemes = ("abfss",)


class FTPArtifactDatasetSource(FileSystemDatasetSource):
    """Files of an FTP server."""

    source_type = "ftp"
    schemes = ("ftp",)


class SFTPArtifactDatasetSource(FileSystemDatasetSource):
    """Files of a server reached by SSH."""

    source_type = "sftp"
    schemes = ("sftp",)


class HdfsArtifactDatasetSource(FileSystemDatasetSource):
    """Files in Hadoop's file system."""

    source_type = "hdfs"
    schemes = ("hdfs",)


class ViewFsArtifactDatasetSource(HdfsArtifactDatasetSource):
    """Files in Hadoop's file system, by the view of a cluster."""

    source_type = "viewfs"
    schemes = ("viewfs",)
