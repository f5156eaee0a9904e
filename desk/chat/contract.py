"""A message as the visitor API shows it (design §5)."""

from __future__ import annotations

from typing import Any

from desk.models import ChatMessage


def as_json(message: ChatMessage) -> dict[str, Any]:
    """A message as the contract has it; payloads stay inside."""
    return {
        "seq": message.seq,
        "from": message.sender,
        "kind": message.kind,
        "text": message.text,
        "buttons": [{"id": b["id"], "label": b["label"]} for b in message.buttons],
        "sources": message.sources,
        "at": message.at.isoformat(),
    }
