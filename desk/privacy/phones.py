"""A phone number in the writings by which two of them are compared."""

from __future__ import annotations

import phonenumbers


def forms_of(e164: str) -> tuple[str, str]:
    """The digits of a number with its country's code, and without.

    >>> forms_of("+33612345678")
    ('33612345678', '612345678')
    """
    try:
        national = str(phonenumbers.parse(e164).national_number)
    except phonenumbers.NumberParseException:
        national = e164.lstrip("+")
    return e164.lstrip("+"), national
