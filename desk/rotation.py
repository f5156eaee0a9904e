"""Replacing the key of the encrypted fields: every value is read with the key it names and written with the newest.

It can be interrupted at any moment and run again: what is done already is skipped. A running desk goes on meanwhile (``crypto.KeyFile``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CursorResult, Text, and_, column, func, select, table, text, tuple_, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import ColumnClause, TableClause

from desk.crypto import VERSION, Cipher, CryptoError
from desk.db import Base, Encrypted, EncryptedJson

BATCH = 500  # rows in one transaction: others wait no longer than that takes


@dataclass(frozen=True)
class Field:
    """One encrypted column as the database holds it, below what decrypts it.

    Attributes:
        rows: its table.
        keys: the table's primary key.
        value: the column.
        purpose: what its values are bound to.
    """

    rows: TableClause
    keys: tuple[ColumnClause[Any], ...]
    value: ColumnClause[str]
    purpose: str


@dataclass(frozen=True)
class Progress:
    """How far the walk through one column has come.

    Attributes:
        after: primary key of the last row read; None before the first.
        changed: values written with the newest key.
        unreadable: values whose key is gone or that were changed by hand; they stay as they are.
        is_over: whether there is nothing left.
    """

    after: tuple[Any, ...] | None = None
    changed: int = 0
    unreadable: int = 0
    is_over: bool = False


def encrypted_fields() -> Iterator[Field]:
    """Every encrypted column of every table."""
    for known in Base.metadata.sorted_tables:
        for kept in known.columns:
            if isinstance(kept.type, (Encrypted, EncryptedJson)):
                keys = tuple(column(key.name, key.type) for key in known.primary_key)
                value = column(kept.name, Text())
                yield Field(table(known.name, *keys, value), keys, value, kept.type.purpose)


def encrypt_anew(session: Session, cipher: Cipher, field: Field, before: Progress, size: int = BATCH) -> Progress:
    """Goes on with one column: at most ``size`` values that another key than the newest encrypted.

    A value that somebody changes at the same moment is left to them (compare-and-swap).
    """
    wanted = select(*field.keys, field.value).where(_is_old(field, cipher)).order_by(*field.keys).limit(size)
    if before.after is not None:
        wanted = wanted.where(tuple_(*field.keys) > tuple_(*before.after))
    rows = session.execute(wanted).all()
    changed, unreadable = before.changed, before.unreadable
    for *keys, stored in rows:
        try:
            renewed = cipher.encrypt(cipher.decrypt(stored, field.purpose), field.purpose)
        except CryptoError:
            unreadable += 1
            continue
        is_this = and_(*(key == value for key, value in zip(field.keys, keys, strict=True)), field.value == stored)
        written: CursorResult[Any] = session.execute(update(field.rows).where(is_this).values({field.value: renewed}))  # type: ignore[assignment]
        changed += written.rowcount
    after = tuple(rows[-1][:-1]) if rows else before.after
    return Progress(after, changed, unreadable, is_over=len(rows) < size)


def values_with_old_keys(session: Session, cipher: Cipher) -> int:
    """How many values another key than the newest encrypted."""
    return sum(session.scalar(select(func.count()).select_from(field.rows).where(_is_old(field, cipher))) or 0 for field in encrypted_fields())


def lock_against_writers(session: Session) -> None:
    """Keeps everybody else from writing encrypted values until the transaction ends. (SQLite's transactions do that already.)"""
    if session.get_bind().dialect.name == "postgresql":
        names = sorted({field.rows.name for field in encrypted_fields()})
        session.execute(text(f"LOCK TABLE {', '.join(names)} IN SHARE MODE"))


def _is_old(field: Field, cipher: Cipher) -> Any:
    newest = field.value.startswith(f"{VERSION}.{cipher.current_key}.", autoescape=True)
    return and_(field.value.is_not(None), ~newest)
