"""Idempotency keys: a request that comes again by its key is answered again, and carried out once.

A key is taken, then its request carried out, then its answer kept. What the request brings about is marked by the key
in the very transaction that does it. So whoever comes again after a crash, or after a COMMIT whose outcome nobody
knows, finds out what has happened, and goes on from there. After draft-ietf-httpapi-idempotency-key-header.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Row, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import Database, StaleError, changed_one, inserted_id
from booking.errors import KeyInUse, KeyReused
from booking.tables import KeyState, idempotency_keys

# Longer than any request takes: after that its process must have died.
LOCK_S = 60
# So long after its first use a key is known.
LIFE_S = 86_400

_ADD = insert(idempotency_keys)
_MARK = (
    update(idempotency_keys)
    .where(idempotency_keys.c.id == bindparam("once_id"), idempotency_keys.c.effect.is_(None))
    .values(effect=bindparam("marked"))
)
_FINISH = (
    update(idempotency_keys)
    .where(idempotency_keys.c.id == bindparam("once_id"))
    .values(
        state=KeyState.DONE,
        status=bindparam("its_status"),
        headers=bindparam("its_headers"),
        body=bindparam("its_body"),
        locked_until_s=bindparam("now_s"),
    )
)


@dataclass(frozen=True, slots=True)
class Once:
    """A request under way by its key. `effect` is what an earlier attempt brought about, as it marked it."""

    id: int
    effect: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """The answer that a key was given."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def begin(db: Database, scope: str, key: str, fingerprint: str, now_s: int) -> Once | Replay:
    """Takes a key for a request, or gives the answer that it has got.

    `scope` says whose key it is, `fingerprint` what is asked for. Raises KeyInUse while the same request is under way,
    and KeyReused where the key was another request's.
    """
    return await db.write(_begin_key, scope, key, fingerprint, now_s)


async def finish(db: Database, once: Once, answer: Replay, now_s: int) -> None:
    """Keeps the answer, for whoever comes again."""
    await db.write(_finish_key, once, answer, now_s)


async def release(db: Database, once: Once) -> None:
    """Gives the key back without an answer: whoever comes again goes on from the effect."""
    await db.write(_release_key, once)


async def mark(connection: AsyncConnection, once: Once | None, effect: str) -> None:
    """Says, in the transaction that does it, what the request brings about. Raises KeyInUse if it was done already:
    a rival whose lock ran out has done it, and the next attempt finds its effect."""
    if once is None:
        return
    if not changed_one(await connection.execute(_MARK, {"once_id": once.id, "marked": effect})):
        raise KeyInUse


async def purge(db: Database, now_s: int) -> int:
    """Forgets the keys whose time is over. Returns how many."""
    return await db.write(_purge_keys, now_s)


async def _begin_key(connection: AsyncConnection, scope: str, key: str, fingerprint: str, now_s: int) -> Once | Replay:
    # As a rule it is new: whether it is, the unique key tells.
    try:
        return await _new_key(connection, scope, key, fingerprint, now_s)
    except IntegrityError:
        query = select(idempotency_keys).where(idempotency_keys.c.scope == scope, idempotency_keys.c.key == key)
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise StaleError
    if row.fingerprint != fingerprint:
        raise KeyReused
    if row.state == KeyState.DONE:
        return Replay(row.status, json.loads(row.headers), row.body)
    return await _take_over(connection, row, now_s)


async def _new_key(connection: AsyncConnection, scope: str, key: str, fingerprint: str, now_s: int) -> Once:
    """Raises IntegrityError where it is there."""
    values = {
        "scope": scope,
        "key": key,
        "fingerprint": fingerprint,
        "state": KeyState.RUNNING,
        "locked_until_s": now_s + LOCK_S,
        "created_s": now_s,
    }
    result = await connection.execute(_ADD, values)
    return Once(inserted_id(result))


async def _take_over(connection: AsyncConnection, row: Row[tuple[object, ...]], now_s: int) -> Once:
    # It may have been answered since it was read: then it is asked for again, and replayed.
    is_given_up = (
        (idempotency_keys.c.id == row.id)
        & (idempotency_keys.c.state == KeyState.RUNNING)
        & (idempotency_keys.c.locked_until_s <= now_s)
    )
    result = await connection.execute(update(idempotency_keys).where(is_given_up).values(locked_until_s=now_s + LOCK_S))
    if not changed_one(result):
        raise KeyInUse
    return Once(row.id, row.effect)


async def _finish_key(connection: AsyncConnection, once: Once, answer: Replay, now_s: int) -> None:
    kept = {"its_status": answer.status, "its_headers": json.dumps(dict(answer.headers)), "its_body": answer.body}
    await connection.execute(_FINISH, {"once_id": once.id, "now_s": now_s, **kept})


async def _release_key(connection: AsyncConnection, once: Once) -> None:
    running = (idempotency_keys.c.id == once.id) & (idempotency_keys.c.state == KeyState.RUNNING)
    await connection.execute(update(idempotency_keys).where(running).values(locked_until_s=0))


async def _purge_keys(connection: AsyncConnection, now_s: int) -> int:
    result = await connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created_s <= now_s - LIFE_S))
    return result.rowcount
