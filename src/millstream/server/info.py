"""What a server says of itself."""

from __future__ import annotations

from millstream._version import VERSION
from millstream.errors import NotSupported
from millstream.server.messages import TEXT, Reply, Request, json_reply

# The version of MLflow whose protocol is spoken here; clients and scripts read it to know what they may ask.
MLFLOW_VERSION = "3.17.2"


async def health(request: Request) -> Reply:
    """The server answers."""
    return Reply(b"OK", content_type=TEXT)


async def version(request: Request) -> Reply:
    """The version of the protocol, as text; our own is in a header."""
    return Reply(MLFLOW_VERSION.encode(), content_type=TEXT, headers=[(b"x-millstream-version", VERSION.encode())])


async def server_info(request: Request) -> Reply:
    """What the store is, and which parts of the protocol are on."""
    serves = request.app.config.serve_artifacts
    return json_reply({
        "store_type": "SqlStore",
        "workspaces_enabled": False,
        "trace_archival_enabled": False,
        "multipart_uploads_enabled": False,
        "multipart_downloads_enabled": False,
        "presigned_upload_run_id_supported": True,
        "presigned_upload_model_id_supported": False,
        "features_enabled": {"gateway": False},
        "millstream": {"version": VERSION, "serve_artifacts": serves},
    })


async def workspaces(request: Request) -> Reply:
    """There are none."""
    raise NotSupported("this server runs without workspaces", hint="leave MLFLOW_WORKSPACE unset")


async def workspace(request: Request) -> Reply:
    """There is none of any name."""
    return await workspaces(request)
