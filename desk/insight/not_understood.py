"""What visitors asked and got no answer to: kept cleaned for some weeks, shown in groups, handed over as examples to review.

Nothing is learned from it by itself. A row belongs to no conversation: who asked cannot be found again, nor erased on their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from anyio import to_thread
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from desk import audit
from desk.chat import conversations as chat
from desk.chat import crisis
from desk.db import now
from desk.insight.cleaning import cleaned
from desk.insight.grouping import grouped
from desk.insight.ordinary_words import ordinary_words
from desk.models import ChatMessage, Conversation, NotUnderstood
from desk.settings import Settings

# Said instead of an answer. Not « utter_inform » (« _again »): what it replies to asks nothing: contacts offered unasked, a story, a remark.
NO_ANSWER = (
    "utter_fallback",
    "utter_clarify",
    "utter_fallback_again",
    "utter_unanswered",
    "utter_unanswered_again",
    "utter_out_of_scope",
    "utter_out_of_scope_again",
    "utter_disease",
    "utter_follow_up",
    "utter_say_more",
)
MISHEARD = ("utter_not_my_question", "utter_not_my_question_again")  # « ce n'est pas ma question »: the message before it was answered wrongly
# Messages that were also answered by one of these are a person's trouble, not a question for statistics.
PERSONAL_KINDS = frozenset({"emergency", "advice", "booking"})
MOST_ROWS = 2000  # newest ones that are grouped: about 0.7 s
PER_PAGE = 12
MOST_EXAMPLES = 40  # of one group in an export


class Order(StrEnum):
    """How groups are listed."""

    FREQUENT = "frequent"
    NEWEST = "newest"


@dataclass(frozen=True)
class Question:
    """One message, cleaned, and what was said instead of an answer."""

    id: int
    at: datetime
    text: str
    response: str


@dataclass(frozen=True)
class QuestionGroup:
    """Similar messages, newest first. ``key`` is the id of the one that the others are like."""

    key: int
    questions: tuple[Question, ...]

    @property
    def newest(self) -> datetime:
        """When the last of them was written."""
        return self.questions[0].at

    @property
    def texts(self) -> list[str]:
        """Their different texts, newest first."""
        return list(dict.fromkeys(q.text for q in self.questions))

    @property
    def responses(self) -> list[str]:
        """What was said instead of an answer, the most frequent first."""
        said = [q.response for q in self.questions]
        return sorted(set(said), key=lambda name: (-said.count(name), name))


async def prepare(settings: Settings) -> None:
    """Reads what cleaning needs, so that no visitor's turn waits for it; nothing where nothing is kept."""
    if settings.keep_not_understood == "on":
        await to_thread.run_sync(ordinary_words)


def response_without_answer(replies: Sequence[ChatMessage]) -> str | None:
    """The response that stood in an answer's place in a turn; None where the turn is nothing to keep."""
    if any(reply.kind in PERSONAL_KINDS for reply in replies):
        return None
    return next((reply.response for reply in replies if reply.response in (*NO_ANSWER, *MISHEARD)), None)


def keep(session: Session, conversation_id: str, replies: Sequence[ChatMessage], text: str) -> NotUnderstood | None:
    """Keeps what a visitor wrote, cleaned, if it got no answer. Never a word of the booking form, nor of somebody in danger.

    Args:
        session: after the turn was stored.
        conversation_id: where it was said; looked at, not kept.
        replies: what was answered.
        text: the visitor's own words; the label of a button is none of them.

    Returns:
        The row, or None when there was nothing to keep.
    """
    response = response_without_answer(replies)
    conversation = session.get(Conversation, conversation_id)
    if response is None or conversation is None or crisis.is_fresh(conversation, now()) or chat.form_question(session, conversation_id) is not None:
        return None
    if response in MISHEARD:
        text = chat.asked_before(session, conversation_id) or ""
    kept = cleaned(text)
    if kept is None:
        return None
    row = NotUnderstood(at=now(), text=kept, response=response)
    session.add(row)
    session.flush()
    return row


def purge(session: Session, before: datetime) -> int:
    """Deletes what was kept before an instant; returns how many rows that were."""
    old = session.scalars(select(NotUnderstood.id).where(NotUnderstood.at < before)).all()
    session.execute(delete(NotUnderstood).where(NotUnderstood.id.in_(old)))
    return len(old)


def newest_id(session: Session) -> int:
    """The id of the newest row: later ones do not change the groups of a page that was opened before."""
    return session.scalar(select(func.max(NotUnderstood.id))) or 0


def groups(session: Session, until: int, order: Order = Order.FREQUENT) -> list[QuestionGroup]:
    """All groups of similar questions that nobody has dismissed.

    Args:
        session: the transaction.
        until: highest id that counts; the same one gives the same groups as long as none is dismissed.
        order: most frequent or newest first.
    """
    newest = select(NotUnderstood).where(NotUnderstood.dismissed_at.is_(None), NotUnderstood.id <= until).order_by(NotUnderstood.id.desc()).limit(MOST_ROWS)
    # Oldest first, so that a question that comes later joins a group rather than changing it.
    rows = [Question(row.id, row.at, row.text, row.response) for row in reversed(session.scalars(newest).all())]
    found = [
        QuestionGroup(rows[group.first].id, tuple(sorted((rows[i] for i in group.members), key=lambda q: -q.id))) for group in grouped([q.text for q in rows])
    ]
    if order is Order.NEWEST:
        return sorted(found, key=lambda g: (g.newest, g.key), reverse=True)
    return sorted(found, key=lambda g: (len(g.questions), g.newest, g.key), reverse=True)


def dismiss(session: Session, actor: str, key: int, until: int) -> int:
    """Puts a group aside; returns how many questions that were, 0 when the group is not there any more."""
    group = next((g for g in groups(session, until) if g.key == key), None)
    if group is None:
        return 0
    ids = [q.id for q in group.questions]
    session.execute(update(NotUnderstood).where(NotUnderstood.id.in_(ids)).values(dismissed_at=now()))
    audit.record(session, actor, "questions.dismiss", f"{len(ids)} questions")
    return len(ids)


def export(session: Session, actor: str, keys: Sequence[int], until: int, intent: str) -> str:
    """The chosen groups as NLU examples that a person has still to read; empty when none of them is there any more.

    Args:
        session: the transaction; the export is audited.
        actor: who asks.
        keys: of the groups.
        until: as the page was drawn.
        intent: an intent of the domain, a guess that the reader may correct.
    """
    chosen = [group for group in groups(session, until) if group.key in set(keys)]
    if not chosen:
        return ""
    audit.record(session, actor, "questions.export", f"{sum(len(g.questions) for g in chosen)} questions")
    return as_nlu(chosen, intent)


def as_nlu(chosen: Sequence[QuestionGroup], intent: str) -> str:
    """The groups in the format of ``data/nlu``, marked as unread."""
    lines = [
        'version: "3.1"',
        "",
        "# à relire : écrit par des visiteurs, nettoyé par un programme. Rien ne s'apprend tant qu'une personne n'a pas corrigé ces lignes,",
        "# choisi l'intention de chaque groupe et déplacé le fichier dans data/nlu. Les mots en capitales (NOM, DATE…) remplacent ce qui a été masqué.",
        "nlu:",
    ]
    for group in chosen:
        count = len(group.questions)
        lines += [f"# à relire : {count} question{'s' if count > 1 else ''}", f"- intent: {intent}", "  examples: |"]
        lines += [f"    - {line}" for line in dict.fromkeys(_as_example(text) for text in group.texts[:MOST_EXAMPLES])]
    return "\n".join(lines) + "\n"


def _as_example(text: str) -> str:
    """A text on one line, without the signs that mark entities in training data."""
    for mask in ("nom", "mot", "lieu", "date", "nombre", "e-mail", "site", "téléphone", "adresse", "référence", "pseudonyme"):
        text = text.replace(f"[{mask}]", mask.upper())
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.translate(str.maketrans("[]{}", "    ")).split()).lstrip("-# ") or "…"
