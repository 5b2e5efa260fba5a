"""``millstream models``: saved and logged models."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from millstream import settings
from millstream.cli.output import say, show_json, show_table, warn, with_json, with_tracking_uri
from millstream.cli.params import params_of

F = TypeVar("F", bound=Callable[..., Any])


def _with_model(command: F) -> F:
    return click.option("--model-uri", "-m", required=True, metavar="URI",
                        help="The model: a folder, models:/…, runs:/…")(command)


def _with_manager(default: str) -> Callable[[F], F]:
    return click.option(
        "--env-manager", type=click.Choice(["local", "uv", "virtualenv", "conda"]), default=default, show_default=True,
        help="Where the model runs: in this environment, or in one of what it needs, which uv builds (all but local "
             "mean that).",
    )


@click.group()
def models() -> None:
    """Look at models, predict with them, serve them; look after their requirements and their trust."""


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
@_with_model
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
@_with_model
@click.option("--input-path", "-i", "inputs", multiple=True, metavar="PATH",
              help="A file, a folder of files, or a pattern in quotes; may be given several times.  [default: stdin]")
@click.option("--output-path", "-o", default=None, metavar="PATH",
              help="The file for the predictions, which is there when all are.  [default: stdout]")
@click.option("--content-type", "-t", default=None, metavar="TYPE",
              help="What the input is: json (the body of a request), jsonl (a row on each line), csv, parquet."
                   "  [default: as its name says, else json]")
@click.option("--output-type", default=None, metavar="TYPE",
              help="How predictions are written, by the same names.  [default: as the output's name says, else json]")
@_with_manager("virtualenv")
@click.option("--install-mlflow", is_flag=True, help="Install the MLflow that the model names there too.")
@click.option("--pip-requirements-override", "-r", metavar="LINES", default=None,
              help="Comma-separated requirements that win over the model's: x==1,y>=2.")
@click.option("--env", "variables", multiple=True, metavar="NAME=VALUE",
              help="An environment variable of the process that predicts; may be given several times.")
@click.option("--keep", metavar="COLUMNS", default="",
              help="Comma-separated columns of the input that go beside the predictions.")
@click.option("--params", metavar="JSON", default=None, help="The model's parameters, as a JSON object.")
@click.option("--chunk-rows", type=click.IntRange(min=0), default=None,
              help="Rows that are predicted at a time; 0: each file at once.  [default: up to 50000]")
@click.option("--force", is_flag=True, help="Overwrite the output if it is there.")
@with_tracking_uri
def predict(
    model_uri: str, inputs: tuple[str, ...], output_path: str | None, content_type: str | None,
    output_type: str | None, env_manager: str, install_mlflow: bool, pip_requirements_override: str | None,
    variables: tuple[str, ...], keep: str, params: str | None, chunk_rows: int | None, force: bool,
    tracking_uri: str | None,
) -> None:
    """Predict files with a model, chunk by chunk.

    The model runs in an environment of what it says it needs, unless --env-manager says otherwise. The answer is
    {"predictions": […]}, or a table where the output is one (predictions.csv, .parquet, .jsonl).
    """
    from millstream.inference.files import predict_files
    from millstream.inference.job import stopped_by_signals
    from millstream.tracking.stores import set_tracking_uri

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    with stopped_by_signals():
        done = predict_files(
            model_uri, inputs or None, output_path, content_type=content_type, output_type=output_type,
            env_manager=env_manager, install_mlflow=install_mlflow,
            pip_requirements_override=_listed(pip_requirements_override or "") or None,
            extra_envs=_pairs(variables), keep=_listed(keep), params=params_of(params), chunk_rows=chunk_rows,
            overwrite=force,
        )
    if output_path is not None:
        rate = f", {done.rows / done.seconds:,.0f} a second" if done.rows and done.seconds else ""
        say(f"wrote {output_path}: {done.rows:,} rows in {done.seconds:.1f} seconds{rate}")


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _pairs(texts: Iterable[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--env")
        pairs[name] = value
    return pairs


@models.command("prepare-env")
@_with_model
@_with_manager("virtualenv")
@click.option("--install-mlflow", is_flag=True, help="Install the MLflow that the model names there too.")
@with_tracking_uri
def prepare_env(model_uri: str, env_manager: str, install_mlflow: bool, tracking_uri: str | None) -> None:
    """Fetch a model and build its environment, so that predicting and serving find it.

    Prints the folder of the environment. Asked again, it is there at once.
    """
    from millstream.flavors import isolated, loading
    from millstream.tracking.stores import set_tracking_uri

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    folder = loading.fetch(model_uri)
    if env_manager == "local":
        say("env-manager local is this environment: there is nothing to prepare")
        return
    wanted = isolated.environment_of(folder, manager=env_manager, with_mlflow=install_mlflow)
    built = isolated.built_for(folder, wanted)
    say("it was there already" if built.reused else "it was built now")
    print(built.path)


def _with_image(command: F) -> F:
    for option in reversed([
        click.option("--model-uri", "-m", default=None, metavar="URI",
                     help="The model: a folder, models:/…, runs:/….  [default: the one mounted at /opt/ml/model]"),
        _with_manager("virtualenv"),
        click.option("--install-java", type=bool, default=None, metavar="BOOLEAN",
                     help="Install Java.  [default: for the models that need it]"),
        click.option("--install-mlflow", is_flag=True, help="Install the MLflow that the model names there too."),
        click.option("--base-image", default=None, metavar="IMAGE",
                     help="What the image is built upon.  [default: Python's, of the model's version]"),
        with_tracking_uri,
    ]):
        command = option(command)
    return command


@models.command("generate-dockerfile")
@_with_image
@click.option("--output-directory", "-d", default="millstream-image", show_default=True, metavar="FOLDER",
              help="Where the folder is written.")
@click.option("--force", is_flag=True, help="Replace the folder if it was written before.")
def generate_dockerfile(
    model_uri: str | None, env_manager: str, install_java: bool | None, install_mlflow: bool, base_image: str | None,
    tracking_uri: str | None, output_directory: str, force: bool,
) -> None:
    """Write a folder from which any builder makes an image that serves a model at port 8080.

    It holds the Dockerfile, the model and what its environment needs.
    """
    from millstream.deploy import engines
    from millstream.tracking.stores import set_tracking_uri

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    path = engines.generate_dockerfile(model_uri, output_directory, env_manager, install_java, install_mlflow,
                                       base_image, force=force)
    say(f"build it with: docker build --tag NAME {path}")
    print(path)


@models.command("build-docker")
@_with_image
@click.option("--name", "-n", default="mlflow-pyfunc", show_default=True, help="What the image is called.")
@click.option("--engine", type=click.Choice(["docker", "podman"]), default=None,
              help="What builds it.  [default: the first that is here]")
def build_docker(
    model_uri: str | None, env_manager: str, install_java: bool | None, install_mlflow: bool, base_image: str | None,
    tracking_uri: str | None, name: str, engine: str | None,
) -> None:
    """Build an image that serves a model at port 8080, by docker or podman."""
    from millstream.deploy import engines
    from millstream.tracking.stores import set_tracking_uri

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    engines.build_docker(model_uri, name, env_manager, None, install_java, install_mlflow, base_image, engine=engine)
    say(f"serve the model with: {engine or 'docker'} run -p 5001:8080 {name}")


@models.command()
@_with_model
@click.option("--port", "-p", type=int, default=5000, show_default=True, help="The port; 0 lets the system choose.")
@click.option("--host", "-h", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--workers", "-w", type=int, default=settings.MODELS_WORKERS.get,
              help="Processes that answer requests, each with the model in its memory.  [default: 1; variable: "
                   "MILLSTREAM_MODELS_WORKERS]")
@click.option("--timeout", "-t", type=float, default=settings.SCORING_SERVER_REQUEST_TIMEOUT.get,
              help="Seconds from a request to its answer.  [default: 60; variable: "
                   "MILLSTREAM_SCORING_SERVER_REQUEST_TIMEOUT]")
@_with_manager("local")
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
