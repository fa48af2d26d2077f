"""What the admin API says where it can't do as it was asked (RFC 9457): what is wrong, and what would be right."""

import json
from collections.abc import Mapping
from typing import Self

from aiohttp import web

from waitroom.errors import KnobError, NoSuchLineError, StoreLostError, WaitroomError, WrongEpochError

CONTENT_TYPE = "application/problem+json"
CONTRACT = "GET /api/openapi.json says what there is."
# What aiohttp says itself, by status.
OF_STATUS = {
    404: ("not_found", "There is nothing here", CONTRACT),
    405: ("bad_method", "Not by this method", "The Allow field of this answer names the right ones."),
    413: ("too_large", "The body is too large", "Send less than 64 KiB."),
}
# What our own errors mean here; what is wrong, they say themselves.
OF_ERROR: Mapping[type[WaitroomError], tuple[int, str, str]] = {
    KnobError: (422, "bad_knob", "Nothing was changed."),
    NoSuchLineError: (404, "no_such_line", "A line begins when its first visitor comes."),
    WrongEpochError: (409, "wrong_epoch", "Ask without an epoch what a reset would do. Nothing was changed."),
    StoreLostError: (503, "store_lost", "Places are kept. Try again once Redis is back."),
}


class ApiError(Exception):
    """An answer that is an error: its status, a code for programs, a sentence, and its remedy."""

    def __init__(
        self, status: int, code: str, title: str, remedy: str = "", fields: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code, title)
        self.status = status
        self.code = code
        self.title = title
        self.remedy = remedy
        self.fields = fields or {}

    @classmethod
    def of_answer(cls, answer: web.HTTPException) -> Self:
        """aiohttp's own, in our words."""
        code, title, remedy = OF_STATUS.get(answer.status, ("refused", answer.reason, CONTRACT))
        kept = {name: value for name, value in answer.headers.items() if name == "Allow"}
        return cls(answer.status, code, title, remedy, kept)

    @classmethod
    def of_error(cls, error: WaitroomError) -> Self:
        """Raises the error again if it is none that an operator could have brought about."""
        if type(error) not in OF_ERROR:
            raise error
        status, code, remedy = OF_ERROR[type(error)]
        faults = error.faults if isinstance(error, KnobError) else [error]
        return cls(status, code, "; ".join(map(str, faults)), remedy)

    def response(self) -> web.Response:
        body = {"status": self.status, "code": self.code, "title": self.title, "remedy": self.remedy}
        return web.Response(
            status=self.status, headers=self.fields, content_type=CONTENT_TYPE, body=json.dumps(body).encode()
        )
