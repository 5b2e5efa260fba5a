"""Operations on what people arrange for themselves in the web UI: saved views, pins, colours."""

from __future__ import annotations

import msgspec

from millstream.operations.table import Answer, Needs, Operation, Permission, Resource, operation

_READ = Needs(Permission.READ, Resource.EXPERIMENT, filtered=True)
_EDIT = Needs(Permission.EDIT, Resource.EXPERIMENT, "experiment_ids")


class View(msgspec.Struct, frozen=True, omit_defaults=True):
    """A saved view of a page. ``state`` is what the page makes of itself: text that the server keeps as it is.

    ``view_id`` has 8 characters. A view is its owner's alone unless ``shared``. Times are in milliseconds since the
    epoch.
    """

    view_id: str
    page: str
    name: str
    state: str
    owner: str
    shared: bool
    creation_time: int
    last_update_time: int
    experiment_ids: list[str] = []


class ViewAnswer(Answer, frozen=True):
    """One view."""

    view: View


class Views(Answer, frozen=True):
    """Views by name; ``default_view_id`` is the one that the team begins with."""

    views: list[View] = []
    default_view_id: str | None = None


class PinnedMetric(msgspec.Struct, frozen=True, omit_defaults=True):
    """A metric that matters, and whether small (``min``) or large (``max``) values are good."""

    key: str
    goal: str = msgspec.field(default_factory=lambda: "max")


class RunColour(msgspec.Struct, frozen=True):
    """The colour of a run, by its number in the palette."""

    run_id: str
    colour: int


class Arrangement(Answer, frozen=True):
    """What is pinned in an experiment, for everybody who looks at it."""

    metrics: list[PinnedMetric] = []
    runs: list[str] = []
    colours: list[RunColour] = []
    default_view_id: str | None = None


@operation("POST", "/v1/views/save", _EDIT, answer=ViewAnswer, repeatable=False)
class SaveView(Operation[ViewAnswer], frozen=True):
    """Save a view of a page that shows these experiments; with ``view_id``, change one of one's own.

    ``page`` says which page, such as ``runs`` or ``compare``. A view without a ``name`` is a link to a long state.
    """

    experiment_ids: list[str]
    page: str
    state: str
    name: str = ""
    shared: bool = False
    view_id: str | None = None


@operation("GET", "/v1/views/get", _READ, answer=ViewAnswer)
class GetView(Operation[ViewAnswer], frozen=True):
    """Read a view by its id; whoever has the id may read a view that has no name, or is shared."""

    view_id: str


@operation("GET", "/v1/views/list", Needs(Permission.READ, Resource.EXPERIMENT, "experiment_id"), answer=Views)
class ListViews(Operation[Views], frozen=True):
    """List the named views of an experiment: one's own, and those that are shared."""

    experiment_id: str


@operation("POST", "/v1/views/delete", _EDIT)
class DeleteView(Operation[None], frozen=True):
    """Delete a view of one's own, or a shared one."""

    experiment_ids: list[str]
    view_id: str


@operation(
    "GET", "/v1/arrangement/get", Needs(Permission.READ, Resource.EXPERIMENT, "experiment_id"), answer=Arrangement
)
class GetArrangement(Operation[Arrangement], frozen=True):
    """Read what is pinned in an experiment."""

    experiment_id: str


@operation(
    "POST", "/v1/arrangement/set", Needs(Permission.EDIT, Resource.EXPERIMENT, "experiment_id"), answer=Arrangement
)
class SetArrangement(Operation[Arrangement], frozen=True):
    """Change what is pinned in an experiment: fields that are given take the place of what was.

    An empty ``default_view_id`` means none.
    """

    experiment_id: str
    metrics: list[PinnedMetric] | None = None
    runs: list[str] | None = None
    colours: list[RunColour] | None = None
    default_view_id: str | None = None
