"""The settings of adaptive admission: between which rates a room moves, and what it keeps its origins at."""

from typing import Annotated

from pydantic import Field

from waitroom.adaptive_terms import AdaptiveTerms
from waitroom.setting_types import Table


class AdaptiveSettings(Table):
    """The rate follows the health of the origins: it moves between `rate_min` and `rate_per_minute`."""

    rate_min: Annotated[int, Field(ge=1, le=6_000_000)]
    """calls, however slow the origins are: what they surely bear. Nobody is called while they are down"""
    target_ms: Annotated[int, Field(ge=5, le=60_000)]
    """what 95 % of responses should begin within"""
    settle_s: Annotated[int, Field(ge=5, le=600)] = 30
    """how long a change of the rate takes to show at the origins: about as long as visitors stay active"""
    error_percent: Annotated[float, Field(gt=0, le=100)] = 5.0
    """of requests that fail: more count like a time over the target"""

    def to_terms(self) -> AdaptiveTerms:
        """As values for the rest of the program."""
        return AdaptiveTerms(**self.model_dump())
