"""What the bank refuses to do: one class each, with its HTTP status and its stable code."""


class Refused(Exception):  # noqa: N818 a refusal is no error of the bank
    """Told to who asked as JSON: `code` for programs, the sentence for people."""

    status = 400
    code = "invalid"


class NotOurs(Refused):
    """The secret is missing or wrong."""

    status, code = 401, "wrong_secret"


class NoSuchCheckout(Refused):
    status, code = 404, "no_such_checkout"


class KeyTaken(Refused):
    """The key came before, with another content."""

    status, code = 409, "key_taken"


class TooMuch(Refused):
    """More than was taken, or from a checkout that nobody has paid."""

    status, code = 409, "too_much"


class OutOfOrder(Refused):
    """As the faults on demand would have it."""

    status, code = 503, "out_of_order"


class NoLedger(Exception):  # noqa: N818 the bank cannot start
    """The file of the ledger cannot be opened."""
