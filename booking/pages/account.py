"""One's own account: name, language and password, and where one is logged in."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from booking import account_desk, account_forms, logins, visitor_language
from booking.account import Account
from booking.answers import page, see
from booking.errors import Invalid, TooManyAttempts
from booking.guards import ACCOUNT, signed_in
from booking.local_path import local_path
from booking.pages.form import Form, form_of


@signed_in
async def shown(request: web.Request, _account: Account) -> web.Response:
    return await _page(request, done=request.query.get("changed", ""))


@signed_in
async def rename(request: web.Request, _account: Account) -> web.Response:
    form = await form_of(request)
    try:
        await account_desk.change_name(request, account_forms.parse_new_name(form))
    except Invalid as exc:
        return await _page(request, exc.status, form=form, faults=exc.faults)
    return see("/account?changed=name")


@signed_in
async def change_password(request: web.Request, _account: Account) -> web.Response:
    try:
        await account_desk.change_password(request, account_forms.parse_password_change(await form_of(request)))
    except Invalid as exc:
        return await _page(request, exc.status, faults=exc.faults)
    except TooManyAttempts as exc:
        return await _page(request, exc.status, alert=exc.detail)
    return see("/account?changed=password")


@signed_in
async def log_out_everywhere(request: web.Request, _account: Account) -> web.Response:
    await logins.end_everywhere(request)
    return see("/")


@signed_in
async def lead_back(_request: web.Request, _account: Account) -> web.Response:
    """To the page with all these forms: log-in leads to where a form was sent to by someone who was logged out."""
    return see("/account")


async def choose_language(request: web.Request) -> web.Response:
    """For this browser, and for the account that is logged in here."""
    form = await form_of(request)
    code = account_forms.parse_new_language(form)
    if ACCOUNT in request:
        await account_desk.change_language(request, code)
    response = see(local_path(form.get("next")))
    visitor_language.remember(request, response, code)
    return response


async def _page(
    request: web.Request,
    status: int = HTTPStatus.OK,
    *,
    form: Form | None = None,
    faults: Mapping[str, str] | None = None,
    alert: str = "",
    done: str = "",
) -> web.Response:
    sessions = await account_desk.sessions_of(request)
    shown = {"form": form or {}, "faults": faults or {}, "alert": alert, "done": done, "sessions": sessions}
    return page(request, "account.html", status, **shown)


routes = [
    web.get("/account", shown),
    web.post("/account/name", rename),
    web.post("/account/password", change_password),
    web.post("/account/log-out-everywhere", log_out_everywhere),
    *(web.get(f"/account/{form}", lead_back) for form in ("name", "password", "log-out-everywhere")),
    web.post("/language", choose_language),
]
