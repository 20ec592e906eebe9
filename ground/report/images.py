"""Arrays as pictures inside the page: small, in the frame's own coordinates."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ground.pictures.values import View, stretch
from ground.report.markup import Html, tag

LONGEST_SIDE = 480
"""Pictures are no wider or higher than this in the page; `ground show` has every pixel."""
JPEG_QUALITY = 84

_ABSENT_GREY = 128


def grey_image(view: View) -> Html:
    """Return a camera picture as an SVG image element in the frame's pixels."""
    grey = (stretch(view) * 255).astype(np.uint8)
    grey[~view.present] = _ABSENT_GREY
    picture = Image.fromarray(grey)
    longest = max(picture.size)
    if longest > LONGEST_SIDE:
        scale = LONGEST_SIDE / longest
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    return _element(picture, view.extent, lossy=picture.width * picture.height > 20_000)


def colour_image(colours: NDArray[np.uint8], extent: tuple[float, float, float, float]) -> Html:
    """Return (rows, columns, 4) RGBA as an SVG image element; its pixels stay square and sharp."""
    return _element(Image.fromarray(colours), extent, lossy=False)


def _element(
    picture: Image.Image, extent: tuple[float, float, float, float], *, lossy: bool
) -> Html:
    left, right, bottom, top = extent
    return tag(
        "image",
        x=left + 0.5,
        y=top + 0.5,
        width=right - left,
        height=bottom - top,
        preserveAspectRatio="none",
        class_="smooth" if lossy else "sharp",
        href=_data_uri(picture, lossy=lossy),
    )


def _data_uri(picture: Image.Image, *, lossy: bool) -> str:
    out = io.BytesIO()
    if lossy:
        picture.save(out, "JPEG", quality=JPEG_QUALITY, optimize=True)
    else:
        picture.save(out, "PNG", optimize=True)
    kind = "jpeg" if lossy else "png"
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"
