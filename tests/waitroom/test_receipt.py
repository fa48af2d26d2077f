"""A receipt's code reads as people type it, and nobody who has seen its hash knows it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waitroom.receipt import ALPHABET, LENGTH, Seal, home_of, new_code, read_code, shown

SEAL = Seal(b"secret")
CODES = st.text(ALPHABET, min_size=LENGTH, max_size=LENGTH)


def test_a_new_code_is_one() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(read_code(code) == code for code in codes)
    assert {character for code in codes for character in code} == set(ALPHABET)


@given(CODES)
def test_a_code_reads_as_it_is_shown(code: str) -> None:
    assert read_code(shown(code)) == code


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("4T7K-9XQ2", "4T7K9XQ2"),
        ("4t7k9xq2", "4T7K9XQ2"),
        (" 4t7k 9xq2 ", "4T7K9XQ2"),
        ("OoIi-LlAB", "001111AB"),
        ("4T7K9XQ", ""),
        ("4T7K9XQ22", ""),
        ("4T7K9XQU", ""),
        ("4T7K9XQÀ", ""),
        ("", ""),
    ],
)
def test_what_people_type_is_read_as_they_mean_it(typed: str, code: str) -> None:
    assert read_code(typed) == code


@given(st.text())
def test_anything_typed_is_a_code_or_none(typed: str) -> None:
    code = read_code(typed)
    assert code == "" or (len(code) == LENGTH and set(code) <= set(ALPHABET))


def test_the_hash_of_a_code_hangs_on_secret_and_line() -> None:
    hashes = [
        SEAL.of_code("site", "4T7K9XQ2"),
        SEAL.of_code("site/7", "4T7K9XQ2"),
        SEAL.of_code("site", "4T7K9XQ3"),
        Seal(b"another").of_code("site", "4T7K9XQ2"),
        SEAL.of_address("4T7K9XQ2"),
    ]
    assert len(set(hashes)) == len(hashes)
    assert hashes[0] == Seal(b"secret").of_code("site", "4T7K9XQ2")


@pytest.mark.parametrize(
    ("address", "home"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_of_an_address_counts_what_one_person_has(address: str, home: str) -> None:
    assert home_of(address) == home
