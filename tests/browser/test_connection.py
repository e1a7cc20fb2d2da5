"""A page that lost its line says so, and catches up by itself."""

from __future__ import annotations

import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dispatch.cases import CaseDesk, Resolve
from dispatch.clock import now
from dispatch.events import Press, encode_press
from dispatch.identifiers import CaseId, CommitId, PressId
from tests.browser.people import People, sees
from tests.live import LiveSystem
from tests.standing_still import stop

pytestmark = pytest.mark.browser

LOST = "[data-line=lost]"
QUIET_MS = 25_000
"""A page gives a quiet line 12 s; the machine that runs this may be busy."""


@asynccontextmanager
async def frozen(live: LiveSystem, role: str) -> AsyncIterator[None]:
    """One process of the system stands still: its connections stay open, and nothing comes over them."""
    pid = await live.system.pid(role)
    assert pid is not None
    stop(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def press_a_button(live: LiveSystem) -> CaseId:
    """A press that needs no web process."""
    press = Press(
        press=PressId(secrets.token_hex(8)), household=live.household, device="button", source="mqtt", pressed_at=now()
    )
    subject, headers, body = encode_press(press, live.log.site)
    await live.system.nc.jetstream().publish(subject, body, headers=headers)
    return await live.open_case()


async def resolve(live: LiveSystem, case: CaseId) -> None:
    command = Resolve(id=CommitId(secrets.token_hex(8)), at=now(), by="operator:test", resolution="helped")
    await CaseDesk(live.log).handle(case, command)


async def test_the_desk_says_that_its_line_has_gone_quiet_and_catches_up(
    people: People, quiet_village: LiveSystem
) -> None:
    people.excuse("ERR_|Failed to load resource")
    ended = await quiet_village.press(kind="help")
    desk = await people.open("operator")
    await sees(desk, f".list-pane [data-case='{ended}']")

    async with frozen(quiet_village, "serve"):
        await sees(desk, LOST, within_ms=QUIET_MS)
        await resolve(quiet_village, ended)
        missed = await press_a_button(quiet_village)

    await sees(desk, f".list-pane [data-case='{missed}']", within_ms=QUIET_MS)
    await sees(desk, LOST, state="hidden")
    await sees(desk, f".list-pane [data-case='{ended}']", state="hidden")
    await sees(desk, f".side-pane [data-case='{ended}']")


async def test_pages_outlive_a_crash_of_the_web_process(people: People, quiet_village: LiveSystem) -> None:
    people.excuse("ERR_|Failed to load resource")
    resident, neighbour = await people.open("resident"), await people.open("neighbour")
    for page in (resident, neighbour):  # a crash while its worker comes is a complaint of the browser's own
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    before = await quiet_village.system.kill("serve")
    await sees(resident, LOST)
    await sees(neighbour, LOST)
    await quiet_village.system.restarted("serve", before)
    await sees(neighbour, LOST, state="hidden", within_ms=20_000)
    await sees(resident, LOST, state="hidden", within_ms=20_000)
    case = await quiet_village.press(kind="help")
    await sees(neighbour, "main.ringing .alarm")
    await sees(resident, f"[data-case='{case}']")


KEPT = """async () => {
  const sources = [];
  window.EventSource = class extends EventTarget {
    constructor() { super(); sources.push(this); }
    close() {}
  };
  const { Live } = await import("/static/lib/live.js");
  const live = new Live({ changed() {}, keeps: (view) => view.id === "read" });
  const tell = (name, data) => {
    sources[0].dispatchEvent(Object.assign(new Event(name), { data: JSON.stringify(data) }));
  };
  const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
  const view = (id, over) => (
    { id, version: 1, status: over ? "resolved" : "raised", closing: over ? { at: ago(over) } : null });
  tell("snapshot", { cases: [view("open"), view("lately", 29), view("old", 31), view("read", 31)] });
  live.learn(view("answered", 31));
  const first = [...live.cases.keys()];
  tell("beat", { at: ago(0) });
  return [first, [...live.cases.keys()], live.learned.size];
}"""


async def test_a_page_lets_go_of_what_has_been_over_for_long_but_for_what_is_read(people: People) -> None:
    page = await people.open("resident")
    first, kept, learned = await page.evaluate(KEPT)
    assert first == ["open", "lately", "old", "read", "answered"]
    assert (kept, learned) == (["open", "lately", "read"], 0)
