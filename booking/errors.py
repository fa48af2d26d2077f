"""Everything the booking backend refuses to do: one class each, with its HTTP status, its stable code and its data.

The rim turns a Problem into problem+json (RFC 9457) or into a page; nothing else decides about statuses and codes.
"""


class Problem(Exception):  # noqa: N818 the word of RFC 9457
    """Something that a client is told. `members` join the JSON document; `link` leads to where one can go on."""

    status = 500
    code = "internal_error"
    title = "Something went wrong"

    def __init__(self, detail: str, *, link: str | None = None, **members: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.link = link
        self.members = members


class Invalid(Problem):
    """Input that does not hold; `faults` names every field with what would be right."""

    status, code, title = 400, "invalid", "Please check what you entered"

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {fault}" for field, fault in faults.items()), faults=faults)
        self.faults = faults


class Unknown(Problem):
    """There is no such thing, or it is somebody else's: the two look alike on purpose."""

    status, code, title = 404, "not_found", "We could not find that"


class SignedOut(Problem):
    status, code, title = 401, "signed_out", "Please log in"

    def __init__(self) -> None:
        super().__init__("This belongs to an account. Log in first.", link="/log-in")


class WrongCredentials(Problem):
    status, code, title = 401, "wrong_credentials", "That did not match"

    def __init__(self) -> None:
        super().__init__("E-mail or password is wrong.")


class EmailTaken(Problem):
    status, code, title = 409, "email_taken", "There is an account already"

    def __init__(self) -> None:
        super().__init__("An account with this e-mail exists. Log in instead.", link="/log-in")


class Forged(Problem):
    status, code, title = 403, "forged_request", "This request did not come from our pages"


class FlightDeparted(Problem):
    status, code, title = 410, "flight_departed", "This flight has departed"

    def __init__(self, number: str) -> None:
        super().__init__(f"Flight {number} has departed and can no longer be booked or changed.")


class SeatTaken(Problem):
    status, code, title = 409, "seat_taken", "Someone was faster"

    def __init__(self, label: str, flight_id: int) -> None:
        super().__init__(f"Seat {label} was taken a moment ago. Choose another one.", link=f"/flights/{flight_id}")


class AlreadyHolding(Problem):
    status, code, title = 409, "already_holding", "You hold a seat on this flight already"

    def __init__(self, reference: str) -> None:
        link = f"/bookings/{reference}/pay"
        super().__init__("Pay for the seat that you hold, or cancel it, before you take another.", link=link)
        self.reference = reference


class HoldExpired(Problem):
    status, code, title = 410, "hold_expired", "The time to pay is over"

    def __init__(self, flight_id: int) -> None:
        super().__init__("The seat is free again. Choose one anew.", link=f"/flights/{flight_id}")


class NotPayable(Problem):
    status, code, title = 409, "not_payable", "This booking is not waiting to be paid"

    def __init__(self, reference: str, state: str) -> None:
        super().__init__(f"Booking {reference} is {state}.", link=f"/bookings/{reference}")
        self.reference = reference


class PaymentRunning(Problem):
    status, code, title = 409, "payment_running", "A payment is under way"

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"We are waiting for the bank's answer about booking {reference}. Look again in a minute.",
            link=f"/bookings/{reference}",
        )


class PaymentDeclined(Problem):
    status, code, title = 402, "payment_declined", "The card was declined"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} Nothing was charged, and your seat is still held.", reason=reason)


class PaymentReturned(Problem):
    status, code, title = 409, "payment_returned", "Your money goes back"

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"The payment for booking {reference} could not become a ticket, so it is refunded in full.",
            link=f"/bookings/{reference}",
        )


class NotCancellable(Problem):
    status, code, title = 409, "not_cancellable", "This booking cannot be cancelled"

    def __init__(self, reference: str, state: str) -> None:
        super().__init__(f"Booking {reference} is {state}.", link=f"/bookings/{reference}")


class GatewayUnavailable(Problem):
    """The gateway did not answer: nobody knows yet whether the card was charged. The sweeper will ask again."""

    status, code, title = 503, "payment_undecided", "The bank has not answered yet"

    def __init__(self) -> None:
        super().__init__("Do not pay again: we keep asking, and the seat stays yours until we know.")


class DatabaseUnavailable(Problem):
    status, code, title = 503, "database_unavailable", "We cannot reach our records"

    def __init__(self) -> None:
        super().__init__("Please try again in a few seconds. Nothing was changed.")


class AdmissionRefused(Problem):
    """`code` is one of the table in docs/admission-token.md."""

    status, title = 401, "No valid admission"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class OtherFlight(Problem):
    """The admission is good, but for the line of another flight: a person may see this, so it is told as a page too."""

    status, code, title = 401, "admission_key", "You were let in to another flight"

    def __init__(self, key: str, flight_id: str) -> None:
        super().__init__(
            f"Your place is for flight {key}. Flight {flight_id} has a line of its own.", link=f"/flights/{flight_id}"
        )


class AdmissionKeysUnavailable(Problem):
    status, code, title = 503, "admission_keys_unavailable", "Admissions cannot be judged right now"

    def __init__(self) -> None:
        super().__init__("The key set of the waiting room cannot be read. Please try again in a few seconds.")
