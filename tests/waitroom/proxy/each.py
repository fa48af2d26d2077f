"""A test for each probe of a row."""

import pytest

from tests.waitroom.proxy.probes import PROBES


def each(row: int) -> pytest.MarkDecorator:
    """Runs a test with each `probe` of a row of the contract."""
    probes = [probe for probe in PROBES if probe.row == row]
    return pytest.mark.parametrize("probe", probes, ids=[ascii(probe.name)[1:-1] for probe in probes])
