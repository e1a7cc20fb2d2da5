"""The archive: the log written down outside NATS, each record sealed with the one before it, and what is made of it.

A folder of the archive is a chain for each stream; a backup is such a folder with all that a site needs.
"""

from dispatch.archive.backup import BackedUp, backup
from dispatch.archive.holding import hold_open_cases
from dispatch.archive.keeping import Archivist
from dispatch.archive.restore import Restored, restore
from dispatch.archive.shelf import BrokenArchive, Shelf
from dispatch.archive.verify import Verified, verify_backup, verify_chain

__all__ = [
    "Archivist", "BackedUp", "BrokenArchive", "Restored", "Shelf", "Verified", "backup", "hold_open_cases", "restore",
    "verify_backup", "verify_chain",
]  # fmt: skip
