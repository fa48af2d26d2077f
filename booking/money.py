"""Money as people read it: from minor units and a currency to `$1,240.00` or `₩68,200`."""

# Sign, and how many digits of the minor unit stand behind the point (ISO 4217).
CURRENCIES = {"USD": ("$", 2), "KRW": ("₩", 0)}


def spelled(amount_minor: int, currency: str) -> str:
    sign, digits = CURRENCIES[currency]
    return f"{sign}{amount_minor / 10**digits:,.{digits}f}"
