"""The fares: what a seat costs by each, and what comes back of it when the booking is cancelled."""

from dataclasses import dataclass

HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Fare:
    """`price_percent` of the cabin's price. Until `refund_before_s` before the departure `refund_percent` comes back,
    after that nothing."""

    code: str
    price_percent: int
    refund_percent: int
    refund_before_s: int

    def price_minor(self, cabin_price_minor: int) -> int:
        """What one seat costs, in whole minor units, rounded up."""
        return -(-cabin_price_minor * self.price_percent // 100)

    def refund_until_s(self, departs_s: int) -> int:
        return departs_s - self.refund_before_s


FARES = {
    fare.code: fare
    for fare in (
        Fare("saver", price_percent=100, refund_percent=70, refund_before_s=24 * HOUR_S),
        Fare("flex", price_percent=130, refund_percent=100, refund_before_s=0),
    )
}
DEFAULT_FARE = "saver"
