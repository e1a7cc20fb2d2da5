"""What must be known when a receipt or an answer comes, perhaps to another worker, perhaps after a kill -9.

All of it is in the bucket `SMS`, whose entries expire: which call a message id of the SMSC belongs to, receipts that
came before that was known, and for which case a number was called. Numbers stand there as hashes; they live in the
roster alone.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime

import msgspec
from nats.aio.client import Client

from dispatch.access.bucket import Bucket
from dispatch.events import SMS, direct_get
from dispatch.fanout.sms.receipts import Receipt, spellings
from dispatch.identifiers import CaseId, PersonId, Site

CALLS_REMEMBERED = 64
"""How many calls of one number are remembered: the bucket's history."""


class TextRef(msgspec.Struct, frozen=True, kw_only=True):
    """To which call a part of a text belongs; `text` names the text, `number` is the hash of where it went."""

    case: CaseId
    step: int
    responder: PersonId
    number: str
    text: str
    part: int
    parts: int


class Called(msgspec.Struct, frozen=True):
    """A call of a number."""

    case: CaseId
    responder: PersonId


class _Parked(msgspec.Struct, frozen=True):
    receipt: Receipt
    numbers: tuple[str, ...]


class Memory:
    """The memory of one site. Everything raises `Unavailable` when it cannot be reached."""

    def __init__(self, nc: Client, site: Site | str) -> None:
        # Not read from replicas: who wrote must see what another wrote before, or a receipt falls between the two.
        self._nc, self._bucket, self._site = nc, Bucket(nc, SMS, direct=False), site

    async def called(self, number: str, case: CaseId, responder: PersonId) -> None:
        """Remember, before it is called, for what `number` is called."""
        await self._bucket.put(self._key("number", number), msgspec.json.encode(Called(case, responder)))

    async def calls_of(self, number: str) -> list[Called]:
        """For what `number` was called, newest first, each once."""
        subject = f"$KV.{SMS}.{self._key('number', number)}"
        request: dict[str, object] = {"seq": 1, "next_by_subj": subject, "batch": CALLS_REMEMBERED}
        messages = await direct_get(self._nc, f"KV_{SMS}", request)
        newest = [msgspec.json.decode(message.data, type=Called) for message in reversed(messages)]
        return list(dict.fromkeys(newest))

    async def sent(self, message_id: str, ref: TextRef) -> Receipt | None:
        """Remember whose text `message_id` is; a receipt that came for it before.

        Written first and looked for then, as `ref_of` parks first and looks then: one of the two sees the other.
        """
        await self._bucket.put(self._key("message", spellings(message_id)[0]), msgspec.json.encode(ref))
        found = await asyncio.gather(*(self._bucket.get(self._key("receipt", one)) for one in spellings(message_id)))
        parked = [msgspec.json.decode(value, type=_Parked) for value in found if value is not None]
        return next((one.receipt for one in parked if _fits(ref, one.numbers)), None)

    async def ref_of(self, receipt: Receipt, numbers: tuple[str, ...]) -> TextRef | None:
        """Whose text `receipt` is about; when nobody knows that yet, it is kept for `sent`.

        `numbers` are those in the receipt: an SMSC that counts anew after a restart uses ids twice.
        """
        hashed = tuple(digest(number) for number in numbers)
        ref = await self._find(receipt.message_id, hashed)
        if ref is None:
            parked = msgspec.json.encode(_Parked(receipt, hashed))
            await self._bucket.put(self._key("receipt", spellings(receipt.message_id)[0]), parked)
            ref = await self._find(receipt.message_id, hashed)
        return ref

    async def arrived(self, ref: TextRef) -> bool:
        """Remember that this part arrived; whether the whole text has."""
        await self._bucket.put(self._key("part", f"{ref.text}.{ref.part}"), b"1")
        if ref.parts == 1:
            return True
        keys = [self._key("part", f"{ref.text}.{part}") for part in range(1, ref.parts + 1)]
        return all(value is not None for value in await asyncio.gather(*map(self._bucket.get, keys)))

    async def told_since(self, number: str, since: datetime, at: datetime) -> bool:
        """Whether `number` was told something after `since`; if not, it is now, `at`."""
        key = self._key("told", number)
        before = await self._bucket.get(key)
        if before is not None and datetime.fromisoformat(before.decode()) > since:
            return True
        await self._bucket.put(key, at.isoformat().encode())
        return False

    async def _find(self, message_id: str, numbers: tuple[str, ...]) -> TextRef | None:
        for one in spellings(message_id):
            value = await self._bucket.get(self._key("message", one))
            if value is not None:
                ref = msgspec.json.decode(value, type=TextRef)
                if _fits(ref, numbers):
                    return ref
        return None

    def _key(self, kind: str, name: str) -> str:
        return f"{self._site}.{kind}.{digest(name)}"


def digest(name: str) -> str:
    """`name` as a key may have it, whatever an SMSC or a phone wrote."""
    return hashlib.blake2s(name.encode(), digest_size=16).hexdigest()


def _fits(ref: TextRef, numbers: tuple[str, ...]) -> bool:
    return not numbers or ref.number in numbers
