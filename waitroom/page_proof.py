"""A proof of the pages by an operator's templates: every state of every page is made, and held against the rules,
before any visitor sees one. Pure.
"""

import traceback
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from waitroom import page_environment, template_rules, template_steps
from waitroom.languages import Languages
from waitroom.look import OURS, Look
from waitroom.page_rules import Breach, Needs, breaches
from waitroom.pages import Face, Pages
from waitroom.prepared import Filled
from waitroom.scenes import LEAVE_URL, REFRESH_S, SCENES, Scene
from waitroom.template_rules import Flaw

# A configuration is read again as it changes, and most of its templates are what they were.
MOST_PROOFS = 64
NONCE = "bm9uY2Ugb2YgYSBwcm9vZg"
WITHOUT_HOLES = (
    "asks more of what differs from visitor to visitor than whether it is there, and to show it as it is or by one of "
    f"{', '.join(page_environment.FORMS)}"
)


@lru_cache(MOST_PROOFS)
def flaws(look: Look, room_title: str, language: str) -> tuple[Flaw, ...]:
    """What is wrong with the templates of a look: in themselves, else as pages in English and in the room's language.
    Each is told once."""
    by_itself = (flaw for name, text in look.templates.items() for flaw in template_rules.flaws_of(name, text))
    if found := tuple(by_itself) or tuple(template_steps.flaws(look.templates)):
        return found
    languages = Languages()
    proof, ours = _Proof(languages), Pages(languages)
    faces = [Face(room_title, languages.of(code), look) for code in dict.fromkeys(["en", language])]
    told = (flaw for face in faces for scene in SCENES.values() for flaw in _flaws_of(proof, ours, scene, face))
    return tuple(dict.fromkeys(told))


def _flaws_of(proof: "_Proof", ours: Pages, scene: Scene, face: Face) -> Iterator[Flaw]:
    try:
        page = scene.make(proof, face, NONCE).plain().decode()
    except Exception as exc:  # noqa: BLE001 # whatever a template fails with, its line is to be told
        yield _flaw_of(exc, face.look, scene)
        return
    if page != proof.text:
        yield Flaw(proof.template, 0, WITHOUT_HOLES)
    for breach in breaches(page, _needs(ours, scene, face)):
        yield _found(breach, face.look, proof.template)


def _needs(ours: Pages, scene: Scene, face: Face) -> Needs:
    if scene.place is None:
        return Needs(NONCE)
    page = scene.make(ours, replace(face, look=OURS), NONCE).plain().decode()
    return Needs(NONCE, LEAVE_URL, REFRESH_S, page)


class _Proof(Pages):
    """Renders each page by itself, with its values in their places, and notes the text and its template. It never falls
    back to ours."""

    text = ""
    template = ""

    def _filled(self, template: str, face: Face, fixed: Mapping[str, Hashable], values: Mapping[str, object]) -> Filled:
        self.template = template
        self.text = self._rendered(template, face, {**fixed, **values})
        return super()._filled(template, face, fixed, values)

    def _text(self, template: str, face: Face, values: Mapping[str, object]) -> str:
        return self._rendered(template, face, values)


def _flaw_of(exc: Exception, look: Look, scene: Scene) -> Flaw:
    """Where in the operator's files a page failed, and why."""
    names = {page_environment.file_name(look.folder, name): name for name in look.templates}
    frames = [frame for frame in traceback.extract_tb(exc.__traceback__) if frame.filename in names]
    what = f"{exc} (on the page {scene.caption!r})"
    return Flaw(names[frames[-1].filename], frames[-1].lineno or 0, what) if frames else Flaw("the templates", 0, what)


def _found(breach: Breach, look: Look, template: str) -> Flaw:
    """With the line where the operator has written it."""
    if breach.word:
        for name in sorted(look.templates, key=lambda name: name != template):
            before, found, _ = look.templates[name].partition(breach.word)
            if found:
                return Flaw(name, before.count("\n") + 1, breach.what)
    own = template if template in look.templates else next(iter(look.templates))
    return Flaw(own, 0, breach.what)
