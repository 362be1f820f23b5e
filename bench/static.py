"""A static file route of aiohttp, and nothing else: ``python static.py DIRECTORY PORT``."""

from __future__ import annotations

import sys

from aiohttp import web


async def healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def main(directory: str, port: str) -> None:
    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_static("/files", directory)
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
