"""The same as the pages, for programs: JSON in, JSON out, by the same services. openapi.yaml is the contract."""

from booking.api import account, bookings, contract, flights

routes = [*flights.routes, *bookings.routes, *account.routes, *contract.routes]
