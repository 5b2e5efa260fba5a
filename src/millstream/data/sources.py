"""Every kind of source that ships with Millstream, in the order in which they are asked."""

from __future__ import annotations

from millstream.data.artifact_dataset_sources import (
    AzureBlobArtifactDatasetSource,
    AzureDataLakeArtifactDatasetSource,
    B2ArtifactDatasetSource,
    FTPArtifactDatasetSource,
    GCSArtifactDatasetSource,
    HdfsArtifactDatasetSource,
    LocalArtifactDatasetSource,
    R2ArtifactDatasetSource,
    S3ArtifactDatasetSource,
    SFTPArtifactDatasetSource,
    ViewFsArtifactDatasetSource,
)
from millstream.data.code_dataset_source import CodeDatasetSource
from millstream.data.dataset_source import DatasetSource
from millstream.data.delta_dataset_source import DeltaDatasetSource
from millstream.data.http_dataset_source import HTTPDatasetSource
from millstream.data.huggingface_dataset_source import HuggingFaceDatasetSource
from millstream.data.spark_dataset_source import SparkDatasetSource
from millstream.data.uc_volume_dataset_source import UCVolumeDatasetSource

BUILT_IN: tuple[type[DatasetSource], ...] = (
    LocalArtifactDatasetSource,
    S3ArtifactDatasetSource,
    R2ArtifactDatasetSource,
    B2ArtifactDatasetSource,
    GCSArtifactDatasetSource,
    AzureBlobArtifactDatasetSource,
    AzureDataLakeArtifactDatasetSource,
    FTPArtifactDatasetSource,
    SFTPArtifactDatasetSource,
    HdfsArtifactDatasetSource,
    ViewFsArtifactDatasetSource,
    HTTPDatasetSource,
    HuggingFaceDatasetSource,
    SparkDatasetSource,
    DeltaDatasetSource,
    CodeDatasetSource,
    UCVolumeDatasetSource,
)

__all__ = ["BUILT_IN", *(kind.__name__ for kind in BUILT_IN)]
