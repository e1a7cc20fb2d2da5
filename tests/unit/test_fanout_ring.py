"""What a responder reads when a phone rings."""

from __future__ import annotations

import json
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from dispatch.access import LinkClaims, Links
from dispatch.cases import enough, evolve
from dispatch.events import DuressSignalled, HouseholdStamped, Reason, ResponderReplied, RespondersCalled
from dispatch.fanout.calls import Rings, place_of
from dispatch.fanout.ring import make_ring, plain, scene_of, take_back
from dispatch.fanout.sms.texts import text_of
from dispatch.fanout.turns import Rank
from dispatch.identifiers import AreaId, CaseId, CommitId, PersonId, notification_id
from tests.rings import AT, HOME, VILLAGE, call, case, planned, ring


def test_it_has_the_fields_of_the_contract_and_no_others() -> None:
    document = json.loads(msgspec.json.encode(ring()))
    assert list(document) == [
        "notification", "case", "step", "responder", "kind", "drill", "silent", "title", "body", "household",
        "reason", "link", "raised_at", "word", "duress",
    ]  # fmt: skip
    assert document["household"] == {"name": "李家", "address": "茅州村 12 号"}
    assert document["notification"] == notification_id(ring().case, ring().responder)
    assert len(document["notification"]) == 26
    assert (document["reason"], document["raised_at"]) == ("member", AT.isoformat().replace("+00:00", "Z"))


def test_both_languages_chinese_first() -> None:
    text = ring()
    assert text.title == "火警 · 茅州村 李家"
    zh, en = text.body.split("\n")
    assert zh.startswith("火警：茅州村 李家，茅州村 12 号。您是联防组员") and zh.endswith("注意：老人独居")  # noqa: PT018
    assert en.startswith("Fire: 茅州村 李家")
    assert "group member" in en


def test_a_drill_is_marked_first_of_all() -> None:
    drill = ring(drill=True)
    assert drill.title.startswith("【演练 DRILL】")
    assert drill.body.startswith("这是演练")
    assert "This is a drill" in drill.body
    assert "演练" not in ring().title + ring().body


def test_a_silent_alarm_asks_not_to_ring_back() -> None:
    assert "请勿回拨" in ring(silent=True).body
    assert "do not ring back" in ring(silent=True).body
    assert "回拨" not in ring().body


def test_under_duress_nobody_is_to_show_that_they_know() -> None:
    signalled = evolve(case(), DuressSignalled(at=AT, by="device:h-1"))
    text = make_ring(signalled, next(iter(signalled.calls.values())), scene_of(signalled, HOME, {}), "link")
    assert text.title.startswith("【胁迫 DURESS】")
    assert "请勿回拨" in text.body
    assert "do not show that you know" in text.body
    assert (text.duress, text.silent) == (True, True)


def test_duress_in_a_drill_waits_behind_no_alarm_in_earnest() -> None:
    drill = case(drill=True)
    signalled = evolve(drill, DuressSignalled(at=AT, by="device:h-1"))
    assert place_of(drill, call(drill)).drill
    assert not place_of(signalled, call(signalled)).drill


def test_beside_a_case_under_duress_it_says_that_it_is_the_same_household() -> None:
    beside = evolve(case(), HouseholdStamped(at=AT, beside=CaseId("h-1-AAAAAAAA")))
    text = make_ring(beside, call(beside), scene_of(beside, HOME, {}), "link")
    assert text.title.startswith("【胁迫 DURESS】【同一户 SAME HOME】")
    assert "请勿回拨" in text.body
    assert "同一户再次报警" in text.body
    assert (text.duress, text.silent) == (True, True)


def test_who_lives_there_reads_nothing_of_duress() -> None:
    beside = CaseId("h-1-AAAAAAAA")
    stamped = [evolve(case(), HouseholdStamped(at=AT, residents=(PersonId("p-1"),), beside=b)) for b in (None, beside)]
    plain_ring = make_ring(stamped[0], call(stamped[0]), scene_of(stamped[0], HOME, {}), "link")
    signalled = evolve(stamped[0], DuressSignalled(at=AT, by="device:h-1"))
    for one in (stamped[1], signalled):
        assert make_ring(one, call(one), scene_of(one, HOME, {}), "link") == plain_ring


def test_what_is_alike_is_made_once_and_each_ring_is_as_if_made_by_itself() -> None:
    links = Links(b"0" * 32, "https://x.example")
    people, officer = tuple(planned(f"p-{n}") for n in range(4)), planned("p-4")
    officer = replace(officer, reasons=(Reason("auxiliary_officer", "a-1"), Reason("member", "g-1")))
    of = evolve(case(), HouseholdStamped(at=AT, residents=(PersonId("p-1"), PersonId("p-3"))))
    for step in range(2):
        of = evolve(of, RespondersCalled(at=AT, step=step, calls=(*people, officer)))
    for known in (of, evolve(of, DuressSignalled(at=AT, by="device:h-1"))):
        scene = scene_of(known, HOME, {})
        rings = Rings(known, scene, links)
        for one in known.calls.values():
            made = rings.of(one)
            assert made == make_ring(known, one, scene, made.link)
            token = made.link.removeprefix("https://x.example/r/")
            assert links.read(token) == LinkClaims(known.id, one.responder)


def test_a_drill_under_duress_says_that_it_is_none_any_more() -> None:
    signalled = evolve(case(drill=True), DuressSignalled(at=AT, by="device:h-1"))
    text = make_ring(signalled, call(signalled), scene_of(signalled, HOME, {}), "link")
    assert (text.drill, text.duress, "DRILL" in text.title) == (False, True, False)
    assert text.body.startswith("演练中发生真实警情：这不是演练。")
    assert "This is a drill" not in text.body


def test_the_first_ring_in_earnest_after_a_drill_goes_as_a_first_ring() -> None:
    drill = case(drill=True)
    again = RespondersCalled(at=AT + timedelta(seconds=9), step=1, calls=(planned("p-1"),))
    signalled = evolve(evolve(drill, DuressSignalled(at=AT + timedelta(seconds=5), by="device:h-1")), again)
    after = evolve(signalled, replace(again, step=2, at=AT + timedelta(seconds=19)))
    places = [place_of(one, one.calls[step, PersonId("p-1")]) for one, step in ((drill, 0), (signalled, 1), (after, 2))]
    assert [(place.rank, place.drill) for place in places] == [
        (Rank.FIRST, True), (Rank.FIRST, False), (Rank.REPEATED, False),
    ]  # fmt: skip


def test_that_there_is_enough_help_is_said_where_as_many_come_as_are_asked_for() -> None:
    of = evolve(case(), RespondersCalled(at=AT, step=0, calls=(planned("p-1"), planned("p-2"))))
    going = ResponderReplied(at=AT, reply=CommitId("r"), responder=PersonId("p-2"), answer="going", via="page")
    one_of_two = evolve(of, going)
    known = [
        of,
        evolve(of, replace(going, answer="cannot")),
        one_of_two,
        evolve(one_of_two, replace(going, responder=PersonId("p-1"), answer="on_scene")),
    ]
    said = [take_back(ring(), "stood_down", enough=enough(one)) for one in known]
    nobody = "您不用前往，感谢您。\nYou need not come. Thank you."
    thanks = "已有足够人手，感谢您，不用前往。\nEnough help is there. Thank you; you need not come."
    assert [one.body for one in said] == [nobody, nobody, nobody, thanks]
    assert [text_of(one) for one in said] == [f"{ring().title}：{one.body.splitlines()[0]}" for one in said]
    assert {one.word for one in said} == {"stood_down"}
    over = [take_back(ring(), "over", enough=comes) for comes in (True, False)]
    assert over[0] == over[1]


def test_a_household_that_nobody_knows_is_still_called_for() -> None:
    unknown = ring(home=None)
    assert unknown.household.name == "h-1"
    assert "地址未登记" in unknown.household.address


def test_an_area_that_nobody_knows_is_left_out() -> None:
    assert ring(areas=(AreaId("gone"),)).title == "火警 · 李家"


def test_a_hostile_roster_entry_stays_one_short_line() -> None:
    text = ring(home=replace(HOME, name="李\n家\u202e\x00" + "长" * 500, note="x" * 10_000))
    assert len(text.household.name) == 60
    assert text.household.name.startswith("李 家 长")
    assert text.body.count("\n") == 1


def test_plain_cuts_with_an_ellipsis() -> None:
    assert plain("abcdef", 4) == "abc…"
    assert plain("abcd", 4) == "abcd"


def test_110_is_told_all_it_needs_to_take_a_case_over() -> None:
    home = replace(HOME, phone="+8613900000001")
    of = case()
    to_110 = replace(call(of), reasons=(Reason("emergency_centre", "c-1"),))
    text = make_ring(of, to_110, scene_of(of, home, {VILLAGE.id: VILLAGE}), "https://x.example/r/abc")
    zh, en = text.body.split("\n")
    assert zh == (
        "移交110：火警，茅州村 李家，茅州村 12 号，16:30:00报警，0人正前往，0人在场。"
        "户主电话+8613900000001。请派警处置并回复。注意：老人独居"
    )
    assert en.startswith("Handed over to 110. Fire: 茅州村 李家")
    assert "+8613900000001" in en
    assert "13900000001" not in ring(home).body, "to nobody else"
