"""What each mail says: its subject and its sentences, to be told in the reader's language."""

from booking.bookings import Booking
from booking.language import Language
from booking.sentences import Sentence, say


def subject(event: str, booking: Booking) -> Sentence:
    reference = booking.reference
    match event:
        case "ticketed":
            number = booking.flight.number
            return say("Your tickets for flight %(number)s, booking %(reference)s", number=number, reference=reference)
        case "cancelled":
            return say("Your booking %(reference)s is cancelled", reference=reference)
        case "refunded":
            return say("The refund for your booking %(reference)s", reference=reference)
        case "returned":
            return say("Your payment for booking %(reference)s went back", reference=reference)
        case _:
            raise ValueError(f"there is no mail {event}")


def sentences(event: str, refund: str) -> list[Sentence]:
    """`refund` is the amount that goes or went back, as the reader's language spells it; empty for none."""
    went_back = say("We have given back %(refund)s. Some banks take a few days to show it.", refund=refund)
    match event:
        case "ticketed":
            return [say("Thank you. Your booking is paid, and these are your tickets.")]
        case "cancelled" if refund:
            return [
                say("Your tickets are no longer valid, and the seats are on sale again."),
                say("We give %(refund)s back to the card that paid, and write again when that is done.", refund=refund),
            ]
        case "cancelled":
            return [
                say("Your tickets are no longer valid, and the seats are on sale again."),
                say("By the rule of the fare nothing comes back any more."),
            ]
        case "refunded":
            return [went_back]
        case "returned":
            return [say("No ticket could be issued for it: it came too late, or was not the price."), went_back]
        case _:
            raise ValueError(f"there is no mail {event}")


def fare_rule(booking: Booking, language: Language) -> str:
    """What comes back of the price, and until when by the clock of the airport that one leaves from."""
    percent, until_s = booking.refund_percent, booking.refund_until_s
    if until_s >= booking.flight.departs_s:
        rule = say("If you cancel before the departure, %(percent)d%% of the price comes back.", percent=percent)
    else:
        rule = say(
            "If you cancel before %(until)s, %(percent)d%% of the price comes back. After that nothing does.",
            until=language.moment(booking.flight.leaves_from.local(until_s)),
            percent=percent,
        )
    return language.tell(rule)
