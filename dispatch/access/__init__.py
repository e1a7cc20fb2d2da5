"""Who may do what: bearer tokens, signed one-tap links, and the keys made on first run."""

from dispatch.access.bucket import Bucket
from dispatch.access.keys import Keys, load_keys
from dispatch.access.links import LINK_LIFE, LinkClaims, Links
from dispatch.access.revocations import revocations
from dispatch.access.tokens import Issued, Principal, TokenInfo, TokenRole, Tokens

__all__ = [
    "LINK_LIFE", "Bucket", "Issued", "Keys", "LinkClaims", "Links", "Principal", "TokenInfo", "TokenRole", "Tokens",
    "load_keys", "revocations",
]  # fmt: skip
