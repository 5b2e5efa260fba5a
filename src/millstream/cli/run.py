"""``millstream run``: projects, with MLflow's flags."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING

import click

from millstream.cli.output import say, with_tracking_uri
from millstream.errors import InvalidValue

if TYPE_CHECKING:
    from millstream.projects.pipelines import Options


class _Ended(KeyboardInterrupt):
    """A signal that asks this process to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _pairs(texts: tuple[str, ...], option: str, *, flags: bool = False) -> dict[str, str | bool]:
    """``name=value`` texts as a mapping; with ``flags`` a name alone stands for True. Raises InvalidValue."""
    found: dict[str, str | bool] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not (equals or flags):
            raise InvalidValue(f"{option} {text!r} is not of the form NAME=VALUE", hint=f"write {option} alpha=0.5")
        if name in found:
            raise InvalidValue(f"{option} gives {name!r} twice", hint="leave one of them out")
        found[name] = value if equals else True
    return found


@click.command("run")
@click.argument("uri")
@click.option("--entry-point", "-e", metavar="NAME", default="main", show_default=True,
              help="The entry point of the project, or a script (.py, .sh, .R) of its folder.")
@click.option("--version", "-v", metavar="VERSION", help="Of a repository: a branch, a tag or a commit.")
@click.option("--param-list", "-P", metavar="NAME=VALUE", multiple=True,
              help="A parameter. One that the entry point does not declare becomes the arguments --NAME VALUE.")
@click.option("--docker-args", "-A", metavar="NAME=VALUE", multiple=True,
              help="An option of `docker run`, or a flag of it as NAME alone, for a project with a docker_env.")
@click.option("--experiment-name", metavar="NAME", help="The experiment that the run goes to; created when it is new.")
@click.option("--experiment-id", metavar="ID", help="The experiment that the run goes to, by its id.")
@click.option("--backend", "-b", metavar="BACKEND", default="local", show_default=True,
              help="Where it runs: local, kubernetes, databricks, spark, ray, or the name of a plug-in's.")
@click.option("--backend-config", "-c", metavar="FILE",
              help="What the backend is to know: the path of a .json file, or JSON.")
@click.option("--env-manager", type=click.Choice(["local", "virtualenv", "uv", "conda"]), default=None,
              help="What makes the project's environment; local runs it in this one.  "
                   "[default: uv, conda for packages that only it has]")
@click.option("--storage-dir", metavar="FOLDER",
              help="Where parameters of type path are fetched to from elsewhere.  [default: a temporary folder]")
@click.option("--run-id", metavar="ID", help="Record it in this run instead of a new one.")
@click.option("--run-name", metavar="NAME", help="The name of the run.")
@click.option("--parent-run-id", metavar="ID", help="The run that it is a child of.")
@click.option("--build-image", is_flag=True, default=False,
              help="Build an image with the project's files first, for a project with a docker_env.")
@click.option("--jobs", type=click.IntRange(1), metavar="N",
              help="Of a pipeline: the steps that run at the same time at most.  [default: the number of processors]")
@click.option("--no-cache", is_flag=True, help="Of a pipeline: run also the steps that were made before.")
@click.option("--force", metavar="STEP", multiple=True,
              help="Of a pipeline: run this step also when it was made before; may be given several times.")
@with_tracking_uri
def run(
    uri: str, entry_point: str, version: str | None, param_list: tuple[str, ...], docker_args: tuple[str, ...],
    experiment_name: str | None, experiment_id: str | None, backend: str, backend_config: str | None,
    env_manager: str | None, storage_dir: str | None, run_id: str | None, run_name: str | None,
    parent_run_id: str | None, build_image: bool, jobs: int | None, no_cache: bool, force: tuple[str, ...],
    tracking_uri: str | None,
) -> None:
    """Run an entry point of the project at URI, and record it.

    URI is a folder, a repository of git or a zip; #FOLDER after it names one in it. The project says in its MLproject
    or pyproject.toml which entry points, parameters and environment it has. The output is shown and kept with the run.
    Ctrl-C ends all that was started. Status 1 says that it failed.
    """
    from millstream.projects.running import run as run_project
    from millstream.tracking.stores import set_tracking_uri

    if tracking_uri:
        set_tracking_uri(tracking_uri)
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        submitted = run_project(
            uri, entry_point, version, _pairs(param_list, "-P"), _pairs(docker_args, "-A", flags=True),
            experiment_name, experiment_id, backend, backend_config, storage_dir, backend != "databricks", run_id,
            run_name, env_manager, build_image, parent_run_id=parent_run_id,
            pipeline=_options(jobs, no_cache, force),
        )
    except _Ended as ended:
        sys.stdout.flush()
        for number, former in before.items():
            signal.signal(number, former)
        signal.signal(ended.number, signal.SIG_DFL)
        os.kill(os.getpid(), ended.number)
        raise
    else:
        say(f"run {submitted.run_id} {'was submitted' if backend == 'databricks' else 'finished'}")


def _options(jobs: int | None, no_cache: bool, force: tuple[str, ...]) -> Options | None:
    if jobs is None and not no_cache and not force:
        return None
    from millstream.projects.pipelines import Options

    return Options(jobs, not no_cache, force)


def _end(number: int, frame: FrameType | None) -> None:
    raise _Ended(number)
