"""Commands for the person who runs the desk: staff accounts, keys, the audit trail, retention, backups, restoring. They say in French what they did.

``desk.__main__`` names them; each takes the settings and the parsed arguments, and returns the exit code.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from desk import audit, rotation
from desk.crypto import Keys, kept_keys, with_new_key, without_old_keys, write_keys
from desk.db import Database, connect, now
from desk.french_time import moment_in
from desk.migrate import migrate
from desk.models import Role
from desk.privacy import backups, words
from desk.settings import Settings
from desk.staff import accounts, second_factor

KEYS_OF_ENVIRONMENT = "Les clés sont dans PASSERELLE_KEYS : ajoutez-y la nouvelle à la fin, redémarrez, puis lancez « python -m desk keys encrypt »."


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The desk's database, brought to the present schema."""
    engine = connect(str(settings.database_url), settings.cipher)
    try:
        migrate(engine)
        yield Database(engine)
    finally:
        engine.dispose()


# ---------------------------------------------------------------- staff


def add_staff(settings: Settings, args: argparse.Namespace) -> int:
    """Makes an account."""
    if sys.stdin.isatty():
        password = getpass.getpass("Mot de passe (12 caractères au moins) : ")
        if password != getpass.getpass("Encore une fois : "):
            return _refuse("Les deux mots de passe diffèrent.")
    else:
        password = sys.stdin.readline().rstrip("\n")
    try:
        with opened(settings) as database, database.transaction() as session:
            role = Role(args.role) if args.role else accounts.usual_role(session)
            accounts.add_staff(session, args.name, password, role)
    except accounts.AccountError as error:
        return _refuse(str(error))
    print(f"Compte créé : {args.name} ({role}). Connexion : {settings.public_url}/desk/")
    return 0


def reset_second_factor(settings: Settings, args: argparse.Namespace) -> int:
    """Takes an account's second factor away."""
    with opened(settings) as database, database.transaction() as session:
        staff = accounts.by_name(session, args.name)
        if staff is None:
            return _refuse(f"« {args.name} » n'a pas de compte.")
        second_factor.reset(session, audit.SYSTEM, staff.id)
    print("Second facteur retiré : il sera réglé à nouveau à la prochaine connexion.")
    return 0


def reset_password(settings: Settings, args: argparse.Namespace) -> int:
    """Gives an account a new initial password."""
    with opened(settings) as database, database.transaction() as session:
        staff = accounts.by_name(session, args.name)
        if staff is None:
            return _refuse(f"« {args.name} » n'a pas de compte.")
        password = accounts.reset_password(session, audit.SYSTEM, staff.id)
    print(f"Mot de passe provisoire, valable {accounts.INITIAL_PASSWORD_DAYS} jours : {password}")
    return 0


# ---------------------------------------------------------------- keys


def rotate_keys(settings: Settings, args: argparse.Namespace) -> int:
    """Adds a key to the kept file and encrypts everything with it; goes on with a rotation that was interrupted."""
    if settings.keys:
        return _refuse(KEYS_OF_ENVIRONMENT)
    path = settings.data / "keys"
    with opened(settings) as database:
        with database.transaction() as session:
            is_unfinished = rotation.values_with_old_keys(session, settings.cipher) > 0
        if is_unfinished:
            print(f"Une rotation n'est pas terminée : elle reprend avec la clé {settings.cipher.current_key}.")
        else:
            write_keys(path, with_new_key(kept_keys(path)))
            newest = list(Keys.parse(kept_keys(path)).encryption)[-1]
            print(f"Nouvelle clé : {newest}.")
            with database.transaction() as session:
                audit.record(session, audit.SYSTEM, "keys.rotate", newest)
        return _encrypt_anew(database, settings)


def encrypt_anew(settings: Settings, args: argparse.Namespace) -> int:
    """Encrypts everything with the newest key."""
    with opened(settings) as database:
        return _encrypt_anew(database, settings)


def _encrypt_anew(database: Database, settings: Settings) -> int:
    unreadable = 0
    for field in rotation.encrypted_fields():
        progress = rotation.Progress()
        while not progress.is_over:
            with database.transaction() as session:
                progress = rotation.encrypt_anew(session, settings.cipher, field, progress)
        if progress.changed or progress.unreadable:
            print(f"{field.purpose} : {progress.changed}")
        unreadable += progress.unreadable
    database.overwrite_deleted()
    if unreadable:
        return _refuse(f"{unreadable} valeurs n'ont pas pu être lues et sont restées comme elles étaient.")
    print("Tout est chiffré avec la clé la plus récente. Sauvegardez le fichier des clés ; les anciennes se retirent par « python -m desk keys drop-old ».")
    return 0


def drop_old_keys(settings: Settings, args: argparse.Namespace) -> int:
    """Removes every key but the newest, unless something still needs one."""
    if settings.keys:
        return _refuse("Les clés sont dans PASSERELLE_KEYS : retirez-y les anciennes vous-même, après « python -m desk keys encrypt ».")
    path = settings.data / "keys"
    with opened(settings) as database, database.transaction() as session:
        rotation.lock_against_writers(session)  # nobody may encrypt with an old key between the count and the removal
        left = rotation.values_with_old_keys(session, settings.cipher)
        if left:
            return _refuse(f"{left} valeurs sont encore chiffrées avec une ancienne clé : lancez « python -m desk keys encrypt ».")
        before = Keys.parse(kept_keys(path)).encryption
        write_keys(path, without_old_keys(kept_keys(path)))
        for name in list(before)[:-1]:
            audit.record(session, audit.SYSTEM, "keys.drop_old", name)
    print(f"Clés retirées : {len(before) - 1}.")
    print("Les sauvegardes faites avant la rotation ne se lisent plus qu'avec une copie de l'ancien fichier des clés.")
    return 0


# ---------------------------------------------------------------- audit


def verify_audit(settings: Settings, args: argparse.Namespace) -> int:
    """Walks the whole chain."""
    walked = audit.Walk()
    with opened(settings) as database:
        while not walked.is_over:
            with database.transaction() as session:
                walked = audit.walk(session, walked)
    if walked.broken_at is not None:
        return _refuse(f"La chaîne est rompue à l'écriture n° {walked.broken_at} ; les {walked.count} précédentes se suivent.")
    print(f"{walked.count} écritures se suivent sans rupture. Dernière empreinte : {walked.last_hash}")
    return 0


# ---------------------------------------------------------------- retention and backups


def show_retention(settings: Settings, args: argparse.Namespace) -> int:
    """Says what the running desk would erase now; erases nothing."""
    from desk import retention  # with all that answers visitors: the other commands need not wait for it

    at = now()
    with opened(settings) as database:
        plan = retention.planned(database, settings, at)
    print(f"État au {moment_in(at, settings.zone)}. Un passage, toutes les {retention.EVERY_SECONDS // 60} minutes, effacerait\u00a0:")
    for label, number in words.amounts(plan.counts):
        print(f"{number:>8}  {label}")
    if not plan.counts:
        print("       0  rien n'est assez ancien")
    print(
        "Essai à blanc\u00a0: rien n'a été effacé. Ce qui appartient à une demande (notes, réponses, rendez-vous, envois) part avec elle et n'est pas compté."
    )
    if plan.stale:
        print(
            f"Demandes ouvertes depuis plus de {settings.request_days:g} jours, jamais effacées par l'âge\u00a0: {plan.stale}. Clôturez celles qui sont finies."
        )
    if not plan.is_on:
        print("L'effacement automatique est arrêté (PASSERELLE_RETENTION=off)\u00a0: le bureau n'effacera rien de cela.")
    return 0


def make_backup(settings: Settings, args: argparse.Namespace) -> int:
    """Copies the database into ``data/backups``."""
    at = now()
    with opened(settings) as database:
        try:
            path = backups.make(database, settings, at)
        except backups.BackupFailed as error:
            return _refuse(str(error))
    print(f"Sauvegarde faite\u00a0: {path} ({_size(path.stat().st_size)}).")
    until = moment_in(at + timedelta(days=settings.backup_days), settings.zone)
    if settings.retention == "on":
        print(f"Le bureau la supprimera le {until} (PASSERELLE_BACKUP_DAYS).")
    else:
        print(f"Elle est à supprimer le {until}\u00a0; PASSERELLE_RETENTION=off, le bureau ne le fera pas.")
    keys = "PASSERELLE_KEYS" if settings.keys else str(settings.data / "keys")
    print(f"Les clés de chiffrement n'y sont pas, exprès. Gardez {keys} en lieu sûr, ailleurs\u00a0: sans elles, cette sauvegarde ne se lit pas.")
    return 0


def list_backups(settings: Settings, args: argparse.Namespace) -> int:
    """Lists the copies of the index."""
    folder = backups.folder_of(settings)
    with opened(settings) as database, database.transaction() as session:
        found = backups.listed(session, folder)
    print(f"Dossier\u00a0: {folder}")
    for one in found:
        if one.deleted_at:
            state = f"supprimée le {moment_in(one.deleted_at, settings.zone)}"
        elif one.bytes is None:
            state = "fichier absent"
        else:
            state = f"{_size(one.bytes)}, à supprimer le {moment_in(one.until, settings.zone)}"
        print(f"{one.name}  {state}")
    if not found:
        print("Aucune sauvegarde.")
    return 0


def reapply_erasures(settings: Settings, args: argparse.Namespace) -> int:
    """Erases again what a restored backup has brought back."""
    from desk.outbox.mail import forget_files, sink_of
    from desk.privacy import ledger

    path = Path(args.list) if args.list else ledger.path_of(settings)
    try:
        lines = ledger.read(path)
    except FileNotFoundError:
        if args.list:
            return _refuse(f"{path} n'existe pas.")
        lines = []
    except (OSError, UnicodeDecodeError) as error:
        return _refuse(f"{path} n'a pas pu être lu ({type(error).__name__}).")
    with opened(settings) as database:
        with database.transaction() as session:
            lines += ledger.proved(session)
            done = ledger.reapply(session, lines)
        database.overwrite_deleted()
        with database.transaction() as session:
            ledger.keep(session, settings)
    forget_files(sink_of(settings), done.erased.message_ids)
    print(f"Effacements connus\u00a0: {len(set(lines))} (liste {path}, et base de données).")
    print(f"Demandes effacées de nouveau\u00a0: {done.erased.counts['tickets']}.")
    if done.alike:
        print(f"Même adresse ou même numéro qu'une personne effacée, à vérifier\u00a0: {', '.join(done.alike)}.")
    if done.unnamed:
        print(f"Effacements de textes seuls, sans empreinte, à refaire à la main\u00a0: {done.unnamed}.")
    print("Un texte d'une autre demande qui cite une personne effacée ne se retrouve pas ainsi\u00a0: la page «\u00a0Confidentialité\u00a0» la cherche.")
    return 0


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} Mo".replace(".", ",") if count >= 100_000 else f"{max(1, count // 1000)} Ko"


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
