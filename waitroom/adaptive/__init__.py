"""Adaptive admission: a room's rate follows the health of its origins."""
