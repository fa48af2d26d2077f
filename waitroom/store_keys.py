"""All keys in Redis. One line's keys share a hash tag, so that a line lives on one shard."""

PARTS = (
    "state", "here", "seen", "late", "back", "inside", "spent", "revoked", "ended", "people", "lines", "scratch",
    "moved", "receipts", "expiry", "tries",
)  # fmt: skip
# Of a room; they live where the line does that has the room's name.
DESK_PARTS = ("desk", "vitals", "history", "audit", "leader")


def line_keys(line: str) -> list[str]:
    """The keys of a line, in the order in which every transition declares them."""
    return [f"wr:{{{line}}}:{part}" for part in PARTS]


def desk_keys(room: str) -> list[str]:
    """The keys of a room's desk, in the order in which every transition of it declares them."""
    return [f"wr:{{{room}}}:{part}" for part in DESK_PARTS]


def probe_key(line: str) -> str:
    """A key that lives where the line does, and that nobody ever writes: deleting it tells whether one could."""
    return f"wr:{{{line}}}:probe"
