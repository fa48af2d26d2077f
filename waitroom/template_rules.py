"""What an operator's templates may say: a language so small that whatever is said in it ends, and does nothing but show
what it was given. Pure.

It is an allow-list over the parsed template: all that is not in it is refused, with its file and line. There are no
calls but that of a translation, no arithmetic, and no attributes but the few named here; loops run over lists that are
written out, and files are named outright, so that the steps of a page can be counted (template_steps.py).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from jinja2 import TemplateSyntaxError, meta, nodes

from waitroom.page_environment import FORMS, environment, ours
from waitroom.sentences import PLACEHOLDER

MOST_DEEP = 40
MOST_LOOPS = 2
MOST_ITEMS = 50
MOST_PLACEHOLDERS = 10
FILTERS = {*FORMS, "escape", "e", "forceescape", "upper", "lower", "default", "d", "length", "tojson"}
TESTS = {"none", "defined", "undefined"}
COMPARISONS = {"eq", "ne", "in", "notin"}
ATTRIBUTES = {
    "loop": {"index", "index0", "revindex", "revindex0", "first", "last", "length"},
    "language": {"code", "direction", "tag"},
    "accent": {"colour", "digits", "text"},
    "accent_dark": {"colour", "digits", "text"},
}
TRANSLATE = {"_", "gettext"}
LISTS = {"languages"}
# What nodes are called in templates.
CALLED: dict[type[nodes.Node], str] = {
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.With: "with",
    nodes.AssignBlock: "set with a block",
    nodes.Import: "import",
    nodes.FromImport: "import",
    nodes.ScopedEvalContextModifier: "autoescape",
    nodes.Concat: "~",
    nodes.Slice: "slices",
    nodes.NSRef: "namespace",
}
# What escapes again, or not at all, is for these names only.
OF_NAMES: dict[str, Callable[[str], bool]] = {"tojson": lambda _: True, "drawing": lambda name: name == "qr_code"}
# How much may stand in the brackets of a filter.
ARGUMENTS = {"default": 2, "d": 2}


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with an operator's template."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.what}" if self.line else f"{self.file}: {self.what}"


@lru_cache
def known_names() -> frozenset[str]:
    """What pages are given, by the names under which our own templates ask for it."""
    trees = (environment().parse(text) for text in ours().values())
    return frozenset().union(*(meta.find_undeclared_variables(tree) - _named_in(tree) for tree in trees)) - TRANSLATE


def flaws_of(name: str, text: str) -> list[Flaw]:
    """All that is wrong with a template by itself; `name` is that of its file."""
    try:
        return _File(name, environment().parse(text)).read()
    except TemplateSyntaxError as exc:
        return [Flaw(name, exc.lineno, _in_words(exc))]
    # Of a number with thousands of digits Python raises a ValueError.
    except (RecursionError, MemoryError, ValueError):
        return [Flaw(name, 1, "is nested too deeply, or has a number that is too long")]


@dataclass
class _File:
    """One file by itself."""

    name: str
    tree: nodes.Template
    found: list[Flaw] = field(default_factory=list)
    # What the file itself names, and how many `super()` each block has.
    named: set[str] = field(default_factory=set)
    supers: Counter[str] = field(default_factory=Counter)

    def read(self) -> list[Flaw]:
        self.named = _named_in(self.tree)
        self.look(self.tree, _Place())
        return self.found

    def look(self, node: nodes.Node, at: "_Place") -> None:
        if at.depth > MOST_DEEP:
            raise RecursionError
        rule = RULES.get(type(node))
        if rule:
            rule(self, node, at)
        else:
            self._refuse(node, f"{CALLED.get(type(node), type(node).__name__.lower())} can't be used here")

    def inner(self, node: nodes.Node, at: "_Place") -> None:
        self._each(node.iter_child_nodes(), at)

    def loop(self, node: nodes.For, at: "_Place") -> None:
        if node.recursive:
            self._refuse(node, "a loop can't be recursive")
        if at.loops >= MOST_LOOPS:
            self._refuse(node, f"loops can be nested {MOST_LOOPS} deep, and not deeper")
        if isinstance(node.iter, nodes.List | nodes.Tuple):
            self.look(node.iter, at.inside(is_source=True))
        elif not (isinstance(node.iter, nodes.Name) and node.iter.name in LISTS):
            self._refuse(node, "a loop runs over `languages`, or over a list that is written out")
        self._target(node.target)
        self._each([*node.body, *node.else_, *([node.test] if node.test else [])], at.inside(loops=at.loops + 1))

    def block(self, node: nodes.Block, at: "_Place") -> None:
        if at.loops or at.block:
            self._refuse(node, f"the block {node.name!r} should stand in no loop and in no other block")
        self._each(node.body, at.inside(block=node.name))

    def assignment(self, node: nodes.Assign, at: "_Place") -> None:
        """What was set can't be set again from itself, and so can't grow."""
        self._target(node.target)
        self.look(node.node, at.inside(is_source=True))

    def lead(self, node: nodes.Extends | nodes.Include, _: "_Place") -> None:
        if not (isinstance(node.template, nodes.Const) and isinstance(node.template.value, str)):
            self._refuse(node, "a file should be named outright, in quotes")

    def name_of(self, node: nodes.Name, at: "_Place") -> None:
        if node.name in self.named:
            if at.is_source:
                self._refuse(node, f"{node.name!r} was set here: what is set can't be made of what was set before")
        elif node.name == "loop" and at.loops:
            self._refuse(node, "of a loop, only its index, first, last and length can be asked")
        elif node.name not in known_names():
            self._refuse(node, f"there is no {node.name!r}{_meant(node.name, known_names())}")

    def attribute(self, node: nodes.Getattr, _: "_Place") -> None:
        owner = node.node.name if isinstance(node.node, nodes.Name) else ""
        if node.attr not in ATTRIBUTES.get(owner, ()):
            self._refuse(node, f".{node.attr} can't be asked of {owner or 'this'}")

    def item(self, node: nodes.Getitem, at: "_Place") -> None:
        if not isinstance(node.node, nodes.Dict):
            self._refuse(node, "only a table that is written out can be looked into, as in {…}[name]")
        self.inner(node, at)

    def literal(self, node: nodes.List | nodes.Tuple | nodes.Dict, at: "_Place") -> None:
        if len(node.items) > MOST_ITEMS:
            self._refuse(node, f"a list should have at most {MOST_ITEMS} items, and has {len(node.items):,}")
        self.inner(node, at)

    def comparison(self, node: nodes.Compare, at: "_Place") -> None:
        if wrong := [each.op for each in node.ops if each.op not in COMPARISONS]:
            self._refuse(node, f"only ==, != and in can be compared by, and not {wrong[0]}")
        self.inner(node, at)

    def test(self, node: nodes.Test, at: "_Place") -> None:
        if node.name not in TESTS or node.args or node.kwargs:
            self._refuse(node, f"there is no test {node.name!r} here: {_listed(TESTS)}")
        self.look(node.node, at.inside())

    def filter(self, node: nodes.Filter, at: "_Place") -> None:
        if node.name not in FILTERS:
            self._refuse(node, f"there is no filter {node.name!r} here: {_listed(FILTERS)}")
        elif node.args[ARGUMENTS.get(node.name, 0) :] or node.kwargs or node.dyn_args or node.dyn_kwargs:
            self._refuse(node, f"the filter {node.name!r} takes nothing more in brackets")
        elif node.name in OF_NAMES and not (isinstance(node.node, nodes.Name) and OF_NAMES[node.name](node.node.name)):
            self._refuse(node, f"the filter {node.name!r} can't be used on this")
        self.inner(node, at)

    def filter_block(self, node: nodes.FilterBlock, at: "_Place") -> None:
        if node.filter.name != "lean" or node.filter.args or node.filter.kwargs:
            self._refuse(node, "filter blocks can't be used here, but for {% filter lean %} around a script")
        self._each(node.body, at)

    def call(self, node: nodes.Call, at: "_Place") -> None:
        called = node.node.name if isinstance(node.node, nodes.Name) else ""
        if node.dyn_args or node.dyn_kwargs or called not in (*TRANSLATE, "super"):
            self._refuse(node, 'nothing can be called but a translation, _("…"), and super()')
        elif called == "super":
            self._super(node, at)
        else:
            self._translation(node, at)

    def _super(self, node: nodes.Call, at: "_Place") -> None:
        self.supers[at.block] += 1
        if node.args or node.kwargs or not at.block or at.loops or at.is_source or self.supers[at.block] > 1:
            self._refuse(node, "super() stands once in a block, and in no loop")

    def _translation(self, node: nodes.Call, at: "_Place") -> None:
        match node.args:
            case [nodes.Const(value=str(text))] if len(PLACEHOLDER.findall(text)) <= MOST_PLACEHOLDERS:
                pass
            case _:
                told = f"a translation is of one sentence, in quotes, with at most {MOST_PLACEHOLDERS} placeholders"
                self._refuse(node, told)
        self._each(node.kwargs, at)

    def _target(self, target: nodes.Node) -> None:
        for name in [target, *target.find_all(nodes.Node)]:
            if isinstance(name, nodes.Name):
                if name.name in known_names() | TRANSLATE | {"loop", "super", "self"}:
                    self._refuse(name, f"{name.name!r} is ours already: use another name")
            elif not isinstance(name, nodes.Tuple):
                self._refuse(name, "should be a plain name")

    def _each(self, inner: Iterable[nodes.Node], at: "_Place") -> None:
        for node in inner:
            self.look(node, at.inside())

    def _refuse(self, node: nodes.Node, what: str) -> None:
        self.found.append(Flaw(self.name, node.lineno, what))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a file something stands. What `is_source` must not hang on what the file itself has set."""

    depth: int = 0
    loops: int = 0
    block: str = ""
    is_source: bool = False

    def inside(self, *, loops: int | None = None, block: str = "", is_source: bool = False) -> "_Place":
        loops = self.loops if loops is None else loops
        return _Place(self.depth + 1, loops, block or self.block, is_source or self.is_source)


def _in_words(exc: TemplateSyntaxError) -> str:
    told = exc.message or "can't be read"
    if found := re.match(r"Encountered unknown tag '(\w+)'", told):
        return f"there is no tag {found[1]!r} here"
    return told[:1].lower() + told[1:]


# What there is; all else is refused.
RULES: dict[type[nodes.Node], Callable[[_File, Any, _Place], None]] = {
    nodes.For: _File.loop,
    nodes.Block: _File.block,
    nodes.Assign: _File.assignment,
    nodes.FilterBlock: _File.filter_block,
    nodes.Extends: _File.lead,
    nodes.Include: _File.lead,
    nodes.Name: _File.name_of,
    nodes.Getattr: _File.attribute,
    nodes.Getitem: _File.item,
    nodes.List: _File.literal,
    nodes.Tuple: _File.literal,
    nodes.Dict: _File.literal,
    nodes.Compare: _File.comparison,
    nodes.Test: _File.test,
    nodes.Filter: _File.filter,
    nodes.Call: _File.call,
    nodes.Template: _File.inner,
    nodes.Output: _File.inner,
    nodes.TemplateData: _File.inner,
    nodes.If: _File.inner,
    nodes.CondExpr: _File.inner,
    nodes.Const: _File.inner,
    nodes.Not: _File.inner,
    nodes.And: _File.inner,
    nodes.Or: _File.inner,
    nodes.Pair: _File.inner,
    nodes.Operand: _File.inner,
    nodes.Keyword: _File.inner,
}


def _named_in(tree: nodes.Template) -> set[str]:
    """What a file itself sets."""
    return {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}


def _meant(name: str, names: Iterable[str]) -> str:
    near = get_close_matches(name, names, 1)
    return f": did you mean {near[0]!r}?" if near else ""


def _listed(names: set[str]) -> str:
    return f"there are {', '.join(sorted(names))}"
