"""How answers leave: problems as problem+json (RFC 9457) or as a page, and the headers that every answer carries."""

import logging
from http import HTTPStatus
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler

from booking.errors import (
    AdmissionKeysUnavailable,
    AdmissionRefused,
    KeyInUse,
    Problem,
    SignedOut,
    TooManyAttempts,
    Unknown,
)
from booking.gateway import Gateway
from booking.guards import ACCOUNT, FORM_TOKEN, SAFE_METHODS
from booking.local_path import local_path
from booking.sentences import say
from booking.site import SITE
from booking.visitor_language import language_of

# After a failure of ours, and while the same request is under way.
RETRY_AFTER_S, RETRY_AFTER_RIVAL_S = 5, 1
KEPT_FOR_EVER = "public, max-age=31536000, immutable"
HEADERS = {
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}

log = logging.getLogger(__name__)


def page(request: web.Request, template: str, status: int = 200, **context: object) -> web.Response:
    """A page of the site, in the visitor's language. Every template knows the account, the form token and the time."""
    site, language = request.app[SITE], language_of(request)
    text = site.templates.get_template(template).render(
        account=request.get(ACCOUNT),
        form_token=request.get(FORM_TOKEN, ""),
        here=local_path(request.path_qs if request.method in SAFE_METHODS else request.path),
        hold_s=site.hold_s,
        language=language,
        languages=site.languages,
        now_s=site.now_s(),
        **context,
    )
    headers = {"Content-Language": language.code}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


def see(location: str) -> web.Response:
    """To another page after a form. The path goes out as it is: a URL class would put `//` right in its own way."""
    return web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": location})


def with_place_released(response: web.Response) -> web.Response:
    """Asks the waiting room to give this visitor's place to the next: who has a ticket needs it no more."""
    response.headers["X-Waitroom-Command"] = "release"
    return response


def content_policy(gateway: Gateway) -> str:
    """What a browser may load, and where our forms may lead: here, and to the pages where one pays."""
    forms = " ".join(("'self'", *gateway.form_origins))
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        f"form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )


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
        return _answer(request, Problem(say("We have written down what happened. Please try again in a while.")))


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """On every answer: what a browser may load, and that personal pages stay out of caches. Files stay in them: their
    address has a version, and changes with their content."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Content-Security-Policy", request.app[SITE].content_policy)
    is_versioned_file = isinstance(response, web.FileResponse) and "v" in request.query
    response.headers.setdefault("Cache-Control", KEPT_FOR_EVER if is_versioned_file else "private, no-store")


def _answer(request: web.Request, problem: Problem) -> web.Response:
    is_admission = isinstance(problem, AdmissionRefused | AdmissionKeysUnavailable)
    wants_page = not request.path.startswith("/api/") and "text/html" in request.headers.get("Accept", "")
    if is_admission or not wants_page:
        response = _document(problem)
    elif isinstance(problem, SignedOut):
        response = to_log_in(request.path_qs if request.method in SAFE_METHODS else request.path)
    else:
        response = page(request, "problem.html", problem.status, problem=problem)
    retry_after_s = _retry_after_s(problem)
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response


def _retry_after_s(problem: Problem) -> int | None:
    match problem:
        case TooManyAttempts():
            return problem.retry_after_s
        case KeyInUse():
            return RETRY_AFTER_RIVAL_S
        case _ if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
            return RETRY_AFTER_S
        case _:
            return None


def to_log_in(back: str) -> web.Response:
    return see(f"/log-in?{urlencode({'next': back})}")


def _document(problem: Problem) -> web.Response:
    document = {"title": problem.title, "status": problem.status, "code": problem.code, "detail": problem.detail}
    if problem.link:
        document["link"] = problem.link
    return web.json_response(document | problem.members, status=problem.status, content_type="application/problem+json")


def _as_problem(exc: web.HTTPException) -> Problem:
    if exc.status == HTTPStatus.NOT_FOUND:
        return Unknown(say("There is nothing at this address."))
    problem = Problem(exc.text if exc.text and exc.text != f"{exc.status}: {exc.reason}" else f"{exc.reason}.")
    problem.status, problem.title = exc.status, exc.reason
    problem.code = exc.reason.lower().replace(" ", "_")
    return problem
