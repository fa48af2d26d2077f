"""A loss of the store, told so that an operator can act: the cause in a line, and the remedy where one is known."""

import socket
import ssl
from collections.abc import Iterator

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError

from waitroom.errors import StoreLostError
from waitroom.store_client import NO_SENTINEL

# By the kind of an error and words in it: the first that fits. What is behind an error is looked at first.
REMEDIES: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    ((NoPermissionError,), "", "let the user in [store] url run scripts (EVAL, EVALSHA) and write the keys wr:*"),
    (
        (AuthenticationError, AuthorizationError),
        "",
        "give the user name and the password that it wants in [store] url: //user:password@host, or //:password@host; "
        "those of sentinels themselves as ?sentinel_username=…&sentinel_password=…",
    ),
    (
        (ssl.SSLCertVerificationError,),
        "",
        "name the authority that signed its certificate in [store] url as ?ssl_ca_certs=FILE; the certificate must be "
        "for the host by which it is reached",
    ),
    (
        (ssl.SSLError,),
        "",
        "[store] url begins with rediss: see that the port speaks TLS, and whether it wants a certificate "
        "(?ssl_certfile=FILE&ssl_keyfile=FILE)",
    ),
    ((FileNotFoundError, PermissionError), "", "a file or socket that [store] url names can't be opened"),
    ((socket.gaierror,), "", "no address is known for the host that [store] url names"),
    (
        (MasterNotFoundError,),
        NO_SENTINEL,
        "see that the hosts and ports in [store] url are those of sentinels, and that they speak TLS if and only if "
        "it begins with rediss",
    ),
    (
        (MasterNotFoundError,),
        "",
        "the sentinels know no master of that name that is up: unless a failover is under way, [store] url should end "
        "in the name they watch it by",
    ),
    ((Exception,), "Cluster mode is not enabled", "it is no cluster: begin [store] url with redis:// or rediss://"),
    ((Exception,), "MOVED ", "it is part of a cluster: begin [store] url with redis+cluster://"),
    (
        (Exception,),
        "READONLY",
        "a replica was reached: [store] url should name the primary, or the sentinels that know it (redis+sentinel://)",
    ),
    ((Exception,), "SENTINEL", "[store] url should name the sentinels, whose port is mostly 26379"),
    ((Exception,), "unknown command", "if it is a sentinel, [store] url should be redis+sentinel://host:26379/name"),
)


def loss(cause: Exception) -> StoreLostError:
    """The error of ours for one of redis-py or of the system."""
    return StoreLostError(_told(cause), _remedy(cause))


def _told(cause: Exception) -> str:
    return f"{type(cause).__name__}: {'no answer in time' if isinstance(cause, TimeoutError) else cause}"


def _remedy(cause: Exception) -> str:
    for error in reversed(list(_chain(cause))):
        for kinds, words, remedy in REMEDIES:
            if isinstance(error, kinds) and words in _text(error):
                return remedy
    return ""


def _text(error: BaseException) -> str:
    # redis-py cuts the code off an error reply, and some versions keep it beside.
    return f"{getattr(error, 'status_code', None) or _code(error)} {error}"


def _code(error: BaseException) -> str:
    return {"ReadOnlyError": "READONLY", "MovedError": "MOVED"}.get(type(error).__name__, "")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__
