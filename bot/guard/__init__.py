"""The guard: what is looked for in each message before anything answers it."""

from bot.guard.red_flags import RedFlag, check

__all__ = ["RedFlag", "check"]
