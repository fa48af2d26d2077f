"""A fair, fast, self-hosted waiting room in front of any site."""
