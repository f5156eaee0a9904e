"""``python -m desk run | serve | migrate | content | staff add NAME``."""

from __future__ import annotations

import argparse
import getpass
import sys
from pathlib import Path

from desk.settings import ROOT, Settings, SettingsError, load_settings


def main(argv: list[str] | None = None) -> int:
    """Runs one command; a bad setting is one sentence and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m desk", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="start desk, Rasa and actions under the supervisor")
    run.add_argument("--model", required=True, help="the trained model")
    run.add_argument("--bot-python", required=True, help="Python of the environment that Rasa is installed in")
    commands.add_parser("serve", help="serve the desk alone")
    commands.add_parser("migrate", help="bring the database to the present schema")
    content = commands.add_parser("content", help="write one page with every answer, its facts and review state")
    content.add_argument("--out", type=Path, default=ROOT / "var/content")
    staff = commands.add_parser("staff", help="staff accounts").add_subparsers(dest="staff_command", required=True)
    add = staff.add_parser("add", help="add an account; the password is asked, or read from standard input")
    add.add_argument("name")
    add.add_argument("--role", default="agent", choices=["agent", "lead", "privacy_officer", "admin"])
    args = parser.parse_args(argv)
    try:
        settings = load_settings()
    except SettingsError as error:
        print(f"passerelle: {error}", file=sys.stderr)
        return 2
    if args.command == "run":
        from desk.supervise import run_stack

        return run_stack(settings, model=args.model, bot_python=args.bot_python)
    if args.command == "serve":
        return _serve(settings)
    if args.command == "migrate":
        return _migrate(settings)
    if args.command == "content":
        return _write_content(args.out)
    return _add_staff(settings, args.name, args.role)


def _serve(settings: Settings) -> int:
    import uvicorn

    from desk.app import create_app

    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return 0


def _migrate(settings: Settings) -> int:
    from desk.db import connect
    from desk.migrate import migrate

    engine = connect(str(settings.database_url), settings.cipher)
    migrate(engine)
    engine.dispose()
    return 0


def _write_content(folder: Path) -> int:
    from bot.answers import Content
    from desk.content_page import write

    for path in write(folder, Content()):
        print(path)
    return 0


def _add_staff(settings: Settings, name: str, role: str) -> int:
    from desk.db import Database, connect
    from desk.migrate import migrate
    from desk.models import Role
    from desk.staff.accounts import AccountError, add_staff

    if sys.stdin.isatty():
        password = getpass.getpass("Mot de passe (12 caractères au moins) : ")
        if password != getpass.getpass("Encore une fois : "):
            print("Les deux mots de passe diffèrent.", file=sys.stderr)
            return 1
    else:
        password = sys.stdin.readline().rstrip("\n")
    engine = connect(str(settings.database_url), settings.cipher)
    migrate(engine)
    try:
        with Database(engine).transaction() as session:
            add_staff(session, name, password, Role(role))
    except AccountError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Compte créé : {name} ({role}). Connexion : {settings.public_url}/desk/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
