"""What proxy.py, in an environment of its own, is told as a reverse proxy: everything goes to ORIGIN."""

import os

from proxy.http import Url
from proxy.http.parser import HttpParser
from proxy.http.server import ReverseProxyBasePlugin

ORIGIN = os.environ.get("ORIGIN", "").encode()


class Everything(ReverseProxyBasePlugin):  # type: ignore[misc]
    """One dynamic route: of a static one it forgets the path."""

    def routes(self) -> list[str]:
        return ["/"]

    def handle_route(self, request: HttpParser, _: object) -> Url:
        return Url.from_bytes(ORIGIN + (request.path or b"/"))
