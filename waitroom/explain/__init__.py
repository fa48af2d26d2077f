"""Says in words what a configuration means for those who come, what in it will hurt, and what it would change. Pure."""

from waitroom.explain.differences import InForce, differences
from waitroom.explain.meaning import explain
from waitroom.explain.warnings import warnings

__all__ = ["InForce", "differences", "explain", "warnings"]
