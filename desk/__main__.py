"""``python -m desk run | serve | migrate | content | staff … | keys … | audit verify | retention | backup | backups |
reapply-erasures``."""

from __future__ import annotations

import argparse
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
    content.add_argument("part", nargs="?", choices=["page", "reviews"], default="page", help="reviews: bring what clinicians signed in the desk to data/")
    content.add_argument("--out", type=Path, default=ROOT / "var/content")
    content.add_argument("--apply", action="store_true", help="with reviews: write the files; without it only the changes are shown")
    _add_upkeep(commands)
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
        if args.part == "reviews":
            from desk.content.command import bring_reviews

            return bring_reviews(settings, ROOT, is_applied=args.apply)
        return _write_content(args.out)
    from desk import commands as upkeep

    return int(getattr(upkeep, args.function)(settings, args))


def _add_upkeep(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Staff accounts, keys, audit trail, retention and backups; ``function`` names the one of ``desk.commands`` that does it."""
    staff = commands.add_parser("staff", help="staff accounts").add_subparsers(required=True)
    add = staff.add_parser("add", help="add an account; the password is asked, or read from standard input")
    add.add_argument("name")
    add.add_argument("--role", choices=["agent", "lead", "privacy_officer", "admin"], help="without it: lead for the very first account, agent for the others")
    add.set_defaults(function="add_staff")
    for name, function, what in (
        ("reset-second-factor", "reset_second_factor", "take an account's second factor away; it is set up anew at the next sign-in"),
        ("reset-password", "reset_password", "give an account a new initial password"),
    ):
        reset = staff.add_parser(name, help=what)
        reset.add_argument("name")
        reset.set_defaults(function=function)
    keys = commands.add_parser("keys", help="keys of the encrypted fields").add_subparsers(required=True)
    keys.add_parser("rotate", help="add a key and encrypt everything with it; interrupted, run it again").set_defaults(function="rotate_keys")
    keys.add_parser("encrypt", help="encrypt everything with the newest key").set_defaults(function="encrypt_anew")
    keys.add_parser("drop-old", help="remove the keys that nothing is encrypted with any more").set_defaults(function="drop_old_keys")
    trail = commands.add_parser("audit", help="the audit trail").add_subparsers(required=True)
    trail.add_parser("verify", help="check the chain; exit code 1 at the first broken entry").set_defaults(function="verify_audit")
    ageing = commands.add_parser("retention", help="say what the running desk would erase now, and erase nothing")
    ageing.add_argument("--dry-run", action="store_true", required=True, help="the only way: what is over is erased by the running desk")
    ageing.set_defaults(function="show_retention")
    commands.add_parser("backup", help="copy the database into data/backups, without its keys").set_defaults(function="make_backup")
    commands.add_parser("backups", help="list the copies and when each is deleted").set_defaults(function="list_backups")
    again = commands.add_parser("reapply-erasures", help="after a backup was restored: erase again what had been erased since it was made")
    again.add_argument("--list", help="the list of erasures; without it erasures.jsonl of PASSERELLE_DATA")
    again.set_defaults(function="reapply_erasures")


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
    from desk.db import Database, connect
    from desk.migrate import migrate
    from desk.staff import canned

    engine = connect(str(settings.database_url), settings.cipher)
    migrate(engine)
    with Database(engine).transaction() as session:
        canned.seed(session)
    engine.dispose()
    return 0


def _write_content(folder: Path) -> int:
    from bot.answers import Content
    from desk.content_page import write

    for path in write(folder, Content()):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
