"""The same booking, but for one thing: what a sale reads of the seats, or of the flight, it locks as it reads it
(`SELECT … FOR UPDATE`), as one does who expects a rival each time.

`scripts/bench` compares booking with it.
"""

import sys
from typing import Any

from sqlalchemy import Connection, Executable, Select, Table, event

from booking import app
from booking.cli import main
from booking.db import Database
from booking.tables import flights, seats

LOCKED = {"seats": seats, "flight": flights}


class LockingDatabase(Database):
    """Every write locks the rows of one table that it reads."""

    table: Table

    def __init__(self, url: str) -> None:
        super().__init__(url)
        event.listen(self.engine.sync_engine, "before_execute", self._lock, retval=True)

    def _lock(self, connection: Connection, clause: Executable, many: Any, one: Any, _options: object) -> Any:
        is_write = connection.get_execution_options().get("writes", False)
        if is_write and isinstance(clause, Select) and clause.get_final_froms() == [self.table]:
            clause = clause.with_for_update()
        return clause, many, one


if __name__ == "__main__":
    LockingDatabase.table = LOCKED[sys.argv.pop(1)]
    vars(app)["Database"] = LockingDatabase  # the one thing that differs
    main()
