"""``millstream server`` and ``millstream ui``: the tracking server, with MLflow's flags."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from millstream import settings
from millstream.errors import NotSupported
from millstream.settings import Setting

F = TypeVar("F", bound=Callable[..., Any])

# What MLflow's server takes and this one has no use for: accepted, so that a start script goes on working, and said.
_WITHOUT_EFFECT = {
    "read_replica_backend_store_uri": "reads and writes go to --backend-store-uri",
    "gunicorn_opts": "this server is not run by gunicorn",
    "waitress_opts": "this server is not run by waitress",
    "uvicorn_opts": "name the options of this server instead (see --help)",
    "trace_archival_config": "this server keeps no traces",
    "secrets_cache_ttl": "this server keeps no secrets",
    "secrets_cache_max_size": "this server keeps no secrets",
    "expose_prometheus": "figures for Prometheus are at /metrics already, no folder is needed",
    "disable_security_middleware": "name the hosts and origins with --allowed-hosts and --cors-allowed-origins",
}
_OPTIONS: list[Callable[[Any], Any]] = []


def _option(*names: str, setting: Setting[Any] | None = None, **facts: Any) -> None:
    if setting is not None:
        facts["default"] = setting.get
        shown = facts.pop("shown", setting.default)
        facts["help"] = f"{facts['help']}  [default: {shown}; variable: {setting.variables[0]}]"
    _OPTIONS.append(click.option(*names, **facts))


_option("--backend-store-uri", metavar="URI", setting=settings.BACKEND_STORE_URI, shown="./mlruns",
        help="The store to serve: a folder, sqlite:///file.db or postgresql://….")
_option("--default-artifact-root", metavar="URI", setting=settings.DEFAULT_ARTIFACT_ROOT,
        shown="mlflow-artifacts:/, or ./mlruns with --no-serve-artifacts", help="The artifact root of new experiments.")
_option("--artifacts-destination", metavar="URI", setting=settings.ARTIFACTS_DESTINATION, shown="./mlartifacts",
        help="Where artifacts lie that go through the server: a folder, s3://…, gs://…, ….")
_option("--serve-artifacts/--no-serve-artifacts", default=True,
        help="Let artifacts go through the server.  [default: --serve-artifacts]")
_option("--artifacts-only", is_flag=True, help="Serve nothing but artifacts.")
_option("-h", "--host", setting=settings.SERVER_HOST, help="The address to listen on.")
_option("-p", "--port", type=int, setting=settings.SERVER_PORT, help="The port to listen on; 0 lets the system choose.")
_option("-w", "--workers", type=int, setting=settings.SERVER_WORKERS, help="Processes that answer requests.")
_option("--no-sign-in", is_flag=True,
        help="Listen beyond this machine although everybody who reaches the server may do everything.")
_option("--user-header", metavar="NAME", setting=settings.SERVER_USER_HEADER, shown="none",
        help="The header in which a proxy that signs users in names the user, such as X-Forwarded-User. Whoever else "
        "reaches the server can be anybody: listen on 127.0.0.1, and let the proxy replace the header.")
_option("--static-prefix", metavar="PATH", setting=settings.SERVER_STATIC_PREFIX, shown="none",
        help="What a proxy puts before every path, such as /mlflow.")
_option("--allowed-hosts", metavar="NAMES", setting=settings.SERVER_ALLOWED_HOSTS, shown="this machine's own",
        help="Comma-separated names, addresses and networks that the Host header may name.")
_option("--cors-allowed-origins", metavar="ORIGINS", setting=settings.SERVER_CORS_ALLOWED_ORIGINS, shown="none",
        help="Comma-separated origins whose pages may call the server.")
_option("--x-frame-options", setting=settings.SERVER_X_FRAME_OPTIONS,
        help="Who may show pages of the server in a frame: SAMEORIGIN, DENY or NONE.")
_option("--metrics/--no-metrics", default=True, help="Show figures for Prometheus at /metrics.  [default: --metrics]")
_option("--access-log", is_flag=True, help="Log every request.")
_option("--dev", is_flag=True, help="Log more.")
_option("--serve-models", is_flag=True,
        help="Serve the models of endpoints too, by a serving host on this machine.")
_option("--registry-store-uri", metavar="URI", hidden=True)
_option("--app-name", type=click.Choice(["basic-auth"]), hidden=True)
_option("--workspace-store-uri", metavar="URI", hidden=True)
_option("--enable-workspaces/--disable-workspaces", default=False, hidden=True)
for _name in _WITHOUT_EFFECT:
    _facts: dict[str, Any] = {"is_flag": True} if _name == "disable_security_middleware" else {}
    _option("--" + _name.replace("_", "-"), hidden=True, **_facts)


def _all_options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def _serve(**given: Any) -> None:
    from millstream.server.config import ServerConfig
    from millstream.server.run import serve

    backend = given["backend_store_uri"] or "./mlruns"
    _refuse(given, backend)
    for name, instead in _WITHOUT_EFFECT.items():
        if given[name]:
            _warn(f"--{name.replace('_', '-')} has no effect: {instead}")
    config = ServerConfig(
        backend_store_uri=backend,
        host=given["host"],
        port=given["port"],
        workers=given["workers"],
        serve_artifacts=given["serve_artifacts"],
        artifacts_only=given["artifacts_only"],
        artifacts_destination=given["artifacts_destination"],
        default_artifact_root=given["default_artifact_root"],
        static_prefix=given["static_prefix"].rstrip("/"),
        allowed_hosts=_list(given["allowed_hosts"]),
        allowed_origins=_list(given["cors_allowed_origins"]),
        x_frame_options=given["x_frame_options"],
        no_sign_in=given["no_sign_in"],
        user_header=given["user_header"] or None,
        expose_metrics=given["metrics"],
        access_log=given["access_log"],
        debug=given["dev"],
    )
    if not config.on_loopback:
        if config.user_header:
            _warn(f"{config.host} can be reached from other machines, and everybody who does can be any user: the "
                  f"header {config.user_header} is believed")
        else:
            _warn(f"{config.host} can be reached from other machines, and everybody who does may read, change and "
                  "delete everything: nobody is asked to sign in")
    if "*" in config.allowed_hosts or "*" in config.allowed_origins:
        _warn("with '*' every page that a browser on your network shows may use this server")
    if not given["serve_models"]:
        serve(config)
        return
    from millstream.cli.host import HostProcess

    with HostProcess() as host:
        serve(config, on_ready=host.start)


def _refuse(given: dict[str, Any], backend: str) -> None:
    if given["serve_models"] and given["artifacts_only"]:
        raise NotSupported("a server of artifacts alone knows of no endpoints",
                           hint="leave one of --artifacts-only and --serve-models out")
    if given["serve_models"] and given["user_header"]:
        raise NotSupported("the serving host that --serve-models starts cannot sign in at the proxy",
                           hint="run `millstream endpoints host --tracking-uri URI` with the proxy's address and a "
                                "token of it")
    if given["app_name"]:
        raise NotSupported("this version of Millstream does not sign users in, so there is no --app-name basic-auth",
                           hint="listen on 127.0.0.1, and let a proxy that signs users in stand in front")
    if given["enable_workspaces"] or given["workspace_store_uri"]:
        raise NotSupported("this version of Millstream has no workspaces",
                           hint="leave --enable-workspaces out; run a server with a store of its own for each team")
    if given["registry_store_uri"] and given["registry_store_uri"] != backend:
        raise NotSupported("registered models are kept in the store of the runs",
                           hint="leave --registry-store-uri out, or give it the value of --backend-store-uri")


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(item.strip() for item in (text or "").split(",") if item.strip())


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


@click.command("server")
@_all_options
def server(**given: Any) -> None:
    """Run the tracking server: the API of runs, their artifacts, and pages to look at them.

    It listens on this machine only, unless told otherwise. Ctrl-C lets requests under way finish; a second one
    does not.
    """
    _serve(**given)


@click.command("ui")
@_all_options
def ui(**given: Any) -> None:
    """Run the tracking server, to look at runs in a browser; the same as `server`."""
    _serve(**given)
