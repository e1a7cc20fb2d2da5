"""The PINs of the demo household, where a test gives it some."""

PIN, DURESS = "4711", "0815"
