"""Rows 18 to 30: what needs both ends to act in turn. Each tells what came of it in words."""

import asyncio
from collections.abc import Callable

from tests.waitroom.proxy.ends import End, Ended
from tests.waitroom.proxy.messages import Message
from tests.waitroom.proxy.probe import Probe, Run, lines, outcome, passed, returned, status
from tests.waitroom.proxy.probe import request as a_request
from tests.waitroom.proxy.scripted_origin import DATE, Play, chunked, ok, told
from tests.waitroom.proxy.stage import Stage

UPGRADING = "connection upgrade sec-websocket-protocol"
MB = 1024 * 1024
UPLOAD = 50 * MB
STALLED = 64 * MB
# What the buffers of three sockets may hold of it.
MOST_BUFFERED = 40 * MB
EXPECTING = a_request(b"/", b"Expect: 100-continue\r\nContent-Length: 3\r\n", method=b"POST")
EXPECTING_OLD = a_request(b"/", b"Expect: 100-continue\r\nContent-Length: 3\r\n", method=b"POST", version=b"HTTP/1.0")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REFUSAL = b"HTTP/1.1 413 Content Too Large\r\n" + DATE + b"Connection: close\r\nContent-Length: 2\r\n\r\nno"
EVENTS = b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Type: text/event-stream\r\n"
UPGRADE = a_request(b"/", b"Connection: keep-alive, Upgrade\r\nUpgrade: echo\r\nSec-WebSocket-Protocol: x\r\n")
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nSec-WebSocket-Protocol: x\r\n\r\n"
)


async def the_body_waits_for_100(stage: Stage) -> str:
    """The visitor sends the body when told to; the origin tells it."""
    expected: list[bytes] = []

    async def play(end: End) -> None:
        head = await end.head()
        expected.extend(head.all(b"expect"))
        await end.send(CONTINUE)
        await end.send(ok(told(await end.content(head))))

    return await _expect(stage, play, expected)


async def a_silent_origin_is_not_waited_for(stage: Stage) -> str:
    """The origin does not know of 100, and waits for the body."""
    expected: list[bytes] = []

    async def play(end: End) -> None:
        head = await end.head()
        expected.extend(head.all(b"expect"))
        await end.send(ok(told(await end.content(head))))

    return await _expect(stage, play, expected)


async def _expect(stage: Stage, play: Play, expected: list[bytes]) -> str:
    stage.origin.play = play
    async with stage.visitor() as end:
        await end.send(EXPECTING)
        first = await _first_line(stage, end)
        await end.send(b"abc")
        seen = await stage.see(end, b"POST")
    content = seen.last.body.decode() if seen.answers else "nothing"
    return f"{first}; {seen.words}; origin: {', '.join(value.decode() for value in expected) or 'no Expect'}, {content}"


async def _first_line(stage: Stage, end: End) -> str:
    try:
        async with asyncio.timeout(stage.patience_s):
            return (await end.until(b"\r\n\r\n")).partition(b"\r\n")[0].decode().removeprefix("HTTP/1.1 ")
    except (TimeoutError, Ended):
        return "nothing"


async def a_refusal_comes_instead_of_100(stage: Stage) -> str:
    async def play(end: End) -> None:
        await end.head()
        await end.send(REFUSAL)

    stage.origin.play = play
    async with stage.visitor() as end:
        await end.send(EXPECTING)
        return (await stage.see(end, b"POST")).words


async def expect_of_an_old_visitor(stage: Stage) -> str:
    async with stage.visitor() as end:
        await end.send(EXPECTING_OLD, b"abc")
        seen = await stage.see(end, b"POST")
    requests = stage.origin.requests
    return f"{seen.words}; origin: {lines(requests[0].head, 'expect') or 'no Expect' if requests else 'nothing'}"


async def trailers_of_a_request(stage: Stage) -> str:
    sent = a_request(
        b"/",
        b"Trailer: X-T\r\nTransfer-Encoding: chunked\r\n",
        chunked(b"abc", trailers=b"X-T: 1\r\n"),
        method=b"POST",
    )
    seen = await stage.ask(sent, methods=(b"POST",))
    got = [f"{told(one).decode()}{', trailers' * bool(one.trailers)}" for one in stage.origin.requests]
    announced = [lines(one.head, "trailer") for one in stage.origin.requests]
    return f"{seen.words}; origin: {', '.join(got + [field for field in announced if field])}"


async def an_early_answer_reaches_who_uploads(stage: Stage) -> str:
    """The origin answers at the head of 50 MB, and reads no more."""

    async def play(end: End) -> None:
        await end.head()
        await end.send(REFUSAL)
        await asyncio.Event().wait()

    return await _upload(stage, play)


async def an_early_answer_of_an_origin_that_goes(stage: Stage) -> str:
    """The origin answers at the head of 50 MB, and closes with the rest unread."""

    async def play(end: End) -> None:
        await end.head()
        await end.send(REFUSAL)

    return await _upload(stage, play)


async def an_early_answer_of_an_origin_that_lingers(stage: Stage) -> str:
    """The origin answers at the head of 50 MB, closes its side, and reads on for a while (RFC 9112, section 9.6)."""

    async def play(end: End) -> None:
        await end.head()
        await end.send(REFUSAL)
        end.half_close()
        await end.rest()

    return await _upload(stage, play)


async def _upload(stage: Stage, play: Play) -> str:
    stage.origin.play = play
    async with stage.visitor() as end:
        await end.send(a_request(b"/", b"Content-Length: %d\r\n" % UPLOAD, method=b"POST"))
        sending = asyncio.create_task(end.send(*[bytes(MB)] * (UPLOAD // MB)))
        seen = await stage.see(end, b"POST")
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    return "; ".join([" ".join(str(answer.head.status) for answer in seen.answers) or seen.ending, _body(seen.answers)])


def _body(answers: tuple[Message, ...]) -> str:
    return answers[-1].body.decode() if answers else "nothing"


async def a_stalled_reader_stalls_the_origin(stage: Stage) -> str:
    sent = 0

    async def play(end: End) -> None:
        nonlocal sent
        await end.message()
        await end.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % STALLED)
        for _ in range(STALLED // MB):
            await end.send(bytes(MB))
            sent += MB

    stage.origin.play = play
    async with stage.visitor() as end:
        await end.send(a_request())
        await end.head()
        await _settled(lambda: sent)
        taken = sent
        content = await end.exactly(STALLED)
    return f"{_amount(taken)}; {len(content) // MB} MB at last"


async def a_stalled_origin_stalls_the_visitor(stage: Stage) -> str:
    sent, goes_on = 0, asyncio.Event()

    async def play(end: End) -> None:
        head = await end.head()
        await goes_on.wait()
        message = await end.content(head)
        await end.send(ok(b"%d MB at last" % (len(message.body) // MB)))

    stage.origin.play = play
    async with stage.visitor() as end:
        await end.send(a_request(b"/", b"Content-Length: %d\r\n" % STALLED, method=b"POST"))

        async def upload() -> None:
            nonlocal sent
            for _ in range(STALLED // MB):
                await end.send(bytes(MB))
                sent += MB

        sending = asyncio.create_task(upload())
        await _settled(lambda: sent)
        taken = sent
        goes_on.set()
        seen = await stage.see(end, b"POST")
        await sending
    return f"{_amount(taken)}; {_body(seen.answers)}"


def _amount(taken: int) -> str:
    return "stalls" if taken < MOST_BUFFERED else f"takes all of {STALLED // MB} MB"


async def _settled(count: Callable[[], int]) -> None:
    """Waits until a count has begun, and then stood still for half a second."""
    still, before = 0, -1
    while still < 10:
        still = still + 1 if count() == before else 0
        before = count()
        await asyncio.sleep(0.05)


def streams(head: bytes, *events: bytes) -> Run:
    """The origin says each event when the visitor has the one before."""

    async def run(stage: Stage) -> str:
        had = asyncio.Semaphore(0)

        async def play(end: End) -> None:
            await end.message()
            await end.send(head)
            for event in events:
                await end.send(event)
                await had.acquire()

        stage.origin.play = play
        async with stage.visitor() as end:
            await end.send(a_request())
            for i in range(len(events)):
                try:
                    async with asyncio.timeout(stage.patience_s):
                        await end.until(b"event %d" % i)
                except (TimeoutError, Ended):
                    return f"event {i} is held back"
                had.release()
        return "each at once"

    return run


async def an_upload_streams(stage: Stage) -> str:
    """The visitor sends the second half when the origin has the first."""
    had = asyncio.Event()

    async def play(end: End) -> None:
        await end.until(b"first")
        had.set()
        await end.until(b"second")
        await end.send(ok())

    stage.origin.play = play
    async with stage.visitor() as end:
        await end.send(a_request(b"/", b"Content-Length: 11\r\n", method=b"POST"), b"first")
        try:
            async with asyncio.timeout(stage.patience_s):
                await had.wait()
        except TimeoutError:
            return "held back"
        await end.send(b"second")
        return (await stage.see(end, b"POST")).words


def gone(answer: bytes, *, resets: bool, goes_on: bool = False) -> Run:
    """The visitor goes after some of the answer, or before any; the origin waits for its connection to end, silent or
    telling more."""

    async def run(stage: Stage) -> str:
        began, ended = asyncio.Event(), asyncio.Event()

        async def play(end: End) -> None:
            await end.message()
            await end.send(answer)
            began.set()
            telling = asyncio.create_task(_tell_on(end)) if goes_on else None
            await end.rest()
            if telling:
                telling.cancel()
            ended.set()

        stage.origin.play = play
        async with stage.visitor() as end:
            await end.send(a_request())
            await began.wait()
            if answer:
                await end.until(b"\r\n\r\n")
            if resets:
                end.reset()
        try:
            async with asyncio.timeout(stage.patience_s):
                await ended.wait()
        except TimeoutError:
            return "the origin is left at work"
        return "the origin is told"

    return run


async def _tell_on(end: End) -> None:
    while True:
        await end.send(ONE_EVENT)
        await asyncio.sleep(0.05)


async def half_closed(stage: Stage) -> str:
    """The visitor says that it will send no more, and the origin answers a while after it."""
    began, answers = asyncio.Event(), asyncio.Event()

    async def play(end: End) -> None:
        await end.message()
        began.set()
        await answers.wait()
        await end.send(ok())

    stage.origin.play = play
    async with stage.visitor() as end:
        await end.send(a_request())
        await began.wait()
        end.half_close()
        await asyncio.sleep(0.2)
        answers.set()
        seen = await stage.see(end, b"GET")
    final = [str(answer.head.status) for answer in seen.answers if answer.head.status >= 200]
    return " ".join(final) or seen.ending


async def half_closed_behind_two(stage: Stage) -> str:
    """The visitor asks for two things at once, and says that it will send no more."""
    async with stage.visitor() as end:
        await end.send(a_request(b"/1") + a_request(b"/2"))
        end.half_close()
        seen = await stage.see(end, b"GET", b"GET")
    final = [str(answer.head.status) for answer in seen.answers if answer.head.status >= 200]
    return " ".join(final) or seen.ending


async def a_bad_chunk_comes_later(stage: Stage) -> str:
    """The visitor has the first chunk when the origin sends what is none."""
    had = asyncio.Event()

    async def play(end: End) -> None:
        await end.message()
        await end.send(CHUNKS + ONE_EVENT)
        await had.wait()
        await end.send(b"x\r\n")
        await end.rest()

    stage.origin.play = play
    async with stage.visitor() as end:
        await end.send(a_request())
        await end.until(b"event 0\r\n")
        had.set()
        return f"{(await end.rest()).decode() or 'cut off'}, {end.ending}"


def to_an_old_visitor(answer: bytes, *, resets: bool) -> Run:
    """The origin breaks off what an HTTP/1.0 visitor gets without a length: a mere end would look whole."""

    async def run(stage: Stage) -> str:
        had = asyncio.Event()

        async def play(end: End) -> None:
            await end.message()
            await end.send(answer)
            await had.wait()
            if resets:
                end.reset()

        stage.origin.play = play
        async with stage.visitor() as end:
            await end.send(a_request(version=b"HTTP/1.0"))
            await end.until(b"event 0")
            had.set()
            await end.rest()
            return "looks whole" if end.ending == "closed" else "looks cut off"

    return run


def reused(method: bytes, *, says: bytes = b"", body: bytes = b"", always: bool = False) -> Run:
    """The second request meets a reused connection that ends, after it `says` something, without an answer. New
    connections do so too if `always`."""

    async def run(stage: Stage) -> str:
        first, asked = True, 0

        async def play(end: End) -> None:
            nonlocal asked, first
            if first:
                first = False
                await stage.origin.request(end)
                await end.send(ok())
                await end.until(b"\r\n\r\n")
                asked += 1
                await end.send(says)
                return
            await end.message()
            asked += 1
            if not always:
                await end.send(ok())

        stage.origin.play = play
        fields = b"Content-Length: %d\r\n" % len(body) if body else b""
        async with stage.visitor() as end:
            await end.send(a_request())
            await stage.see(end, b"GET")
            await end.send(a_request(b"/", fields, body, method=method))
            seen = await stage.see(end, method)
        return f"{seen.words}; origin asked {asked} {'time' if asked == 1 else 'times'}"

    return run


def fresh(method: bytes, *, resets: bool = False) -> Run:
    """A new connection ends without an answer."""

    async def run(stage: Stage) -> str:
        asked = 0

        async def play(end: End) -> None:
            nonlocal asked
            await end.message()
            asked += 1
            if resets:
                end.reset()

        stage.origin.play = play
        seen = await stage.ask(a_request(method=method), methods=(method,))
        return f"{seen.words}; origin asked {asked} {'time' if asked == 1 else 'times'}"

    return run


def upgrade_to(protocol: bytes) -> bytes:
    return a_request(b"/", b"Connection: Upgrade\r\nUpgrade: %b\r\n" % protocol)


def tunnel(answer: bytes = SWITCH, behind: bytes = b"", ahead: bytes = b"") -> Run:
    """The visitor upgrades, with bytes right `behind`; the origin sends some right behind its answer, and then gives
    back what it gets, until the visitor says that it is done."""

    async def run(stage: Stage) -> str:
        wanted: list[str] = []

        async def play(end: End) -> None:
            head = await end.head()
            wanted.append(lines(head, UPGRADING))
            await end.send(answer + ahead)
            while line := await end.until(b"\n"):
                await end.send(line.upper() + b"\n")
            await end.send(b"bye\n")

        stage.origin.play = play
        async with stage.visitor() as end:
            await end.send(UPGRADE + behind)
            try:
                async with asyncio.timeout(stage.patience_s):
                    head = await end.head()
                    await end.send(b"\x00\xff one\n", b"two\n", b"\n")
                    rest = await end.rest()
            except (TimeoutError, Ended):
                return f"{_first(end)}; origin: {'; '.join(wanted) or 'nothing'}"
        got = rest.decode("latin-1").replace("\n", "|")
        return "; ".join([str(head.status), lines(head, UPGRADING), got, f"origin: {wanted[0]}"])

    return run


def _first(end: End) -> str:
    return end.got.partition(b"\r\n")[0].decode() or "nothing"


async def an_origin_half_closes_a_tunnel(stage: Stage) -> str:
    """The origin says that it will send no more; what the visitor says after that still arrives."""
    heard = asyncio.Event()

    async def play(end: End) -> None:
        await end.head()
        await end.send(SWITCH)
        end.half_close()
        await end.until(b"after all")
        heard.set()

    stage.origin.play = play
    async with stage.visitor() as end:
        await end.send(UPGRADE)
        await end.until(b"\r\n\r\n")
        await end.rest()
        await end.send(b"after all")
        try:
            async with asyncio.timeout(stage.patience_s):
                await heard.wait()
        except TimeoutError:
            return "lost"
    return "arrives"


async def pipelined_in_order(stage: Stage) -> str:
    """Five requests in one write; the origin is asked for each when the one before is answered."""
    most = under_way = 0

    async def play(end: End) -> None:
        nonlocal most, under_way
        while True:
            message = await end.message()
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.02)
            under_way -= 1
            await end.send(ok(told(message)))

    stage.origin.play = play
    sent = b"".join(a_request(b"/%d" % i) for i in range(5))
    seen = await stage.ask(sent, methods=(b"GET",) * 5)
    return f"{seen.words}; {', '.join(answer.body.decode() for answer in seen.answers)}; at most {most} at a time"


async def more_than_can_be_answered(stage: Stage) -> str:
    """A visitor who sends requests without end, and reads nothing while the first is under way, is not read on."""
    sent, answers = 0, asyncio.Event()

    async def play(end: End) -> None:
        await end.message()
        await answers.wait()

    stage.origin.play = play
    batch = a_request() * (MB // len(a_request()))
    async with stage.visitor() as end:

        async def ask() -> None:
            nonlocal sent
            while sent < STALLED:
                await end.send(batch)
                sent += len(batch)

        asking = asyncio.create_task(ask())
        await _settled(lambda: sent)
        taken = sent
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        end.reset()
    return f"{_amount(taken)}; origin has {len(stage.origin.ends)} connection"


CHUNKS = EVENTS + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSES = EVENTS + b"Connection: close\r\n\r\n"
CUT_OFF = "looks cut off"
AT_ONCE = "each at once"
TOLD = "the origin is told"
SWITCHED = "101; Sec-WebSocket-Protocol: x, Connection: Upgrade, Upgrade: echo"
WANTED = "origin: Sec-WebSocket-Protocol: x, Connection: Upgrade, Upgrade: echo"
ONE_EVENT = chunked(b"event 0").removesuffix(b"0\r\n\r\n")

STREAMS = (
    Probe(16, "HTTP/1.0: chunks without the last", to_an_old_visitor(CHUNKS + ONE_EVENT, resets=False), CUT_OFF),
    Probe(16, "HTTP/1.0: until close, and then reset", to_an_old_visitor(CLOSES + b"event 0", resets=True), CUT_OFF),
    Probe(16, "a chunk that is none, later", a_bad_chunk_comes_later, "cut off, closed"),
    Probe(
        18, "the origin says 100", the_body_waits_for_100, "100 Continue; 200 open; origin: 100-continue, POST / abc"
    ),
    Probe(
        18,
        "the origin says nothing",
        a_silent_origin_is_not_waited_for,
        "100 Continue; 200 open; origin: 100-continue, POST / abc",
    ),
    Probe(18, "the origin refuses", a_refusal_comes_instead_of_100, "413 closed"),
    Probe(18, "HTTP/1.0", expect_of_an_old_visitor, "200 closed; origin: no Expect"),
    Probe(20, "trailers of a request", trailers_of_a_request, "200 open; origin: POST / abc"),
    Probe(21, "the origin answers an upload early, and waits", an_early_answer_reaches_who_uploads, "413; no"),
    Probe(21, "the origin answers an upload early, and lingers", an_early_answer_of_an_origin_that_lingers, "413; no"),
    Probe(21, "the origin answers an upload early, and goes", an_early_answer_of_an_origin_that_goes, "413; no"),
    Probe(22, "64 MB to a stalled visitor", a_stalled_reader_stalls_the_origin, "stalls; 64 MB at last"),
    Probe(22, "64 MB to a stalled origin", a_stalled_origin_stalls_the_visitor, "stalls; 64 MB at last"),
    Probe(23, "events in chunks", streams(CHUNKS, *[b"7\r\nevent %d\r\n" % i for i in range(3)]), AT_ONCE),
    Probe(23, "events until close", streams(CLOSES, b"event 0", b"event 1", b"event 2"), AT_ONCE),
    Probe(23, "events byte by byte", streams(CLOSES, *[b"event %d" % i for i in range(9)]), AT_ONCE),
    Probe(23, "an upload", an_upload_streams, "200 open"),
    Probe(24, "closes before an answer", gone(b"", resets=False), TOLD),
    Probe(24, "resets before an answer", gone(b"", resets=True), TOLD),
    Probe(24, "closes during an answer that goes on", gone(CHUNKS, resets=False, goes_on=True), TOLD),
    Probe(24, "resets during an answer", gone(CHUNKS + ONE_EVENT, resets=True), TOLD),
    Probe(24, "half-close", half_closed, "200"),
    Probe(24, "half-close behind two requests", half_closed_behind_two, "200 200"),
    Probe(25, "GET, reused connection", reused(b"GET"), "200 open; origin asked 2 times"),
    Probe(25, "GET, and the new connection ends, too", reused(b"GET", always=True), "502 open; origin asked 2 times"),
    Probe(25, "GET, half an answer", reused(b"GET", says=b"HTTP/1.1 200 OK\r\nX-"), "502 open; origin asked 1 time"),
    Probe(25, "POST, reused connection", reused(b"POST"), "502 open; origin asked 1 time"),
    Probe(25, "PUT with a body", reused(b"PUT", body=b"abc"), "502 open; origin asked 1 time"),
    Probe(25, "GET, new connection", fresh(b"GET"), "502 open; origin asked 1 time"),
    Probe(26, "the origin resets", fresh(b"POST", resets=True), "502 open; origin asked 1 time"),
    Probe(26, "the origin speaks no HTTP", status(a_request(), b"SSH-2.0-x\r\n\r\n", close=True), "502 open"),
    Probe(26, "the origin begins an answer", status(a_request(), b"HTTP/1.1 200 OK\r\nX-", close=True), "502 open"),
    Probe(28, "upgrade", tunnel(), f"{SWITCHED}; \x00\xff ONE|TWO|bye|; {WANTED}"),
    Probe(
        28,
        "upgrade, with bytes right behind both heads",
        tunnel(behind=b"zero\n", ahead=b"hi\n"),
        f"{SWITCHED}; hi|ZERO|\x00\xff ONE|TWO|bye|; {WANTED}",
    ),
    *(
        Probe(28, f"upgrade to {protocol}", passed(upgrade_to(protocol.encode()), "connection upgrade"), "none")
        for protocol in ("h2c", "HTTP/2.0", "TLS/1.2", "websocket, h2c")
    ),
    Probe(28, "the origin half-closes", an_origin_half_closes_a_tunnel, "arrives"),
    Probe(28, "the origin does not upgrade", returned(ok(), "upgrade", sent=UPGRADE), "200 open; ok"),
    Probe(28, "101, unasked", status(a_request(), SWITCH), "502 open"),
    Probe(
        30,
        "five requests in one write",
        pipelined_in_order,
        "200 200 200 200 200 open; GET /0, GET /1, GET /2, GET /3, GET /4; at most 1 at a time",
    ),
    Probe(
        30,
        "the second is bad",
        outcome(a_request(b"/1") + a_request(b"/2", b"X : 1\r\n") + a_request(b"/3"), *[b"GET"] * 3),
        "200 400 closed; origin: GET /1",
    ),
    Probe(30, "64 MB of requests", more_than_can_be_answered, "stalls; origin has 1 connection"),
)
