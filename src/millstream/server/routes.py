"""Every path that is not an operation, in one table, and how paths with fields are matched.

A route cannot be made without saying what permission it needs; the policy is asked before its handler runs. Handlers
are named by text and imported at their first request.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias, cast
from urllib.parse import unquote_to_bytes

from millstream.errors import BadRequest, InvalidPath
from millstream.operations import Needs, Permission, Resource
from millstream.server.messages import Reply, Request, StreamedReply

Handler: TypeAlias = Callable[[Request], Awaitable["Reply | StreamedReply"]]
Fields: TypeAlias = dict[str, str]

API_PREFIXES = ("/api", "/ajax-api")
_FIELD = re.compile(r"\{(?P<name>[a-z_]+)(?P<rest>\*?)\}")


@dataclass(frozen=True)
class Route:
    """One path. ``{name}`` stands for one decoded segment, ``/{name*}`` for all that follow, or nothing.

    ``api`` paths begin after ``/api`` and ``/ajax-api``. A ``page`` may be opened by a link on any other page.
    ``any_host`` answers whatever the Host header says (probes name addresses). ``query`` names what may stand in the
    query, for the reference, ``lists`` what of it may come several times: the field holds all, with commas between;
    ``subject`` adds to the fields what ``needs`` names and the request does not spell out.
    """

    methods: tuple[str, ...]
    path: str
    needs: Needs
    handler: str
    api: bool = False
    ajax_only: bool = False
    page: bool = False
    any_host: bool = False
    query: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    subject: Callable[[Fields], None] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.needs, Needs):
            raise TypeError(f"the route {self.path} does not say what permission it needs")

    @property
    def proxied(self) -> bool:
        """Whether it moves files through the server, below the proxied root."""
        return self.path.startswith((_FILES, "/v1/artifact-uploads"))

    @property
    def paths(self) -> tuple[str, ...]:
        """The full paths it is found under."""
        if not self.api:
            return (self.path,)
        return tuple(prefix + self.path for prefix in (API_PREFIXES[1:] if self.ajax_only else API_PREFIXES))

    @property
    def name(self) -> str:
        """What figures and logs call it."""
        return self.handler.partition(":")[2]

    def load(self) -> Handler:
        """The function that answers."""
        module, _, name = self.handler.partition(":")
        return cast(Handler, getattr(importlib.import_module(f"millstream.server.{module}"), name))


def _experiment_of_path(fields: Fields) -> None:
    # Below a proxied root everything lies under the id of its experiment.
    first = fields.get("path", "").partition("/")[0]
    if first:
        fields["experiment_id"] = first


def _run_of_uuid(fields: Fields) -> None:
    if "run_uuid" in fields:
        fields.setdefault("run_id", fields["run_uuid"])


def _on_run(permission: Permission) -> Needs:
    return Needs(permission, Resource.RUN, "run_id")


def _on_path(permission: Permission) -> Needs:
    return Needs(permission, Resource.EXPERIMENT, "experiment_id")


# Every path that the web UI's shell answers; what lies below is told apart in the browser. Its name is none that the
# address of a page has in its query.
UI_PATHS = (
    "/", "/exp/{_below*}", "/run/{_below*}", "/compare", "/models/{_below*}", "/serving/{_below*}",
    "/projects/{_below*}", "/settings", "/trash", "/webhooks/{_below*}",
)
_PUBLIC = Needs(Permission.PUBLIC)
_SIGNED_IN = Needs(Permission.SIGNED_IN)
_ADMIN = Needs(Permission.ADMIN)
_GET = ("GET",)
_POST = ("POST",)
_FILES = "/2.0/mlflow-artifacts"

# What is asked of scoring processes, and how.
_CALLS = (("invocations", _POST), ("openapi.json", _GET))

_FILE_ROOTS = (
    ("/v1/runs/{run_id}", Needs(Permission.READ, Resource.RUN, "run_id")),
    ("/v1/registered-models/{name}/versions/{version}", Needs(Permission.READ, Resource.REGISTERED_MODEL, "name")),
    ("/v1/logged-models/{model_id}", Needs(Permission.READ, Resource.LOGGED_MODEL, "model_id")),
)
_VIEWS = (
    ("content", "content", ("path", "scripts", "download")),
    ("output", "output", ("path", "cell", "output")),
    ("facts", "facts", ("path",)),
    ("lines", "lines", ("path", "lines", "offset", "limit")),
    ("table", "table", ("path", "offset", "limit")),
    ("zip", "archive", ("path",)),
)

ROUTES: tuple[Route, ...] = (
    # What a client or a probe asks of any server.
    Route(_GET, "/health", _PUBLIC, "info:health", any_host=True, page=True),
    Route(_GET, "/version", _PUBLIC, "info:version", any_host=True, page=True),
    Route(_GET, "/3.0/mlflow/server-info", _PUBLIC, "info:server_info", api=True),
    Route(("GET", "POST"), "/3.0/mlflow/workspaces", _ADMIN, "info:workspaces", api=True),
    Route(("GET", "PATCH", "DELETE"), "/3.0/mlflow/workspaces/{name}", _ADMIN, "info:workspace", api=True),
    Route(_GET, "/metrics", _ADMIN, "meter:exposition"),
    Route(_GET, "/openapi.json", _PUBLIC, "openapi:document", page=True),
    Route(_GET, "/docs", _PUBLIC, "reference:page_of_operations", page=True),
    Route(("GET", "POST"), "/graphql", _SIGNED_IN, "graphql:answer", query=("query", "variables", "operationName")),
    # Files of runs and models, by id and relative path.
    Route(_GET, "/get-artifact", _on_run(Permission.READ), "files:get_run_file", page=True,
          query=("run_uuid", "path"), subject=_run_of_uuid),
    Route(_GET, "/model-versions/get-artifact", Needs(Permission.READ, Resource.REGISTERED_MODEL, "name"),
          "files:get_version_file", page=True, query=("name", "version", "path")),
    Route(_POST, "/2.0/mlflow/upload-artifact", _on_run(Permission.EDIT), "files:upload_run_file", api=True,
          ajax_only=True, query=("run_uuid", "path"), subject=_run_of_uuid),
    Route(_GET, "/2.0/mlflow/logged-models/{model_id}/artifacts/files",
          Needs(Permission.READ, Resource.LOGGED_MODEL, "model_id"), "files:get_model_file", api=True,
          ajax_only=True, query=("artifact_file_path",)),
    # The same files, looked at.
    *(Route(_GET, f"{root}/artifacts/{name}", needs, f"viewing:{handler}", api=True, page=name in ("content", "output"),
            query=query)
      for root, needs in _FILE_ROOTS for name, handler, query in _VIEWS),
    # Files below the proxied root, as MLflow's clients reach them.
    Route(_GET, f"{_FILES}/artifacts", _on_path(Permission.READ), "files:list_files", api=True, query=("path",),
          subject=_experiment_of_path),
    Route(_GET, f"{_FILES}/artifacts/{{path*}}", _on_path(Permission.READ), "files:get_file", api=True,
          subject=_experiment_of_path),
    Route(("PUT",), f"{_FILES}/artifacts/{{path*}}", _on_path(Permission.EDIT), "files:put_file", api=True,
          subject=_experiment_of_path),
    Route(("DELETE",), f"{_FILES}/artifacts/{{path*}}", _on_path(Permission.MANAGE), "files:delete_file", api=True,
          subject=_experiment_of_path),
    Route(_GET, "/v1/artifact-uploads/{path*}", _on_path(Permission.EDIT), "files:list_uploads", api=True,
          subject=_experiment_of_path),
    Route(("PUT",), "/v1/artifact-uploads/{path*}", _on_path(Permission.EDIT), "files:put_part", api=True,
          query=("upload_id", "part_number"), subject=_experiment_of_path),
    Route(_POST, f"{_FILES}/mpu/create/{{path*}}", _on_path(Permission.EDIT), "files:create_upload", api=True,
          subject=_experiment_of_path),
    Route(_POST, f"{_FILES}/mpu/complete/{{path*}}", _on_path(Permission.EDIT), "files:complete_upload", api=True,
          subject=_experiment_of_path),
    Route(_POST, f"{_FILES}/mpu/abort/{{path*}}", _on_path(Permission.EDIT), "files:abort_upload", api=True,
          subject=_experiment_of_path),
    Route(_GET, f"{_FILES}/presigned/{{path*}}", _on_path(Permission.READ), "files:presign_file", api=True,
          query=("expiration",), subject=_experiment_of_path),
    # Predictions, passed on to a serving host.
    *(Route(methods, f"/endpoints/{{name}}/{call}", Needs(Permission.READ, Resource.ENDPOINT, "name"),
            "endpoints:ask_endpoint") for call, methods in _CALLS),
    *(Route(methods, f"/model/{{name}}/{{version}}/{call}", Needs(Permission.READ, Resource.REGISTERED_MODEL, "name"),
            "endpoints:ask_version") for call, methods in _CALLS),
    Route(_GET, "/v1/runs/export", Needs(Permission.READ, Resource.EXPERIMENT, "experiment_ids", filtered=True),
          "export:runs", api=True, page=True,
          query=("experiment_ids", "filter", "order_by", "columns", "view_type", "format"),
          lists=("experiment_ids", "columns", "order_by")),
    Route(_GET, "/v1/events", Needs(Permission.READ, Resource.EXPERIMENT, "experiment_ids", filtered=True),
          "events:stream", api=True, query=("since", "experiment_ids", "columns"), lists=("experiment_ids", "columns")),
    # Pages to look at.
    Route(_GET, "/plain", _SIGNED_IN, "pages:experiments", page=True, query=("page",)),
    Route(_GET, "/plain/experiments/{experiment_id}", Needs(Permission.READ, Resource.EXPERIMENT, "experiment_id"),
          "pages:experiment", page=True, query=("filter", "order_by", "page")),
    Route(_GET, "/plain/runs/{run_id}", _on_run(Permission.READ), "pages:run", page=True, query=("path",)),
    *(Route(_GET, path, _SIGNED_IN, "shell:shell", page=True) for path in UI_PATHS),
    Route(_GET, "/assets/{path*}", _SIGNED_IN, "shell:asset"),
)


def without_tracking(route: Route) -> bool:
    """Whether a server that only serves artifacts has this route too."""
    return route.proxied or route.path in ("/health", "/version", "/metrics")


class Pattern:
    """A path with fields. ``match`` gives the fields of a raw path, each decoded once, or None."""

    def __init__(self, path: str) -> None:
        self.path = path
        expression = ""
        end = 0
        self.fields = tuple(found["name"] for found in _FIELD.finditer(path))
        for found in _FIELD.finditer(path):
            before = path[end:found.start()]
            if found["rest"]:
                expression += f"{re.escape(before.removesuffix('/'))}(?:/(?P<{found['name']}>.*))?"
            else:
                expression += f"{re.escape(before)}(?P<{found['name']}>[^/]+)"
            end = found.end()
        self._match = re.compile((expression + re.escape(path[end:])).encode(), re.DOTALL).fullmatch

    def match(self, raw_path: bytes) -> Fields | None:
        """Raises InvalidPath when a field is not UTF-8."""
        found = self._match(raw_path)
        if found is None:
            return None
        try:
            return {name: unquote_to_bytes(part).decode() for name, part in found.groupdict(b"").items()}
        except UnicodeDecodeError:
            raise InvalidPath("the path of the request is not UTF-8") from None


def named_fields(route: Route, fields: Fields, query: list[tuple[str, str]]) -> Fields:
    """The fields of path and query of a route, those of the path first. Raises BadRequest for a field named twice."""
    named: Fields = {}
    for name, text in query:
        if name in route.lists and name in named:
            text = f"{named[name]},{text}"
        elif name in named or name in fields:
            raise BadRequest(f"the request names '{name}' twice")
        named[name] = text
    named.update(fields)
    if route.subject is not None:
        route.subject(named)
    return named
