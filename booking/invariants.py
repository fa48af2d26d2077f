"""What must hold of the records at any moment: each rule as a query that finds what breaks it, and finds nothing.

The queries read the whole database: for an auditor, after a night of sale or a crash, and for tests.
"""

from dataclasses import dataclass

from sqlalchemy import text

from booking.db import Database
from booking.steps import STEPS

_FORWARD = " OR ".join(
    f"(`before` = '{before}' AND `after` = '{after}')" for before, afters in STEPS.items() for after in sorted(afters)
)

INVARIANTS = {
    "one owner per seat": """
        SELECT s.flight_id, s.label, s.state, s.booking_id FROM seats s
        LEFT JOIN bookings b ON b.id = s.booking_id AND b.flight_id = s.flight_id
        LEFT JOIN passengers p ON p.booking_id = b.id AND p.seat = s.label
        WHERE (s.state = 'free') <> (s.booking_id IS NULL)
        OR (s.booking_id IS NOT NULL AND p.seat IS NULL)
        OR (s.state = 'held' AND b.state NOT IN ('held', 'paying'))
        OR (s.state = 'sold' AND b.state <> 'ticketed')""",
    "a party has all of its seats or none": """
        SELECT b.reference, b.state, b.party, COUNT(s.label) AS owned FROM bookings b
        LEFT JOIN seats s ON s.booking_id = b.id
        GROUP BY b.id, b.reference, b.state, b.party
        HAVING COUNT(s.label) <> CASE WHEN b.state IN ('held', 'paying', 'ticketed') THEN b.party ELSE 0 END""",
    "a party has as many passengers as seats, for its price": """
        SELECT b.reference, b.party, b.amount_minor FROM bookings b LEFT JOIN passengers p ON p.booking_id = b.id
        GROUP BY b.id, b.reference, b.party, b.amount_minor
        HAVING COUNT(p.seat) <> b.party OR SUM(p.price_minor) <> b.amount_minor""",
    "free seats are counted right": """
        SELECT c.flight_id, c.cabin, c.seats, c.free FROM flight_cabins c
        LEFT JOIN seats s ON s.flight_id = c.flight_id AND s.cabin = c.cabin
        GROUP BY c.flight_id, c.cabin, c.seats, c.free
        HAVING COUNT(s.label) <> c.seats OR SUM(CASE s.state WHEN 'free' THEN 1 ELSE 0 END) <> c.free""",
    "captured money is a ticket, kept by its fare, refunded or due back": """
        SELECT b.reference, b.state, b.amount_minor, COALESCE(m.captured, 0), COALESCE(m.back, 0) FROM bookings b
        LEFT JOIN (
            SELECT p.booking_id, SUM(p.captured_minor) AS captured, SUM(COALESCE(r.back, 0)) AS back FROM payments p
            LEFT JOIN (SELECT payment_id, SUM(amount_minor) AS back FROM refunds GROUP BY payment_id) r
            ON r.payment_id = p.id GROUP BY p.booking_id
        ) m ON m.booking_id = b.id
        LEFT JOIN audit_log a ON a.booking_id = b.id AND a.`before` = 'ticketed' AND a.`after` = 'cancelled'
        WHERE COALESCE(m.captured, 0) - COALESCE(m.back, 0) <> CASE
            WHEN b.state = 'ticketed' OR a.at_s >= b.refund_until_s THEN b.amount_minor
            WHEN a.at_s < b.refund_until_s
                THEN b.amount_minor
                    - (b.amount_minor * b.refund_percent - b.amount_minor * b.refund_percent % 100) / 100
            ELSE 0 END""",
    "no more goes back than was captured": """
        SELECT p.`key`, p.captured_minor FROM payments p JOIN refunds r ON r.payment_id = p.id
        GROUP BY p.id, p.`key`, p.captured_minor HAVING SUM(r.amount_minor) > p.captured_minor""",
    "only what was captured is counted as captured": """
        SELECT `key`, state, captured_minor FROM payments WHERE (state = 'captured') <> (captured_minor > 0)""",
    "every passenger of a ticket has its number": """
        SELECT b.reference, b.state, p.position FROM bookings b JOIN passengers p ON p.booking_id = b.id
        WHERE (b.state IN ('ticketed', 'refunded') AND (p.ticket IS NULL OR p.name IS NULL))
        OR (b.state IN ('held', 'paying', 'expired') AND p.ticket IS NOT NULL)""",
    "an unpaid booking is marked as such": """
        SELECT reference, state, unpaid, open_payment FROM bookings
        WHERE (state IN ('held', 'paying')) <> (unpaid IS NOT NULL)
        OR (open_payment IS NOT NULL AND state <> 'paying')""",
    "states move forward, each as the log says": f"""
        SELECT * FROM (
            SELECT b.reference, b.state, a.id, a.`before`, a.`after`,
            LAG(a.`after`) OVER (PARTITION BY a.booking_id ORDER BY a.id) AS was,
            LEAD(a.id) OVER (PARTITION BY a.booking_id ORDER BY a.id) AS next_id
            FROM audit_log a JOIN bookings b ON b.id = a.booking_id WHERE a.`after` IS NOT NULL
        ) log
        WHERE COALESCE(`before`, '') <> COALESCE(was, '') OR (`before` IS NULL AND `after` <> 'held')
        OR (`before` IS NOT NULL AND NOT ({_FORWARD}))
        OR (next_id IS NULL AND `after` <> state)""",  # noqa: S608 the states are our own words
    "one effect per idempotency key": """
        SELECT effect, COUNT(*) FROM idempotency_keys WHERE effect IS NOT NULL AND effect NOT LIKE '%:%'
        GROUP BY effect HAVING COUNT(*) > 1""",
    "the owner of a ticket is told, once": """
        SELECT b.reference, b.state, COUNT(o.id) FROM bookings b
        JOIN audit_log a ON a.booking_id = b.id AND a.`after` = 'ticketed'
        LEFT JOIN outbox o ON o.event = 'ticketed' AND REPLACE(o.`key`, 'ticketed:', '') = b.reference
        GROUP BY b.id, b.reference, b.state HAVING COUNT(o.id) <> 1""",
    "nobody is told of a ticket that is none": """
        SELECT o.`key` FROM outbox o WHERE o.event = 'ticketed' AND NOT EXISTS (
            SELECT 1 FROM bookings b JOIN audit_log a ON a.booking_id = b.id AND a.`after` = 'ticketed'
            WHERE REPLACE(o.`key`, 'ticketed:', '') = b.reference)""",
}


@dataclass(frozen=True, slots=True)
class Breach:
    """A row that breaks an invariant."""

    invariant: str
    row: tuple[object, ...]

    def __str__(self) -> str:
        return f"{self.invariant}: {self.row}"


async def breaches(db: Database) -> list[Breach]:
    """Everything in the records that breaks an invariant. Empty, if nobody writes to the database by hand."""
    found: list[Breach] = []
    async with db.reading("invariants") as connection:
        for name, query in INVARIANTS.items():
            found += [Breach(name, tuple(row)) for row in await connection.execute(text(query))]
    return found
