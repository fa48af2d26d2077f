"""Our cookies, of session, form token and language: their names, and the attributes that keep them ours."""

from aiohttp import web

ACCESS = "access"
REFRESH = "refresh"
FORM = "form"
LANGUAGE = "language"


def get(request: web.Request, name: str) -> str | None:
    return request.cookies.get(_full_name(request, name))


def put(request: web.Request, response: web.StreamResponse, name: str, value: str, life_s: int | None = None) -> None:
    """For `life_s`, or until the browser closes. No script reads it, and no form of another site sends it."""
    response.set_cookie(
        _full_name(request, name),
        value,
        max_age=life_s,
        path="/",
        secure=_is_https(request),
        httponly=True,
        samesite="Lax",
    )


def drop(request: web.Request, response: web.StreamResponse, name: str) -> None:
    response.del_cookie(_full_name(request, name), path="/", secure=_is_https(request), httponly=True, samesite="Lax")


def _full_name(request: web.Request, name: str) -> str:
    """Over HTTPS with the prefix by which browsers let no other host set it."""
    return f"__Host-halcyon-{name}" if _is_https(request) else f"halcyon-{name}"


def _is_https(request: web.Request) -> bool:
    """Whether the visitor came by HTTPS, as the waiting room says: nobody else gets past the admission."""
    return request.headers.get("X-Forwarded-Proto", request.scheme) == "https"
