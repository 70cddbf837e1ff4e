"""Who is let in: by a key where one is needed, to do what it is for, and so often a minute."""

from __future__ import annotations

import math

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quarry.api.server.errors import problem
from quarry.api.server.keys import Key, Keys, KeyUses
from quarry.api.server.policy import Policy, is_public, is_reading
from quarry.api.server.rates import Rates, Taken
from quarry.search.errors import LibraryError


class Door:
    """Whether a key is needed: always where other machines reach the server, elsewhere from the first key on.

    Once it was needed it is until the server ends, whatever becomes of the file.
    """

    def __init__(self, policy: Policy) -> None:
        self.keys: Keys | None = policy.keys
        self._needs_key = policy.exposed

    @property
    def needs_key(self) -> bool:
        """Whether it is now."""
        if not self._needs_key and self.keys is not None:
            try:
                self._needs_key = bool(self.keys.all())
            except LibraryError:  # it holds keys, for all that is known
                self._needs_key = True
        return self._needs_key


class Admission:
    """ASGI middleware: refuses with 401 who has no key, 403 who may not do that, 429 who asks too often.

    `scope["key"]` is the key's name, "" without one; `scope["may"]` what it is for; `scope["admitted"]` whether
    everything may be said to the client.

    Args:
        uses: is told when a key was used.
        rates: None for any number of requests.
    """

    def __init__(self, app: ASGIApp, door: Door, uses: KeyUses | None, rates: Rates | None) -> None:
        self._app = app
        self._door = door
        self._uses = uses
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        needs_key = self._door.needs_key
        sent = _bearer(Headers(scope=scope)) if needs_key else None
        try:
            key = self._door.keys.find(sent) if sent is not None and self._door.keys is not None else None
        except LibraryError as error:
            await problem(503, str(error))(scope, receive, send)
            return
        scope["may"] = key.scope if key else "write"  # where no key is needed, everything may be done
        scope["key"], scope["admitted"] = key.name if key else "", key is not None or not needs_key
        taken = None
        address = _address(scope)  # none: another process of this server has let it in, and counted it
        if self._rates is not None and address and (needs_key or key is not None):
            taken = self._rates.take(f"key {key.name}" if key else f"from {address}")
        refusal = self._refusal(scope, key, sent, taken)
        if key is not None and refusal is None and self._uses is not None:
            self._uses.add(key)
        await (refusal or self._app)(scope, receive, self._telling(send, taken))

    def _refusal(self, scope: Scope, key: Key | None, sent: str | None, taken: Taken | None) -> Response | None:
        method, path = scope["method"], scope["path"]
        if taken is not None and not taken.ok:
            retry = {"Retry-After": str(max(1, math.ceil(taken.wait_s)))}
            return problem(429, "These are more requests than one may send a minute; wait a little.", headers=retry)
        if scope["admitted"] and (key is None or key.scope == "write" or is_reading(method, path)):
            return None
        if key is not None:
            return problem(403, f"The key {key.name} may only read; `quarry keys add NAME --write` makes one for this.")
        if is_public(path) and is_reading(method, path):
            return None
        said = "This key is none of this server's." if sent else "A key is needed: send Authorization: Bearer KEY."
        asked = 'Bearer realm="quarry"' + (', error="invalid_token"' if sent else "")
        return problem(401, f"{said} `quarry keys add NAME` makes one.", headers={"WWW-Authenticate": asked})

    def _telling(self, send: Send, taken: Taken | None) -> Send:
        if self._rates is None or taken is None:
            return send
        told = self._rates.headers(taken)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(told)
            await send(message)

        return sending


def _bearer(headers: Headers) -> str | None:
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
