"""Policies as people write them down: what is misspelt is named, and does not pass for something else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dispatch.errors import Malformed
from dispatch.roster import read_policies

STEP = {"call": ["group"], "within_seconds": 5}


@pytest.mark.parametrize(
    ("policy", "stray"),
    [
        ({"name": "night", "quorm": {"officers": 1}, "steps": [STEP]}, "$[0].quorm"),
        ({"name": "night", "quorum": {"neighbors": 1}, "steps": [STEP]}, "$[0].quorum.neighbors"),
        ({"name": "night", "steps": [STEP, STEP | {"hand_ovr": True}]}, "$[0].steps[1].hand_ovr"),
    ],
)
def test_a_misspelt_field_is_named_with_its_place(policy: dict[str, Any], stray: str) -> None:
    with pytest.raises(Malformed, match=re.escape(f"p.json: {stray} is no field of a policy")):
        read_policies(json.dumps([policy]).encode(), "p.json")


def test_what_is_written_well_is_read() -> None:
    written = {"name": "night", "kinds": ["fire"], "quorum": {"officers": 1}, "steps": [STEP]}
    (policy,) = read_policies(json.dumps([written]).encode(), "p.json")
    assert (policy.name, policy.kinds, policy.quorum.officers) == ("night", ("fire",), 1)
