"""A fair, fast, self-hosted waiting room in front of any site."""

__version__ = "0.1.0"
