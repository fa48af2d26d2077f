"""How we speak to MySQL and MariaDB: by aiomysql, without the round trips that say nothing new.

Connections commit each statement by themselves, so that a reading takes its statements and no more; a transaction is
begun by BEGIN. After a COMMIT the server has said that there is nothing to roll back; and a connection that was used a
moment ago is not asked whether it lives.
"""

import asyncio
from typing import Any, Literal

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.mysql.aiomysql import MySQLDialect_aiomysql
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection

DIALECT = "mysql.booking"
# Who finds a connection lost that was used since then is told, as if it had been lost one statement later.
SURE_FOR_S = 1.0


class Dialect(MySQLDialect_aiomysql):
    """SQLAlchemy's own, but for when it sends ROLLBACK and pings."""

    supports_statement_cache = True

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Each answer says whether the session is in a transaction. One whose BEGIN was lost is closed anyway."""
        if self.get_driver_connection(dbapi_connection).get_transaction_status():
            dbapi_connection.rollback()

    def do_ping(self, dbapi_connection: DBAPIConnection) -> Literal[True]:
        used_s = self.get_driver_connection(dbapi_connection).last_usage
        if asyncio.get_running_loop().time() - used_s < SURE_FOR_S:
            return True
        return super().do_ping(dbapi_connection)


def by_own_dialect(url: URL) -> URL:
    """The URL by which SQLAlchemy finds our dialect."""
    registry.register(DIALECT, __name__, Dialect.__name__)
    return url.set(drivername=DIALECT.replace(".", "+"))
