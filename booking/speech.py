"""How templates speak: gettext, and filters for days, times and money, each in the language that a render is given."""

from collections.abc import Callable

from jinja2 import Environment, pass_context
from jinja2.runtime import Context

FILTERS = ("clock", "date", "day", "duration", "moment", "money", "number", "tell", "zone")


def teach(environment: Environment) -> None:
    """Makes an environment say `{% trans %}` and `_()`, and the filters, in the Language given as `language`.

    A template that is imported must be so `with context`.
    """
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension has put it there
        _in_context("gettext"), _in_context("ngettext"), newstyle=True
    )
    environment.filters |= {name: _in_context(name) for name in FILTERS}


def _in_context(name: str) -> Callable[..., str]:
    @pass_context
    def say(context: Context, *args: object) -> str:
        return str(getattr(context["language"], name)(*args))

    return say
