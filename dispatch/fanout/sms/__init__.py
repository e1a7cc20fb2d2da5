"""Text messages over SMPP 3.4 (docs/adr/0008-text-messages.md)."""
