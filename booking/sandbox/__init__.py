"""The sandbox bank: a payment gateway to try out and to test with. It knows test cards only, and moves no money.

It is a process of its own, with a ledger of its own. Booking reaches it as it would a real one: by HTTP with a secret.
"""
