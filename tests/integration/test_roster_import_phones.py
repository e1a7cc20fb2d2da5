"""How a person is reached, as a file says it: webhooks, text messages, messengers; and what phones registered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client

from dispatch.identifiers import PersonId, Site
from dispatch.roster import (
    ApprisePoint,
    Person,
    Roster,
    SmsPoint,
    WebhookPoint,
    WebPushPoint,
)
from tests.roster_sheets import BARK, NTFY, PUSH, SHEETS, everything, imported, problems

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"


@pytest.fixture
def roster(nc: Client, site: Site) -> Roster:
    return Roster(nc, site)


async def test_what_phones_registered_survives(roster: Roster, tmp_path: Path) -> None:
    await imported(roster, tmp_path)
    await roster.update_person(
        PersonId("p-1"), lambda old: msgspec.structs.replace(old, contact_points=(PUSH,)), by="phone"
    )
    await imported(roster, tmp_path, {"people": ["id,name,phone", "p-1,新名,19900000001"]})
    (person,) = (await roster.people([PersonId("p-1")])).values()
    assert (person.name, person.contact_points) == ("新名", (PUSH,))


async def test_a_webhook_of_the_file_replaces_the_one_before_and_nothing_else(roster: Roster, tmp_path: Path) -> None:
    header = "id,name,phone,webhook,webhook_secret"
    await imported(roster, tmp_path, {"people": [header, f"p-1,罗玉珍,19900000001,https://a.example/,{SECRET}"]})
    await roster.update_person(
        PersonId("p-1"),
        lambda old: msgspec.structs.replace(old, contact_points=(*old.contact_points, PUSH)),
        by="phone",
    )
    await imported(roster, tmp_path, {"people": [header, f"p-1,罗玉珍,19900000001,https://b.example/,{SECRET}"]})
    (person,) = (await roster.people([PersonId("p-1")])).values()
    assert person.contact_points == (PUSH, WebhookPoint(url="https://b.example/", secret=SECRET))


@pytest.mark.parametrize(
    ("cells", "where"),
    [("ftp://a.example/," + SECRET, "D(webhook)"), ("https://a.example/,whsec_short", "E(webhook_secret)")],
)
async def test_a_wrong_webhook_is_named_and_its_secret_is_not_shown(
    roster: Roster, tmp_path: Path, cells: str, where: str
) -> None:
    header = "id,name,phone,webhook,webhook_secret"
    report = await imported(roster, tmp_path, {"people": [header, f"p-1,罗玉珍,19900000001,{cells}"]})
    (problem,) = problems(report)
    assert where in problem
    assert "whsec_short" not in problem


TEXTED = [
    "id,name,phone,短信",
    "p-1,罗玉珍,19900000001,是",
    "p-2,段学文,19900000002,+86 138 0013 8000",
    "o-1,普桂芳,19900000003,",
]


async def test_who_is_called_by_text_message_says_a_column(roster: Roster, tmp_path: Path) -> None:
    def numbers(found: Mapping[str, object]) -> dict[str, list[object]]:
        return {person.id: list(person.contact_points) for person in found.values() if isinstance(person, Person)}

    assert problems(await imported(roster, tmp_path, {**SHEETS, "people": TEXTED})) == []
    texted = {
        "p-1": [SmsPoint(number="+8619900000001")],
        "p-2": [SmsPoint(number="+8613800138000")],
        "o-1": [],
    }
    assert numbers(await everything(roster)) == texted
    push = WebPushPoint(endpoint="https://push.example/1", p256dh="k", auth="a")
    await roster.update_person(
        PersonId("p-2"), lambda p: msgspec.structs.replace(p, contact_points=(push, *p.contact_points)), by="p-2"
    )
    assert problems(await imported(roster, tmp_path)) == []
    assert numbers(await everything(roster)) == {**texted, "p-2": [push, *texted["p-2"]]}, "a file without leaves it"
    moved = [*TEXTED[:2], "p-2,段学文,19900000002,是", TEXTED[3]]
    assert problems(await imported(roster, tmp_path, {**SHEETS, "people": moved})) == []
    assert numbers(await everything(roster))["p-2"] == [push, SmsPoint(number="+8619900000002")]


@pytest.mark.parametrize(
    ("phone", "sms", "wrong"),
    [
        ("0878-3211001", "是", "takes no texts"),
        ("19900000002", "0878-3211001", "takes no texts"),
        ("19900000002", "maybe", "not a phone number"),
    ],
)
async def test_a_number_that_takes_no_texts_is_reported(
    roster: Roster, tmp_path: Path, phone: str, sms: str, wrong: str
) -> None:
    people = [*TEXTED[:2], f"p-2,段学文,{phone},{sms}", TEXTED[3]]
    (problem,) = problems(await imported(roster, tmp_path, {**SHEETS, "people": people}))
    assert problem.startswith("people.csv:3:D(短信)")
    assert wrong in problem


APPRISE_HEADER = "id,name,phone,apprise"


async def test_messengers_of_the_file_stand_for_those_before_and_are_not_doubled(
    roster: Roster, tmp_path: Path
) -> None:
    sheet = {"people": [APPRISE_HEADER, f"p-1,罗玉珍,19900000001,{NTFY} ; {BARK} {NTFY}"]}
    await imported(roster, tmp_path, sheet)
    points = (ApprisePoint(url=NTFY), ApprisePoint(url=BARK))
    assert await points_of(roster) == points
    await roster.update_person(
        PersonId("p-1"), lambda old: msgspec.structs.replace(old, contact_points=(PUSH, *points)), by="phone"
    )
    again = await imported(roster, tmp_path, sheet)
    assert again.written is not None
    assert again.written.unchanged == 1
    assert await points_of(roster) == (PUSH, *points)
    await imported(roster, tmp_path, {"people": [APPRISE_HEADER, f"p-1,罗玉珍,19900000001,{BARK}"]})
    assert await points_of(roster) == (PUSH, ApprisePoint(url=BARK))
    await imported(roster, tmp_path, {"people": ["id,name,phone", "p-1,罗玉珍,19900000001"]})
    assert await points_of(roster) == (PUSH, ApprisePoint(url=BARK))


async def points_of(roster: Roster) -> tuple[object, ...]:
    (person,) = (await roster.people([PersonId("p-1")])).values()
    return person.contact_points


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (f"{NTFY} syslog://hush", "no. 2 of 2 speaks to this machine itself"),
        ("gnome://hush", "speaks to this machine itself"),
        ("fcm://hush/k/t?keyfile=/etc/hush", "names a file of this machine"),
        ("hush-hush", "is no Apprise URL"),
        ("=hush://x", "of a kind that Apprise does not know"),
        ("ntfys://hush/" + "x" * 1000, "longer than 1000 characters"),
        ("ntfys://hush\u0007/x", "control character"),
    ],
)
async def test_a_wrong_messenger_is_named_by_line_and_column_and_its_secret_is_not_shown(
    roster: Roster, tmp_path: Path, cell: str, said: str
) -> None:
    report = await imported(roster, tmp_path, {"people": [APPRISE_HEADER, f"p-1,罗玉珍,19900000001,{cell}"]})
    (problem,) = problems(report)
    assert problem.startswith("people.csv:2:D(apprise)")
    assert said in problem
    assert "hush" not in problem
