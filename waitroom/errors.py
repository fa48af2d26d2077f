"""What can go wrong, as data. Adapters translate foreign errors into these at their border."""

from collections.abc import Sequence
from dataclasses import dataclass


class WaitroomError(Exception):
    """Any error of ours."""


class StoreLostError(WaitroomError):
    """Redis can't be reached, or does not answer in time: nothing is known, and nothing was lost.

    `remedy` says what to do about it, where that can be told.
    """

    def __init__(self, cause: str, remedy: str = "") -> None:
        super().__init__(cause, remedy)
        self.cause = cause
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.cause}: {self.remedy}" if self.remedy else self.cause


class NoSuchLineError(WaitroomError):
    """Nobody ever joined the line, or it was forgotten since."""

    def __init__(self, line: str) -> None:
        super().__init__(f"there is no line {line!r} in Redis: nobody has joined it")


class WrongEpochError(WaitroomError):
    """A reset that does not name the epoch after the one that the line has."""

    def __init__(self, line: str, epoch: int) -> None:
        super().__init__(f"the line {line!r} has epoch {epoch}: to begin it anew, name --epoch {epoch + 1}")


class OriginError(WaitroomError):
    """The `origin` (its URL) gave no usable response; `fault` says why."""

    status = 502

    def __init__(self, origin: str, fault: str = "") -> None:
        super().__init__(origin, fault)
        self.origin = origin
        self.fault = fault

    def __str__(self) -> str:
        return f"{self.origin}: {self.fault}" if self.fault else self.origin


class OriginUnreachableError(OriginError):
    """The origin refused the connection, reset it, or sent no HTTP: 502."""


class OriginTimeoutError(OriginError):
    """The origin did not answer in time: 504."""

    status = 504


class TicketError(WaitroomError):
    """A ticket that can't be believed."""


class MalformedTicketError(TicketError):
    """Not a ticket at all, or of a version that is not ours."""


class ForgedTicketError(TicketError):
    """Signed by none of our secrets."""


class AdmissionError(WaitroomError):
    """An admission that can't be believed; `code` is one of docs/admission-token.md."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a configuration: where, and what would be right."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ConfigError(WaitroomError):
    """A configuration that can't be used, with all its faults."""

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        super().__init__(source, tuple(faults))
        self.source = source
        self.faults = tuple(faults)

    def __str__(self) -> str:
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        return "\n".join([f"{self.source}: {count}", *(f"  {fault}" for fault in self.faults)])


class KnobError(WaitroomError):
    """Knobs of a room that can't be turned so, with all faults; each names the knob."""

    def __init__(self, room: str, faults: Sequence[Fault]) -> None:
        super().__init__(room, tuple(faults))
        self.room = room
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n".join(f"room {self.room!r}: {fault}" for fault in self.faults)


class EmbeddedStoreError(WaitroomError):
    """The embedded Redis can't be started."""


class ListenError(WaitroomError):
    """An address can't be listened on."""


class WorkerError(WaitroomError):
    """A worker can't serve; it has said why."""


class TakeOverError(WaitroomError):
    """There is no waitroom to take over, or it did not let go."""


class LogError(WaitroomError):
    """A log can't be written."""
