"""The logo of an operator as a data: URI, by its content. Pure.

It is shown as an image: what an SVG has of scripts and links does nothing there.
"""

import re
from base64 import b64encode

MOST_BYTES = 16 * 1024
KINDS = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    # Behind what an XML document may begin with.
    "image/svg+xml": re.compile(
        rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<svg[\s>]", re.DOTALL
    ),
}


def data_uri(content: bytes) -> str:
    """Raises ValueError for what is no image, or a large one."""
    if len(content) > MOST_BYTES:
        raise ValueError(f"should have at most {MOST_BYTES:,} bytes, since it is in every page")
    kind = next((kind for kind, begins in KINDS.items() if begins.match(content)), None)
    if kind is None:
        raise ValueError("should be an image: SVG, PNG, WebP or JPEG")
    return f"data:{kind};base64,{b64encode(content).decode()}"
