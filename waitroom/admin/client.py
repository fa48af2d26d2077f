"""Asks the admin listener of a waitroom on this machine, with the token that is at hand."""

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from waitroom.admin import local_token
from waitroom.errors import WaitroomError
from waitroom.settings import Settings

VARIABLE = "WAITROOM_TOKEN"
TIMEOUT_S = 5.0
# Addresses on which one listens, and to which nobody can connect.
ANY = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  # where it is asked, not where it listens


class DeskError(WaitroomError):
    """The admin listener does not answer, or refuses; the text says what to do."""


class Client:
    """Of the waitroom that runs with these settings."""

    def __init__(self, settings: Settings) -> None:
        host, _, port = settings.admin.listen.rpartition(":")
        self.url = f"http://{ANY.get(host, host)}:{port}"
        self._state = Path(settings.server.state)

    @property
    def known_token(self) -> str:
        """That of the environment, else this machine's own; empty where there is none."""
        return os.environ.get(VARIABLE) or local_token.read(self._state) or ""

    @property
    def token(self) -> str:
        """The known one. Raises DeskError where there is none."""
        if not self.known_token:
            raise DeskError(
                f"there is no token: {local_token.path(self._state)} can't be read. Run this as the user whose "
                f"waitroom it is, once that runs, or set {VARIABLE}"
            )
        return self.known_token

    def get(self, path: str) -> Any:
        """Raises DeskError."""
        url = self.url + path
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310
        try:
            # By no proxy: this is about the machine itself.
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=TIMEOUT_S) as response:
                return json.load(response)
        except urllib.error.HTTPError as exc:
            with exc:
                raise DeskError(f"{url}: {_told(exc)}") from exc
        except (OSError, ValueError) as exc:
            raise DeskError(f"no waitroom answers at {url}: {exc}") from exc


def _told(answer: urllib.error.HTTPError) -> str:
    try:
        problem = json.load(answer)
        return f"{problem['title']}. {problem['remedy']}"
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status}"
