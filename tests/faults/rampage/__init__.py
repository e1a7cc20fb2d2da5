"""kill -9 everywhere, at every step of a case, under load: and then the account of who was called.

`make faults` runs it short, `make faults KILLS=200` long; see `python -m tests.faults.rampage --help`.
"""
