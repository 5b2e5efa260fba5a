"""``millstream models``: saved and logged models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from millstream import settings
from millstream.cli.output import say, show_json, show_table, warn, with_json, with_tracking_uri


@click.group()
def models() -> None:
    """Look at models, and look after their requirements and their trust."""


@models.command()
@click.argument("uri")
@with_json
@with_tracking_uri
def describe(uri: str, as_json: bool, tracking_uri: str | None) -> None:
    """Show what a model says of itself: its flavors, signature, metadata and requirements.

    URI is a folder, models:/…, runs:/<run id>/<name>, or an address of files. Nothing of the model is loaded.
    """
    from millstream.flavors import changing, isolated
    from millstream.tracking.stores import set_tracking_uri

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    info = changing.get_model_info(uri)
    try:
        with open(isolated.get_model_dependencies(uri), encoding="utf-8") as stream:
            requirements = stream.read().split("\n")
    except LookupError:
        requirements = []
    facts: dict[str, Any] = {
        "model_uri": info.model_uri, "model_id": info.model_id, "run_id": info.run_id, "flavors": info.flavors,
        "signature": info.signature_dict, "metadata": info.metadata, "created": info.utc_time_created,
        "requirements": [line for line in requirements if line],
    }
    if as_json:
        show_json(facts)
        return
    signature = info.signature
    rows = [
        ["Model", info.model_id or info.model_uuid], ["Run", info.run_id or ""],
        ["Created", f"{info.utc_time_created} UTC"], *_lines("Flavors", sorted(info.flavors)),
        *_lines("Inputs", signature.inputs if signature else None),
        *_lines("Outputs", signature.outputs if signature else None),
        *_lines("Params", signature.params if signature else None), *_lines("Requirements", facts["requirements"]),
    ]
    show_table(["Fact", "Value"], [row for row in rows if row[1]])


def _lines(fact: str, values: Iterable[Any] | None) -> list[list[str]]:
    """A row for each value, the first of which names the fact."""
    return [["" if index else fact, str(value)] for index, value in enumerate(values or ())]


@models.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False))
def seal(folder: str) -> None:
    """Say that the files of the model in FOLDER are as they should be, and that you trust who made them.

    Its manifest is written anew with your seal, so that its pickles are loaded when you load it.
    """
    from millstream.flavors import changing

    changing.seal(folder)
    say(f"sealed {folder}")


@models.command("update-pip-requirements")
@click.option("--model-uri", "-m", required=True, help="The model: a folder, models:/…, runs:/…")
@click.argument("operation", type=click.Choice(["add", "remove"]))
@click.argument("requirements", nargs=-1, required=True)
@with_tracking_uri
def update_pip_requirements(
    model_uri: str, operation: str, requirements: tuple[str, ...], tracking_uri: str | None
) -> None:
    """Add requirements to those that a model is saved with, or remove some by their names."""
    from millstream.flavors import isolated
    from millstream.tracking.stores import set_tracking_uri

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    isolated.update_model_requirements(model_uri, operation, list(requirements))
    say(f"{'added' if operation == 'add' else 'removed'} {', '.join(requirements)}")


@models.command()
@click.option("--model-uri", "-m", required=True, help="The model: a folder, models:/…, runs:/…")
@click.option("--port", "-p", type=int, default=5000, show_default=True, help="The port; 0 lets the system choose.")
@click.option("--host", "-h", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--workers", "-w", type=int, default=1, show_default=True,
              help="Processes that answer requests, each with the model in its memory.")
@click.option("--timeout", "-t", type=float, default=settings.SCORING_SERVER_REQUEST_TIMEOUT.get,
              help="Seconds from a request to its answer.  [default: 60; variable: "
                   "MILLSTREAM_SCORING_SERVER_REQUEST_TIMEOUT]")
@click.option("--env-manager", type=click.Choice(["local", "uv", "virtualenv", "conda"]), default="local",
              show_default=True, help="Where the model runs: in this environment, or in one of what it needs, which uv "
                                      "builds (all but local mean that).")
@click.option("--install-mlflow", is_flag=True, help="Install the MLflow that the model names there too.")
@click.option("--no-conda", is_flag=True, hidden=True)
@click.option("--name", default=None, help="What the model is called at /v2/models/NAME.  [default: from its URI]")
@click.option("--allowed-hosts", metavar="NAMES", default="",
              help="Comma-separated names, addresses and networks that the Host header may name.")
@click.option("--no-sign-in", is_flag=True,
              help="Listen beyond this machine although everybody who reaches the server may use the model.")
@with_tracking_uri
def serve(
    model_uri: str, port: int, host: str, workers: int, timeout: float, env_manager: str, install_mlflow: bool,
    no_conda: bool, name: str | None, allowed_hosts: str, no_sign_in: bool, tracking_uri: str | None,
) -> None:
    """Serve a model over HTTP: POST data to /invocations, look at / for what it takes.

    It runs in this environment, unless --env-manager says otherwise. Ctrl-C lets requests under way finish; a second
    one does not.
    """
    from millstream.serving import run
    from millstream.serving.config import Limits, ServingConfig
    from millstream.tracking.stores import set_tracking_uri
    from millstream.web.gate import is_loopback

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    asked = ServingConfig(
        folder="", name=name or run.name_of(model_uri), host=host, port=port, workers=workers, no_sign_in=no_sign_in,
        allowed_hosts=tuple(item.strip() for item in allowed_hosts.split(",") if item.strip()),
        limits=Limits(seconds=timeout),
    )
    config = run.found(model_uri, asked)
    if not is_loopback(host):
        warn(f"{host} can be reached from other machines, and everybody who does may use the model")
    if env_manager == "local" or no_conda:
        say("The model runs in this environment; --env-manager uv gives it its own")
        run.serve(config)
        return
    status = run.serve_elsewhere(config, manager=env_manager, with_mlflow=install_mlflow)
    if status:
        raise click.exceptions.Exit(1)
