from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from matplotlib.figure import Figure

from millstream.errors import InvalidValue
from millstream.tracking.media import Image, encode_figure, encode_image, image_files, pil_image, thumbnail

RAMP = np.arange(16, dtype="uint8").reshape(4, 4) * 16


def opened(content: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(content))


@pytest.mark.parametrize(
    ("array", "mode", "first"),
    [
        # Mode and first pixel as MLflow 3.17.2 writes them.
        (np.full((4, 4), 7, dtype="uint8"), "L", 7),
        (np.full((4, 4, 1), 7, dtype="uint8"), "L", 7),
        (np.full((4, 4, 4), 7, dtype="uint8"), "RGBA", (7, 7, 7, 7)),
        (np.full((4, 4, 3), 0.5), "RGB", (127, 127, 127)),
        (np.full((4, 4), 0.25, dtype="float32"), "L", 63),
        (np.full((4, 4), 0.25, dtype="float16"), "L", 63),
        (np.full((4, 4), 200, dtype="uint16"), "L", 200),
        (np.full((4, 4), 100, dtype="int64"), "L", 100),
        (np.ones((4, 4), dtype=bool), "L", 255),
        (np.full((4, 4), np.nan), "L", 0),
        ([[9, 2], [3, 4]], "L", 9),
    ],
)
def test_arrays_become_pixels(array: Any, mode: str, first: Any) -> None:
    written = opened(encode_image(array, "a.png"))
    assert written.mode == mode
    assert written.getpixel((0, 0)) == first


@pytest.mark.parametrize("array", [np.linspace(0, 200, 16), np.linspace(-1, 1, 16)])
def test_floats_beyond_one_are_scaled_with_a_warning(array: Any) -> None:
    with pytest.warns(UserWarning, match="scaled"):
        image = pil_image(array.reshape(4, 4))
    pixels = np.asarray(image).ravel()
    assert pixels[0] == 0
    assert pixels[-1] == 255
    assert np.all(np.abs(pixels - np.arange(16) * 17) <= 1)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 4, 5), dtype="uint8"), np.zeros((4, 4, 2), dtype="uint8"), np.zeros(4, dtype="uint8"),
        np.zeros((1, 4, 4, 3), dtype="uint8"), np.full((4, 4), 300), np.full((4, 4), -1, dtype="int8"),
    ],
)
def test_what_has_no_pixels_is_refused(array: Any) -> None:
    with pytest.raises(InvalidValue):
        pil_image(array)


@pytest.mark.parametrize("thing", [5, None, {"a": 1}, np.zeros((4, 4), dtype=complex)])
def test_what_is_no_image_is_a_type_error(thing: Any) -> None:
    with pytest.raises(TypeError):
        pil_image(thing)


def test_an_image_is_converted_both_ways(tmp_path: Path) -> None:
    array = np.arange(24, dtype="uint8").reshape(2, 4, 3)
    image = Image(array)
    assert image.size == (4, 2)
    assert np.array_equal(image.to_array(), array)
    assert image.to_list() == array.tolist()
    assert image.to_pil() is image.image
    assert image.resize((8, 6)).size == (8, 6)
    image.save(tmp_path / "a.png")
    assert np.array_equal(Image(tmp_path / "a.png").to_array(), array)
    assert np.array_equal(Image(image.to_pil()).to_array(), array)
    with pytest.raises(FileNotFoundError):
        Image(str(tmp_path / "none.png"))


def test_the_extension_says_the_format() -> None:
    transparent = PIL.Image.new("RGBA", (3, 3), (10, 20, 30, 40))
    assert opened(encode_image(transparent, "a.png")).format == "PNG"
    assert opened(encode_image(transparent, "folder/a.JPG")).mode == "RGB"
    assert opened(encode_image(transparent, "a.webp")).format == "WEBP"
    for name in ("a", "a.txt", "a.csv"):
        with pytest.raises(InvalidValue, match=re.escape(repr(name))):
            encode_image(transparent, name)


def test_an_image_under_a_key_is_two_files() -> None:
    files = image_files(Image(np.zeros((40, 20, 3), dtype="uint8")), "train/loss curve", 5, 1234567890123)
    full, small = files
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(rf"images/train~loss curve\+step\+5\+timestamp\+1234567890123\+{uuid}\.png", full)
    assert small == full.removesuffix(".png") + "+compressed.webp"
    assert opened(files[full]).size == (20, 40)
    assert opened(files[small]).format == "WEBP"


def test_step_and_timestamp_may_be_left_out() -> None:
    name = next(iter(image_files(RAMP, "a.b_c-d")))
    found = re.match(r"images/a\.b_c-d\+step\+0\+timestamp\+(\d{13})\+", name)
    assert found
    assert next(iter(image_files(RAMP, "k", -2))).startswith("images/k+step+-2+timestamp+")


@pytest.mark.parametrize("key", ["", "a+b", "a%b#c", "a:b", "a\nb", "ä"])
def test_a_key_that_the_file_name_cannot_hold_is_refused(key: str) -> None:
    with pytest.raises(InvalidValue):
        image_files(RAMP, key)


@pytest.mark.parametrize(
    ("size", "expected"), [((400, 600), (171, 256)), ((600, 100), (256, 43)), ((40, 50), (40, 50))]
)
def test_a_thumbnail_keeps_the_proportions(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert opened(thumbnail(PIL.Image.new("RGB", size))).size == expected


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "I", "HSV"])
def test_images_of_every_mode_can_be_logged(mode: str) -> None:
    files = image_files(PIL.Image.new(mode, (5, 4)), "k")
    assert [opened(content).size for content in files.values()] == [(5, 4), (5, 4)]


def test_figures_of_matplotlib() -> None:
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2])
    assert opened(encode_figure(figure, "a/b.png", {"dpi": 50})).size == (100, 50)
    assert b"<svg" in encode_figure(figure, "b.svg")
    assert encode_figure(figure, "b.pdf").startswith(b"%PDF")
    for name in ("b", "b.nope"):
        with pytest.raises(InvalidValue):
            encode_figure(figure, name)


class Plotly:
    """The two methods of a plotly figure that are used, with their arguments."""

    def to_html(self, **options: Any) -> str:
        return f"<html>{sorted(options.items())}"

    def to_image(self, **options: Any) -> bytes:
        return f"image {sorted(options.items())}".encode()


def test_figures_of_plotly() -> None:
    assert encode_figure(Plotly(), "a.html") == b"<html>[('include_plotlyjs', 'cdn')]"
    assert encode_figure(Plotly(), "a.html", {"include_plotlyjs": True}) == b"<html>[('include_plotlyjs', True)]"
    assert encode_figure(Plotly(), "a.png", {"scale": 2}) == b"image [('format', 'png'), ('scale', 2)]"
    with pytest.raises(InvalidValue):
        encode_figure(Plotly(), "a.json")


def test_what_is_no_figure_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        encode_figure(5, "a.png")
