"""How the API writes down what there is: flights, seats, bookings and accounts, as openapi.yaml describes them."""

from typing import Any

from booking.account import Account
from booking.airports import Airport
from booking.bookings import Booking, Passenger
from booking.fares import FARES
from booking.flights import CabinOffer, Flight, SeatMap
from booking.sessions import Session

Document = dict[str, Any]


def of_airport(airport: Airport) -> Document:
    return _members(airport, "code", "city", "name", "country", "zone_name")


def of_flight(flight: Flight) -> Document:
    return _members(flight, "id", "number", "origin", "destination") | {
        "departs": flight.departs.isoformat(),
        "arrives": flight.arrives.isoformat(),
        **_members(flight, "aircraft", "grade", "currency"),
        "cabins": [_of_cabin(flight, offer) for offer in flight.cabins],
    }


def _of_cabin(flight: Flight, offer: CabinOffer) -> Document:
    prices = {fare: flight.price_minor(offer.cabin, fare) for fare in FARES}
    return _members(offer, "cabin", "seats", "free") | {"price_minor": prices}


def of_seat_map(shown: SeatMap) -> Document:
    names = ("label", "cabin", "map_row", "map_column", "state", "version", "price_minor")
    return {"flight": of_flight(shown.flight), "seats": [_members(seat, *names) for seat in shown.seats]}


def of_booking(booking: Booking, now_s: int) -> Document:
    return {
        **_members(booking, "reference", "state", "version"),
        "flight": of_flight(booking.flight),
        "fare": booking.fare,
        "passengers": [_of_passenger(passenger) for passenger in booking.passengers],
        **_members(booking, "amount_minor", "currency"),
        "held_until_s": booking.held_until_s if booking.is_unpaid else None,
        "awaits_payment": booking.awaits_payment,
        **_members(booking, "refund_percent", "refund_until_s"),
        "refund_now_minor": booking.refund_minor(now_s),
        **_members(booking, "refunded_minor", "due_minor", "created_s"),
    }


def _of_passenger(passenger: Passenger) -> Document:
    return _members(passenger, "position", "seat", "cabin", "price_minor", "name", "ticket")


def of_account(account: Account) -> Document:
    return _members(account, "email", "name", "language")


def of_session(session: Session, *, is_here: bool) -> Document:
    return _members(session, "begun_s", "used_s", "browser") | {"is_here": is_here}


def _members(thing: object, *names: str) -> Document:
    return {name: getattr(thing, name) for name in names}
