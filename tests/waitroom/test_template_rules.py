"""An operator's own templates: what is good is shown; what is broken or hostile is refused with its file and line,
before a visitor sees it."""

from pathlib import Path

import pytest

from waitroom import page_environment, settings
from waitroom.errors import ConfigError
from waitroom.languages import Languages
from waitroom.look import Look
from waitroom.pages import LONGEST_PAGE, Face, Pages
from waitroom.scenes import SCENES
from waitroom.template_rules import flaws_of, known_names
from waitroom.template_steps import MOST_STEPS, steps

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "pages"
LANGUAGES = Languages()
ROOM = 'version = 1\n[[rooms]]\nname = "site"\norigins = []\n[rooms.page]\ntemplates = "pages"\n'
LEFT = '{{% extends "waitroom/left.html" %}}\n{{% block content %}}\n{}\n{{% endblock %}}\n'


def written(folder: Path, files: dict[str, str]) -> Path:
    """The path of a configuration with these templates."""
    (folder / "pages").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "pages" / name).write_text(text)
    return folder / "waitroom.toml"


def look(folder: Path, files: dict[str, str]) -> Look:
    return next(iter(settings.parse(ROOM, str(written(folder, files))).to_rooms(0))).look


def fault(folder: Path, files: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        look(folder, files)
    (one,) = caught.value.faults
    assert one.where.startswith("rooms[1].page")
    return one.what


def shown(look: Look, scene: str) -> str:
    face = Face("Summer sale", LANGUAGES.of("en"), look)
    return SCENES[scene].make(Pages(LANGUAGES), face, "nonce").plain().decode()


# What may be said


def test_a_file_takes_the_place_of_ours_of_its_name_and_the_rest_stays_ours(tmp_path: Path) -> None:
    own = look(tmp_path, {"left.html": LEFT.format("Goodbye, {{ room_title }}")})
    assert "Goodbye, Summer sale" in shown(own, "left")
    assert "You are in line" in shown(own, "waiting")


def test_a_frame_of_the_operators_is_around_all_pages(tmp_path: Path) -> None:
    base = page_environment.ours()["base.html"].replace("<header>", "<header>The house of ")
    own = look(tmp_path, {"base.html": base})
    assert all("<header>The house of <bdi>Summer sale" in shown(own, scene) for scene in SCENES)


def test_what_differs_from_visitor_to_visitor_is_shown_by_our_forms(tmp_path: Path) -> None:
    text = (
        "{% block title %}{{ super() }}{% if position is not none %} · {{ position | number }}{% endif %}{% endblock %}"
    )
    own = look(tmp_path, {"waiting.html": f'{{% extends "waitroom/waiting.html" %}}{text}'})
    assert "Waiting · 1,204 ·" in shown(own, "waiting")


@pytest.mark.parametrize(
    "text",
    [
        "{{ _('Try again') }}{% trans %}Try again{% endtrans %}",
        "{% trans who=room_title %}Hello {{ who }}{% endtrans %}",
        "{% for tag, called in languages %}{{ tag | upper }}{% if not loop.last %},{% endif %}{% endfor %}",
        "{% for one in ['a', 'b'] %}{% for other in [1, 2] %}{{ one }}{{ other }}{% endfor %}{% endfor %}",
        "{% set name_of = {'en': 'Hello', 'ko': 'x'}[language.code] %}{{ name_of }}",
        "{{ 'a' if here else 'b' }}{{ logo | default('none') }}",
        "{% if language.direction == 'rtl' or not logo %}x{% endif %}",
        "{{ organiser | lower | length }}",
        "{% raw %}{{ }}{% endraw %}{# nothing #}",
        '<svg aria-hidden="true"><use href="#a"/></svg><a href="https://example.org/">out</a>',
        '<style nonce="{{ nonce }}">p { background: url(data:image/png;base64,AA==) }</style>',
    ],
)
def test_what_a_page_needs_can_be_said(tmp_path: Path, text: str) -> None:
    look(tmp_path, {"left.html": LEFT.format(text)})


@pytest.mark.parametrize("folder", sorted(EXAMPLE.iterdir()), ids=lambda folder: folder.name)
def test_the_examples_of_the_documentation_are_good(folder: Path) -> None:
    room = ROOM.replace('"pages"', f'"{folder.name}"')
    (loaded,) = settings.parse(room, str(EXAMPLE / "waitroom.toml")).to_rooms(0)
    for scene in SCENES:
        shown(loaded.look, scene)


@pytest.mark.parametrize("name", sorted(page_environment.ours().keys() - {"waiting.html"}))
def test_our_own_templates_are_a_start_for_those_of_an_operator(name: str) -> None:
    assert flaws_of(name, page_environment.ours()[name]) == []


def test_names_that_pages_are_given_are_known() -> None:
    assert {"position", "here", "nonce", "organiser", "languages", "logo"} <= known_names()


# What may not


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ ''.__class__ }}", ".__class__ can't be asked of this"),
        ("{{ language.locale }}", ".locale can't be asked of language"),
        ("{{ language['locale'] }}", "only a table that is written out can be looked into"),
        ("{{ super.__func__ }}", ".__func__ can't be asked of super"),
        ("{% for i in range(10**9) %}{% endfor %}", "a loop runs over `languages`, or over a list that is written out"),
        ("{{ range(10) }}", "nothing can be called but a translation"),
        ("{{ lipsum() }}", "nothing can be called but a translation"),
        ("{{ self.content() }}", "nothing can be called but a translation"),
        ('{{ "x" * 10**9 }}', "mul can't be used here"),
        ("{{ 'a' ~ 'b' }}", "~ can't be used here"),
        ("{{ -retry }}", "neg can't be used here"),
        ("{{ config }}", "there is no 'config'"),
        ("{{ positon }}", "there is no 'positon': did you mean 'position'?"),
        ("{{ message | safe }}", "there is no filter 'safe' here"),
        ("{{ '%s' | format(1) }}", "there is no filter 'format' here"),
        ("{{ room_title | tojson(indent=9) }}", "takes nothing more in brackets"),
        ("{{ room_title | tojson | tojson }}", "the filter 'tojson' can't be used on this"),
        ("{{ here | drawing }}", "the filter 'drawing' can't be used on this"),
        ("{% autoescape false %}{% endautoescape %}", "can't be used here"),
        ("{% macro a() %}{{ a() }}{% endmacro %}", "macro can't be used here"),
        ("{% call a() %}{% endcall %}", "call can't be used here"),
        ("{% import 'base.html' as b %}", "import can't be used here"),
        ("{% from 'base.html' import b %}", "import can't be used here"),
        ("{% set x %}a{% endset %}", "set with a block can't be used here"),
        ("{% set a = 'x' %}{% set b = [a, a] %}", "'a' was set here: what is set can't be made of what was set before"),
        ("{% set room_title = 'x' %}", "'room_title' is ours already: use another name"),
        ("{% filter upper %}{% endfilter %}", "filter blocks can't be used here"),
        ("{% with %}{% endwith %}", "with can't be used here"),
        ("{% for a in [1] %}{% for b in [1] %}{% for c in [1] %}{% endfor %}{% endfor %}{% endfor %}", "2 deep"),
        (f"{{% for a in {[1] * 51} %}}{{% endfor %}}", "a list should have at most 50 items, and has 51"),
        ("{% for a in [1] recursive %}{% endfor %}", "a loop can't be recursive"),
        ("{% for a in [1] %}{{ super() }}{% endfor %}", "super() stands once in a block, and in no loop"),
        ("{{ super() }}{{ super() }}", "super() stands once in a block, and in no loop"),
        ("{% for a in [1] %}{% block b %}{% endblock %}{% endfor %}", "should stand in no loop"),
        ("{{ _(room_title) }}", "a translation is of one sentence, in quotes"),
        (f"{{{{ _('{'%(a)s' * 11}', a=1) }}}}", "with at most 10 placeholders"),
        ("{% if here is callable %}{% endif %}", "there is no test 'callable' here"),
        ("{% if here > 3 %}{% endif %}", "only ==, != and in can be compared by, and not gt"),
        ('{% include "/etc/passwd" %}', "there is no file '/etc/passwd' in the folder, nor one of ours"),
        ('{% include "../waitroom.toml" %}', "there is no file '../waitroom.toml'"),
        ("{% include here %}", "a file should be named outright, in quotes"),
        ("{% include ['base.html'] %}", "a file should be named outright, in quotes"),
        ('{% include "left.html" %}', "'left.html' leads back to itself: ours is called 'waitroom/left.html'"),
        ("{% if %}", "expected an expression"),
        ("{% frobnicate %}", "there is no tag 'frobnicate' here"),
        ("{{ position }}", "'position' is undefined (on the page 'Left')"),
        ('<p onclick="go()">', "onclick: browsers run no handler"),
        ('<p style="color: red">', "style: browsers take no style"),
        ("<script>go()</script>", '<script> should have nonce="{{ nonce }}"'),
        ("<style>p {}</style>", '<style> should have nonce="{{ nonce }}"'),
        ('<script nonce="{{ nonce }}" src="https://cdn.example/a.js"></script>', "loads 'https://cdn.example/a.js'"),
        ('<img src="https://cdn.example/a.png">', "<img src> loads 'https://cdn.example/a.png'"),
        ('<img src="/a.png" srcset="/b.png 2x">', "<img src> loads '/a.png'"),
        ('<link rel="stylesheet" href="//cdn.example/a.css">', "<link href> loads"),
        ('<style nonce="{{ nonce }}">@import "//a";</style>', "a style loads something from elsewhere"),
        ('<style nonce="{{ nonce }}">p { background: url(//a) }</style>', "a style loads something from elsewhere"),
        ("<iframe></iframe>", "<iframe> can't be in a page"),
        ('<form action="https://evil.example/"></form>', "a form should be sent to this site"),
        ('<form action="//evil.example/"></form>', "a form should be sent to this site"),
        ('<a href="javascript:go()">x</a>', "a link can't lead to"),
        ('<meta http-equiv="refresh" content="0; url=//a">', "can only refresh the page itself"),
    ],
)
def test_what_is_broken_or_hostile_is_refused_with_file_line_and_reason(tmp_path: Path, text: str, told: str) -> None:
    what = fault(tmp_path, {"left.html": LEFT.format(text)})
    assert "left.html, line 3: " in what or "autoescape" in text
    assert told in what


@pytest.mark.parametrize(
    "text", ["{{ " + "[" * 3_000 + "]" * 3_000 + " }}", "{{ " + "not " * 9_000 + "here }}", "{{ " + "9" * 9_000 + " }}"]
)
def test_what_would_exhaust_its_reader_is_refused(tmp_path: Path, text: str) -> None:
    assert "is nested too deeply, or has a number that is too long" in fault(tmp_path, {"left.html": text})


@pytest.mark.parametrize(
    "text",
    [
        "{{ place_url | upper }}",
        "{% if position == 1204 %}You{% endif %}",
        "{% if position in [1204] %}You{% endif %}",
        "{{ position | length }}",
        "{{ {1204: 'You'}[position] }}",
    ],
)
def test_a_page_asks_of_what_differs_only_whether_it_is_there(tmp_path: Path, text: str) -> None:
    """Pages are prepared once for all visitors."""
    block = f"{{% block title %}}{{% if position is defined and position %}}{text}{{% endif %}}{{% endblock %}}"
    what = fault(tmp_path, {"waiting.html": f'{{% extends "waitroom/waiting.html" %}}{block}'})
    assert "waiting.html" in what


def test_a_waiting_page_needs_a_way_to_leave_and_refreshes_itself(tmp_path: Path) -> None:
    what = fault(tmp_path, {"waiting.html": '{% extends "base.html" %}{% block title %}Wait{% endblock %}'})
    assert 'a way to leave the line: <form method="post" action="{{ leave_url }}">' in what
    assert 'should refresh itself: <noscript><meta http-equiv="refresh" content="{{ refresh_s }}"></noscript>' in what


def test_a_waiting_page_with_our_scripts_has_what_they_fill_in(tmp_path: Path) -> None:
    form = '<form method="post" action="{{ leave_url }}"></form>'
    blocks = f"{{% block facts %}}{{% endblock %}}{{% block content %}}{form}{{% endblock %}}"
    what = fault(tmp_path, {"waiting.html": f'{{% extends "waitroom/waiting.html" %}}{blocks}'})
    assert "<main> should have data-" in what
    assert "the scripts look for elements that are not there: id " in what
    assert "position" in what


def test_files_that_lead_in_a_circle_are_refused(tmp_path: Path) -> None:
    files = {
        "base.html": '{% include "a.html" %}',
        "a.html": '{% include "b.html" %}',
        "b.html": '{% include "a.html" %}',
    }
    assert "'a.html' leads back to itself" in fault(tmp_path, files)


def test_files_that_double_each_other_are_refused_before_they_are_rendered(tmp_path: Path) -> None:
    """Fifty of them would take a quadrillion steps, and show nothing."""
    files = {f"a{n}.html": f'{{% include "a{n + 1}.html" %}}' * 2 for n in range(1, 50)} | {"a50.html": ""}
    what = fault(tmp_path, {"left.html": '{% include "a1.html" %}'} | files)
    assert "steps with all it includes: it should take at most 40,000" in what


def test_our_own_pages_take_a_small_part_of_the_steps() -> None:
    assert max(steps({}).values()) < MOST_STEPS / 4


def test_a_misspelt_file_is_named(tmp_path: Path) -> None:
    assert "wating.html: no page uses this file: did you mean 'waiting.html'?" in fault(tmp_path, {"wating.html": ""})


def test_too_large_a_file_is_refused(tmp_path: Path) -> None:
    assert "pages/left.html should have at most 65,536 bytes" in fault(tmp_path, {"left.html": "x" * 65_537})


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    assert "at most 64 templates, and has 65" in fault(tmp_path, {f"a{n}.html": "" for n in range(65)})


def test_too_long_a_page_is_refused(tmp_path: Path) -> None:
    parts = {f"part{n}.html": "x" * 60_000 for n in range(5)}
    includes = "".join(f'{{% include "{name}" %}}' for name in parts)
    what = fault(tmp_path, {"left.html": LEFT.format(includes)} | parts)
    assert f"the page is too long: it should have at most {LONGEST_PAGE:,} characters" in what


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    config = written(tmp_path, {})
    (tmp_path / "pages" / "left.html").symlink_to(secret)
    with pytest.raises(ConfigError, match=r"pages/left\.html should be a file in this folder, and leads out of it"):
        settings.parse(ROOM, str(config))


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    """As in a mounted volume."""
    config = written(tmp_path, {})
    (tmp_path / "pages" / "..data").mkdir()
    (tmp_path / "pages" / "..data" / "left.html").write_text(LEFT.format("Goodbye"))
    (tmp_path / "pages" / "left.html").symlink_to("..data/left.html")
    settings.parse(ROOM, str(config))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda pages: pages.rmdir(), "should be a folder that can be read"),
        (lambda pages: None, "should have templates in it, with names such as base.html"),
        (lambda pages: (pages / "left.html").mkdir(), "should be a file that is there"),
        (lambda pages: (pages / "left.html").write_bytes(b"\xff\xfe"), "should be text in UTF-8"),
    ],
    ids=["gone", "empty", "folder", "no text"],
)
def test_a_folder_that_can_not_be_read_is_named(tmp_path: Path, spoil: object, told: str) -> None:
    config = written(tmp_path, {})
    assert callable(spoil)
    spoil(tmp_path / "pages")
    with pytest.raises(ConfigError, match=told):
        settings.parse(ROOM, str(config))


def test_a_page_that_fails_nonetheless_is_shown_by_ours_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing that passes the rules does so: this one was never held against them."""
    broken = Look(templates={"left.html": "{{ nothing }}"}, folder="pages")
    pages = Pages(LANGUAGES)
    for code in ("en", "ko") if "ko" in LANGUAGES.codes else ("en",):
        page = pages.left(Face("Sale", LANGUAGES.of(code), broken), nonce="n").plain().decode()
        assert "</html>" in page
    assert [record.getMessage() for record in caplog.records] == [
        "the page left.html by the templates in pages can't be shown, ours is in its place: "
        "UndefinedError(\"'nothing' is undefined\")"
    ]
