"""Colours, and how well one is read on another (WCAG 2.2, 1.4.3). Pure; a colour is `#rrggbb`, in small letters."""

import re

BLACK, WHITE = "#000000", "#ffffff"
# Of text that is not large, at level AA.
READABLE = 4.5
STEPS = 50


def parse(text: str) -> str:
    """Also of the short form `#rgb`. Raises ValueError for what is none."""
    if not re.fullmatch(r"#(?:[0-9a-fA-F]{3}){1,2}", text):
        raise ValueError('should be a colour such as "#0f766e" or "#07e"')
    digits = text[1:].lower()
    return f"#{digits if len(digits) == 6 else ''.join(digit * 2 for digit in digits)}"


def contrast(one: str, other: str) -> float:
    """From 1, for the same colour, to 21, for black on white."""
    darker, lighter = sorted([_luminance(one), _luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def text_on(ground: str) -> str:
    """Black or white, whichever is read better; one of them is always readable."""
    return max(BLACK, WHITE, key=lambda colour: contrast(colour, ground))


def readable_on(ground: str, colour: str) -> str:
    """The colour, mixed with as little of black or white as makes it readable."""
    towards = text_on(ground)
    mixed = (_mixed(colour, towards, step / STEPS) for step in range(STEPS + 1))
    return next(one for one in mixed if contrast(one, ground) >= READABLE)


def _luminance(colour: str) -> float:
    """The relative luminance, from 0 to 1."""
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _channels(colour: str) -> list[int]:
    return [int(colour[at : at + 2], 16) for at in (1, 3, 5)]


def _mixed(colour: str, other: str, share: float) -> str:
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)
