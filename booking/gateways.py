"""Which gateway there is: the one that the settings name, connected."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import ClientSession, DummyCookieJar, TraceConfig

from booking.gateway import Gateway
from booking.sandbox_gateway import SandboxGateway
from booking.sandbox_secret import shared_secret
from booking.settings import Settings


@asynccontextmanager
async def connected(settings: Settings, trace_configs: Sequence[TraceConfig] = ()) -> AsyncIterator[Gateway]:
    """The gateway of a site, which may be used until this ends. Raises SettingsError."""
    async with ClientSession(cookie_jar=DummyCookieJar(), trace_configs=list(trace_configs)) as session:
        if settings.gateway == "stripe":
            yield _stripe(session, settings)
        else:
            yield SandboxGateway(session, settings.sandbox_url, shared_secret(settings))


def _stripe(session: ClientSession, settings: Settings) -> Gateway:
    from booking.stripe_gateway import Access, StripeGateway  # noqa: PLC0415 of the extra `stripe`

    access = Access(
        secret_key=settings.stripe_secret_key.get_secret_value(),
        public_key=settings.stripe_public_key,
        webhook_secret=settings.stripe_webhook_secret.get_secret_value(),
        api_url=settings.stripe_api_url,
        script_url=settings.stripe_script_url,
    )
    return StripeGateway(session, access)
