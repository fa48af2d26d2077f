"""What Redis wrote down about a line: from its append-only file, in which every change stands in its order, whichever
process made it. Nothing is sampled, so that nothing is missed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from waitroom.store_keys import PARTS, line_keys

INSIDE = PARTS.index("inside")


@dataclass(slots=True)
class Written:
    """A line's calls, each the number and the moment (ms, of Redis's clock), and the most that were ever inside,
    counted after each single change. `full_ms` is the first call that filled the last place; None if none did."""

    calls: list[tuple[int, int]] = field(default_factory=list)
    most_inside: int = 0
    full_ms: int | None = None


def commands(data: bytes) -> Iterator[list[bytes]]:
    """The commands in an append-only file (RESP, arrays of bulk strings); what is cut off at its end is left out."""
    at, size = 0, len(data)
    while at < size:
        line_end = data.find(b"\r\n", at)
        if line_end < 0:
            return
        if data[at] != ord("*"):  # an annotation
            at = line_end + 2
            continue
        words: list[bytes] = []
        count, at = int(data[at + 1 : line_end]), line_end + 2
        for _ in range(count):
            line_end = data.find(b"\r\n", at)
            end = line_end + 2 + int(data[at + 1 : line_end]) if line_end >= 0 else size + 1
            if end + 2 > size:
                return
            words.append(data[line_end + 2 : end])
            at = end + 2
        yield words


def read(folder: Path) -> bytes:
    """All that the Redis of this folder has written since it began."""
    before_7 = folder / "appendonly.aof"
    files = [before_7] if before_7.exists() else sorted((folder / "appendonlydir").glob("*.incr.aof"))
    return b"".join(path.read_bytes() for path in files)


def written(told: Iterable[list[bytes]], line: str, claim_ms: int, cap: int) -> Written:
    """What they say of a line. A lease of who was not inside before is a call: it ends a claim window later. Raises
    ValueError where who is inside came there by a command that is not known here."""
    key = line_keys(line)[INSIDE].encode()
    story, inside = Written(), set[bytes]()
    for command, *words in told:
        if key not in words:
            continue
        match command.upper():
            case b"ZADD":
                for lease, number in zip(words[1::2], words[2::2], strict=True):
                    if number not in inside:
                        inside.add(number)
                        story.calls.append((int(float(number)), round(float(lease)) - claim_ms))
                if len(inside) >= cap and story.full_ms is None:
                    story.full_ms = story.calls[-1][1]
            case b"ZREM":
                inside.difference_update(words[1:])
            case b"PEXPIRE" | b"PEXPIREAT":
                pass
            case _:
                raise ValueError(f"{command.decode()} changes who is inside")
        story.most_inside = max(story.most_inside, len(inside))
    return story
