"""The draw: a permutation of every size, fair to single arrivals and to pairs, that a stranger can compute anew."""

import base64
import hashlib
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from itertools import permutations
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from waitroom.cli import main
from waitroom.draw import LARGEST_SIZE, ROUNDS, Draw, arrival_in, commitment, permute, seed_of
from waitroom.errors import MalformedTicketError
from waitroom.ticket import Ticket, TicketSigner

SEED = bytes(range(32))
COMMITMENT = "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd"
DOC = (Path(__file__).parents[2] / "docs/draw.md").read_text()
VECTORS = [tuple(map(int, row)) for row in re.findall(r"^\| (\d+) \| (\d+) \| (\d+) \|$", DOC, re.MULTILINE)]

# Of the normal distribution: a fair count exceeds the critical value once in a hundred thousand times.
NORMAL_QUANTILE = 4.265
DRAWS = 2_000

Permutation = Callable[[bytes, int, int], int]


def seeds(count: int) -> Iterable[bytes]:
    return (hashlib.sha256(b"seed %d" % n).digest() for n in range(count))


@cache
def draws(permutation: Permutation, size: int) -> list[list[int]]:
    """For each of many seeds, always the same ones, where every index went."""
    return [[permutation(seed, index, size) for index in range(size)] for seed in seeds(DRAWS)]


def is_uniform(counts: Counter[object], cells: int) -> bool:
    """Pearson's chi-square test; the critical value is Wilson and Hilferty's approximation."""
    total = counts.total()
    expected = total / cells
    assert expected >= 5, "too few for the approximation"
    statistic = sum(count**2 for count in counts.values()) / expected - total
    freedom = cells - 1
    spread = 2 / (9 * freedom)
    return statistic <= freedom * (1 - spread + NORMAL_QUANTILE * math.sqrt(spread)) ** 3


def places_are_uniform(permutation: Permutation, size: int) -> bool:
    drawn = draws(permutation, size)
    return all(is_uniform(Counter(places[index] for places in drawn), size) for index in range(size))


def pairs_are_uniform(permutation: Permutation, size: int) -> bool:
    drawn = draws(permutation, size)
    return all(
        is_uniform(Counter((places[one], places[other]) for places in drawn), size * (size - 1))
        for one, other in permutations(range(size), 2)
        if one < other
    )


def by_the_book(seed: bytes, arrival: int, size: int, rounds: int = 12) -> int:
    """docs/draw.md, read anew: the place from 1."""
    height = next(side for side in range(math.isqrt(size), size + 8) if side >= 8 and side * side >= size)
    width = next(side for side in range(size // height, size + 8) if side >= 8 and side * height >= size)
    cell = arrival
    while True:
        halves = [cell // width, cell % width]
        for number in range(rounds):
            left, right = halves[-2:]
            digest = hashlib.sha256(b"".join([seed, bytes([number]), bytes.fromhex(f"{right:016x}")]))
            halves.append((left + int(digest.hexdigest(), 16)) % (width if number % 2 else height))
        cell = halves[-2] * width + halves[-1]
        if cell < size:
            return cell + 1


# The permutation


def test_it_is_a_permutation_of_every_small_size() -> None:
    for size in range(1, 601):
        assert sorted(permute(SEED, index, size) for index in range(size)) == list(range(size))


def test_it_is_a_permutation_of_65536() -> None:
    assert len({permute(SEED, index, 2**16) for index in range(2**16)}) == 2**16


@pytest.mark.parametrize("size", [99_991, 999_983, 2**20 + 1, 10**9 + 7, 2**40 + 3, LARGEST_SIZE])
def test_no_two_arrivals_of_a_large_draw_share_a_place(size: int) -> None:
    arrivals = {*range(1_000), *range(size - 1_000, size), *range(0, size, size // 1_000)}
    places = {permute(SEED, arrival, size) for arrival in arrivals}
    assert len(places) == len(arrivals)
    assert min(places) >= 0
    assert max(places) < size


@pytest.mark.parametrize(("index", "size"), [(-1, 10), (10, 10), (0, 0), (0, -1), (0, LARGEST_SIZE + 1)])
def test_what_is_outside_the_draw_is_refused(index: int, size: int) -> None:
    with pytest.raises(ValueError, match=f"{index} is not in a draw of {size}"):
        permute(SEED, index, size)


@given(st.binary(min_size=32, max_size=32), st.integers(1, LARGEST_SIZE), st.data())
def test_a_stranger_who_reads_the_document_gets_the_same_places(seed: bytes, size: int, data: st.DataObject) -> None:
    arrival = data.draw(st.integers(0, size - 1))
    assert Draw(seed, size).place(arrival) == by_the_book(seed, arrival, size)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 200))
def test_a_stranger_gets_the_same_small_draws(seed: bytes, size: int) -> None:
    assert Draw(seed, size).place(size - 1) == by_the_book(seed, size - 1, size)


@pytest.mark.parametrize(("size", "arrival", "place"), VECTORS)
def test_the_places_in_the_document_are_ours(size: int, arrival: int, place: int) -> None:
    assert Draw(SEED, size).place(arrival) == place


def test_the_document_has_its_table_and_the_seed_and_commitment_of_it() -> None:
    assert len(VECTORS) == 19
    assert f"`{SEED.hex()}`" in DOC
    assert f"`{COMMITMENT}`" in DOC


# Fairness


@pytest.mark.parametrize("size", [2, 3, 4, 5, 7, 8, 13])
def test_every_arrival_gets_every_place_equally_often(size: int) -> None:
    assert places_are_uniform(permute, size)


@pytest.mark.parametrize("size", [2, 3, 4, 5, 7, 8, 13])
def test_two_arrivals_get_every_two_places_equally_often(size: int) -> None:
    assert pairs_are_uniform(permute, size)


@pytest.mark.parametrize("size", [3, 4, 5])
def test_every_order_of_a_tiny_draw_comes_equally_often(size: int) -> None:
    assert is_uniform(Counter(map(tuple, draws(permute, size))), math.factorial(size))


@pytest.mark.parametrize("size", [64, 73, 100])
def test_a_draw_of_dozens_is_fair_to_single_arrivals_and_to_neighbours(size: int) -> None:
    """64 and 100 fill their rectangles, 73 leaves more of its own empty than any size above."""
    first, second, last = ([permute(seed, arrival, size) for seed in seeds(DRAWS)] for arrival in (0, 1, size - 1))
    for places in (first, second, last):
        assert is_uniform(Counter(places), size)
    for one, other in ((first, second), (second, last), (last, first)):
        assert is_uniform(Counter((b - a) % size for a, b in zip(one, other, strict=True)), size - 1)


@pytest.mark.parametrize("size", [1_000, 65_536, 1_000_003])
def test_a_large_draw_is_fair_to_single_arrivals_and_to_neighbours(size: int) -> None:
    """Places count by tenths of the draw, which differ by one place at most: too little to be seen."""
    first, second, last = (
        [permute(seed, arrival, size) * 10 // size for seed in seeds(DRAWS)] for arrival in (0, 1, size - 1)
    )
    for tenths in (first, second, last):
        assert is_uniform(Counter(tenths), 10)
    for one, other in ((first, second), (second, last), (last, first)):
        assert is_uniform(Counter(zip(one, other, strict=True)), 100)


def pair_error(height: int, width: int, rounds: int) -> float:
    """The most by which a pair of cells is off its fair chance, as a part of it: exact, if the rounds are random.

    Only differences matter. Where the right halves differ, a round makes the difference of the left ones anything;
    where they don't, it keeps it.
    """
    fair = 1 / (height * width - 1)
    worst = 0.0
    for start in ((1, 0), (0, 1), (1, 1)):
        chances = defaultdict(float, {start: 1.0})
        for number in range(rounds):
            side = width if number % 2 else height
            then: defaultdict[tuple[int, int], float] = defaultdict(float)
            for (left, right), chance in chances.items():
                for difference in range(side) if right else [left]:
                    then[right, difference] += chance / side if right else chance
            chances = then
        worst = max(worst, *(abs(chance / fair - 1) for chance in chances.values()))
    return worst


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 8), (9, 9), (10, 9), (16, 16)])
def test_on_the_whole_rectangle_no_pair_is_off_by_one_in_4000(height: int, width: int) -> None:
    assert pair_error(height, width, ROUNDS) < 1 / 4_000


def test_a_draw_of_a_thousand_is_fair_to_pairs_by_one_in_a_million() -> None:
    assert pair_error(32, 32, ROUNDS) < 1e-6


def test_two_rounds_less_would_break_the_promise() -> None:
    assert pair_error(8, 8, ROUNDS - 2) > 1 / 4_000


# The checks of fairness can fail


def shifted(seed: bytes, index: int, size: int) -> int:
    """Fair to each arrival, but neighbours stay neighbours."""
    return (index + int.from_bytes(seed, "big")) % size


def lopsided(seed: bytes, index: int, size: int) -> int:
    """Three bits, modulo a size that does not divide eight."""
    return (index + seed[0] % 8) % size


def hasty(seed: bytes, index: int, size: int) -> int:
    return by_the_book(seed, index, size, rounds=2) - 1


def test_a_shift_is_seen_to_be_unfair_to_pairs_only() -> None:
    assert places_are_uniform(shifted, 5)
    assert not pairs_are_uniform(shifted, 5)


def test_a_bias_by_modulo_is_seen() -> None:
    assert not places_are_uniform(lopsided, 5)


def test_too_few_rounds_are_seen() -> None:
    assert not pairs_are_uniform(hasty, 8)


def test_a_bias_of_a_tenth_is_seen() -> None:
    assert is_uniform(Counter(dict.fromkeys(range(10), 2_000)), 10)
    assert not is_uniform(Counter({place: 2_200 if place < 5 else 1_800 for place in range(10)}), 10)


# Seed and commitment


def test_the_commitment_is_the_hash_of_the_seed() -> None:
    assert commitment(SEED) == COMMITMENT


def test_a_seed_stays_what_it_was_committed_as() -> None:
    expected = "d4e4c113e0149a07a541c83873169f0d00ef9c74e19681bb14b11c385ed0bb08"
    assert seed_of(b"secret", "site", "winter-sale").hex() == expected


def test_every_secret_line_and_draw_has_a_seed_of_its_own() -> None:
    drawn = [
        (b"secret", "site", "sale"), (b"other", "site", "sale"), (b"secret", "shop", "sale"),
        (b"secret", "site", "other-sale"), (b"secret", "site/sale", ""), (b"secret", "", "site"),
    ]  # fmt: skip
    assert len({seed_of(*one) for one in drawn}) == len(drawn)


def test_a_draw_in_a_log_does_not_show_its_seed() -> None:
    assert repr(Draw(SEED, 10)) == "Draw(size=10)"


# Tickets


def ticket(number: str) -> str:
    payload = base64.urlsafe_b64encode(f"site~1~{number}~1800000000~bm9ib2R5".encode()).rstrip(b"=").decode()
    return f"v1.{payload}.bm90IHRoZSByZWFsIG1hYw"


def test_an_early_ticket_holds_its_arrival() -> None:
    assert arrival_in(ticket("17@sale")) == 17


def test_a_ticket_from_after_the_opening_holds_none() -> None:
    given_later = Ticket(line="site", epoch=1, number=4711, issued_s=1_800_000_000, visitor="bm9ib2R5")
    assert arrival_in(TicketSigner([b"secret"]).sign(given_later)) is None


@given(st.text(st.characters()))
def test_what_is_no_ticket_holds_no_arrival(text: str) -> None:
    for no_ticket in (text, f"v1.{text}.{text}"):
        with pytest.raises(MalformedTicketError):
            arrival_in(no_ticket)


@pytest.mark.parametrize("number", ["b17@sale", "@sale", "x@", "17~18", ""])
def test_what_is_almost_a_ticket_holds_no_arrival(number: str) -> None:
    with pytest.raises(MalformedTicketError):
        arrival_in(ticket(number))


@pytest.mark.parametrize("text", [f"v2{ticket('17@sale')[2:]}"])
def test_a_ticket_of_another_version_holds_no_arrival(text: str) -> None:
    with pytest.raises(MalformedTicketError):
        arrival_in(text)


# The command


def verify(*arrivals: str, seed: str = SEED.hex(), commitment: str = COMMITMENT, size: str = "1000") -> tuple[int, str]:
    options = ["--seed", seed, "--commitment", commitment, "--size", size]
    result = CliRunner().invoke(main, ["verify-draw", *options, *arrivals])
    return result.exit_code, result.output


def test_the_command_says_the_place_of_each_arrival() -> None:
    assert verify("17", "999") == (
        0,
        "The seed fits the commitment.\n"
        "Arrival 17 of the draw of 1,000 has place 446\n"
        "Arrival 999 of the draw of 1,000 has place 239\n",
    )


def test_the_command_reads_the_arrival_of_a_ticket() -> None:
    code, output = verify(ticket("17@sale"))
    assert code == 0
    assert "Arrival 17 of the draw of 1,000 has place 446" in output


def test_hashes_may_be_in_capitals() -> None:
    assert verify("17", seed=SEED.hex().upper(), commitment=COMMITMENT.upper())[0] == 0


def test_a_seed_that_does_not_fit_fails_and_names_both_hashes() -> None:
    code, output = verify("17", seed="00" * 32)
    assert code == 2
    assert "the seed does not fit the commitment" in output
    assert commitment(bytes(32)) in output
    assert COMMITMENT in output
    assert "place" not in output


@pytest.mark.parametrize("option", ["seed", "commitment"])
def test_what_is_not_hex_is_named(option: str) -> None:
    code, output = verify("17", **{option: "not hex"})
    assert code == 2
    assert f"Invalid value for '--{option}': 'not hex' is not hex" in output


@pytest.mark.parametrize("option", ["seed", "commitment"])
def test_a_wrong_length_is_named(option: str) -> None:
    code, output = verify("17", **{option: "0001"})
    assert code == 2
    assert f"Invalid value for '--{option}': should be 32 bytes in hex, and has 2" in output


def test_an_arrival_outside_the_draw_is_named_with_those_inside() -> None:
    assert verify("17", "1000") == (
        2,
        "Error: 1000: arrival 1,000 is not in a draw of 1,000, whose arrivals are 0 to 999\n",
    )


def test_a_draw_without_places_is_refused() -> None:
    code, output = verify("0", size="0")
    assert code == 2
    assert "Invalid value for '--size'" in output


def test_a_ticket_from_after_the_opening_has_no_drawn_place() -> None:
    code, output = verify(ticket("17"))
    assert code == 2
    assert "this ticket was given after the opening: its number was not drawn" in output


@pytest.mark.parametrize("text", ["seventeen", "1.5", "v1.abc.def", "9" * 5_000])
def test_what_is_neither_arrival_nor_ticket_is_named(text: str) -> None:
    code, output = verify(text)
    assert code == 2
    assert f"{text}: should be an arrival, like 17, or the text of a ticket" in output
