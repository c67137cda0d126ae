"""What went wrong in a case, in words."""

import traceback


def told(error: Exception) -> str:
    """What an assertion says; for anything else also where it was raised."""
    if isinstance(error, AssertionError):
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {where.filename}:{where.lineno}: {error}"
