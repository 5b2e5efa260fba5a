"""Images and figures as files: what ``log_image`` and ``log_figure`` write.

An image logged under a key becomes two files, named as MLflow 3 names them so that its UI finds them::

    images/<key>+step+<step>+timestamp+<milliseconds>+<uuid>.png
    images/<key>+step+<step>+timestamp+<milliseconds>+<uuid>+compressed.webp

where a ``/`` of the key is written ``~``. The second is a thumbnail.
"""

from __future__ import annotations

import io
import os
import re
import time
import uuid
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from millstream.errors import InvalidValue
from millstream.tracking import extras

if TYPE_CHECKING:
    import numpy
    import PIL.Image

THUMBNAIL = 256  # pixels of the longer side

_KEY = re.compile(r"[A-Za-z0-9_\-./ ]+")


class Image:
    """An image, from a NumPy array, a nested list of pixels, a PIL image, or a file.

    ``image`` is the PIL image, ``size`` its ``(width, height)`` in pixels. Raises FileNotFoundError for a path where
    nothing is, and what :func:`pil_image` raises.
    """

    def __init__(self, image: numpy.ndarray[Any, Any] | PIL.Image.Image | str | os.PathLike[str] | list[Any]) -> None:
        self.image = pil_image(image)
        self.size = self.image.size

    def to_list(self) -> list[Any]:
        """The pixels, rows first, as nested lists."""
        pixels: list[Any] = self.to_array().tolist()
        return pixels

    def to_array(self) -> numpy.ndarray[Any, Any]:
        """The pixels as an array of shape (height, width) or (height, width, channels)."""
        import numpy

        return numpy.array(self.image)

    def to_pil(self) -> PIL.Image.Image:
        """The PIL image."""
        return self.image

    def resize(self, size: tuple[int, int]) -> Image:
        """A copy of ``(width, height)`` pixels."""
        return Image(self.image.resize(size))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file; its extension says the format."""
        self.image.save(path)


def pil_image(image: Any) -> PIL.Image.Image:
    """The PIL image of an :class:`Image`, a PIL image, an array or tensor, nested lists, or a path.

    An array is (height, width) or (height, width, channels) with 1, 3 or 4 channels. Whole numbers and booleans are
    pixels (0 to 255, or false and true). Floats from 0 to 1 are scaled to 255, others from their own smallest and
    largest, with a warning; what is not finite is black. Raises InvalidValue for another shape or pixels out of range,
    TypeError for what is no image.
    """
    pil = extras.require("PIL.Image", "an image")
    if isinstance(image, Image):
        return image.image
    if isinstance(image, pil.Image):
        return image  # type: ignore[no-any-return]
    if isinstance(image, (str, os.PathLike)):
        with pil.open(image) as opened:
            opened.load()
            return opened.copy()  # type: ignore[no-any-return]
    if isinstance(image, list) or hasattr(image, "__array__"):
        return pil.fromarray(_pixels(image))  # type: ignore[no-any-return]
    raise TypeError(f"an image is an array, a PIL image or a millstream.Image, got {type(image).__name__}")


def encode_image(image: Any, artifact_file: str) -> bytes:
    """``image`` in the format that the extension of ``artifact_file`` names.

    Raises InvalidValue for an extension that PIL does not know, and what :func:`pil_image` raises.
    """
    pil = extras.require("PIL.Image", "an image")
    extension = os.path.splitext(artifact_file)[1].lower()
    kind = pil.registered_extensions().get(extension)
    if kind is None or kind not in pil.SAVE:
        raise InvalidValue(
            f"the file name {artifact_file!r} names no image format that can be written", hint="end it in .png or .jpg"
        )
    picture = pil_image(image)
    if kind == "JPEG" and picture.mode not in ("L", "RGB", "CMYK"):
        picture = picture.convert("RGB")  # the format has no transparency
    return _encode(_writable(picture) if kind == "PNG" else picture, kind)


def image_files(image: Any, key: str, step: int | None = None, timestamp: int | None = None) -> dict[str, bytes]:
    """The two files, path to content, of an image logged under ``key`` at ``step`` (0) and ``timestamp`` (now, in ms).

    Raises InvalidValue for a key with other characters than letters, digits, ``_ - . /`` and spaces, and what
    :func:`pil_image` raises.
    """
    if not _KEY.fullmatch(key):
        raise InvalidValue.of(
            "key", key, "the key of an image may hold letters, digits, underscores, dashes, periods, spaces and slashes"
        )
    picture = pil_image(image)
    milliseconds = time.time_ns() // 1_000_000 if timestamp is None else int(timestamp)
    folded = key.replace("/", "~")
    name = f"images/{folded}+step+{int(step or 0)}+timestamp+{milliseconds}+{uuid.uuid4()}"
    return {f"{name}.png": _encode(_writable(picture), "PNG"), f"{name}+compressed.webp": thumbnail(picture)}


def thumbnail(image: Any) -> bytes:
    """A WebP of ``image`` whose longer side has :data:`THUMBNAIL` pixels, or fewer when it has fewer itself."""
    picture = pil_image(image)
    if picture.mode in ("L", "RGB", "RGBA"):
        small = picture.copy()
    else:
        small = picture.convert("RGBA" if "A" in picture.mode else "RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return _encode(small, "WEBP")


def encode_figure(figure: Any, artifact_file: str, save_kwargs: Mapping[str, Any] | None = None) -> bytes:
    """A figure of matplotlib (or what has its ``savefig``) or plotly in the format that ``artifact_file`` ends in.

    plotly: ``.html``, or an image where its package kaleido is installed. ``save_kwargs`` go to ``savefig``,
    ``write_html`` or ``write_image``. Raises TypeError for another object, InvalidValue for another extension.
    """
    extension = os.path.splitext(artifact_file)[1].lower().removeprefix(".")
    options = dict(save_kwargs or {})
    if hasattr(figure, "savefig"):
        if not extension:
            raise InvalidValue(f"the file name {artifact_file!r} says no format", hint="end it in .png or .svg")
        stream = io.BytesIO()
        try:
            figure.savefig(stream, **{"format": extension, **options})
        except ValueError as error:
            if "format" in str(error).lower():
                raise InvalidValue(f"the figure {artifact_file!r} cannot be written: {error}") from None
            raise
        return stream.getvalue()
    if hasattr(figure, "to_html") and hasattr(figure, "to_image"):
        if extension == "html":
            page: str = figure.to_html(**{"include_plotlyjs": "cdn", **options})
            return page.encode()
        if extension in ("png", "jpg", "jpeg", "webp", "svg", "pdf", "eps"):
            return bytes(figure.to_image(**{"format": extension, **options}))
        raise InvalidValue(f"plotly writes no file like {artifact_file!r}", hint="end it in .html, .png, .svg or .pdf")
    raise TypeError(f"a figure of matplotlib or plotly is expected, got {type(figure).__name__}")


def _pixels(image: Any) -> numpy.ndarray[Any, Any]:
    import numpy

    pixels: numpy.ndarray[Any, Any] = numpy.asarray(image)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise InvalidValue(
            f"an image is (height, width) or (height, width, channels), got an array of shape {numpy.shape(image)}",
            hint="channels are 1 (grey), 3 (red, green, blue) or 4 (with alpha); move another order with transpose()",
        )
    if pixels.dtype.kind == "b":
        pixels = pixels.astype(numpy.uint8) * 255
    if pixels.dtype.kind in "iu":
        if pixels.size and (pixels.min() < 0 or pixels.max() > 255):
            raise InvalidValue(f"pixels are from 0 to 255, got {pixels.min()} to {pixels.max()}")
        return pixels.astype(numpy.uint8)
    if pixels.dtype.kind != "f":
        raise TypeError(f"pixels are booleans, whole numbers or floats, got {pixels.dtype}")
    pixels = numpy.where(numpy.isfinite(pixels), pixels, 0.0)
    low, high = (pixels.min(), pixels.max()) if pixels.size else (0.0, 1.0)
    if low < 0 or high > 1:
        warnings.warn(
            f"floats from {low} to {high} are scaled to pixels; give floats from 0 to 1, or whole numbers to 255",
            stacklevel=4,
        )
        pixels = (pixels - low) / ((high - low) or 1.0)
    scaled: numpy.ndarray[Any, Any] = (pixels * 255).astype(numpy.uint8)
    return scaled


def _writable(picture: PIL.Image.Image) -> PIL.Image.Image:
    modes = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")  # what the PNG format has
    return picture if picture.mode in modes else picture.convert("RGB")


def _encode(picture: PIL.Image.Image, kind: str) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind)
    return stream.getvalue()
