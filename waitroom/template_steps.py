"""How an operator's templates lead to each other and to ours: never in a circle, and in steps that are counted. Pure.

Templates that keep to template_rules.py take no more steps than are counted here, whatever they are given.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache

from jinja2 import nodes

from waitroom.page_environment import OURS, environment, ours, sources
from waitroom.template_rules import Flaw

# Of one page, with all that it includes and extends. Ours take a tenth of it.
MOST_STEPS = 40_000
# What is written as it stands costs a step for so many characters.
CHARACTERS_A_STEP = 16
# More than there are languages: of loops over a name.
MOST_ROUNDS = 50


def flaws(templates: Mapping[str, str]) -> list[Flaw]:
    """What is wrong with an operator's templates together, by the names of their files."""
    return list(dict.fromkeys(_ways(templates).read()))


def steps(templates: Mapping[str, str]) -> dict[str, int]:
    """The most that each file takes with all that it leads to, ours among them."""
    ways = _ways(templates)
    list(ways.read())
    return ways.steps


def _ways(templates: Mapping[str, str]) -> "_Ways":
    parse = environment().parse
    trees = {name: parse(text) if name in templates else _ours(name) for name, text in sources(templates).items()}
    return _Ways(frozenset(templates), trees)


@dataclass
class _Ways:
    """All files as they lead to each other; the operator's are `own`."""

    own: frozenset[str]
    trees: Mapping[str, nodes.Template]
    steps: dict[str, int] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)

    def read(self) -> Iterator[Flaw]:
        for name in self.trees:
            yield from self._follow(name, ())
        for name in sorted(self.own - ours().keys() - self.reached):
            yield Flaw(name, 0, f"no page uses this file{_meant(name, ours())}")

    def _follow(self, name: str, way: tuple[str, ...]) -> Iterator[Flaw]:
        """Counts the steps of a file and of all that it leads to."""
        if name in self.steps:
            return
        way = (*way, name)
        for node in self.trees[name].find_all((nodes.Extends, nodes.Include)):
            yield from self._lead(node, _named_by(node), way)
        self.steps[name] = steps = _steps(self.trees[name], self.steps)
        if steps > MOST_STEPS and name in self.own:
            yield Flaw(name, 0, f"takes {steps:,} steps with all it includes: it should take at most {MOST_STEPS:,}")

    def _lead(self, node: nodes.Node, target: str, way: tuple[str, ...]) -> Iterator[Flaw]:
        """Where the last file of a way leads to."""
        self.reached.add(target)
        # In a circle there is always one of the operator's.
        at = next((name for name in reversed(way) if name in self.own), way[-1])
        line = node.lineno if at == way[-1] else 0
        if target not in self.trees:
            yield Flaw(
                at, line, f"there is no file {target!r} in the folder, nor one of ours{_meant(target, self.trees)}"
            )
        elif target in way:
            hint = f": ours is called {OURS + target!r}" if target in ours() else ""
            yield Flaw(at, line, f"{target!r} leads back to itself{hint}")
        else:
            yield from self._follow(target, way)


def _steps(node: nodes.Node, files: Mapping[str, int]) -> int:
    """An upper bound of what rendering takes, where `files` has that of each file that is led to."""
    match node:
        case nodes.TemplateData():
            return 1 + len(node.data) // CHARACTERS_A_STEP
        case nodes.Const(value=str(text)):
            return 1 + len(text) // CHARACTERS_A_STEP
        case nodes.Extends() | nodes.Include():
            return 1 + files.get(_named_by(node), 0)
        case nodes.For():
            rounds = len(node.iter.items) if isinstance(node.iter, nodes.List | nodes.Tuple) else MOST_ROUNDS
            body = sum(_steps(each, files) for each in node.iter_child_nodes())
            return 1 + max(rounds, 1) * body
    return 1 + sum(_steps(each, files) for each in node.iter_child_nodes())


def _named_by(node: nodes.Node) -> str:
    template = getattr(node, "template", None)
    return str(template.value) if isinstance(template, nodes.Const) else ""


@lru_cache
def _ours(name: str) -> nodes.Template:
    return environment().parse(ours()[name.removeprefix(OURS)])


def _meant(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, names, 1)
    return f": did you mean {near[0]!r}?" if near else ""
