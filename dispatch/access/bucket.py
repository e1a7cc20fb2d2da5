"""Small values in a bucket, by key. What the NATS client raises becomes `Unavailable`."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError

from dispatch.errors import Unavailable
from dispatch.events import bucket_at, latest

ANSWER_SECONDS = 2.0


class Bucket:
    """One key-value bucket, read by direct gets; what a key was last is kept, nothing before.

    With `direct=False` the stream's leader is asked: what anybody has written before is seen for certain.
    """

    def __init__(self, nc: Client, name: str, *, direct: bool = True) -> None:
        self._kv = bucket_at(nc, name, seconds=ANSWER_SECONDS, direct=direct)
        self._nc, self._name = nc, name

    async def get(self, key: str) -> bytes | None:
        """The value of `key`, or None when it has none. Raises `Unavailable`, as all of these do."""
        try:
            return (await self._kv.get(key)).value
        except KeyNotFoundError:
            return None
        except (NatsError, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def put(self, key: str, value: bytes) -> None:
        """Store `value`, whatever `key` had."""
        try:
            await self._kv.put(key, value)
        except (NatsError, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def create(self, key: str, value: bytes) -> bool:
        """Store `value` if `key` has none; False when it has one."""
        try:
            await self._kv.create(key, value)
        except KeyWrongLastSequenceError:
            return False
        except (NatsError, TimeoutError) as error:
            raise self._unavailable(error) from error
        return True

    async def get_with_revision(self, key: str) -> tuple[bytes | None, int]:
        """The value of `key` and its revision; None where it has none."""
        try:
            entry = await self._kv.get(key)
        except KeyNotFoundError as error:
            return None, int(error.entry.revision or 0) if error.entry is not None else 0
        except (NatsError, TimeoutError) as error:
            raise self._unavailable(error) from error
        return entry.value, int(entry.revision or 0)

    async def replace(self, key: str, value: bytes, revision: int) -> bool:
        """Store `value` where `key` still stands at `revision` (0: has none); False when it does not."""
        try:
            await self._kv.update(key, value, last=revision)
        except KeyWrongLastSequenceError:
            return False
        except (NatsError, TimeoutError) as error:
            raise self._unavailable(error) from error
        return True

    async def delete(self, key: str) -> None:
        """Remove `key`; nothing happens when it has no value."""
        try:
            await self._kv.delete(key)
        except (NatsError, TimeoutError) as error:
            raise self._unavailable(error) from error

    async def items(self, keys: str) -> AsyncGenerator[tuple[str, bytes], None]:
        """Every key that matches the subject pattern `keys`, with its value."""
        async for key, message in latest(self._nc, self._name, keys):
            yield key, message.data

    def _unavailable(self, error: Exception) -> Unavailable:
        return Unavailable(f"the bucket {self._name} does not answer: {error!r}; try again")
