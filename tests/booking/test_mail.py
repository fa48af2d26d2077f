"""Tickets and refunds leave by mail: taken once by a real SMTP server, whole, and in the reader's language."""

import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import select, update

from booking import backlog, boarding_code, language, refunds
from booking.account import Account
from booking.backlog import LEASE_S, LONGEST_PAUSE_S
from booking.courier import Courier
from booking.db import Database
from booking.letters import Letters
from booking.smtp import Server
from booking.tables import accounts, outbox, passengers
from booking.worker import Worker
from tests.booking.bench import HOUR_S, Clock, add_flight, departure, rows
from tests.booking.post_office import PostOffice
from tests.booking.sale import Sale
from tests.servers import Authority

LETTERS = Letters("Halcyon Air <tickets@halcyon.example>", "https://air.example.org", language.load())


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Of one kind: what is sent does not depend on it. That it is sent does, see test_outbox."""
    return f"sqlite+aiosqlite:///{tmp_path / 'booking.db'}"


@pytest.fixture
async def sale(db: Database) -> Sale:
    return Sale(db, await add_flight(db, departure()))


@pytest.fixture
async def ada(sale: Sale) -> Account:
    return await sale.buyer("ada")


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with PostOffice() as office:
        yield office


def courier(db: Database, clock: Clock, url: str) -> Worker:
    return Courier(db, LETTERS, Server.at(url) if url else None, None).worker(lambda: int(clock()))


@pytest.fixture
async def post(db: Database, clock: Clock, office: PostOffice) -> Worker:
    """The courier of that office. Events have no receiver."""
    return courier(db, clock, office.url())


async def speaks(sale: Sale, account: Account, code: str) -> None:
    async with sale.db.engine.begin() as connection:
        await connection.execute(update(accounts).where(accounts.c.id == account.id).values(language=code))


def text_of(mail: EmailMessage) -> str:
    return part(mail, "plain")


def html_of(mail: EmailMessage) -> str:
    return part(mail, "html")


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content())


def pictures(mail: EmailMessage) -> dict[str, bytes]:
    """By the names under which the HTML shows them."""
    return {
        str(each["Content-ID"]).strip("<>"): cast(bytes, each.get_content())
        for each in mail.walk()
        if each.get_content_type() == "image/png"
    }


async def states(db: Database) -> list[str]:
    """Of the mails in the outbox."""
    return [row.state for row in await rows(db, select(outbox.c.state).where(outbox.c.kind == "mail"))]


async def test_a_ticket_is_mailed_once_to_who_booked(
    sale: Sale, ada: Account, office: PostOffice, post: Worker
) -> None:
    reference = await sale.ticketed(ada, "7C")

    await post.work_off()
    await post.work_off()

    [mail] = office.mails
    assert office.recipients == ["ada@example.org"]
    assert mail["From"] == "Halcyon Air <tickets@halcyon.example>"
    assert mail["To"] == "ada@example.org"
    assert mail["Subject"] == f"Your tickets for flight H7 102, booking {reference}"
    assert mail["Message-ID"] == f"<ticketed.{reference}@halcyon.example>"
    assert mail["Date"] == "Fri, 15 Jan 2027 08:00:00 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Content-Language"] == "en"


async def test_a_ticket_tells_all_that_one_needs_to_fly(
    sale: Sale, ada: Account, office: PostOffice, post: Worker
) -> None:
    reference = await sale.ticketed(ada, "7C", "7D", fare="flex")
    booking = await sale.booking(ada, reference)

    await post.work_off()

    [mail] = office.mails
    for body in (text_of(mail), html_of(mail)):
        for needed in (
            reference,
            "H7 102, Airbus A220",
            "Sun, 17 Jan 2027 17:00 (Korean Standard Time)",
            "Sun, 17 Jan 2027 18:00 (Korean Standard Time)",
            "Seoul Incheon (ICN)",
            "Jeju Jeju International (CJU)",
            "₩205,400",
            "Flex. If you cancel before the departure, 100% of the price comes back.",
            f"https://air.example.org/bookings/{reference}",
            *(str(passenger.name) for passenger in booking.passengers),
            *(f"{passenger.seat}, economy" for passenger in booking.passengers),
            *(str(passenger.ticket) for passenger in booking.passengers),
        ):
            assert needed in body


async def test_each_passenger_has_a_code_that_the_html_shows(
    sale: Sale, ada: Account, office: PostOffice, post: Worker
) -> None:
    reference = await sale.ticketed(ada, "7C", "7D", "7E")
    booking = await sale.booking(ada, reference)

    await post.work_off()

    [mail] = office.mails
    shown = pictures(mail)
    assert len(shown) == 3
    for passenger in booking.passengers:
        code = f"H7:{reference}:{passenger.ticket}"
        assert shown[f"{passenger.ticket}@halcyon.example"] == boarding_code.png(code)
        assert f'src="cid:{passenger.ticket}@halcyon.example"' in html_of(mail)
        assert f'alt="Boarding code of {passenger.name}: {code}"' in html_of(mail)


async def test_a_mail_is_in_the_language_of_its_account(
    sale: Sale, ada: Account, office: PostOffice, post: Worker
) -> None:
    await speaks(sale, ada, "ko")
    reference = await sale.ticketed(ada, "7C")

    await post.work_off()

    [mail] = office.mails
    assert mail["Subject"] == f"H7 102편 항공권 (예약 번호 {reference})"
    assert mail["Content-Language"] == "ko"
    assert '<html lang="ko">' in html_of(mail)
    for body in (text_of(mail), html_of(mail)):
        assert "2027년 1월 17일 (일) 17:00 (대한민국 표준시)" in body
        assert (
            "세이버. 2027년 1월 16일 (토) 17:00 (대한민국 표준시) 전에 취소하시면 운임의 70%를 돌려 드립니다." in body
        )


async def test_a_cancellation_tells_what_comes_back_and_the_refund_that_it_has(
    sale: Sale, ada: Account, office: PostOffice, post: Worker
) -> None:
    reference = await sale.ticketed(ada, "7C")
    await post.work_off()

    await sale.cancel(ada, reference)
    await post.work_off()
    await refunds.refund(sale.db, sale.bank, sale.now_s)
    await post.work_off()

    [_ticket, cancelled, refunded] = office.mails
    assert cancelled["Subject"] == f"Your booking {reference} is cancelled"
    assert "We give ₩55,300 back to the card that paid" in text_of(cancelled)
    assert refunded["Subject"] == f"The refund for your booking {reference}"
    assert "We have given back ₩55,300." in html_of(refunded)


async def test_a_cancellation_that_brings_nothing_back_says_so(
    sale: Sale, ada: Account, office: PostOffice, post: Worker, clock: Clock
) -> None:
    reference = await sale.ticketed(ada, "7C")
    clock.pass_s(25 * HOUR_S)
    sale.now_s = clock.now_s
    await sale.cancel(ada, reference)

    await post.work_off()

    assert "By the rule of the fare nothing comes back any more." in text_of(office.mails[-1])


async def test_money_that_bought_no_ticket_is_told_to_have_gone_back(
    sale: Sale, ada: Account, office: PostOffice, post: Worker
) -> None:
    reference, key = await sale.checked_out(ada, "7C")
    sale.bank.pay(key, amount_minor=1)
    await sale.settle(key)
    await refunds.refund(sale.db, sale.bank, sale.now_s)

    await post.work_off()

    [mail] = office.mails
    assert mail["Subject"] == f"Your payment for booking {reference} went back"
    assert "We have given back ₩1." in text_of(mail)


async def test_a_ticket_that_is_cancelled_before_it_leaves_is_not_sent(
    sale: Sale, ada: Account, office: PostOffice, post: Worker
) -> None:
    await sale.cancel(ada, await sale.ticketed(ada, "7C"))

    await post.work_off()

    [mail] = office.mails
    assert "is cancelled" in mail["Subject"]


async def test_while_no_server_answers_the_ticket_waits_and_then_arrives_once(
    sale: Sale, ada: Account, office: PostOffice, post: Worker, clock: Clock
) -> None:
    office.stop()
    await sale.ticketed(ada, "7C")
    for _ in range(3):
        await post.work_off()
        clock.pass_s(LONGEST_PAUSE_S)

    office.start()
    await post.work_off()
    clock.pass_s(LONGEST_PAUSE_S)
    await post.work_off()

    assert len(office.mails) == 1
    assert await states(sale.db) == ["done"]


async def test_a_mail_that_was_sent_when_its_process_died_is_sent_again_under_the_same_id(
    sale: Sale, ada: Account, office: PostOffice, post: Worker, clock: Clock
) -> None:
    await sale.ticketed(ada, "7C")
    dying = Courier(sale.db, LETTERS, Server.at(office.url()), None)
    for row in await backlog.claim(sale.db, outbox, int(clock()), 10):
        await dying.deliver(row)

    clock.pass_s(LEASE_S)
    await post.work_off()

    [first, second] = office.mails
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        ({"refusal": "550 no such user"}, "dead"),
        ({"refusal": "450 try later"}, "due"),
        ({"end_of_data": "554 this is no mail"}, "dead"),
        ({"end_of_data": "451 try later"}, "due"),
    ],
    ids=["no such user", "user busy", "mail refused", "disk full"],
)
async def test_only_what_a_server_refuses_for_good_is_given_up(
    sale: Sale, ada: Account, office: PostOffice, post: Worker, answers: dict[str, str], state: str
) -> None:
    vars(office).update(answers)
    await sale.ticketed(ada, "7C")

    await post.work_off()

    assert await states(sale.db) == [state]
    assert office.mails == []


async def test_without_a_server_a_mail_is_logged_and_done(
    sale: Sale, ada: Account, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    reference = await sale.ticketed(ada, "7C")

    await courier(sale.db, clock, "").work_off()

    assert f"ticketed:{reference} was not sent: BOOKING_SMTP_URL is not set" in caplog.text
    assert await states(sale.db) == ["done"]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that this process trusts."""
    authority = Authority(tmp_path / "authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    return authority


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    return tls_of(authority)


def tls_of(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.certificate, authority.key)
    return context


# aiosmtpd warns of a log-in before STARTTLS, and does not see the TLS that is there from the start.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize(("scheme", "implicit_tls"), [("smtp+starttls", False), ("smtps", True)])
async def test_a_server_with_tls_and_log_in_takes_mails(
    sale: Sale, ada: Account, clock: Clock, tls: ssl.SSLContext, scheme: str, implicit_tls: bool
) -> None:
    await sale.ticketed(ada, "7C")
    with PostOffice(tls, implicit_tls=implicit_tls, login=True) as office:
        await courier(sale.db, clock, office.url(scheme, "halcyon:p%40ss%2Fword@")).work_off()

    assert len(office.mails) == 1


async def test_a_wrong_log_in_is_ours_to_mend_and_no_mail_is_lost(
    sale: Sale, ada: Account, clock: Clock, tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    await sale.ticketed(ada, "7C")
    with PostOffice(tls, login=True) as office:
        await courier(sale.db, clock, office.url("smtp+starttls", "halcyon:wrong@")).work_off()

    assert await states(sale.db) == ["due"]
    assert "535" in caplog.text
    assert "wrong" not in caplog.text


async def test_a_server_that_nobody_vouches_for_gets_neither_mail_nor_password(
    sale: Sale, ada: Account, clock: Clock, tmp_path: Path
) -> None:
    await sale.ticketed(ada, "7C")
    with PostOffice(tls_of(Authority(tmp_path / "stranger")), login=True) as office:
        await courier(sale.db, clock, office.url("smtp+starttls", "halcyon:p%40ss%2Fword@")).work_off()

    assert await states(sale.db) == ["due"]
    assert office.mails == []


@pytest.mark.parametrize(
    "address",
    ["ada@example.org\r\nBcc: eve@example.org", "ada@example.org, eve@example.org", "ada", "", "<>", "@example.org"],
)
async def test_no_address_brings_in_a_header_or_another_recipient(
    sale: Sale, ada: Account, office: PostOffice, post: Worker, address: str
) -> None:
    await sale.ticketed(ada, "7C")
    async with sale.db.engine.begin() as connection:
        await connection.execute(update(outbox).where(outbox.c.kind == "mail").values(address=address))

    await post.work_off()

    assert await states(sale.db) == ["dead"]
    assert office.mails == []


async def test_a_name_is_text_and_neither_html_nor_a_header(
    sale: Sale, ada: Account, office: PostOffice, post: Worker
) -> None:
    name = "Ada <img src=x>\r\nBcc: eve@example.org"
    reference, key = await sale.checked_out(ada, "7C")
    async with sale.db.engine.begin() as connection:
        await connection.execute(update(passengers).values(name=name))
    sale.bank.pay(key)
    await sale.settle(key)

    await post.work_off()

    [mail] = office.mails
    assert office.recipients == ["ada@example.org"]
    assert mail["Bcc"] is None
    assert reference in mail["Subject"]
    assert "Ada &lt;img src=x&gt;" in html_of(mail)
