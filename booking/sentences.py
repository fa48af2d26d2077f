"""Sentences for people: English, which keep what is needed to say them in another language."""

from collections.abc import Mapping


class Sentence(str):
    """Reads as English wherever a string does. `template` and `values` are what a translation is made of."""

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]


def say(template: str, **values: object) -> Sentence:
    """A sentence out of a template such as `Seat %(seat)s is taken.`; catalogues know the template."""
    sentence = Sentence(template % values if values else template)
    sentence.template = template
    sentence.values = values
    return sentence
