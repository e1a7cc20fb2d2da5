"""What `dispatch verify` says of an archive to which the newest is still on its way."""

from __future__ import annotations

import pytest

from dispatch.archive import Verified
from dispatch.cli.archive import _tell_verified


@pytest.mark.parametrize(("behind", "said"), [(0, False), (1, True)])
def test_what_the_archive_does_not_hold_yet_is_on_its_way(
    behind: int, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    _tell_verified(Verified(heads={}, behind=behind), "5f0c")
    err = capsys.readouterr().err
    assert (f"the log has {behind} more, which are being archived: this takes less than a minute" in err) == said
