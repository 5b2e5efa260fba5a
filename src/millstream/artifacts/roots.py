"""The artifact roots that a store names, opened: those that a server keeps are asked from that very server."""

from __future__ import annotations

from millstream.artifacts.contract import ArtifactStore
from millstream.artifacts.uris import artifact_store, join_uri, scheme


def open_root(uri: str, tracking_uri: str, destination: str | None = None) -> ArtifactStore:
    """The artifact store at a root that the store of ``tracking_uri`` names.

    ``mlflow-artifacts:/…`` is asked from that server; with a ``destination``, where the server keeps what it proxies,
    it is opened there.
    """
    kind = scheme(uri)
    if kind == "mlflow-artifacts" and destination:
        return artifact_store(join_uri(destination, uri.partition(":")[2].strip("/")))
    if kind in ("mlflow-artifacts", "http", "https"):
        from millstream.artifacts.served import served_store

        return served_store(uri, tracking_uri)
    return artifact_store(uri)
