"""The container image that a run lives in, and where it runs."""

from __future__ import annotations

import os
from pathlib import Path

# MLflow has a tag for the image; the others are ours, and its reserved prefix is not ours to add to.
IMAGE = "mlflow.docker.image.uri"
RUNTIME = "millstream.container.runtime"
HOST = "millstream.container.host"
NAMESPACE = "millstream.kubernetes.namespace"

# Nothing inside a container knows the name of its image; these variables are how images and spawners tell it.
# KubeSpawner sets the two of Jupyter.
IMAGE_VARIABLES = ("MILLSTREAM_IMAGE", "JUPYTER_IMAGE_SPEC", "JUPYTER_IMAGE", "CONTAINER_IMAGE", "DOCKER_IMAGE")


class Container:
    """The provider for a process in a container; ``root`` is where its file system is looked at."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def in_context(self) -> bool:
        """Whether an image is named, or a container is recognised."""
        return image() is not None or self.runtime() is not None

    def tags(self) -> dict[str, str]:
        """The image, the runtime (docker, podman or kubernetes), the host name (a pod's is its own) and namespace."""
        found = {IMAGE: image(), RUNTIME: self.runtime()}
        if found[RUNTIME]:
            found |= {HOST: os.uname().nodename, NAMESPACE: self._namespace()}
        return {key: value for key, value in found.items() if value}

    def runtime(self) -> str | None:
        """What runs this container, None outside of one."""
        if os.environ.get("KUBERNETES_SERVICE_HOST"):
            return "kubernetes"
        if (self.root / "run/.containerenv").exists():
            return "podman"
        if (self.root / ".dockerenv").exists():
            return "docker"
        return None

    def _namespace(self) -> str | None:
        if told := os.environ.get("POD_NAMESPACE"):
            return told
        try:
            return (self.root / "var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text().strip()
        except OSError:
            return None


def image() -> str | None:
    """The name of the image, from the first variable that holds one."""
    return next((os.environ[name] for name in IMAGE_VARIABLES if os.environ.get(name)), None)
