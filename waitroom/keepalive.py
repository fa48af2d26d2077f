"""TCP keepalive: the system asks now and then whether the other end is still there, so that who vanished without a
word, as in the midst of a silent stream, is noticed in the end."""

import socket

IDLE_S = 60
INTERVAL_S = 10
PROBES = 3


def ask(one: socket.socket) -> None:
    """Has the other end of a TCP connection asked; of all that are accepted, if the socket listens."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL_S)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
