"""What leaves the desk: mails and webhooks, written with the change they tell about, sent afterwards until they have arrived."""

from __future__ import annotations


class SendingFailed(Exception):
    """A try failed; the text is one French sentence for staff, which says nothing of what was sent or to whom."""

    def __init__(self, message: str, *, is_permanent: bool = False) -> None:
        """Takes the sentence, and whether trying again is of no use."""
        super().__init__(message)
        self.is_permanent = is_permanent
