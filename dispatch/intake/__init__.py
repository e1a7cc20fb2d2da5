"""Intake: how presses come in, over HTTP and the command line (`IntakeDesk`) and from buttons over MQTT.

A button's press is stored by nats-server itself; `ButtonGate` says who may send one and
`ButtonAnswers` tells the button what became of it, `ButtonFeedback` who comes. `Expelling` throws out one gone mad;
`Sessions` discards what the server keeps of those that are gone.
"""

from dispatch.intake.again import PressAgain
from dispatch.intake.callout import ButtonGate
from dispatch.intake.desk import Accepted, IntakeDesk
from dispatch.intake.expelling import Expelling
from dispatch.intake.feedback import ButtonFeedback
from dispatch.intake.frequency import Limits
from dispatch.intake.holds import Holds
from dispatch.intake.mqtt import ButtonAnswers
from dispatch.intake.sessions import Sessions
from dispatch.intake.strain import Strain

__all__ = [
    "Accepted",
    "ButtonAnswers",
    "ButtonFeedback",
    "ButtonGate",
    "Expelling",
    "Holds",
    "IntakeDesk",
    "Limits",
    "PressAgain",
    "Sessions",
    "Strain",
]
