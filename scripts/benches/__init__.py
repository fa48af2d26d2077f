"""The questions of `scripts/bench`. Each is a module here, and has a click command called `command`."""

QUESTIONS = ("forward", "poll", "join", "memory", "precision", "booking", "sale")
