"""Where to go back to after log-in: a path of this site, whatever a link from elsewhere says."""

import re

# Printable ASCII without the backslash, which browsers read as a slash.
_PATH = re.compile(r"/[!-\[\]-~]{0,2000}")


def local_path(wish: str | None) -> str:
    """The wish if it is a path of this site, else the home page. `//host` would be another site."""
    if wish and _PATH.fullmatch(wish) and "//" not in wish.partition("?")[0]:
        return wish
    return "/"
