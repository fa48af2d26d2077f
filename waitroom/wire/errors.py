"""What can be wrong with a message, as data."""

from waitroom.errors import WaitroomError


class RequestError(WaitroomError):
    """A visitor's message that is never forwarded: the status that it deserves, and a stable code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(status, code)
        self.status = status
        self.code = code


class ResponseError(WaitroomError):
    """An origin's message that can't be passed on; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class FramingError(WaitroomError):
    """A body whose end can't be told."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
