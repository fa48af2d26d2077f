"""What people do with their account over HTTP: each try counted, and the session that follows begun or ended."""

from aiohttp import web

from booking import accounts, logins
from booking.account import Account
from booking.account_forms import Credentials, PasswordChange, SignUp
from booking.once import Once
from booking.sessions import Session
from booking.site import SITE
from booking.throttle import (
    LOG_INS_PER_ADDRESS,
    LOG_INS_PER_EMAIL,
    PASSWORD_CHANGES_PER_ACCOUNT,
    SIGN_UPS_PER_ADDRESS,
    home_of,
)


async def sign_up(request: web.Request, wish: SignUp, once: Once | None = None) -> Account:
    """Makes an account and logs it in. Raises EmailTaken, TooManyAttempts."""
    site = request.app[SITE]
    await site.throttle.spend(SIGN_UPS_PER_ADDRESS, _address(request))
    account = await accounts.sign_up(site.db, site.passwords, wish, site.now_s(), once)
    await logins.begin(request, account)
    return account


async def log_in(request: web.Request, credentials: Credentials) -> Account:
    """Logs in. Raises WrongCredentials, TooManyAttempts."""
    site = request.app[SITE]
    await site.throttle.spend(LOG_INS_PER_ADDRESS, _address(request))
    # Counted before it is tried, so that a thousand guesses sent at once are not a thousand tries.
    await site.throttle.spend(LOG_INS_PER_EMAIL, credentials.email)
    account = await accounts.log_in(site.db, site.passwords, credentials)
    await site.throttle.forgive(LOG_INS_PER_EMAIL, credentials.email)
    await logins.begin(request, account)
    return account


async def change_password(request: web.Request, change: PasswordChange) -> None:
    """Changes the password, and ends all other sessions. Raises Invalid, TooManyAttempts."""
    site, account = request.app[SITE], request[logins.LOGIN].account
    # Where Redis does not answer, so that no session can be ended, this fails before anything is changed.
    await site.throttle.spend(PASSWORD_CHANGES_PER_ACCOUNT, str(account.id))
    await accounts.change_password(site.db, site.passwords, account.id, change)
    await logins.end_others(request)


async def change_name(request: web.Request, name: str) -> Account:
    site, account = request.app[SITE], request[logins.LOGIN].account
    renamed = await accounts.change_name(site.db, account.id, name)
    logins.retell(request, renamed)
    return renamed


async def change_language(request: web.Request, language: str) -> Account:
    """Of the pages and mails from now on."""
    site, account = request.app[SITE], request[logins.LOGIN].account
    changed = await accounts.change_language(site.db, account.id, language)
    logins.retell(request, changed)
    return changed


async def sessions_of(request: web.Request) -> list[tuple[Session, bool]]:
    """Where the account is logged in, and whether it is here."""
    site, login = request.app[SITE], request[logins.LOGIN]
    found = await site.sessions.of_account(login.account.id, site.now_s())
    return [(session, session.family == login.family) for session in found]


def _address(request: web.Request) -> str:
    """Whose attempt it is. The waiting room writes one X-Forwarded-For, over whatever the visitor has sent; a proxy
    that adds to it adds its own word last. What stands before that may be the visitor's, made up anew each time."""
    told = request.headers.getall("X-Forwarded-For", [])
    return home_of(told[-1].rpartition(",")[2].strip() if told else request.remote or "")
