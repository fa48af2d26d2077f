"""What a page must have and must not have to work under its policy, keep its visitors' places, and load nothing from
elsewhere. Pure: it reads the page as a browser would."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

ELSEWHERE = {"applet", "base", "embed", "frame", "iframe", "object", "portal"}
LOADED = {"src", "srcset", "poster", "data", "background", "href", "xlink:href", "action", "formaction", "ping"}
LEADS = {"a", "area"}
PLACES = {"action", "formaction"}
# In a style: what it loads.
FROM_ELSEWHERE = re.compile(r"@import|url\(\s*[\"']?(?!data:|#)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a page can't do without: the nonce of its scripts and styles; and where it waits, where it sends who leaves,
    the seconds after which it refreshes itself without JavaScript, and what its scripts fill in, as our page has it."""

    nonce: str
    leave_url: str = ""
    refresh_s: int = 0
    ours: str = ""


@dataclass(frozen=True, slots=True)
class Breach:
    """What is wrong, and the word by which it is found in the source."""

    what: str
    word: str = ""


def breaches(page: str, needs: Needs) -> Iterator[Breach]:
    """All that is wrong with a page."""
    read = _Page(page)
    for tag, attributes in read.elements:
        yield from _element(tag, attributes, needs.nonce)
    for style in read.styles:
        if found := FROM_ELSEWHERE.search(style):
            yield Breach("a style loads something from elsewhere: the page's policy lets only data: pass", found[0])
    if not read.has("html", "lang"):
        yield Breach('the page should say its language: <html lang="{{ language.code }}">', "<html")
    if not read.title.strip():
        yield Breach("the page should have a title", "<title")
    yield from _missing(read, needs)


def _element(tag: str, attributes: dict[str, str], nonce: str) -> Iterator[Breach]:
    if tag in ELSEWHERE:
        yield Breach(f"<{tag}> can't be in a page: it would show something from elsewhere", f"<{tag}")
    if tag in ("script", "style") and attributes.get("nonce") != nonce:
        yield Breach(f'<{tag}> should have nonce="{{{{ nonce }}}}": a browser takes no other', f"<{tag}")
    for name, value in attributes.items():
        if name.startswith("on"):
            yield Breach(f"{name}: browsers run no handler that stands in an element; use a script", name)
        elif name == "style":
            yield Breach("style: browsers take no style that stands in an element; use page.css", "style=")
        elif name in LOADED:
            yield from _loaded(tag, name, value.strip())
    if tag == "meta" and "http-equiv" in attributes and not _refreshes(attributes):
        yield Breach("<meta http-equiv> can only refresh the page itself, after so many seconds", "http-equiv")


def _loaded(tag: str, name: str, value: str) -> Iterator[Breach]:
    if tag in LEADS and name == "href":
        if re.match(r"\s*(?:javascript|data|vbscript)\s*:", value, re.IGNORECASE):
            yield Breach(f"a link can't lead to {value[:40]!r}", value[:20])
    elif name in PLACES:
        if value and not re.match(r"/(?![/\\])", value):
            yield Breach(f"a form should be sent to this site, and not to {value[:60]!r}", value[:20])
    elif not value.startswith(("data:", "#")):
        yield Breach(
            f"<{tag} {name}> loads {value[:60]!r}: a page loads nothing, and shows what is in a data: URI", value
        )


def _refreshes(attributes: dict[str, str]) -> bool:
    return attributes["http-equiv"].lower() == "refresh" and attributes.get("content", "").strip().isdigit()


def _missing(read: "_Page", needs: Needs) -> Iterator[Breach]:
    actions = {attributes.get("action") for tag, attributes in read.elements if tag == "form"}
    if needs.leave_url and needs.leave_url not in actions:
        yield Breach('there should be a way to leave the line: <form method="post" action="{{ leave_url }}">')
    refreshes = {attributes.get("content") for tag, attributes in read.elements if tag == "meta"}
    if needs.refresh_s and str(needs.refresh_s) not in refreshes:
        yield Breach(
            "without JavaScript the page should refresh itself: "
            '<noscript><meta http-equiv="refresh" content="{{ refresh_s }}"></noscript>'
        )
    if needs.ours and read.scripts:
        yield from _unfilled(read, _Page(needs.ours))


def _unfilled(read: "_Page", ours: "_Page") -> Iterator[Breach]:
    """What the scripts of a page look for in it."""
    if lacks := ours.facts - read.facts:
        told = ", ".join(sorted(lacks))
        yield Breach(f"<main> should have {told} for the scripts: give it {{% block facts %}}{{% endblock %}}", "<main")
    sought = {name for name in ours.ids if re.search(rf"[\"'#]{re.escape(name)}\b", read.scripts)}
    if lacks := sought - read.ids:
        yield Breach(f"the scripts look for elements that are not there: id {', '.join(sorted(lacks))}")


class _Page(HTMLParser):
    """The elements of a page, and what is in its scripts, its styles and its title."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.styles: list[str] = []
        self.scripts = ""
        self.title = ""
        self._open = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._open = tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._open = ""

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        match self._open:
            case "style":
                self.styles.append(data)
            case "script":
                self.scripts += data
            case "title":
                self.title += data

    def has(self, tag: str, attribute: str) -> bool:
        return any(each == tag and attributes.get(attribute) for each, attributes in self.elements)

    @property
    def ids(self) -> set[str]:
        return {attributes["id"] for _, attributes in self.elements if "id" in attributes}

    @property
    def facts(self) -> set[str]:
        """The data- attributes of <main>."""
        return {
            name for tag, attributes in self.elements if tag == "main" for name in attributes if name[:5] == "data-"
        }
