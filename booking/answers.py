"""How answers leave: problems as problem+json (RFC 9457) or as a page, and the headers that every answer carries."""

import logging
from http import HTTPStatus
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler

from booking.errors import AdmissionKeysUnavailable, AdmissionRefused, Problem, SignedOut
from booking.guards import ACCOUNT, FORM_TOKEN, SAFE_METHODS
from booking.site import SITE

RETRY_AFTER_S = 5
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}

log = logging.getLogger(__name__)


def page(request: web.Request, template: str, status: int = 200, **context: object) -> web.Response:
    """A page of the site. Every template knows the account and the form token."""
    site = request.app[SITE]
    text = site.templates.get_template(template).render(
        account=request.get(ACCOUNT), form_token=request.get(FORM_TOKEN, ""), now_s=site.now_s(), **context
    )
    return web.Response(text=text, status=status, content_type="text/html")


def see(location: str) -> web.Response:
    """To another page after a form. The path goes out as it is: a URL class would put `//` right in its own way."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location})


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nothing leaves as an exception: what we refuse, what aiohttp refuses, and what we did not foresee."""
    try:
        return await handler(request)
    except Problem as exc:
        return _answer(request, exc)
    except web.HTTPException as exc:
        response = _answer(request, _as_problem(exc))
        response.headers.update({name: exc.headers[name] for name in ("Allow",) if name in exc.headers})
        return response
    except Exception:
        log.exception("%s %s failed. This is a fault of ours: please report it.", request.method, request.path)
        return _answer(request, Problem("We have written down what happened. Please try again in a while."))


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """On every answer: what a browser may load, and that personal pages stay out of caches."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "private, no-store")


def _answer(request: web.Request, problem: Problem) -> web.Response:
    is_admission = isinstance(problem, AdmissionRefused | AdmissionKeysUnavailable)
    wants_page = not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", "")
    if is_admission or not wants_page:
        response = _document(problem)
    elif isinstance(problem, SignedOut):
        response = to_log_in(request.path_qs if request.method in SAFE_METHODS else request.path)
    else:
        response = page(request, "problem.html", problem.status, problem=problem)
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def to_log_in(back: str) -> web.Response:
    return see(f"/log-in?{urlencode({'next': back})}")


def _document(problem: Problem) -> web.Response:
    document = {"title": problem.title, "status": problem.status, "code": problem.code, "detail": problem.detail}
    if problem.link:
        document["link"] = problem.link
    return web.json_response(document | problem.members, status=problem.status, content_type="application/problem+json")


def _as_problem(exc: web.HTTPException) -> Problem:
    problem = Problem(exc.text if exc.text and exc.text != f"{exc.status}: {exc.reason}" else f"{exc.reason}.")
    problem.status, problem.title = exc.status, exc.reason
    problem.code = exc.reason.lower().replace(" ", "_")
    return problem
