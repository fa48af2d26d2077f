"""The way to the origin: sends a request on, and gives the response as it comes. aiohttp's client ends here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

import aiohttp
from yarl import URL

from waitroom.errors import OriginTimeoutError, OriginUnreachableError
from waitroom.headers import Fields

CONNECT_TIMEOUT_S = 5.0
# Between two reads. There is no total: a stream may last as long as it lasts.
READ_TIMEOUT_S = 60.0
LARGEST_FIELDS = 64 * 1024
# What aiohttp would add of its own accord.
INVENTED_FIELDS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


@dataclass(frozen=True, slots=True)
class OriginRequest:
    """A request for an origin: `target` is the raw path and query, `body` None where there is none."""

    method: str
    origin: str
    target: str
    fields: Fields
    body: AsyncIterator[bytes] | None


@dataclass(frozen=True, slots=True)
class OriginResponse:
    """The head of a response, and its body as it arrives; reading it raises OriginError where it breaks off."""

    status: int
    reason: str
    fields: Fields
    chunks: AsyncIterator[bytes]


class Forwarder:
    """Sends requests on, over pooled connections, and keeps no state between visitors."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=INVENTED_FIELDS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S),
            max_line_size=LARGEST_FIELDS,
            max_field_size=LARGEST_FIELDS,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    @asynccontextmanager
    async def send(self, request: OriginRequest) -> AsyncIterator[OriginResponse]:
        """Raises OriginUnreachableError or OriginTimeoutError where no response begins."""
        try:
            response = await self._session.request(
                request.method,
                URL(request.origin + request.target, encoded=True),
                headers=request.fields,
                data=request.body,
                allow_redirects=False,
            )
        except (TimeoutError, aiohttp.ServerTimeoutError) as exc:
            raise OriginTimeoutError(request.origin) from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise OriginUnreachableError(request.origin) from exc
        async with response:
            fields = [(name, value) for name, value in response.headers.items()]
            yield OriginResponse(response.status, response.reason or "", fields, _chunks(response, request.origin))


async def _chunks(response: aiohttp.ClientResponse, origin: str) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (TimeoutError, aiohttp.ServerTimeoutError) as exc:
        raise OriginTimeoutError(origin) from exc
    except (aiohttp.ClientError, OSError) as exc:
        raise OriginUnreachableError(origin) from exc
