"""Everything the booking backend refuses to do: one class each, with its HTTP status, its stable code and its data.

The rim turns a Problem into problem+json (RFC 9457) or into a page; nothing else decides about statuses and codes.
Every sentence is said by `say`, so that a page can say it in the visitor's language.
"""

from collections.abc import Mapping, Sequence

from booking.sentences import say


class Problem(Exception):  # noqa: N818 the word of RFC 9457
    """Something that a client is told. `members` join the JSON document; `link` leads to where one can go on."""

    status = 500
    code = "internal_error"
    title: str = say("Something went wrong")

    def __init__(self, detail: str, *, link: str | None = None, **members: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.link = link
        self.members = members


class Invalid(Problem):
    """Input that does not hold; `faults` names every field with what would be right."""

    status, code, title = 400, "invalid", say("Please check what you entered")

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {fault}" for field, fault in faults.items()), faults=dict(faults))
        self.faults = faults


class Unknown(Problem):
    """There is no such thing, or it is somebody else's: the two look alike on purpose."""

    status, code, title = 404, "not_found", say("We could not find that")


class SignedOut(Problem):
    status, code, title = 401, "signed_out", say("Please log in")

    def __init__(self) -> None:
        super().__init__(say("This belongs to an account. Log in first."), link="/log-in")


class WrongCredentials(Problem):
    status, code, title = 401, "wrong_credentials", say("That did not match")

    def __init__(self) -> None:
        super().__init__(say("E-mail or password is wrong."))


class TooManyAttempts(Problem):
    """`retry_after_s` is told in the header Retry-After, too."""

    status, code, title = 429, "too_many_attempts", say("Too many attempts")

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(say("Please wait a while, then try again."), retry_after_s=retry_after_s)
        self.retry_after_s = retry_after_s


class EmailTaken(Problem):
    status, code, title = 409, "email_taken", say("There is an account already")

    def __init__(self) -> None:
        super().__init__(say("An account with this e-mail exists. Log in instead."), link="/log-in")


class Forged(Problem):
    status, code, title = 403, "forged_request", say("This request did not come from our pages")


class ForgedEvent(Problem):
    """A webhook whose signature does not fit, or is too old."""

    status, code, title = 400, "forged_event", say("This event did not come from the gateway")

    def __init__(self) -> None:
        super().__init__(say("The signature does not fit the body."))


class KeyInUse(Problem):
    status, code, title = 409, "idempotency_key_in_use", say("This request is being carried out")

    def __init__(self) -> None:
        super().__init__(say("The same request, by its Idempotency-Key, has not ended yet. Repeat it in a moment."))


class KeyReused(Problem):
    status, code, title = 422, "idempotency_key_reused", say("This key was used for something else")

    def __init__(self) -> None:
        super().__init__(say("The Idempotency-Key belongs to a request of another content. Take a new one."))


class FlightDeparted(Problem):
    status, code, title = 410, "flight_departed", say("This flight has departed")

    def __init__(self, number: str) -> None:
        super().__init__(say("Flight %(number)s has departed and can no longer be booked or changed.", number=number))


class SeatTaken(Problem):
    """`seats` are the ones that were lost; no other was taken either."""

    status, code, title = 409, "seat_taken", say("Someone was faster")

    def __init__(self, lost: Sequence[str], flight_id: int) -> None:
        super().__init__(
            say("Taken a moment ago: %(seats)s. Nothing is held. Choose again.", seats=", ".join(lost)),
            link=f"/flights/{flight_id}",
            seats=list(lost),
        )
        self.lost = tuple(lost)


class AlreadyHolding(Problem):
    status, code, title = 409, "already_holding", say("You hold seats already")

    def __init__(self, reference: str) -> None:
        link = f"/bookings/{reference}/pay"
        super().__init__(say("Pay for the seats that you hold, or cancel them, before you take others."), link=link)
        self.reference = reference


class AdmissionHolding(Problem):
    """The same, where the seats are held by another account: it is not told which."""

    status, code, title = 409, "admission_holding", say("Seats are held already")

    def __init__(self) -> None:
        super().__init__(say("By the place that you have here, seats are held by another account. One hold per place."))


class HoldExpired(Problem):
    status, code, title = 410, "hold_expired", say("The time to pay is over")

    def __init__(self, flight_id: int) -> None:
        super().__init__(say("The seats are free again. Choose anew."), link=f"/flights/{flight_id}")


class NotPayable(Problem):
    status, code, title = 409, "not_payable", say("This booking is not waiting to be paid")

    def __init__(self, reference: str, state: str) -> None:
        super().__init__(
            say("Booking %(reference)s is %(state)s.", reference=reference, state=state), link=f"/bookings/{reference}"
        )
        self.reference = reference


class PaymentRunning(Problem):
    status, code, title = 409, "payment_running", say("A payment is under way")

    def __init__(self, reference: str) -> None:
        super().__init__(
            say("Booking %(reference)s is being paid at this moment. Look again.", reference=reference),
            link=f"/bookings/{reference}",
        )


class NamesMissing(Problem):
    status, code, title = 409, "names_missing", say("Who travels?")

    def __init__(self, reference: str) -> None:
        super().__init__(
            say("Tell the names of all passengers before you pay."), link=f"/bookings/{reference}/passengers"
        )


class NotNameable(Problem):
    status, code, title = 409, "not_nameable", say("The names are fixed")

    def __init__(self, reference: str) -> None:
        super().__init__(say("Names can be changed until payment begins, not after."), link=f"/bookings/{reference}")


class NotCancellable(Problem):
    status, code, title = 409, "not_cancellable", say("This booking cannot be cancelled")

    def __init__(self, reference: str, state: str) -> None:
        super().__init__(
            say("Booking %(reference)s is %(state)s.", reference=reference, state=state), link=f"/bookings/{reference}"
        )


class GatewayUnavailable(Problem):
    """The gateway did not answer: nobody knows yet whether it did what it was asked for."""

    status, code, title = 503, "gateway_unavailable", say("The bank does not answer")

    def __init__(self) -> None:
        super().__init__(say("Try again in a moment. If you have paid already, do not pay again: we keep asking."))


class DatabaseUnavailable(Problem):
    status, code, title = 503, "database_unavailable", say("We cannot reach our records")

    def __init__(self) -> None:
        super().__init__(say("Please try again in a few seconds. Nothing was changed."))


class OutcomeUnknown(DatabaseUnavailable):
    """The connection was lost at COMMIT: it may have happened. The same request, by the same key, finds out."""

    code, title = "outcome_unknown", say("We do not know whether that worked")

    def __init__(self) -> None:
        Problem.__init__(self, say("Send the same request again: it is carried out once at most."))


class StoreUnavailable(Problem):
    """Redis, which keeps sessions, does not answer."""

    status, code, title = 503, "store_unavailable", say("Logging in does not work right now")

    def __init__(self) -> None:
        super().__init__(say("Please try again in a few seconds. Whoever is logged in stays so for some minutes."))


class AdmissionRefused(Problem):
    """`code` is one of the table in docs/admission-token.md."""

    status, title = 401, say("No valid admission")

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class OtherFlight(Problem):
    """The admission is good, but for the line of another flight: a person may see this, so it is told as a page too."""

    status, code, title = 401, "admission_key", say("You were let in to another flight")

    def __init__(self, key: str, flight_id: str) -> None:
        super().__init__(
            say(
                "Your place is for flight %(key)s. Flight %(flight_id)s has a line of its own.",
                key=key,
                flight_id=flight_id,
            ),
            link=f"/flights/{flight_id}",
        )


class AdmissionKeysUnavailable(Problem):
    status, code, title = 503, "admission_keys_unavailable", say("Admissions cannot be judged right now")

    def __init__(self) -> None:
        super().__init__(say("The key set of the waiting room cannot be read. Please try again in a few seconds."))
