"""Whom those at home are told will be called next: nobody whom the roster does not have."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from dispatch.cases import Case, next_call, upcoming
from dispatch.events import PolicyStep, Quorum, Target
from dispatch.identifiers import PersonId
from tests.unit.escalation_story import (
    ANNA,
    BO,
    FIRST,
    LI,
    NEXT,
    POLICY,
    T0,
    WANG,
    answer,
    call,
    carry_out,
    leave_out,
    press,
    silent_press,
    step,
)

NOBODY: Mapping[Target, Collection[PersonId]] = {"neighbour_officers": (), "command_centre": ()}
ZHOU = PersonId("zhou")


def story(*calls: tuple[Target, ...]) -> Case:
    """A case with steps that call `calls`, one after the other, each for a minute."""
    steps = (*POLICY.steps[:1], *(PolicyStep(call=call, within_seconds=60) for call in calls))
    policy = replace(POLICY, steps=steps, quorum=Quorum(anyone=1))
    return carry_out(press(plan=replace(FIRST, policy=policy)))[0]


def told(
    case: Case, aid: Mapping[Target, Collection[PersonId]], mute: Collection[PersonId] = ()
) -> tuple[tuple[Target, ...], float] | None:
    found = next_call(case, aid, mute)
    return (found.targets, (found.at - T0).total_seconds()) if found else None


def test_a_post_that_nobody_holds_is_not_promised() -> None:
    case, _ = carry_out(press())
    assert told(case, {"neighbour_officers": (WANG,), "command_centre": ()}) == (("again", "neighbour_officers"), 45)
    assert told(case, NOBODY) == (("again",), 45)


def test_a_step_that_rings_nobody_is_passed_over_with_its_time() -> None:
    case = story(("neighbour_officers",), ("command_centre",))
    assert told(case, {"neighbour_officers": (), "command_centre": (ZHOU,)}) == (("command_centre",), 105)
    assert told(case, NOBODY) is None


def test_who_has_answered_or_is_left_out_is_not_called_again() -> None:
    case = story(("again", "neighbour_officers"))
    case, _ = carry_out(*(answer(who, "cannot", 10) for who in (ANNA, BO)), leave_out(LI), case=case)
    assert told(case, {"neighbour_officers": (ANNA, LI)}) is None
    assert told(case, {"neighbour_officers": (ANNA, WANG)}) == (("neighbour_officers",), 0)


def test_110_is_promised_only_where_somebody_holds_its_post() -> None:
    case = story(("hand_over",))
    assert told(case, {"hand_over": ()}) is None
    assert told(case, {"hand_over": (ZHOU,)}) == (("hand_over",), 45)


def test_110_is_not_promised_again_once_it_has_the_case() -> None:
    case = story(("hand_over",), ("neighbour_officers", "hand_over"))
    centre = replace(NEXT, calls=(call(ZHOU, "emergency_centre"),))
    case, _ = carry_out(step(1, 45, centre), case=case)
    assert told(case, {"hand_over": (ZHOU,), "neighbour_officers": ()}) is None
    assert told(case, {"hand_over": (ZHOU,), "neighbour_officers": (WANG,)}) == (("neighbour_officers",), 105)


def test_the_last_step_is_repeated_and_a_case_that_is_over_calls_nobody() -> None:
    case, _ = carry_out(press(), step(1, 45), step(2, 105))
    assert upcoming(case) == {"again", "command_centre"}
    assert told(case, NOBODY) == (("again",), 135)
    assert told(Case(), NOBODY) is None


def test_who_was_called_before_is_announced_as_called_again_and_not_as_somebody_else() -> None:
    case = story(("command_centre",), ("command_centre", "neighbour_officers"))
    assert told(case, {"command_centre": (ZHOU,)}) == (("command_centre",), 45)
    case, _ = carry_out(step(1, 45, replace(NEXT, calls=(call(ZHOU, "command_centre"),))), case=case)
    assert told(case, {"command_centre": (ZHOU,)}) == (("again",), 105)
    aid: Mapping[Target, Collection[PersonId]] = {"command_centre": (ZHOU,), "neighbour_officers": (WANG,)}
    assert told(case, aid) == (("neighbour_officers", "again"), 105)
    assert told(case, {"command_centre": (ZHOU, WANG)}) == (("command_centre", "again"), 105)


def test_who_lives_there_is_not_promised_while_nothing_may_be_heard_there() -> None:
    one_comes = replace(POLICY, quorum=Quorum(anyone=1))
    home = replace(FIRST, calls=FIRST.calls[:2], policy=one_comes, residents=(ANNA, BO, WANG))
    aid: Mapping[Target, Collection[PersonId]] = {"neighbour_officers": (WANG,), "command_centre": ()}
    loud, _ = carry_out(press(plan=home))
    assert told(loud, aid) == (("again", "neighbour_officers"), 45)
    silent, _ = carry_out(silent_press(10, plan=home), case=loud)
    assert told(silent, aid) is None


def test_whom_nothing_can_ring_any_more_is_not_promised() -> None:
    case, _ = carry_out(press())
    aid: Mapping[Target, Collection[PersonId]] = {"neighbour_officers": (WANG,), "command_centre": (ZHOU,)}
    assert told(case, aid, (ANNA, BO, WANG)) == (("again",), 45), "of those who were called one can be rung"
    assert told(case, aid, (ANNA, BO, LI)) == (("neighbour_officers",), 45)
    assert told(case, aid, (ANNA, BO, LI, WANG, ZHOU)) is None
