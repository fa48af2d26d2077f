"""A lean flight-booking backend that believes nobody but the admission token."""
