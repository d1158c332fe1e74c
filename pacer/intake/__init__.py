"""
From a person's list of requests to records in the journal.

Files and standard input are read as a stream, in flat memory, and every record
is looked at even after the first bad one: a person corrects a file once. Input
with one bad record is refused as a whole, before anything is sent.
"""

from pacer.intake.failures import LeftOut, take_in_failures
from pacer.intake.keys import (
    KeyMaker,
    is_retry_of,
    named_keys,
    new_token,
    random_keys,
    retry_name,
    retry_token,
)
from pacer.intake.lines import Item
from pacer.intake.source import SUFFIXES, input_sha256, read
from pacer.intake.taking import Intake, IntakeSummary, take_in, take_in_requests, to_record

__all__ = [
    "SUFFIXES",
    "Intake",
    "IntakeSummary",
    "Item",
    "KeyMaker",
    "LeftOut",
    "input_sha256",
    "is_retry_of",
    "named_keys",
    "new_token",
    "random_keys",
    "read",
    "retry_name",
    "retry_token",
    "take_in",
    "take_in_failures",
    "take_in_requests",
    "to_record",
]
