"""An origin that can serve so many at a time: `python -m tests.waitroom.adaptive.pooled_origin PORT WORKERS SERVICE_S`.

Each request takes one of its workers for about `SERVICE_S` seconds, and waits for one while all are taken. `PUT
/workers?n=5` takes workers away, or gives them back.
"""

import asyncio
import random
import sys

import uvloop
from aiohttp import web

# Of the logarithm of a service time.
SPREAD = 0.25


class Pool:
    """The workers. A change of their number waits for those that are at work."""

    def __init__(self, workers: int, service_s: float) -> None:
        self._workers = workers
        self._service_s = service_s
        self._free = asyncio.Semaphore(workers)

    async def serve(self, _: web.Request) -> web.Response:
        async with self._free:
            await asyncio.sleep(self._service_s * random.lognormvariate(0, SPREAD))
        return web.Response(text="served", headers={"X-Served": "yes"})

    async def resize(self, request: web.Request) -> web.Response:
        wanted = int(request.query["n"])
        for _ in range(self._workers, wanted):
            self._free.release()
        for _ in range(wanted, self._workers):
            await self._free.acquire()
        self._workers = wanted
        return web.Response()


def main() -> None:
    port, workers, service_s = sys.argv[1:]
    pool = Pool(int(workers), float(service_s))
    application = web.Application()
    application.add_routes([web.put("/workers", pool.resize), web.get("/{path:.*}", pool.serve)])
    uvloop.install()
    web.run_app(application, host="127.0.0.1", port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main()
