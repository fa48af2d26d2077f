"""What a visitor understands is read from what it says it accepts."""

import pytest

from waitroom.asking import read
from waitroom.headers import Client


@pytest.mark.parametrize(
    ("accept_encoding", "accepts"),
    [
        ([], False),
        (["gzip"], True),
        (["gzip, deflate, br, zstd"], True),
        (["br", "GZip;q=0.001"], True),
        (["x-gzip"], True),
        (["*"], True),
        (["br, *;q=0.5"], True),
        ([""], False),
        (["br"], False),
        (["identity, *;q=0"], False),
        (["gzip;q=0"], False),
        (["gzip; q=0.000, *"], False),
        (["gzip;q=much"], False),
        (["gzipped"], False),
    ],
)
def test_gzip_goes_to_who_accepts_it(accept_encoding: list[str], accepts: bool) -> None:
    """RFC 9110, section 12.5.3; who names no coding gets none."""
    fields = [("Accept-Encoding", value) for value in accept_encoding]
    asking = read("GET", "/", fields, client=Client("127.0.0.1", "http", "shop"), request_id="1")
    assert asking.accepts_gzip == accepts
