"""A clock that tests move: what it shows, how it reads the server's time, and who may go by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from dispatch import clock
from dispatch.clock import for_server, now, of_server
from dispatch.errors import SetupError
from dispatch.moved_clock import STANDS_NEARLY, Move, MovedClock, go_by_settings
from dispatch.settings import Settings

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def the_machines_clock_afterwards() -> Iterator[None]:
    yield
    clock.go_by(None)


def moved(file: Path, *moves: Move) -> MovedClock:
    file.write_bytes(b"".join(msgspec.json.encode(move) + b"\n" for move in moves))
    return MovedClock(file)


def test_where_nobody_moved_it_it_is_the_machines(tmp_path: Path) -> None:
    untouched = MovedClock(tmp_path / "clock")
    assert (untouched.shown(NOON), untouched.real(NOON)) == (NOON, NOON)


def test_what_was_before_a_move_is_when_it_was(tmp_path: Path) -> None:
    """Else a press that waited while the clock was moved would be older by as much."""
    one = moved(tmp_path / "clock", Move(NOON, NOON + 10 * MINUTE, 1), Move(NOON + MINUTE, NOON + 60 * MINUTE, 0.5))
    assert one.shown(NOON - MINUTE) == NOON - MINUTE
    assert one.shown(NOON + MINUTE / 2) == NOON + 10.5 * MINUTE
    assert one.shown(NOON + 5 * MINUTE) == NOON + 62 * MINUTE


def test_a_timer_is_set_for_the_moment_in_which_it_will_show_that(tmp_path: Path) -> None:
    one = moved(tmp_path / "clock", Move(NOON, NOON + 10 * MINUTE, 0.5))
    assert one.real(NOON + 11 * MINUTE) == NOON + 2 * MINUTE
    assert one.real(NOON + 5 * MINUTE) == NOON, "that was leapt over"
    assert one.real(NOON - 5 * MINUTE) == NOON - 5 * MINUTE


@given(
    leaps=st.lists(st.tuples(st.integers(1, 3600), st.integers(0, 3600), st.sampled_from([STANDS_NEARLY, 0.5, 1.0]))),
    seconds=st.integers(-100, 20_000),
)
def test_it_never_goes_back_and_finds_each_moment_again(
    tmp_path_factory: pytest.TempPathFactory, leaps: list[tuple[int, int, float]], seconds: int
) -> None:
    moves, real, shown, pace = list[Move](), NOON, NOON, 1.0
    for after, ahead, next_pace in leaps:
        real += timedelta(seconds=after)
        shown += timedelta(seconds=after) * pace + timedelta(seconds=ahead)
        pace = next_pace
        moves.append(Move(real, shown, pace))
    one = moved(tmp_path_factory.mktemp("clock") / "clock", *moves)
    at = NOON + timedelta(seconds=seconds)
    assert one.shown(at) <= one.shown(at + timedelta(seconds=1))
    assert abs(one.real(one.shown(at)) - at) <= timedelta(milliseconds=1)


def test_it_is_put_forward_and_never_back(tmp_path: Path) -> None:
    one = MovedClock(tmp_path / "clock")
    ahead = datetime.now(UTC) + 60 * MINUTE
    one.put_forward(ahead)
    one.put_forward(ahead - 30 * MINUTE)
    assert ahead <= one.shown(datetime.now(UTC)) < ahead + MINUTE


def test_a_line_that_is_only_half_written_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    one = moved(file, Move(NOON, NOON + MINUTE, 1))
    line = msgspec.json.encode(Move(NOON, NOON + 2 * MINUTE, 1)) + b"\n"
    with file.open("ab") as half:
        half.write(line[:20])
    assert one.shown(NOON) == NOON + MINUTE
    with file.open("ab") as rest:
        rest.write(line[20:])
    assert one.shown(NOON) == NOON + 2 * MINUTE


def test_a_process_goes_by_it_where_it_is_told_to_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "clock"
    MovedClock(file).put_forward(datetime.now(UTC) + 60 * MINUTE, pace=1)
    go_by_settings(Settings())
    assert abs(now() - datetime.now(UTC)) < MINUTE
    assert (of_server(NOON), for_server(NOON)) == (NOON, NOON)
    go_by_settings(Settings(moved_clock=file))
    assert now() - datetime.now(UTC) > 59 * MINUTE
    stamped = datetime.now(UTC)
    assert abs(of_server(stamped) - now()) < MINUTE
    assert abs(for_server(now()) - stamped) < MINUTE


@pytest.mark.parametrize(
    "reached",
    [{"host": "0.0.0.0"}, {"host": "192.0.2.7"}, {"public_url": "https://dispatch.example"}],  # noqa: S104
)
def test_nobody_goes_by_it_where_other_machines_reach_the_system(tmp_path: Path, reached: dict[str, str]) -> None:
    settings = Settings(moved_clock=tmp_path / "clock", **reached)  # type: ignore[arg-type]
    with pytest.raises(SetupError, match="DISPATCH_MOVED_CLOCK"):
        go_by_settings(settings)
    go_by_settings(settings.model_copy(update={"moved_clock": None}))


@pytest.mark.parametrize(
    ("name", "remote"),
    [
        ("nats_url", "nats://dispatch:hush@nats.example:4222"),
        ("nats_url", "nats://127.0.0.1:4222,nats://nats.example:4222"),
        ("nats_url", "nats.example:4222"),
        ("nats_url", "nats://[127.0.0.1:4222"),
        ("nats_system_url", "nats://sys:hush@192.0.2.7:4222"),
        ("mqtt_url", "mqtts://dispatch:hush@192.0.2.7:8883"),
        ("postgres_dsn", "postgresql://dispatch:hush@db.example/dispatch"),
        ("postgres_dsn", "postgresql://127.0.0.1:5432,db.example:5432/dispatch"),
        ("postgres_dsn", "postgresql://127.0.0.1/dispatch?host=db.example"),
        ("postgres_dsn", "postgresql:///dispatch"),
        ("sms_host", "smsc.example"),
    ],
)
def test_nobody_goes_by_it_whose_servers_stand_on_other_machines(tmp_path: Path, name: str, remote: str) -> None:
    """A role of its own, and a command, are reached by nobody, and call people all the same."""
    with pytest.raises(SetupError, match=f"DISPATCH_{name.upper()}") as refused:
        go_by_settings(Settings(moved_clock=tmp_path / "clock", **{name: remote}))  # type: ignore[arg-type]
    assert "hush" not in str(refused.value)


def test_servers_of_this_machine_may_go_by_it(tmp_path: Path) -> None:
    go_by_settings(
        Settings(
            moved_clock=tmp_path / "clock",
            nats_url="nats://a:b@localhost:4222,nats://[::1]:4222",
            postgres_dsn="postgresql://a:b@127.0.0.1:5432/dispatch?sslmode=disable",
            sms_host="127.0.0.1",
        )
    )


GOOD = msgspec.json.encode(Move(NOON, NOON + MINUTE, 1))
BAD = {
    "no JSON": b"tomorrow",
    "pace 0": GOOD.replace(b'"pace":1', b'"pace":0'),
    "too fast to be reckoned with": GOOD.replace(b'"pace":1', b'"pace":1e300'),
    "no time zone": GOOD.replace(b"Z", b""),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_nobody_starts_by_a_clock_that_cannot_be_read(tmp_path: Path, bad: bytes) -> None:
    file = tmp_path / "clock"
    file.write_bytes(GOOD + b"\n" + bad + b"\n")
    with pytest.raises(SetupError, match="line 2"):
        go_by_settings(Settings(moved_clock=file))
    assert abs(now() - datetime.now(UTC)) < MINUTE
    with pytest.raises(SetupError, match="DISPATCH_MOVED_CLOCK"):
        go_by_settings(Settings(moved_clock=tmp_path))


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_line_that_cannot_be_read_is_logged_once_and_the_time_goes_on(tmp_path: Path, bad: bytes) -> None:
    file = tmp_path / "clock"
    one = moved(file, Move(NOON, NOON + MINUTE, 1))
    with structlog.testing.capture_logs() as logs:
        for line in (bad, GOOD, GOOD):
            with file.open("ab") as more:
                more.write(line + b"\n")
            assert one.shown(NOON) == NOON + MINUTE
            assert one.real(NOON + MINUTE) == NOON
    assert [(said["event"], said["line"]) for said in logs] == [("clock.line_unreadable", 2)]
    with file.open("ab") as more:
        more.write(msgspec.json.encode(Move(NOON, NOON + 2 * MINUTE, 1)) + b"\n")
    assert one.shown(NOON) == NOON + 2 * MINUTE
