"""Policies as people write them down: what is misspelt is named, and does not pass for something else."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dispatch.errors import Malformed
from dispatch.roster import read_policies

STEP = {"call": ["group"], "within_seconds": 5}
DEEP = b"[" * 100_000 + b"]" * 100_000


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


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ('[{"name": "夜间", "steps": []}]'.encode("gbk"), "is not written in UTF-8"),
        (b"[", "is no list of policies"),
        (b'[{"name": "x", "steps": [%s], "more": %s}]' % (json.dumps(STEP).encode(), DEEP), "is no list of policies"),
    ],
    ids=["in another encoding", "broken off", "nested without end"],
)
def test_a_file_that_cannot_be_read_says_so(content: bytes, wrong: str) -> None:
    with pytest.raises(Malformed, match=re.escape(f"p.json {wrong}")):
        read_policies(content, "p.json")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "as an editor of Windows saves it"])
def test_what_is_written_well_is_read(mark: bytes) -> None:
    written = {"name": "night", "kinds": ["fire"], "quorum": {"officers": 1}, "steps": [STEP]}
    (policy,) = read_policies(mark + json.dumps([written]).encode(), "p.json")
    assert (policy.name, policy.kinds, policy.quorum.officers) == ("night", ("fire",), 1)
