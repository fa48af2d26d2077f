"""Forms as a browser without scripts sees them: what a page's form would send, filled in by a person, and sent."""

from html.parser import HTMLParser

from tests.booking.bench import Answer, Visitor

Field = tuple[str, str]


class FormParser(HTMLParser):
    """Collects what each form would send, by its action, and which of its choices nobody can choose."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, list[Field]] = {}
        self.choices: dict[str, dict[Field, bool]] = {}
        self._action: str | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._action = given["action"]
            self.forms[self._action], self.choices[self._action] = [], {}
        elif tag == "input" and self._action is not None:
            self._see(self._action, given)
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option" and "selected" in given and self._action is not None:
            self.forms[self._action].append((self._select, given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._action = None

    def _see(self, action: str, given: dict[str, str]) -> None:
        field = (given["name"], given.get("value", ""))
        if given.get("type") in {"checkbox", "radio"}:
            self.choices[action][field] = "disabled" not in given
            if "checked" not in given:
                return
        if "disabled" not in given:
            self.forms[action].append(field)


def forms_of(page: Answer) -> FormParser:
    parser = FormParser()
    parser.feed(page.text)
    return parser


def sent_by(page: Answer, action: str) -> list[Field]:
    """What the form of a page sends if nobody changes anything."""
    return forms_of(page).forms[action]


async def fill_in(visitor: Visitor, page: Answer, action: str, **typed: str | list[str]) -> Answer:
    """Sends a form of a page that was loaded; a list stands for several ticked boxes of one name."""
    kept = [field for field in sent_by(page, action) if field[0] not in typed]
    told = [(name, each) for name, value in typed.items() for each in ([value] if isinstance(value, str) else value)]
    return await visitor.ask("POST", action, data=[*kept, *told], headers={"Accept": "text/html"})


def seat_box(page: Answer, label: str) -> str:
    """The value of a seat's box on the map, such as `7C:0`."""
    boxes = [value for choices in forms_of(page).choices.values() for name, value in choices if name == "seat"]
    return next(value for value in boxes if value.partition(":")[0] == label)


def is_free(page: Answer, label: str) -> bool:
    choices = {field: free for each in forms_of(page).choices.values() for field, free in each.items()}
    return choices["seat", seat_box(page, label)]


def ticked(page: Answer, action: str) -> list[str]:
    """The labels of the seats that are chosen on the map."""
    return [value.partition(":")[0] for name, value in sent_by(page, action) if name == "seat"]
