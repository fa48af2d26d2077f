"""The Lua transitions against the model: any story of joins, polls, absences, losses and turned knobs, on a real Redis.

Each answer is compared, and each invariant is checked by itself.
"""

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.servers import PrivateRedis
from tests.waitroom.line_machine import machine

EXAMPLES = 500 if os.environ.get("CI") == "true" else 50
STEPS = 100


def test_the_transitions_do_what_the_model_does(redis: PrivateRedis) -> None:
    """I1 to I4, over stories of a hundred steps each."""
    run_state_machine_as_test(
        machine(redis),
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
