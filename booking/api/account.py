"""Accounts and where they are logged in. The session is two cookies, which an app keeps as a browser does."""

from http import HTTPStatus

from aiohttp import web

from booking import account_desk, account_forms, logins
from booking.account import Account
from booking.api import bodies, documents
from booking.guards import signed_in
from booking.repeats import ONCE


async def sign_up(request: web.Request) -> web.Response:
    form = (await bodies.read(request, bodies.NewAccount)).model_dump(exclude_unset=True)
    account = await account_desk.sign_up(request, account_forms.parse_sign_up(form), request.get(ONCE))
    return web.json_response(documents.of_account(account), status=HTTPStatus.CREATED)


async def log_in(request: web.Request) -> web.Response:
    form = (await bodies.read(request, bodies.LogIn)).model_dump()
    account = await account_desk.log_in(request, account_forms.parse_log_in(form))
    return web.json_response(documents.of_account(account))


async def log_out(request: web.Request) -> web.Response:
    await logins.end(request)
    return web.Response(status=HTTPStatus.NO_CONTENT)


@signed_in
async def sessions(request: web.Request, _account: Account) -> web.Response:
    found = await account_desk.sessions_of(request)
    return web.json_response([documents.of_session(session, is_here=is_here) for session, is_here in found])


@signed_in
async def log_out_everywhere(request: web.Request, _account: Account) -> web.Response:
    await logins.end_everywhere(request)
    return web.Response(status=HTTPStatus.NO_CONTENT)


@signed_in
async def account(_request: web.Request, account: Account) -> web.Response:
    return web.json_response(documents.of_account(account))


@signed_in
async def change(request: web.Request, account: Account) -> web.Response:
    """All or nothing: what is new is judged before any of it is written."""
    form = (await bodies.read(request, bodies.AccountChange)).model_dump(exclude_unset=True)
    name = account_forms.parse_new_name(form) if "name" in form else None
    language = account_forms.parse_new_language(form) if "language" in form else None
    if name is not None:
        account = await account_desk.change_name(request, name)
    if language is not None:
        account = await account_desk.change_language(request, language)
    return web.json_response(documents.of_account(account))


@signed_in
async def change_password(request: web.Request, _account: Account) -> web.Response:
    form = (await bodies.read(request, bodies.PasswordChange)).model_dump()
    await account_desk.change_password(request, account_forms.parse_password_change(form))
    return web.Response(status=HTTPStatus.NO_CONTENT)


routes = [
    web.post("/api/accounts", sign_up),
    web.post("/api/session", log_in),
    web.delete("/api/session", log_out),
    web.get("/api/sessions", sessions),
    web.delete("/api/sessions", log_out_everywhere),
    web.get("/api/account", account),
    web.patch("/api/account", change),
    web.put("/api/account/password", change_password),
]
