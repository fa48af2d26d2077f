"""Certificates and keys in files: whether they can be used, told before anything relies on them."""

import ssl
from pathlib import Path

from cryptography import x509


def load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Gives a context the certificate (PEM, with its chain) and key of two files. Raises ValueError, saying why not."""
    try:
        context.load_cert_chain(certificate, key, password=_refuse_password)
    except ssl.SSLError as exc:
        raise ValueError(f"certificate = {certificate!r} and key = {key!r} can't be used together: {exc}") from exc
    except OSError as exc:
        # It does not say which of the two it was about.
        raise ValueError(f"certificate = {certificate!r} or key = {key!r} can't be read: {exc.strerror}") from exc


def ends_s(certificate: str) -> float | None:
    """When the first of the certificates in a file (PEM) ends, in seconds since 1970; None where that can't be read."""
    try:
        chain = x509.load_pem_x509_certificates(Path(certificate).read_bytes())
    except (OSError, ValueError):
        return None
    return min(one.not_valid_after_utc for one in chain).timestamp()


def check_authorities(ca_file: str) -> None:
    """Raises ValueError where a file has no certificates of authorities (PEM)."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ValueError(f"ca_file = {ca_file!r} can't be used: {exc}") from exc


def _refuse_password() -> str:
    """Otherwise OpenSSL would ask at the terminal, and wait."""
    raise ValueError("the key is encrypted: waitroom can't ask for its password")
