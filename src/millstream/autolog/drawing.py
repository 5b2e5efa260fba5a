"""Small plots, drawn with Pillow in a few milliseconds.

A plot of matplotlib costs 40 to 60 ms, most of it for finding ticks and laying out text, and its first one half a
second of imports; a fit of a small model may draw three. Neither ``pyplot`` nor the backend of the program is touched.
"""

from __future__ import annotations

import functools
import importlib.util
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

# Drawn at twice the size and made smaller: Pillow draws lines without smoothing them.
_SCALE = 2
_SIZE = (560, 480)
_LEFT, _TOP, _RIGHT, _BOTTOM = 116, 40, 544, 404
_INK = (38, 38, 38)
_BLUE = (31, 119, 180)
_LIGHT, _DARK = (247, 251, 255), (8, 48, 107)

Point = tuple[float, float]


def is_available() -> bool:
    """Whether Pillow, which matplotlib brings, is installed."""
    return importlib.util.find_spec("PIL") is not None


def curve(xs: Iterable[float], ys: Iterable[float], *, title: str, across: str, up: str, legend: str) -> bytes:
    """A line through points in the unit square, as PNG. ``legend`` stands below it."""
    sheet = _Sheet(title, across, up, margin=10)  # a line along an edge is seen, not hidden below the frame
    for tick in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        sheet.tick_across(tick, f"{tick:.1f}")
        sheet.tick_up(tick, f"{tick:.1f}")
    sheet.line(list(zip(map(float, xs), map(float, ys), strict=True)))
    sheet.text((_RIGHT - 16, _BOTTOM - 18), legend, "rs")
    return sheet.png()


def shares(cells: Sequence[Sequence[float]], names: Sequence[str], *, title: str, across: str, up: str) -> bytes:
    """A square of shares between 0 and 1 as shades of blue, as PNG; with numbers and names where there is room."""
    sheet = _Sheet(title, across, up)
    count = len(names)
    size = 13 if count <= 8 else 10
    for row in range(count):
        for column in range(count):
            share = min(max(float(cells[row][column]), 0.0), 1.0)
            sheet.cell(row, column, count, share, f"{round(share, 2):g}" if count <= 14 else "", size)
    if count <= 24:
        longest = 12 if count > 6 else 18
        for index, name in enumerate(names):
            short = name if len(name) <= longest else f"{name[: longest - 1]}…"
            sheet.tick_across((index + 0.5) / count, short, size=size, upright=count > 6 and len(short) > 3)
            sheet.tick_up(1 - (index + 0.5) / count, short, size=size)
    return sheet.png()


def bars(values: Mapping[str, float], *, title: str, across: str) -> bytes:
    """A bar for each name, the longest at the top, as PNG. Of many names the forty with the largest values."""
    count = min(len(values), 40)
    shown = sorted(values.items(), key=lambda item: abs(item[1]), reverse=True)[:count]
    low, high = min(0.0, *(value for _, value in shown)), max(0.0, *(value for _, value in shown))
    span = (high - low) or 1.0
    shown_title = title if count == len(values) else f"{title}, the first {count} of {len(values)}"
    sheet = _Sheet(shown_title, across, "", left=190)
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        sheet.tick_across(part, f"{low + part * span:.3g}")
    for place, (name, value) in enumerate(shown):
        middle = 1 - (place + 0.5) / count
        sheet.tick_up(middle, name if len(name) <= 24 else f"{name[:23]}…", size=11 if count <= 20 else 9)
        ends = sorted((-low / span, (value - low) / span))
        sheet.bar(ends[0], ends[1], middle, min(0.7 / count, 0.08))
    return sheet.png()


class _Sheet:
    """A frame with a title and the names of its sides. Places in it are in the unit square, y upwards."""

    def __init__(self, title: str, across: str, up: str, left: int = _LEFT, margin: int = 0) -> None:
        from PIL import Image, ImageDraw

        self.left = left
        self.margin = margin
        self.image = Image.new("RGB", (_SIZE[0] * _SCALE, _SIZE[1] * _SCALE), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.text(((self.left + _RIGHT) / 2, _TOP - 14), title, "ms", 16)
        self.text(((self.left + _RIGHT) / 2, _SIZE[1] - 16), across, "ms")
        self.upright(up, 14, (_TOP + _BOTTOM) / 2)

    def png(self) -> bytes:
        """The finished picture."""
        box = [edge * _SCALE for edge in (self.left, _TOP, _RIGHT, _BOTTOM)]
        self.draw.rectangle(box, outline=_INK, width=_SCALE)
        out = io.BytesIO()
        self.image.reduce(_SCALE).save(out, "PNG", compress_level=3)
        return out.getvalue()

    def text(self, at: Point, text: str, anchor: str, size: int = 13, fill: tuple[int, int, int] = _INK) -> None:
        self.draw.text((at[0] * _SCALE, at[1] * _SCALE), text, fill=fill, font=_font(size * _SCALE), anchor=anchor)

    def upright(self, text: str, x: float, y: float, size: int = 13, *, hangs: bool = False) -> None:
        """Text that reads upwards, its middle at ``y``; or one that hangs below ``y``."""
        from PIL import Image, ImageDraw

        font = _font(size * _SCALE)
        width = max(int(self.draw.textlength(text, font=font)), 1)
        height = int(size * _SCALE * 1.4)
        strip = Image.new("RGB", (width, height), "white")
        ImageDraw.Draw(strip).text((0, height / 2), text, fill=_INK, font=font, anchor="lm")
        turned = strip.rotate(90, expand=True)
        top = y * _SCALE if hangs else y * _SCALE - width / 2
        self.image.paste(turned, (int(x * _SCALE - height / 2), int(top)))

    def line(self, points: list[Point]) -> None:
        """A line through ``points``."""
        self.draw.line([self._place(x, y) for x, y in points], fill=_BLUE, width=2 * _SCALE, joint="curve")

    def bar(self, start: float, end: float, middle: float, thickness: float) -> None:
        """A bar from left to right, its middle at the height ``middle``."""
        left, top = self._place(start, middle + thickness / 2)
        right, bottom = self._place(end, middle - thickness / 2)
        self.draw.rectangle([left, top, right, bottom], fill=_BLUE)

    def tick_across(self, x: float, name: str, *, size: int = 12, upright: bool = False) -> None:
        place = self._across(x)
        self._stroke(place, _BOTTOM, place, _BOTTOM + 5)
        if upright:
            self.upright(name, place, _BOTTOM + 8, size, hangs=True)
        else:
            self.text((place, _BOTTOM + 8), name, "ma", size)

    def tick_up(self, y: float, name: str, *, size: int = 12) -> None:
        place = self._up(y)
        self._stroke(self.left - 5, place, self.left, place)
        self.text((self.left - 8, place), name, "rm", size)

    def cell(self, row: int, column: int, count: int, share: float, number: str, size: int) -> None:
        """One of ``count`` times ``count`` cells, rows from the top."""
        wide, high = (_RIGHT - self.left) / count, (_BOTTOM - _TOP) / count
        x, y = self.left + column * wide, _TOP + row * high
        shade = tuple(round(light + (dark - light) * share) for light, dark in zip(_LIGHT, _DARK, strict=True))
        self.draw.rectangle([x * _SCALE, y * _SCALE, (x + wide) * _SCALE, (y + high) * _SCALE], fill=shade)
        if number:
            self.text((x + wide / 2, y + high / 2), number, "mm", size, (255, 255, 255) if share > 0.5 else _INK)

    def _stroke(self, *ends: float) -> None:
        self.draw.line([end * _SCALE for end in ends], fill=_INK, width=_SCALE)

    def _place(self, x: float, y: float) -> Point:
        return self._across(x) * _SCALE, self._up(y) * _SCALE

    def _across(self, x: float) -> float:
        return self.left + self.margin + x * (_RIGHT - self.left - 2 * self.margin)

    def _up(self, y: float) -> float:
        return _BOTTOM - self.margin - y * (_BOTTOM - _TOP - 2 * self.margin)


@functools.lru_cache(maxsize=16)
def _font(size: int) -> Any:
    """matplotlib's own font, which knows most alphabets; Pillow's where it is not installed."""
    from PIL import ImageFont

    found = importlib.util.find_spec("matplotlib")
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        file = Path(place) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)
