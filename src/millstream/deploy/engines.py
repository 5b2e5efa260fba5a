"""Images built by the container engine that is here."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from millstream.deploy.context import write_context
from millstream.environments.engines import checked_name, find
from millstream.errors import EnvironmentFailed, InvalidValue

__all__ = ["build_command", "build_docker", "generate_dockerfile"]

_OTHERWISE = "`millstream models generate-dockerfile` writes a folder that any builder of images takes"


def build_docker(
    model_uri: str | None = None, name: str = "mlflow-pyfunc", env_manager: str | None = "virtualenv",
    mlflow_home: str | None = None, install_java: bool | None = None, install_mlflow: bool = False,
    base_image: str | None = None, *, engine: str | None = None,
) -> None:
    """Build the image ``name``, which serves the model at port 8080, by docker or podman.

    Without a model it serves the one that is mounted at /opt/ml/model. Run it: ``docker run -p 5001:8080 NAME``.
    ``mlflow_home`` is for images that run MLflow, which this one does not. The other arguments are those of
    :func:`millstream.deploy.context.write_context`. Raises EnvironmentFailed where there is no engine, or it fails,
    InvalidValue for what is no name of an image, and as that function does.
    """
    if mlflow_home is not None:
        raise InvalidValue("mlflow_home has no meaning: the image serves the model by Millstream", hint="leave it out")
    command = build_command(name, engine)
    with tempfile.TemporaryDirectory(prefix="millstream-image-") as scratch:
        folder = write_context(Path(scratch, "context"), model_uri, env_manager=env_manager, install_java=install_java,
                               install_mlflow=install_mlflow, base_image=base_image)
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise EnvironmentFailed(f"{Path(command[0]).name} ended with status {done.returncode}: no image was built",
                                hint=f"its words are above; {_OTHERWISE}")


def generate_dockerfile(
    model_uri: str | None = None, output_directory: str | os.PathLike[str] = "millstream-image",
    env_manager: str | None = None, install_java: bool | None = None, install_mlflow: bool = False,
    base_image: str | None = None, *, force: bool = False,
) -> str:
    """Write the folder that :func:`build_docker` builds from, and return its path."""
    return str(write_context(output_directory, model_uri, env_manager=env_manager, install_java=install_java,
                             install_mlflow=install_mlflow, base_image=base_image, force=force))


def build_command(name: str, engine: str | None = None) -> list[str]:
    """The command that builds the image ``name`` of the folder it runs in.

    Raises InvalidValue for what is no name of an image, and EnvironmentFailed where there is no engine.
    """
    checked_name(name)
    return [find(engine, wanted="no image is built", hint=_OTHERWISE), "build", "--tag", name, "."]
