"""What is a path, and what could be read in two ways."""

from __future__ import annotations

import posixpath
import unicodedata
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millstream.artifacts import paths
from millstream.errors import InvalidPath, InvalidValue
from millstream.testing.artifacts import ORDINARY_PATHS, REFUSED_PATHS

TRICKY = st.lists(
    st.sampled_from(["a", "b.txt", "..", ".", "/", "//", "\\", "%", "2e", "2F", "%2e", "%25", ";", "?", "#", ":", "C:",
                     "\0", "\n", " ", "é", "\uff0e", "\u2025", "\uff0f", "~", "file:", "*"]), max_size=8
).map("".join)


@pytest.mark.parametrize("path", ORDINARY_PATHS)
def test_names_as_people_give_them_are_paths(path: str) -> None:
    assert paths.check(path) == path
    assert paths.check_folder(path) == path


@pytest.mark.parametrize("path", REFUSED_PATHS)
def test_what_leads_out_or_means_two_things_is_refused(path: str) -> None:
    for check in (paths.check, paths.check_folder):
        with pytest.raises(InvalidPath) as caught:
            check(path)
        assert isinstance(caught.value, InvalidValue)
        assert caught.value.get_http_status_code() == 400
        assert len(caught.value.message) < 600


_IMAGE = "images/seen%step%1%timestamp%1700000000000%4e973691-0804-4151-b01c-23dcceb9dcae"


@pytest.mark.parametrize("path", [f"{_IMAGE}.png", f"1/r/artifacts/{_IMAGE}%compressed.webp".replace("4e", "4E")])
def test_images_have_the_names_that_mlflow_gives_them(path: str) -> None:
    assert paths.check(path) == path


@pytest.mark.parametrize("path", [f"{_IMAGE}.png/%2e%2e/x", f"%2e%2e/{_IMAGE}.png", f"../{_IMAGE}.png", _IMAGE])
def test_what_only_looks_like_an_image_is_refused(path: str) -> None:
    with pytest.raises(InvalidPath):
        paths.check(path)


def test_the_empty_path_is_the_root_and_no_file() -> None:
    assert paths.check_folder("") == paths.check_folder(None) == ""
    with pytest.raises(InvalidPath, match="empty"):
        paths.check("")


@pytest.mark.parametrize("path", [None, 7, b"a", ["a"]])
def test_a_path_is_text(path: object) -> None:
    with pytest.raises(InvalidPath, match="text"):
        paths.check(path)  # type: ignore[arg-type]


@pytest.mark.parametrize(("path", "word"), [
    ("../a", "'..'"), ("a//b", "'a/b'"), ("a/", "'a'"), ("/a", "absolute"), ("a\\b", "backslash"), ("a%2e", "%2e"),
    ("a;b", "';'"), ("a\nb", "U+000A"), ("C:\\x", "backslash"), ("C:/x", "drive"), ("x" * 300, "255"),
])
def test_the_reason_is_told(path: str, word: str) -> None:
    with pytest.raises(InvalidPath) as caught:
        paths.check(path)
    assert word in f"{caught.value.message} {caught.value.hint}"


@given(st.one_of(st.text(max_size=40), TRICKY))
@example("a/b c/100%.txt")
@example("5%zz")
def test_what_passes_means_one_file_to_everybody(path: str) -> None:
    try:
        assert paths.check(path) is path
    except InvalidPath:
        return
    assert posixpath.normpath(path) == path
    assert not posixpath.isabs(path)
    assert posixpath.join("/root", path).startswith("/root/")
    assert posixpath.normpath(posixpath.join("/root", path)).startswith("/root/")
    assert unquote(path) == path  # decoding once more changes nothing
    assert unquote(quote(path)) == path
    assert urlsplit(f"http://host/root/{quote(path, safe='/')}").path == f"/root/{quote(path, safe='/')}"
    parsed = urlsplit(f"s3://bucket/root/{path}")
    assert (parsed.query, parsed.fragment) == ("", "")
    folded = unicodedata.normalize("NFKC", path)
    assert posixpath.normpath(posixpath.join("/root", folded)).startswith("/root")
    assert folded.count("/") == path.count("/")
    assert "\\" not in folded
    assert all(ord(character) >= 32 for character in path)


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20), min_size=1, max_size=5))
def test_letters_and_numbers_of_any_script_make_names(names: list[str]) -> None:
    path = "/".join(names)
    try:
        paths.check(path)
    except InvalidPath as error:
        assert "folds" in error.message  # the one reason there may be


def test_joining() -> None:
    assert paths.join("", "") == ""
    assert paths.join("a", "") == "a"
    assert paths.join("", "b") == "b"
    assert paths.join("a/b", "c") == "a/b/c"
