"""What waitroom itself says to a visitor, before it is framed for a connection. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

Field = tuple[str, str]


class Response(NamedTuple):
    """A final response (RFC 9110, section 15). Who sends it adds what frames it: Content-Length, Date, Connection.

    `own` are more fields, which no other response has: whoever remembers the rest as it is written leaves them out.
    """

    status: int
    fields: tuple[Field, ...]
    body: bytes = b""
    own: tuple[Field, ...] = ()

    def with_fields(self, more: Iterable[Field]) -> "Response":
        """The same with more fields behind its own; names may come again, as Set-Cookie does."""
        return self._replace(fields=(*self.fields, *more))
