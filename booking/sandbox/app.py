"""The bank's composition root: builds it out of its terms, and ties its life to the application's."""

from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import ClientSession, DummyCookieJar, web

from booking.background import running
from booking.sandbox import api, pay_page
from booking.sandbox.bank import BANK, Bank, Terms
from booking.sandbox.ledger import SCHEMA
from booking.sandbox.ledger_file import LedgerFile
from booking.sandbox.messenger import Messenger

LARGEST_BODY = 16 * 1024


def build(terms: Terms, ledger_path: Path) -> web.Application:
    """The application, not started. Its start opens the ledger, and makes it if there is none."""
    app = web.Application(middlewares=[api.answer_refusals, api.require_secret], client_max_size=LARGEST_BODY)
    app.cleanup_ctx.append(lambda app: _bank(app, terms, ledger_path))
    app.add_routes([*api.routes, *pay_page.routes])
    return app


async def _bank(app: web.Application, terms: Terms, ledger_path: Path) -> AsyncIterator[None]:
    async with LedgerFile(ledger_path, SCHEMA) as ledger, ClientSession(cookie_jar=DummyCookieJar()) as session:
        messenger = Messenger(session, ledger, terms.webhook_url, terms.secret, lambda: app[BANK].faults)
        app[BANK] = Bank(terms, ledger, messenger, pay_page.environment())
        async with running(messenger.run_for_ever()):
            yield
