"""The secret that a site and its sandbox bank share: it opens the bank's API, and signs its events."""

import base64

from booking import secret_key, signatures
from booking.settings import Settings, SettingsError


def shared_secret(settings: Settings) -> str:
    """BOOKING_SANDBOX_SECRET; where that is not set, one out of the site's own secrets, so that a site and a bank with
    the same settings agree by themselves. Raises SettingsError."""
    secret = settings.sandbox_secret.get_secret_value()
    if not secret:
        return _of_the_site(settings)
    try:
        signatures.key_of(secret)
    except ValueError as exc:
        raise SettingsError([f"BOOKING_SANDBOX_SECRET: {exc}"]) from exc
    return secret


def _of_the_site(settings: Settings) -> str:
    masters = secret_key.load([secret.get_secret_value() for secret in settings.secrets], settings.state_folder)
    key = secret_key.keys_for("sandbox", masters)[0]
    return signatures.PREFIX + base64.b64encode(key).decode()
