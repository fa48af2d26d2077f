"""Sign-up, log-in and log-out. Whoever was sent here goes on where they were."""

from collections.abc import Mapping

from aiohttp import web

from booking import account_desk, account_forms, logins
from booking.answers import page, see
from booking.errors import EmailTaken, Invalid, TooManyAttempts, WrongCredentials
from booking.local_path import local_path
from booking.pages.form import Form, form_of
from booking.repeats import ONCE
from booking.visitor_language import language_of


async def sign_up_form(request: web.Request) -> web.Response:
    return _sign_up_page(request, request.query.get("next"), {})


async def sign_up(request: web.Request) -> web.Response:
    form = await form_of(request)
    back, chosen = form.get("next"), {"language": language_of(request).code}
    try:
        await account_desk.sign_up(request, account_forms.parse_sign_up(form | chosen), request.get(ONCE))
    except Invalid as exc:
        return _sign_up_page(request, back, form, exc.status, faults=exc.faults)
    except EmailTaken as exc:
        return _sign_up_page(request, back, form, exc.status, faults={"email": exc.detail})
    except TooManyAttempts as exc:
        return _sign_up_page(request, back, form, exc.status, alert=exc.detail)
    return see(local_path(back))


async def log_in_form(request: web.Request) -> web.Response:
    return _log_in_page(request, request.query.get("next"), {})


async def log_in(request: web.Request) -> web.Response:
    form = await form_of(request)
    try:
        await account_desk.log_in(request, account_forms.parse_log_in(form))
    except (WrongCredentials, TooManyAttempts) as exc:
        return _log_in_page(request, form.get("next"), form, exc.status, alert=exc.detail)
    return see(local_path(form.get("next")))


async def log_out(request: web.Request) -> web.Response:
    await logins.end(request)
    return see("/")


def _sign_up_page(
    request: web.Request,
    back: str | None,
    form: Form,
    status: int = 200,
    *,
    faults: Mapping[str, str] | None = None,
    alert: str = "",
) -> web.Response:
    shown = {"form": form, "faults": faults or {}, "alert": alert, "next": local_path(back)}
    return page(request, "sign_up.html", status, **shown)


def _log_in_page(
    request: web.Request, back: str | None, form: Form, status: int = 200, *, alert: str = ""
) -> web.Response:
    return page(request, "log_in.html", status, form=form, alert=alert, next=local_path(back))


routes = [
    web.get("/sign-up", sign_up_form),
    web.post("/sign-up", sign_up),
    web.get("/log-in", log_in_form),
    web.post("/log-in", log_in),
    web.post("/log-out", log_out),
]
