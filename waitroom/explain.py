"""Says in words what a configuration means for those who come, and what in it will hurt."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime

from waitroom.rooms import Room
from waitroom.settings import Settings

CROWD = 10_000
ON_STORE_LOSS = {
    "hold": "If Redis is lost, who is inside goes on, and the others wait with their places kept.",
    "open": "If Redis is lost, each process lets up to {cap:,} in by itself; the cap is not kept meanwhile.",
    "closed": "If Redis is lost, everybody is refused until it is back; places are kept.",
}


def explain(settings: Settings) -> Iterator[str]:
    """Lines of text."""
    yield f"Version {settings.version}; listens on {_listeners(settings)}, for operators on {settings.admin.listen}."
    yield from _server(settings)
    yield f"Places are kept in {'the configured Redis' if settings.store.url else 'an embedded Redis'}."
    for room in settings.to_rooms(edited_ms=0):
        yield from _room(room)


def warnings(settings: Settings) -> Iterator[str]:
    """What works, and will be regretted."""
    if everybody := [network for network in settings.server.proxy_protocol if network.endswith("/0")]:
        yield f"server.proxy_protocol has {everybody[0]}: whoever connects can claim any address"
    if not settings.keys.admission or not settings.keys.ticket:
        yield "development keys are used: make a pair with `waitroom keys`, and name it in [keys]"
    for room in settings.to_rooms(edited_ms=0):
        if not room.origins and not settings.server.trusted_proxies:
            yield f"room {room.name!r} has no origins, and no proxy may ask of it: name yours in server.trusted_proxies"
        yield from _room_warnings(room)


def _listeners(settings: Settings) -> str:
    server = settings.server
    by_tls = [f"{address} (TLS)" for address in server.tls.listen] if server.tls else []
    return ", ".join([*server.listen, *by_tls])


def _server(settings: Settings) -> Iterator[str]:
    server = settings.server
    if server.workers > 1:
        yield f"{server.workers} workers serve, each for itself; the limits of the rooms hold for all of them together."
    if server.proxy_protocol:
        yield f"Connections from {', '.join(server.proxy_protocol)} must begin with a PROXY header."


def _room(room: Room) -> Iterator[str]:
    limits = room.limits
    hosts, paths = " ".join(room.hosts), " ".join(room.paths)
    before = f"before {' '.join(room.origins)}" if room.origins else "and is only asked of by forward-auth"
    yield f"Room {room.name!r} guards {paths} on {hosts}, {before}."
    match limits.mode:
        case "closed":
            yield "  It is closed: everybody is refused."
        case "open":
            yield "  It is open: everybody passes, and no limit is kept."
        case "hold":
            yield "  It is on hold: whoever comes waits, and nobody is called."
        case "auto":
            yield "  Visitors pass while there is room, and wait in line when there is not."
        case "queue":
            yield "  Every visitor waits a turn."
    yield (
        f"  Up to {limits.cap:,} inside at once, {limits.rate_per_minute:,} calls a minute; "
        f"a lease lasts {limits.session_ms // 1000} s, and activity renews it."
    )
    per_minute = min(limits.rate_per_minute, _sustained_per_minute(room))
    wait_min = math.ceil(CROWD / per_minute)
    yield f"  The last of a crowd of {CROWD:,} waits about {wait_min:,} minutes if visitors stay their whole lease."
    yield from _lines(room)
    yield from _opening(room)
    if room.identity:
        without = "is refused" if room.identity.required else "gets a place by the cookie alone"
        source = f"{room.identity.source} {room.identity.name!r}"
        yield f"  One place per person, known by the {source}; who has none {without}."
    yield f"  {ON_STORE_LOSS[room.on_store_loss].format(cap=room.loss_cap)}"


def _lines(room: Room) -> Iterator[str]:
    if room.has_keys:
        yield (
            f"  Each {{key}} has a line of its own, with these limits for each; at most {room.most_lines:,} lines, "
            f"and one that nobody asks for is forgotten after {room.limits.idle_ms // 1000:,} s."
        )


def _opening(room: Room) -> Iterator[str]:
    limits = room.limits
    if limits.opens_ms:
        how = "are served as they came"
        if limits.draw:
            places = f"{limits.draw_size:,} places by the draw {limits.draw!r}"
            how = f"are drawn ({places}), and whoever comes later is behind them"
        yield f"  It opens at {_moment(limits.opens_ms)}; those who come before {how}."
    if limits.closes_ms:
        yield f"  It closes at {_moment(limits.closes_ms)}: nobody is called from then on, and who is inside stays."


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _room_warnings(room: Room) -> Iterator[str]:
    limits = room.limits
    if not room.origin_terms.verify:
        yield f"room {room.name!r}: verify = false believes whoever answers in the place of its origins"
    sustained = _sustained_per_minute(room)
    if sustained < limits.rate_per_minute:
        yield (
            f"room {room.name!r}: if visitors stay their whole lease, cap = {limits.cap:,} lets only {sustained:,.0f} "
            f"a minute follow, not {limits.rate_per_minute:,}: raise cap, or shorten session_s"
        )
    if room.identity and room.identity.source == "header" and not room.identity.claim:
        yield (
            f"room {room.name!r}: whoever can send the header {room.identity.name} is believed to be what it says: "
            "have a proxy in front replace it, or verify a claim"
        )
    if limits.claim_ms > limits.presence_ms * 5:
        yield f"room {room.name!r}: a no-show holds a place for claim_s = {limits.claim_ms // 1000}: shorten it"
    if room.identity and not room.identity.claim:
        yield (
            f"room {room.name!r}: an identity in a {room.identity.source} is believed as it comes, and whoever makes "
            "some up has as many places: a claim of a signed token can't be made up"
        )


def _sustained_per_minute(room: Room) -> float:
    return room.limits.cap * 60_000 / room.limits.session_ms
