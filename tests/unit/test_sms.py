"""Text messages, without a network: what they say, how they are cut, and how what comes in is read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.fanout.ring import Ring, RingHousehold, take_back
from dispatch.fanout.sms import pdu
from dispatch.fanout.sms.answers import ReadAnswer, read_answer
from dispatch.fanout.sms.numbers import e164, sender_type
from dispatch.fanout.sms.outbox import Outbox
from dispatch.fanout.sms.pdu import Broken, Deliver, Submit, read_deliver
from dispatch.fanout.sms.receipts import Receipt, is_receipt, read_receipt, spellings
from dispatch.fanout.sms.session import Submitted
from dispatch.fanout.sms.texting import account_of
from dispatch.fanout.sms.texts import MOST_UNITS, PART_UNITS, SINGLE_UNITS, parts_of, read_text, text_of
from dispatch.identifiers import CaseId, NotificationId, PersonId
from dispatch.settings import Settings

RING = Ring(
    notification=NotificationId("n"),
    case=CaseId("h-1-ABCDEFGH"),
    step=0,
    responder=PersonId("p-1"),
    kind="fire",
    drill=False,
    silent=False,
    title="火警 · 茅州村 李家",
    body="",
    household=RingHousehold(name="李家", address="12 号"),
    reason="member",
    link="https://dispatch.example/r/token",
    raised_at=datetime(2026, 11, 22, tzinfo=UTC),
)


def units(text: str) -> int:
    return len(text.encode("utf-16-be")) // 2


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=900), st.integers(0, 255))
def test_parts_put_together_are_the_text_and_cut_no_character_in_two(text: str, reference: int) -> None:
    parts = parts_of(text, reference)
    assert "".join(octets.decode("utf-16-be") for _, octets in parts) == text
    if len(parts) == 1:
        assert parts[0][0] == b""
        assert len(parts[0][1]) <= SINGLE_UNITS * 2
    else:
        expected = [bytes((5, 0, 3, reference, len(parts), n + 1)) for n in range(len(parts))]
        assert [header for header, _ in parts] == expected
        assert all(len(octets) <= PART_UNITS * 2 for _, octets in parts)


def test_a_pair_of_surrogates_at_the_edge_of_a_part_goes_into_the_next() -> None:
    text = "一" * 66 + "𠀀" + "二" * 10
    assert [octets.decode("utf-16-be") for _, octets in parts_of(text, 1)] == ["一" * 66, "𠀀" + "二" * 10]


def test_seventy_characters_are_one_text_and_one_more_is_two() -> None:
    assert [len(parts_of("一" * n, 0)) for n in (70, 71, 134, 135)] == [1, 2, 2, 3]


def test_a_call_says_what_where_how_to_answer_and_the_link() -> None:
    assert text_of(RING) == "火警 · 茅州村 李家，12 号。回复1前往 2不能 3到场 https://dispatch.example/r/token"


def test_a_silent_call_says_not_to_ring_back() -> None:
    assert "静默报警，勿回拨。" in text_of(replace(RING, silent=True))


def test_a_call_under_duress_says_not_to_let_it_be_seen() -> None:
    assert "报警人受胁迫，勿回拨，勿让对方察觉。" in text_of(replace(RING, silent=True, duress=True))


def test_a_link_that_does_not_fit_is_left_out_whole() -> None:
    text = text_of(replace(RING, link="https://dispatch.example/" + "r" * 300))
    assert text.endswith("回复1前往 2不能 3到场")


@pytest.mark.parametrize("silent", [True, False])
def test_a_long_address_is_cut_and_nothing_else(*, silent: bool) -> None:
    text = text_of(replace(RING, silent=silent, household=RingHousehold(name="李家", address="𠀀" * 300)))
    assert units(text) <= MOST_UNITS
    assert "…。" in text
    assert text.endswith("回复1前往 2不能 3到场")


@pytest.mark.parametrize("word", ["stood_down", "over"])
def test_word_that_one_need_not_come_asks_for_no_answer(word: str) -> None:
    text = text_of(take_back(RING, word, enough=True))  # type: ignore[arg-type]
    assert text.startswith("火警 · 茅州村 李家：")
    assert "不用前往" in text
    assert "回复" not in text
    assert "http" not in text


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("1", ReadAnswer("going")),
        ("１", ReadAnswer("going")),
        (" 2。", ReadAnswer("cannot")),
        ("3\n", ReadAnswer("on_scene")),
        ("③", ReadAnswer("on_scene")),
        ("回复1", ReadAnswer("going")),
        ("“1”", ReadAnswer("going")),
        ("1 10", ReadAnswer("going", 10)),
        ("1，10分钟", ReadAnswer("going", 10)),
        ("１　１０分钟到", ReadAnswer("going", 10)),
        ("1 1小时", ReadAnswer("going", 60)),
        ("前往 5分钟", ReadAnswer("going", 5)),
        ("1 500", ReadAnswer("going")),
        ("1 谢谢", ReadAnswer("going")),
        ("前往", ReadAnswer("going")),
        ("马上到", ReadAnswer("going")),
        ("不能", ReadAnswer("cannot")),
        ("无法前往", ReadAnswer("cannot")),
        ("2 不能到", ReadAnswer("cannot")),
        ("2 在外地10天", ReadAnswer("cannot")),
        ("已到场", ReadAnswer("on_scene")),
        ("", None),
        ("?", None),
        ("4", None),
        ("0", None),
        ("11", None),
        ("110", None),
        ("10分钟", None),
        ("3分钟到", None),
        ("2 小时后", None),
        ("1 2 3", None),
        ("2 3", None),
        ("1 不能去", None),
        ("1前往 2不能 3到场", None),
        ("没到场", None),
        ("不到场", None),
        ("好的", None),
        ("我在13号楼", None),
        ("1" + " " * 200, None),
    ],
)
def test_a_text_is_an_answer_only_where_it_says_one_thing(text: str, answer: ReadAnswer | None) -> None:
    assert read_answer(text) == answer


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    read = read_answer(text)
    assert read is None or read.eta_minutes is None or 0 <= read.eta_minutes <= 240


@given(st.binary(max_size=254), st.integers(0, 255), st.booleans())
def test_any_octets_in_any_coding_can_be_read(octets: bytes, coding: int, headed: bool) -> None:
    assert isinstance(read_text(octets, coding, headed=headed), str | None)


@pytest.mark.parametrize(
    ("octets", "coding", "headed", "text"),
    [
        (b"1 10", 0, False, "1 10"),
        (b"1", 1, False, "1"),
        (b"2", 3, False, "2"),
        ("前往".encode("utf-16-be"), 8, False, "前往"),
        ("前往".encode("utf-16-be"), 0x18, False, "前往"),
        ("前往".encode("gb18030"), 15, False, "前往"),
        (b"1", 0xF1, False, "1"),
        (b"\x05\x00\x03\x07\x02\x01" + "1 马".encode("utf-16-be"), 8, True, "1 马"),
        (b"\x05\x00\x03\x07\x02\x02" + "3".encode("utf-16-be"), 8, True, None),
        (b"\x06\x08\x04\x00\x07\x02\x02" + "3".encode("utf-16-be"), 8, True, None),
    ],
)
def test_what_phones_send_is_read_in_their_coding(octets: bytes, coding: int, headed: bool, text: str | None) -> None:
    assert read_text(octets, coding, headed=headed) == text


@given(st.binary(max_size=400))
def test_a_body_that_is_none_is_broken_and_nothing_worse(body: bytes) -> None:
    try:
        read_deliver(body)
    except Broken:
        return


@pytest.mark.parametrize(
    ("address", "ton", "number"),
    [
        ("8613800138000", 0, "+8613800138000"),
        ("8613800138000", 1, "+8613800138000"),
        ("+8613800138000", 1, "+8613800138000"),
        ("008613800138000", 0, "+8613800138000"),
        ("13800138000", 2, "+8613800138000"),
        ("13800138000", 1, "+8613800138000"),
        ("447911123456", 1, "+447911123456"),
        ("10086", 0, None),
        ("BANK", 5, None),
        ("", 0, None),
        ("1" * 60, 0, None),
    ],
)
def test_a_number_is_known_however_an_smsc_writes_it(address: str, ton: int, number: str | None) -> None:
    assert e164(address, ton) == number


def test_the_type_of_our_sender_follows_from_how_it_is_written() -> None:
    assert sender_type("+8613800138000") == (1, 1, "8613800138000")
    assert sender_type("10690110") == (0, 0, "10690110")
    assert sender_type("Dispatch") == (5, 0, "Dispatch")


def receipt(text: str = "", esm_class: int = 4, **tlvs: bytes) -> Deliver:
    tags = {"id": pdu.TLV_RECEIPTED_MESSAGE_ID, "state": pdu.TLV_MESSAGE_STATE}
    return Deliver(
        source="8613800138000",
        source_ton=1,
        destination="10690110",
        esm_class=esm_class,
        data_coding=0,
        octets=text.encode(),
        tlvs={tags[name]: value for name, value in tlvs.items()},
    )


@pytest.mark.parametrize(
    ("message", "read"),
    [
        (receipt("id:a1 sub:001 stat:DELIVRD err:000 text:"), Receipt(message_id="a1", came="delivered")),
        (
            receipt("id:a1 sub:001 dlvrd:000 stat:UNDELIV err:027 Text:火"),
            Receipt(message_id="a1", came="failed", reason="UNDELIV, error 027"),
        ),
        (receipt("ID:a1 STAT:expired"), Receipt(message_id="a1", came="failed", reason="EXPIRED")),
        (receipt("", id=b"a1\0", state=b"\x02"), Receipt(message_id="a1", came="delivered")),
        (
            receipt("id:zz stat:ENROUTE", id=b"a1", state=b"\x05"),
            Receipt(message_id="a1", came="failed", reason="UNDELIV"),
        ),
        (receipt("id:zz stat:DELIVRD", id=b"a1\0"), Receipt(message_id="a1", came="delivered")),
        (receipt("id:a1 stat:ACCEPTD"), None),
        (receipt("id:a1 stat:ENROUTE"), None),
        (receipt("stat:DELIVRD"), None),
        (receipt("hello"), None),
    ],
)  # fmt: skip
def test_receipts_are_read_in_both_forms(message: Deliver, read: Receipt | None) -> None:
    assert read_receipt(message) == read


def test_only_the_smsc_makes_a_receipt() -> None:
    assert is_receipt(receipt(esm_class=0x04))
    assert is_receipt(receipt(esm_class=0x44))
    assert not any(is_receipt(receipt(esm_class=kind)) for kind in (0x00, 0x08, 0x20, 0x40))


@pytest.mark.parametrize(
    ("answered", "told"),
    [("1a2b", "6699"), ("6699", "1a2b"), ("1A2B", "0000006699"), ("00012", "12"), ("x-7", "X-7"), ("0", "000")],
)
def test_an_id_is_known_however_an_smsc_writes_it_again(answered: str, told: str) -> None:
    assert spellings(told)[0] in spellings(answered)
    assert spellings(answered)[0] in spellings(told)


def test_texts_need_an_account_and_what_is_missing_is_said() -> None:
    assert account_of(Settings()) is None
    halfway = Settings(sms_host="smsc.example", sms_sender="10690110")
    assert halfway.sms_missing == ("DISPATCH_SMS_SYSTEM_ID", "DISPATCH_SMS_PASSWORD")
    assert account_of(halfway) is None


class Line:
    """A link over which every text goes."""

    account = SimpleNamespace(sender="10690110")

    def __init__(self) -> None:
        self.messages: list[Submit] = []

    async def submit(self, message: Submit) -> Submitted:
        self.messages.append(message)
        await asyncio.sleep(0)
        return Submitted(pdu.OK, "")


async def test_a_text_that_is_sent_twice_at_once_fails_neither_time_and_is_one_to_the_phone() -> None:
    """Asked for again while it hangs, it goes in the same parts under the same reference."""
    line = Line()
    outbox = Outbox(cast("Any", line))
    text = "求助" * PART_UNITS
    await asyncio.gather(*(outbox.send("one", "+8613800138000", text) for _ in range(2)))
    sent = [message.octets for message in line.messages]
    assert len(sent) == 2 * len(set(sent)) > 2
