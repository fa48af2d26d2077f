"""Logging in and out over HTTP: whose session a request belongs to, and the cookies that its answer brings.

Two cookies: the access token says who it is for some minutes, without asking anyone. When it has ended, the refresh
token gets a new pair, once. Changes are noted in the request, and `bring_cookies` puts them on whatever the answer is.
"""

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from booking import access, accounts, cookies, sessions
from booking.access import Login
from booking.account import Account
from booking.browsers import browser_of
from booking.refresh import RefreshToken
from booking.site import SITE

LOGIN = web.RequestKey("login", Login)
# Name and value of each cookie to set; without a value, to drop.
_CHANGES = web.RequestKey("cookie_changes", dict[str, str | None])
_LIVES_S = {cookies.ACCESS: access.LIFE_S, cookies.REFRESH: sessions.IDLE_S}


@web.middleware
async def bring_cookies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Sets the cookies of a session that began, went on or ended: on pages, redirects and problems alike."""
    response = await handler(request)
    for name, value in request.get(_CHANGES, {}).items():
        if value is None:
            cookies.drop(request, response, name)
        else:
            cookies.put(request, response, name, value, _LIVES_S[name])
    return response


async def recognise(request: web.Request) -> Login | None:
    """Who is logged in. Raises StoreUnavailable and DatabaseUnavailable where it takes these to know."""
    site = request.app[SITE]
    login = site.access_tokens.verify(cookies.get(request, cookies.ACCESS) or "", site.now_s())
    if login is None and (held := _held(request)):
        login = await _renew(request, held)
    if login:
        request[LOGIN] = login
    return login


async def begin(request: web.Request, account: Account) -> None:
    """A new session. The one that was there ends, and the form token with it: nobody can plant one beforehand."""
    site = request.app[SITE]
    await end(request)
    browser = browser_of(request.headers.get("User-Agent", ""))
    _go_on(request, account, await site.sessions.begin(account.id, browser, site.now_s()))


async def end(request: web.Request) -> None:
    """Ends the session of this browser, which forgets it even where Redis does not answer (StoreUnavailable)."""
    held = _held(request)
    _forget(request)
    _change(request, cookies.FORM, None)
    if held:
        await request.app[SITE].sessions.end(held.account_id, held.family)


async def end_everywhere(request: web.Request) -> None:
    """Ends all sessions of the account. What was given out as access tokens ends by itself, in `access.LIFE_S`."""
    account_id = request[LOGIN].account.id
    _forget(request)
    _change(request, cookies.FORM, None)
    await request.app[SITE].sessions.end_all(account_id)


async def end_others(request: web.Request) -> None:
    """Ends all sessions of the account but this one."""
    login = request[LOGIN]
    await request.app[SITE].sessions.end_all(login.account.id, but=login.family)


def changes(request: web.Request) -> Mapping[str, str | None]:
    """The cookies that the answer will bring, so far."""
    return dict(request.get(_CHANGES, {}))


def retell(request: web.Request, account: Account) -> None:
    """Has this browser's access token say what is new of the account."""
    _tell(request, Login(account, request[LOGIN].family))


async def _renew(request: web.Request, held: RefreshToken) -> Login | None:
    site = request.app[SITE]
    # Before the token is spent: a database that does not answer costs nobody the session.
    account = await accounts.find(site.db, held.account_id)
    successor = await site.sessions.rotate(held, site.now_s()) if account else None
    if account is None or successor is None:
        _forget(request)
        return None
    return _go_on(request, account, successor)


def _held(request: web.Request) -> RefreshToken | None:
    return request.app[SITE].refresh_tokens.parse(cookies.get(request, cookies.REFRESH) or "")


def _go_on(request: web.Request, account: Account, token: RefreshToken) -> Login:
    login = Login(account, token.family)
    _tell(request, login)
    _change(request, cookies.REFRESH, request.app[SITE].refresh_tokens.sign(token))
    return login


def _tell(request: web.Request, login: Login) -> None:
    site = request.app[SITE]
    request[LOGIN] = login
    _change(request, cookies.ACCESS, site.access_tokens.issue(login, site.now_s()))


def _forget(request: web.Request) -> None:
    for name in _LIVES_S:
        _change(request, name, None)


def _change(request: web.Request, name: str, value: str | None) -> None:
    if _CHANGES not in request:
        request[_CHANGES] = {}
    request[_CHANGES][name] = value
