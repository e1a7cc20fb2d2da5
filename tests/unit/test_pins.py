"""What a PIN is kept as. What comes of it at home is in `integration/web/test_web_confidence.py`."""

from __future__ import annotations

from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from dispatch.identifiers import AreaId, HouseholdId
from dispatch.roster import Household
from dispatch.roster.pins import hashed, which_pin

HOME = Household(id=HouseholdId("h-1"), name="李家", address="1 号", area=AreaId("v-1"))


def test_a_pin_is_kept_at_the_cost_that_rfc_9106_recommends() -> None:
    home = hashed("4711", "0815")(HOME)
    for kept in (home.pin, home.duress_pin):
        assert kept is not None
        assert extract_parameters(kept) == RFC_9106_LOW_MEMORY
    assert [which_pin(home, said) for said in ("4711", "0815", "0000")] == ["pin", "duress", None]
