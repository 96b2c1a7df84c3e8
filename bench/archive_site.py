"""Serve archive files of any symbol from one folder: usage `python archive_site.py FOLDER`; prints its port.

FOLDER holds `klines-2024-01.zip`, `aggTrades-2024-01-01.zip` …: the files of one symbol are those of all.
"""

import hashlib
import re
import sys
from functools import cache
from pathlib import Path

from aiohttp import web

FOLDER = Path(sys.argv[1])
PATH = re.compile(
    r"data/.+/(?P<folder>klines|aggTrades)/.+/(?P<name>[A-Z0-9]+-\w+-(?P<date>[\d-]+)\.zip)(?P<sum>\.CHECKSUM)?"
)


@cache
def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def serve(request: web.Request) -> web.StreamResponse:
    found = PATH.fullmatch(request.match_info["path"])
    path = FOLDER / f"{found['folder']}-{found['date']}.zip" if found else FOLDER
    if found is None or not path.is_file():
        return web.Response(status=404)
    return web.Response(text=f"{checksum(path)}  {found['name']}\n") if found["sum"] else web.FileResponse(path)


def main() -> None:
    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=lambda *_: None)


if __name__ == "__main__":
    main()
