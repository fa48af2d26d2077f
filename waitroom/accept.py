"""What a visitor prefers, by the weights in its Accept and Accept-Encoding (RFC 9110, section 12.4.2). Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

Form = Literal["html", "json"]

HTML = "text/html"
# All of these are answered with JSON: who asks for one kind of it can read another.
JSON = re.compile(r"application/(?:json|[^/\s]+\+json)")
WEIGHT = re.compile(r"\.[0-9]+|[0-9]+(?:\.[0-9]*)?")
# Of what has a weight that can't be read: less than any that can be given, since nobody names what is not wanted.
UNREADABLE = 0.0005
# Browsers of one kind all say the same.
MOST_REMEMBERED = 256


@lru_cache(MOST_REMEMBERED)
def form_of(accept: str) -> Form | None:
    """The form that Accept prefers (RFC 9110, section 12.5.1): of each, the most specific range that names it tells the
    weight. At equal weights the more specific range counts, and then a page comes first.

    None where neither is named: `*/*` alone says nothing of what is wanted, and browsers send it for a script, too.
    """
    ranges = _weights(accept)
    offers: list[tuple[tuple[float, int], Form]] = [
        (_preference(ranges, [HTML], "text/*"), "html"),
        (_preference(ranges, filter(JSON.fullmatch, ranges), "application/*"), "json"),
    ]
    (weight, _), form = max(offers, key=lambda offer: offer[0])
    return form if weight else None


@lru_cache(MOST_REMEMBERED)
def takes_gzip(accept_encoding: str) -> bool:
    """By the weight of gzip, or else of `*` (RFC 9110, section 12.5.3). Who says nothing gets no coding, nor does who
    gives a weight that can't be read: the answer as it is, is always understood."""
    weights = _weights(accept_encoding)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > UNREADABLE


def _preference(ranges: dict[str, float], exact: Iterable[str], wildcard: str) -> tuple[float, int]:
    """The weight of a form, and how specific the range is that tells it."""
    told = [ranges[name] for name in exact if name in ranges]
    return (max(told), 2) if told else (ranges.get(wildcard, 0.0), 1)


def _weights(field: str) -> dict[str, float]:
    """What is named, in lower case and without parameters, with its weight; of what is named twice, the higher one."""
    weights: dict[str, float] = {}
    for item in field.lower().split(","):
        name, *parameters = [part.strip(" \t") for part in item.split(";")]
        weights[name] = max(_weight(parameters), weights.get(name, 0.0))
    return weights


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.rstrip(" \t") == "q":
            value = value.lstrip(" \t")
            return min(1.0, float(value)) if WEIGHT.fullmatch(value) else UNREADABLE
    return 1.0
