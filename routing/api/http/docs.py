"""GET /docs: the description of the API as a page to read and to try: Swagger UI, from here and not from a CDN."""

from functools import cache
from importlib.resources import files

from aiohttp import web

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing comes from, and nothing goes to, any other server; the icons are within the style sheet (`data:`)."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
KINDS = {
    "index.html": "text/html",
    "start.js": "text/javascript",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}


@cache
def _file(name: str) -> bytes:
    return (files("routing.api.http") / "swagger" / name).read_bytes()


async def page(request: web.Request) -> web.Response:
    """The page, or one of the files it needs."""
    name = request.match_info.get("file", "index.html")
    if name not in KINDS:
        raise web.HTTPNotFound
    return web.Response(body=_file(name), content_type=KINDS[name], charset="utf-8", headers=HEADERS)


def add_to(app: web.Application) -> None:
    app.router.add_get("/docs", page)
    app.router.add_get("/docs/{file}", page)
