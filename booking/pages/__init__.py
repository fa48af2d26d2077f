"""The pages for people, a module for each part of the way: each handler reads the request, makes one call, and shows a
page or leads to the next."""

from booking.pages import account, bookings, card, payment, search, seats, signing_in

routes = [
    *search.routes,
    *seats.routes,
    *bookings.routes,
    *payment.routes,
    *card.routes,
    *signing_in.routes,
    *account.routes,
]
