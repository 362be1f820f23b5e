"""Signed URLs, under which clients fetch finished files for a day.

Owns the form of these URLs and the secret that signs them. A URL has the query of the cloud's own (``Expires``,
``OSSAccessKeyId``, ``Signature``); nobody can make one up, and the names in it cannot be walked. The secret lies in the
state directory, so URLs survive a restart, and all servers of one user sign alike.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from contextlib import suppress
from typing import Final
from urllib.parse import quote

#: Seconds that a URL is valid: what the cloud promises.
VALID: Final = 86_400
#: Where the files are served, under the server's own root.
PLACE: Final = "/audio/"

_KEY_ID: Final = "lineread"
_SECRET_BYTES: Final = 32


class Signer:
    """Signs the URLs of files.

    Args:
        secret: What they are signed with.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, name: str, expires: int) -> str:
        """The path and query under which that file can be fetched until then."""
        signature = quote(self._signature(name, expires), safe="")
        return f"{PLACE}{name}?Expires={expires}&OSSAccessKeyId={_KEY_ID}&Signature={signature}"

    def verifies(self, name: str, expires: int, key_id: str, signature: str) -> bool:
        """Whether we signed that."""
        shown = signature.encode("utf-8", "replace")
        return hmac.compare_digest(self._signature(name, expires).encode(), shown) and key_id == _KEY_ID

    def _signature(self, name: str, expires: int) -> str:
        digest = hmac.new(self._secret, f"{name}\n{expires}".encode(), hashlib.sha256).digest()
        return base64.b64encode(digest).decode("ascii")


def secret(directory: str) -> bytes:
    """The secret of this user's servers, made at the first start.

    Raises:
        OSError: It cannot be kept there.
    """
    path = os.path.join(directory, "audio-url-secret")
    os.makedirs(directory, 0o700, exist_ok=True)
    known = _read(path)
    if known is None or len(known) != _SECRET_BYTES:
        _publish(os.urandom(_SECRET_BYTES), path, anew=known is None)
        with open(path, "rb") as file:  # it may be another server's that was faster
            known = file.read()
    return known


def _read(path: str) -> bytes | None:
    """What the file holds; None if there is none."""
    try:
        with open(path, "rb") as file:
            return file.read(_SECRET_BYTES + 1)
    except FileNotFoundError:
        return None


def _publish(data: bytes, path: str, *, anew: bool) -> None:
    """Put a whole file there at once, readable by its owner alone. Of two new ones the first stays."""
    partial = f"{path}.{os.urandom(8).hex()}"
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    try:
        if anew:
            os.link(partial, path)
        else:
            os.replace(partial, path)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        os.replace(partial, path)
    finally:
        with suppress(OSError):
            os.unlink(partial)
