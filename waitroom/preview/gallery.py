"""The files of a preview: each scene as a page in each language, and one page that shows them side by side. Pure.

The pages are as visitors get them, but that they ask nobody, lead nowhere and stay as they are.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from itertools import product

from jinja2 import Environment, Template

from waitroom.languages import Languages
from waitroom.look import Scheme
from waitroom.pages import Face, Pages
from waitroom.place import Place
from waitroom.rooms import Room
from waitroom.scenes import SCENES

NONCE = "cHJldmlldw"
INDEX = "index.html"
# Stands before all that is in a page, whose polls are answered by `told` if at all.
STILL = """<script nonce="%s">
{
  // Nothing that takes longer happens.
  const LONGEST_MS = 3_000;
  const later = window.setTimeout;
  const told = %s;
  window.setTimeout = (act, ms, ...given) => (ms > LONGEST_MS ? 0 : later(act, ms, ...given));
  window.fetch = () => new Promise((answer, fail) => told && (told === "lost" ? fail() : answer(Response.json(told))));
  // The pages stand side by side, and are no tabs of one place.
  window.BroadcastChannel = undefined;
  // Nobody looks, and so whom the line calls is not taken in at once.
  for (const [name, value] of [["hidden", true], ["visibilityState", "hidden"]]) {
    Object.defineProperty(document, name, { get: () => value });
  }
  addEventListener("submit", (event) => event.preventDefault());
  addEventListener("click", (event) => event.target.closest("a") && event.preventDefault());
}
</script>
"""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Of one room."""

    room: Room
    languages: Languages

    def index(self, faults: Sequence[str] = (), revision: int = 0) -> str:
        """The page that shows all. The faults are those of a change that was refused. If served, it shows itself
        anew as soon as there is another revision."""
        return _index().render(
            title=self.room.title,
            names=self.languages.names(),
            language=self.room.language,
            schemes=self.schemes,
            scenes=[(name, scene.caption) for name, scene in SCENES.items()],
            faults=faults,
            revision=revision,
        )

    @property
    def schemes(self) -> tuple[Scheme, ...]:
        """In which the room shows its pages."""
        return ("light", "dark") if self.room.look.scheme == "auto" else (self.room.look.scheme,)

    def page(self, scheme: Scheme, language: str, scene: str) -> str:
        """One scene."""
        face = Face(self.room.title, self.languages.of(language), replace(self.room.look, scheme=scheme))
        shown = SCENES[scene]
        page = shown.make(Pages(self.languages), face, NONCE).plain().decode()
        still = STILL % (NONCE, shown.told.to_json() if isinstance(shown.told, Place) else json.dumps(shown.told))
        return re.sub(r"<head>|(?=<meta|<title|<main)", lambda found: found[0] + still, page, count=1)

    def files(self) -> dict[str, str]:
        """All, by their paths."""
        pages = {
            f"{scheme}/{code}/{name}.html": self.page(scheme, code, name)
            for scheme, code, name in product(self.schemes, self.languages.codes, SCENES)
        }
        return {INDEX: self.index(), **pages}


@lru_cache
def _index() -> Template:
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string((resources.files("waitroom.preview") / INDEX).read_text("utf-8"))
