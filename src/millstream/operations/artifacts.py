"""Operations on the files of runs and logged models that a server carries out on its artifact stores."""

from __future__ import annotations

from millstream.entities import FileInfo
from millstream.entities.base import Int64
from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation


class ArtifactListing(Answer, frozen=True):
    """The files and folders directly under a path, paths relative to ``root_uri``."""

    root_uri: str
    files: list[FileInfo] = []
    next_page_token: str | None = None


class PresignedUrl(Answer, frozen=True):
    """An address that moves one file without the server in between, and the headers to send with it."""

    url: str
    headers: dict[str, str] = {}
    file_size: int | None = None


@operation("GET", "/2.0/mlflow/artifacts/list", Needs(Permission.READ, Resource.RUN, "run_id"), answer=ArtifactListing)
class ListArtifacts(Operation[ArtifactListing], frozen=True):
    """List the files and folders of a run directly under ``path``."""

    run_id: str
    path: str | None = None
    page_token: str | None = None


@operation(
    "GET",
    "/2.0/mlflow/logged-models/{model_id}/artifacts/directories",
    Needs(Permission.READ, Resource.LOGGED_MODEL, "model_id"),
    answer=ArtifactListing,
)
class ListLoggedModelArtifacts(Operation[ArtifactListing], frozen=True):
    """List the files and folders of a logged model directly under ``artifact_directory_path``."""

    model_id: str
    artifact_directory_path: str | None = None
    page_token: str | None = None


@operation(
    "POST",
    "/2.0/mlflow/artifacts/presigned-upload-url",
    Needs(Permission.EDIT, Resource.RUN, "run_id"),
    answer=PresignedUrl,
)
class PresignUpload(Operation[PresignedUrl], frozen=True):
    """Ask for an address to which one file of a run may be put."""

    run_id: str
    path: str
    expiration: Int64 = 900


@operation(
    "POST",
    "/2.0/mlflow/artifacts/presigned-download-url",
    Needs(Permission.READ, Resource.RUN, "run_id"),
    answer=PresignedUrl,
    writes=False,
)
class PresignDownload(Operation[PresignedUrl], frozen=True):
    """Ask for an address from which one file of a run may be fetched."""

    run_id: str
    path: str
    expiration: Int64 = 900


@operation("POST", "/v1/artifacts/delete", Needs(Permission.EDIT, Resource.RUN, "run_id"))
class DeleteArtifacts(Operation[None], frozen=True):
    """Remove a file or a folder of a run; everything it has without a ``path``."""

    run_id: str
    path: str | None = None


class ArtifactPin(Answer, frozen=True):
    """Why files must stay; unset where they need not."""

    kept_because: str | None = None


@operation("GET", "/v1/artifacts/pin", Needs(Permission.READ), answer=ArtifactPin)
class FindArtifactPin(Operation[ArtifactPin], frozen=True):
    """Ask whether a version of a registered model points at files: at ``path`` below the root ``uri``, into it or
    around it."""

    uri: str
    path: str | None = None
