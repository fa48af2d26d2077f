"""What in a configuration works, and will be regretted: each with its remedy."""

import ipaddress
import math
from collections.abc import Iterator

from waitroom.explain.meaning import CROWD, sustained_per_minute
from waitroom.explain.quantities import duration, pace
from waitroom.pace import least_polls_per_second
from waitroom.rooms import KEY, Room
from waitroom.settings import Settings

# Browsers let a page in the background do something once a minute at least: Chrome since version 88, see
# https://developer.chrome.com/blog/timer-throttling-in-chrome-88.
BACKGROUND_S = 60
# A number that was called in vain keeps a place from the others for so many presence windows at most.
MOST_WINDOWS_OF_CLAIM = 5
# Pages that find their places by a status read it once a minute at least, and ask the line itself three times within a
# presence window.
BY_STATUS_S = 600
# In the place of a *: whoever matches all of these matches whatever it may stand for.
ANYTHING = ("", "\0", "\0/\0")


def warnings(settings: Settings) -> Iterator[str]:
    """Lines of text."""
    yield from _believed(settings)
    yield from _reachable(settings)
    yield from _keys(settings)
    rooms = list(settings.to_rooms(edited_ms=0))
    for i, room in enumerate(rooms):
        for warning in _room(room, rooms[:i]):
            yield f"room {room.name!r}: {warning}"
        if not room.origins and not settings.server.trusted_proxies:
            yield f"room {room.name!r} has no origins, and no proxy may ask of it: name yours in server.trusted_proxies"


def _believed(settings: Settings) -> Iterator[str]:
    for name in ("proxy_protocol", "trusted_proxies"):
        if everybody := [network for network in getattr(settings.server, name) if network.endswith("/0")]:
            yield (
                f"server.{name} has {everybody[0]}: whoever connects can claim any address; "
                "name the networks of your proxies only"
            )


def _reachable(settings: Settings) -> Iterator[str]:
    server = settings.server
    public = [address for address in server.listen if not _is_loopback(address)]
    if public and not server.trusted_proxies:
        yield (
            f"server.listen has {public[0]}: visitors come there by plain HTTP, and who listens on the way can take "
            "their cookies and so their places; serve [server.tls] instead, or, where a proxy before it speaks TLS, "
            "name that in server.trusted_proxies"
        )
    if not _is_loopback(settings.admin.listen):
        yield (
            f"admin.listen = {settings.admin.listen!r} can be reached from other machines: let only yours reach that "
            'port, or listen on "127.0.0.1:9180"'
        )
    if not settings.store.url and (server.trusted_proxies or server.proxy_protocol):
        yield (
            "the embedded Redis serves this machine only: if the proxy before it knows several machines, each would "
            "have lines and limits of its own; name one Redis for all in [store] url"
        )


def _keys(settings: Settings) -> Iterator[str]:
    keys = settings.keys
    if not keys.admission or not keys.ticket:
        yield "development keys are used: make a pair with `waitroom keys`, and name it in [keys]"
    for name in ("admission", "ticket"):
        if len(getattr(keys, name)) == 1:
            hanging = ", while no draw is to come and nobody is known by identity: both hang on the last"
            yield (
                f"keys.{name} has one key: on the day when it must be replaced, nobody knows the next one yet; make a "
                f"spare with `waitroom keys --out FOLDER`, and name it second{hanging if name == 'ticket' else ''}"
            )


def _room(room: Room, before: list[Room]) -> Iterator[str]:
    if hidden_by := next((one for one in before if _guards_all(one, room)), None):
        yield f"is never reached, since room {hidden_by.name!r} before it guards all of its paths: put it first"
    if any(path in ("/*", "*") for path in room.bypass):
        yield "bypass lets everybody pass without a place: name only what must not wait"
    yield from _limits(room)
    yield from _polls(room)
    yield from _identity(room)
    if not room.origin_terms.verify:
        yield "verify = false believes whoever answers in the place of its origins; name their authority in ca_file"


def _limits(room: Room) -> Iterator[str]:
    limits = room.limits
    rate, sustained = limits.rate_per_minute, sustained_per_minute(room)
    if sustained < rate:
        yield (
            f"if visitors stay their whole lease, cap = {limits.cap:,} lets only {pace(sustained)} follow, not "
            f"{pace(rate)}: raise cap to {math.ceil(rate * limits.session_ms / 60_000):,}, or shorten session_s"
        )
    if limits.claim_ms > limits.presence_ms * MOST_WINDOWS_OF_CLAIM:
        yield (
            f"who was called and does not come holds a place for claim_s = {limits.claim_ms // 1000}: shorten it to "
            f"{limits.presence_ms // 1000}"
        )


def _polls(room: Room) -> Iterator[str]:
    """Whether those who wait can show themselves often enough to count as present, all of them."""
    presence_s = room.limits.presence_ms // 1000
    if presence_s < BACKGROUND_S:
        yield (
            f"presence_s = {presence_s} is shorter than what browsers leave a page in the background, a poll a minute: "
            f"who looks at something else is passed over until they look again; set {BACKGROUND_S} or more"
        )
    if room.status_s and presence_s < BY_STATUS_S:
        yield (
            f"with presence_s = {presence_s} pages must ask the line itself so often that its status (status_s = "
            f"{room.status_s}) spares it hardly a poll: raise presence_s to {BY_STATUS_S} or more"
        )
    needed = least_polls_per_second(CROWD, room.limits.presence_ms)
    if needed > room.polls_per_second:
        enough_s = math.ceil(presence_s * needed / room.polls_per_second)
        yield (
            f"with presence_s = {presence_s} a line of {CROWD:,} sends {needed:,.0f} polls a second, more than "
            f"polls_per_second = {room.polls_per_second:,}: raise presence_s to {enough_s:,}, "
            f"which then is how long ({duration(enough_s)}) one who has left still counts as present"
        )


def _identity(room: Room) -> Iterator[str]:
    identity = room.identity
    if identity is None or identity.claim:
        return
    if identity.source == "header":
        yield (
            f"whoever can send the header {identity.name} is believed to be what it says: "
            "have a proxy in front replace it, or verify a claim"
        )
    yield (
        f"an identity in a {identity.source} is believed as it comes, and whoever makes some up has as many places: "
        "a claim of a signed token can't be made up"
    )


def _guards_all(room: Room, other: Room) -> bool:
    """Whether a room has every request that is meant for another."""
    return all(
        room.guards(host.replace("*", anything), path.replace(KEY, "\0").replace("*", anything))
        for host in other.hosts
        for path in other.paths
        for anything in ANYTHING
    )


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
