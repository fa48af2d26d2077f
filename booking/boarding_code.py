"""The code on a ticket that a gate reads: what it says, and the QR code of it."""

from io import BytesIO

import segno

AIRLINE = "H7"
# A printed or cracked ticket may lose a seventh of its code.
CORRECTION = "m"
# White modules around it, by which a reader finds it (ISO/IEC 18004).
BORDER = 4


def content(reference: str, ticket: str) -> str:
    """`H7:QWERTY:9991234567890`: a reference to our records, and nobody's name."""
    return f"{AIRLINE}:{reference}:{ticket}"


def png(code: str, scale: int = 5) -> bytes:
    """The QR code of a content, `scale` pixels for each module."""
    image = BytesIO()
    _qr(code).save(image, kind="png", scale=scale, border=BORDER)
    return image.getvalue()


def svg(code: str) -> str:
    """The same for a page, as an element that grows with its surroundings and has nothing to load."""
    return _qr(code).svg_inline(border=BORDER, omitsize=True, svgclass="qr", lineclass=None, light="#fff")


def _qr(code: str) -> segno.QRCode:
    return segno.make_qr(code, error=CORRECTION)
