"""The door of the admin API: nobody passes without a token, nobody acts without an operator's.

Tokens come in a field that no page of another site can set, so that neither forged forms nor names that point at this
machine (DNS rebinding) reach anything: there are no cookies, and no CORS.
"""

from collections.abc import Callable, Iterable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from waitroom.admin.problems import ApiError
from waitroom.admin_tokens import Token, known
from waitroom.errors import WaitroomError

SCHEME = "bearer"
# RFC 9110, section 9.2.1: these change nothing.
SAFE = ("GET", "HEAD")
HOLDER = web.RequestKey("holder", Token)


def door(tokens: Callable[[], Iterable[Token]]) -> Middleware:
    """Guards all of the application that has it, what it does not serve included."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            request[HOLDER] = _holder(request, tokens())
            return await handler(request)
        except ApiError as exc:
            return exc.response()
        except web.HTTPException as exc:
            return ApiError.of_answer(exc).response()
        except WaitroomError as exc:
            return ApiError.of_error(exc).response()

    return guarded


def who(request: web.Request) -> str:
    """Who acts, as the audit log has it: the token's name, and from where."""
    return f"{request[HOLDER].name}@{request.remote or 'unknown'}"


def _holder(request: web.Request, tokens: Iterable[Token]) -> Token:
    """Whose token it is. Raises ApiError: 401 without a good one, 403 where its role is not enough."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != SCHEME or not text.strip():
        raise ApiError(
            401,
            "no_token",
            "This needs a token",
            'Send the field "Authorization: Bearer TOKEN". `waitroom token NAME` makes one.',
            {"WWW-Authenticate": 'Bearer realm="waitroom"'},
        )
    holder = known(text.strip(), tokens)
    if holder is None:
        raise ApiError(
            401,
            "unknown_token",
            "This token is not known",
            "It may have been taken out of [[admin.tokens]], or belong to another waitroom.",
            {"WWW-Authenticate": 'Bearer realm="waitroom", error="invalid_token"'},
        )
    if request.method not in SAFE and not holder.may("operator"):
        raise ApiError(
            403,
            "not_an_operator",
            f"The token of {holder.name!r} is a reader's",
            'Acts need a token whose role in [[admin.tokens]] is "operator".',
            {"WWW-Authenticate": 'Bearer realm="waitroom", error="insufficient_scope"'},
        )
    return holder
