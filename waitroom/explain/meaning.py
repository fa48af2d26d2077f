"""What a configuration means for those who come."""

from collections.abc import Iterator

from waitroom import store_url
from waitroom.explain.quantities import MINUTE_S, duration, moment, pace
from waitroom.rooms import Room
from waitroom.settings import Settings

# What a sale may bring.
CROWD = 50_000
ON_STORE_LOSS = {
    "hold": "If Redis is lost, who is inside goes on, and the others wait with their places kept.",
    "open": "If Redis is lost, each process lets up to {cap:,} in by itself; the cap is not kept meanwhile.",
    "closed": "If Redis is lost, everybody is refused until it is back; places are kept.",
}


def explain(settings: Settings) -> Iterator[str]:
    """Lines of text."""
    yield f"Version {settings.version}; listens on {_listeners(settings)}, for operators on {settings.admin.listen}."
    yield from _server(settings)
    yield f"Places are kept in {_store(settings.store.url.get_secret_value())}."
    for room in settings.to_rooms(edited_ms=0):
        yield from _room(room)


def _listeners(settings: Settings) -> str:
    server = settings.server
    by_tls = [f"{address} (TLS)" for address in server.tls.listen] if server.tls else []
    return ", ".join([*server.listen, *by_tls])


def _store(url: str) -> str:
    """Where it is, without any login."""
    if not url:
        return "an embedded Redis, on this machine"
    read = store_url.parse(url)
    hosts = ", ".join(f"{host}:{port}" for host, port in read.hosts)
    match read.kind:
        case "socket":
            return f"the Redis at {read.name}"
        case "sentinel":
            return f"the Redis {read.name!r} that the sentinels {hosts} name"
        case "cluster":
            return f"the Redis cluster of {hosts}"
        case "server":
            return f"the Redis at {hosts}"


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
    yield from _pace(room)
    if room.adaptive:
        least, most = room.adaptive.rate_min, limits.rate_per_minute
        yield (
            f"  The rate follows the origins, between {least:,} and {most:,} calls a minute, so that 95 % of their "
            f"responses begin within {room.adaptive.target_ms:,} ms; nobody is called while they are down."
        )
    yield from _lines(room)
    yield from _opening(room)
    if room.identity:
        without = "is refused" if room.identity.required else "gets a place by the cookie alone"
        source = f"{room.identity.source} {room.identity.name!r}"
        yield f"  One place per person, known by the {source}; who has none {without}."
    yield f"  {_robots(room)}"
    if room.cors_origins:
        yield f"  Scripts of {' '.join(room.cors_origins)} may ask for the place."
    yield f"  {ON_STORE_LOSS[room.on_store_loss].format(cap=room.loss_cap)}"


def _pace(room: Room) -> Iterator[str]:
    """How many, how fast, and whether the rate or the cap binds."""
    limits = room.limits
    rate, session_s = limits.rate_per_minute, limits.session_ms / 1000
    calls = f"{rate:,} calls a minute" if rate < MINUTE_S else f"{pace(rate)} ({rate:,} calls a minute)"
    yield (
        f"  Up to {limits.cap:,} inside at once, {calls}; a lease lasts {duration(session_s)}, and activity renews it."
    )
    if limits.mode not in ("auto", "queue"):
        return
    at_rate = duration(CROWD * 60 / rate)
    sustained = sustained_per_minute(room)
    if sustained >= rate:
        yield f"  A crowd of {CROWD:,} waits {at_rate}: the rate binds, even if everybody stays a whole lease."
        return
    yield (
        f"  A crowd of {CROWD:,} waits {at_rate} if visitors stay up to {duration(limits.cap * 60 / rate)}: "
        "the rate binds."
    )
    yield (
        f"  If they stay a whole lease, the cap binds: {pace(sustained)} follow, and the crowd waits "
        f"{duration(CROWD * 60 / sustained)}."
    )


def sustained_per_minute(room: Room) -> float:
    """How many can follow each other if everybody stays a whole lease."""
    return room.limits.cap * 60_000 / room.limits.session_ms


def _robots(room: Room) -> str:
    if not room.crawlers:
        return "Robots of search engines are told to come back later (503): `crawlers` names those that may pass."
    engines = ", ".join(room.crawlers)
    return f"Robots of {engines} pass without a place, once DNS has confirmed their addresses; others get 503."


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
        yield f"  It opens at {moment(limits.opens_ms)}; those who come before {how}."
    if limits.closes_ms:
        yield f"  It closes at {moment(limits.closes_ms)}: nobody is called from then on, and who is inside stays."
