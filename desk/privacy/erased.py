"""What an erasure took away: how much of what, and what must still leave the disk once it has committed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Erased:
    """Sums up one erasure, piece by piece.

    Attributes:
        counts: rows deleted or emptied, by table.
        message_ids: of the notifications among them, by which ``desk.outbox.mail.forget_files`` finds copies of mails.
        references: of the requests among them.
        proof_id: the row of ``ErasureProof`` that was written about it; None where none was.
    """

    counts: Counter[str] = field(default_factory=Counter)
    message_ids: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    proof_id: int | None = None

    def add(self, table: str, rows: int) -> None:
        """Counts rows of a table; none leaves no trace of it."""
        if rows:
            self.counts[table] += rows

    def join(self, other: Erased) -> None:
        """Takes the pieces of another one in."""
        self.counts.update(other.counts)
        self.message_ids += other.message_ids
        self.references += other.references
