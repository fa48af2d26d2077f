"""The fields of a form that a browser sends."""

from aiohttp import web

Form = dict[str, str]


async def form_of(request: web.Request) -> Form:
    """Each field by its name; of one that comes twice the last. Files are left out: no form of ours has any."""
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
