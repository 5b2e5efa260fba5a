"""The table of routes, and how paths become fields."""

from __future__ import annotations

import pytest

from millstream.errors import BadRequest, InvalidPath
from millstream.operations import Needs, Permission
from millstream.server.routes import ROUTES, Pattern, Route, named_fields

NEEDS = Needs(Permission.READ)


def test_a_route_must_say_what_it_needs() -> None:
    with pytest.raises(TypeError):
        Route(("GET",), "/secret", None, "pages:run")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Route(("GET",), "/secret", handler="pages:run")  # type: ignore[call-arg]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.methods[0]} {route.path}")
def test_every_route_leads_somewhere(route: Route) -> None:
    assert callable(route.load())
    assert (route.load().__doc__ or "").strip(), "the reference shows what it does"


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/a/{x}", b"/a/b", {"x": "b"}),
        ("/a/{x}", b"/a/", None),
        ("/a/{x}", b"/a/b/c", None),
        ("/a/{x}", b"/a/b%2Fc", {"x": "b/c"}),
        ("/a/{x}", b"/a/b%252Fc", {"x": "b%2Fc"}),
        ("/a/{x}/c", b"/a/b/c", {"x": "b"}),
        ("/a/{path*}", b"/a/b/c", {"path": "b/c"}),
        ("/a/{path*}", b"/a/b%20c/%C3%BC", {"path": "b c/ü"}),
        ("/a/{path*}", b"/a/..%2f..", {"path": "../.."}),
        ("/a/{path*}", b"/a/", {"path": ""}),
        ("/a/{path*}", b"/a", {"path": ""}),
        ("/a/{path*}", b"/ab", None),
        ("/a.b/{x}", b"/axb/c", None),
    ],
)
def test_fields_are_decoded_once(pattern: str, path: bytes, expected: dict[str, str] | None) -> None:
    assert Pattern(pattern).match(path) == expected


def test_a_path_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(InvalidPath):
        Pattern("/a/{path*}").match(b"/a/%ff")


def test_a_field_named_twice_is_refused() -> None:
    route = Route(("GET",), "/a", NEEDS, "pages:run")
    assert named_fields(route, {}, [("x", "1"), ("y", "2")]) == {"x": "1", "y": "2"}
    with pytest.raises(BadRequest):
        named_fields(route, {}, [("x", "1"), ("x", "2")])
    with pytest.raises(BadRequest):
        named_fields(route, {"x": "1"}, [("x", "2")])


def test_the_experiment_of_a_proxied_path_is_named() -> None:
    route = next(route for route in ROUTES if route.name == "get_file")
    assert route.needs.field is not None
    assert named_fields(route, {"path": "12/abc/artifacts/x"}, [])[route.needs.field] == "12"
    listing = next(route for route in ROUTES if route.name == "list_files")
    assert listing.needs.field not in named_fields(listing, {}, [])


def test_a_run_is_named_by_either_name() -> None:
    route = next(route for route in ROUTES if route.name == "get_run_file")
    assert named_fields(route, {}, [("run_uuid", "r"), ("path", "p")])["run_id"] == "r"
    assert named_fields(route, {}, [("run_id", "r"), ("path", "p")])["run_id"] == "r"
