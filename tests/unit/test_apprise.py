"""Messengers and e-mail by Apprise, on servers of their own: what arrives, what is refused, and what stays secret."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from urllib.parse import unquote

import pytest

from dispatch.cli.roster import _shown as shown_document
from dispatch.errors import Malformed
from dispatch.fanout.channels import AppriseSender, Sent
from dispatch.fanout.channels.apprise import with_call
from dispatch.fanout.channels.threads import Threads
from dispatch.fanout.ring import take_back
from dispatch.identifiers import PersonId
from dispatch.roster import ApprisePoint, Person, SmsPoint
from dispatch.roster.apprise_urls import usable
from dispatch.settings import Settings
from dispatch.telemetry import configure
from tests.messengers import Messenger, mailing, messenger
from tests.receivers import Reserved, raw_server
from tests.rings import ring

SECRET = "tk_hush0hush1hush2"


@pytest.fixture
async def server() -> AsyncIterator[Messenger]:
    async with messenger() as running:
        yield running


async def send(url: str, *, guarded: bool = False, **how: object) -> Sent:
    return await AppriseSender(guarded=guarded).send(ring(**how), ApprisePoint(url=url))  # type: ignore[arg-type]


async def test_ntfy_gets_title_text_and_link_with_the_highest_priority(server: Messenger) -> None:
    assert await send(f"ntfy://{server.host}/village") == Sent("sent")
    (message,) = server.messages
    assert (message.to, message.title, message.urgent) == ("village", ring().title, True)
    assert message.body == f"{ring().body}\n{ring().link}"
    assert unquote(message.link or "") == ring().link


async def test_bark_gets_them_under_the_id_of_the_notification(server: Messenger) -> None:
    for _ in range(2):
        assert await send(f"bark://{server.host}/device-1") == Sent("sent")
    first, second = server.messages
    assert (first.to, first.title, first.urgent, first.link) == ("device-1", ring().title, True, ring().link)
    assert first.id == second.id == ring().notification, "a second ring takes the place of the first"


async def test_mail_gets_them_as_text() -> None:
    async with mailing() as mailbox:
        sent = await send(f"mailto://{mailbox.host}/?from=desk@dispatch.example&to=p@example.org&format=text")
    assert sent == Sent("sent")
    (mail,) = mailbox.mails
    assert mail["Subject"] == ring().title
    assert mail["To"] == "p@example.org"
    body = mail.get_body(("plain",))
    assert body is not None
    assert ring().link in body.get_content()
    assert "联防组员" in body.get_content()


async def test_a_drill_and_a_silent_alarm_say_so(server: Messenger) -> None:
    await send(f"ntfy://{server.host}/t", drill=True, silent=True)
    (message,) = server.messages
    assert message.title.startswith("【演练 DRILL】")
    assert "请勿回拨" in message.body


async def test_word_that_one_need_not_come_is_quiet_and_has_no_link(server: Messenger) -> None:
    notice = take_back(ring(), "stood_down", enough=True)
    sender = AppriseSender(guarded=False)
    for schema in ("ntfy", "bark"):
        assert await sender.send(notice, ApprisePoint(url=f"{schema}://{server.host}/t")) == Sent("sent")
    assert [(m.urgent, m.link, m.body) for m in server.messages] == [(False, None, notice.body)] * 2
    assert server.messages[1].id == ring().notification


def test_what_the_url_says_itself_is_left_as_it_is() -> None:
    assert "priority=low" in with_call("ntfys://h/t?priority=low", ring())
    assert "max" not in with_call("ntfys://h/t?priority=low", ring())
    assert with_call("wecombot://key", ring()) == "wecombot://key"


async def test_a_refusal_is_final_and_says_the_status_alone(server: Messenger) -> None:
    server.token = SECRET
    assert await send(f"ntfy://{server.host}/hush-topic?auth=token&token=wrong") == Sent("failed", "HTTP 403")
    assert server.tried == 1
    assert await send(f"ntfy://{server.host}/hush-topic?auth=token&token={SECRET}") == Sent("sent")


@pytest.mark.parametrize(("status", "later"), [(503, 0.0), (429, 0.0), (400, None)])
async def test_a_service_in_trouble_may_be_asked_again(server: Messenger, status: int, later: float | None) -> None:
    server.refuse = status
    sent = await send(f"ntfy://{server.host}/t")
    assert (sent.outcome, sent.later) == ("failed", later)


async def test_nobody_there_may_be_asked_again() -> None:
    place = Reserved()
    sent = await send(f"ntfy://127.0.0.1:{place.port}/t")
    place.release()
    assert (sent.outcome, sent.later) == ("failed", 0.0)
    assert sent.reason == "no connection, or no answer in time; it may have arrived"


async def test_a_provider_is_named_without_what_is_secret(server: Messenger) -> None:
    sender = AppriseSender(guarded=False)
    await sender.load()
    url = f"ntfy://hush-user:hush-password@{server.host}/hush-topic"
    name = sender.provider(ApprisePoint(url=url))
    assert server.host.partition(":")[0] in name
    assert "hush" not in name


@pytest.fixture
def logs(capfd: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """Logs as a worker writes them, down to the last detail."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure("fanout", Settings(log_level="debug"))
    yield capfd
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_nothing_of_a_url_is_in_reasons_or_logs(server: Messenger, logs: pytest.CaptureFixture[str]) -> None:
    said = []
    for refuse in (403, 500, None):
        server.refuse = refuse
        said.append(await send(f"ntfy://hush-user:hush-password@{server.host}/hush-topic"))
        said.append(await send(f"bark://{server.host}/hush-key"))
    said.append(await send(f"syslog://hush-user:{SECRET}@h"))
    said.append(await send(f"ntfy://hush-host.invalid/{SECRET}"))
    said.append(await send(f"nonsense-hush-{SECRET}"))
    logging.getLogger().debug("the end of it")
    out, err = logs.readouterr()
    assert "the end of it" in err, "logs are looked at"
    assert "hush" not in f"{said}{out}{err}"
    assert [sent.outcome for sent in said].count("sent") == 2


@pytest.mark.parametrize(
    "url",
    [
        "syslog://", "dbus://", "kde://", "qt://", "glib://", "gio://", "gnome://", "macosx://", "windows://",
        "blink1://", "SYSLOG://", "file:///etc/passwd", "foo://x", "hello", "vapid://a@b.example/x",
        "fcm://project/key/token?keyfile=/etc/passwd", "fcm://project/key/token?KeyFile=x", "mailto://u:p@h.cn?pgp=yes",
        "discord://1234567890123456789/" + "a" * 68 + "?template=/etc/passwd", "https://example.org/hook",
        "discord://1234567890123456789/" + "a" * 68 + "/?%20template=/etc/passwd",
        "discord://1234567890123456789/" + "a" * 68 + "/?a=b;Template=/etc/passwd",
        "discord://1234567890123456789/" + "a" * 68 + "/?%C2%A0template=/etc/passwd",
    ],
)  # fmt: skip
async def test_what_is_no_service_elsewhere_is_refused_in_words(url: str) -> None:
    with pytest.raises(Malformed) as refused:
        usable(url)
    assert "passwd" not in refused.value.detail
    assert await send(url) == Sent("failed", f"the Apprise URL {refused.value.detail}")


def test_services_known_by_their_own_addresses_and_keys_are_usable() -> None:
    for url in (
        "wecombot://0123abcd-key", "dingtalk://0123456789abcdef", "feishu://0123-4567-89ab", "ntfys://ntfy.sh/topic",
        "barks://api.day.app/key", "mailtos://u:p@qq.com",
        "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123abcd-key",
    ):  # fmt: skip
        assert usable(url) is not None


@pytest.mark.parametrize("url", ["ntfy://{}/t", "bark://{}/key", "mailto://{}/?from=a@b.example&to=c@d.example"])
async def test_private_addresses_are_spoken_to_only_where_that_is_allowed(server: Messenger, url: str) -> None:
    for host in (server.host, server.host.replace("127.0.0.1", "localhost")):
        sent = await send(url.format(host), guarded=True)
        assert sent == Sent("failed", "the service is not on a public address")
    assert server.tried == 0


async def test_the_mail_server_named_beside_the_domain_is_looked_at_too(server: Messenger) -> None:
    sent = await send(f"mailto://u:p@qq.com?smtp={server.host.split(':')[0]}", guarded=True)
    assert sent == Sent("failed", "the service is not on a public address")


async def test_redirects_are_not_followed() -> None:
    async def redirect(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw_server(redirect) as url:
        host = url.removeprefix("http://").removesuffix("/hook")
        assert await send(f"ntfy://{host}/t") == Sent("failed", "HTTP 307: redirects are not followed")


async def trickling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer that comes byte by byte and never ends, so that no time limit of a socket ends it."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not reader.at_eof():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def test_a_service_that_hangs_costs_nobody_else_anything(server: Messenger) -> None:
    threads = Threads(at_once=4, per_place=2)
    sender = AppriseSender(guarded=False, threads=threads, try_seconds=0.4)
    async with raw_server(trickling) as url:
        hangs = url.replace("http://", "ntfy://").replace("/hook", "/t")
        late = [asyncio.create_task(sender.send(ring(), ApprisePoint(url=hangs))) for _ in range(6)]
        hung = await asyncio.gather(*late)
        assert {sent.reason for sent in hung} == {"no answer in time; it may have arrived"}
        # Two threads hang for ever, four never got their turn; another service has the two that are left.
        well = [sender.send(ring(), ApprisePoint(url=f"ntfy://{server.host}/t")) for _ in range(8)]
        assert set(await asyncio.gather(*well)) == {Sent("sent")}


def test_no_screen_of_the_roster_shows_the_url() -> None:
    points = (ApprisePoint(url="ntfys://hush@ntfy.example/hush"), SmsPoint(number="+8613800000001"))
    shown = shown_document(Person(id=PersonId("p-1"), name="王", contact_points=points))
    assert shown["contact_points"] == [
        {"kind": "apprise"},
        {"kind": "sms", "number": "+8613800000001"},
    ]
