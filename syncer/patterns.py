"""Which mailboxes take part: the patterns of LIST (RFC 9051 section 6.3.9) on names whose levels are joined by `/`.

`*` stands for anything, `%` for anything within one level. Case matters, but not in INBOX (section 5.1).
"""

import re
from collections.abc import Iterable
from functools import cache


def matches(patterns: Iterable[str], mailbox: str) -> bool:
    """Whether any of the patterns matches the whole name."""
    name = _with_inbox(mailbox)
    flags = re.IGNORECASE if name == "INBOX" else re.NOFLAG
    return any(_compiled(pattern, flags).fullmatch(name) for pattern in patterns)


@cache
def _compiled(pattern: str, flags: re.RegexFlag) -> re.Pattern[str]:
    # Neighbouring wildcards become one, so that no pattern makes the match take exponential time.
    parts = re.split(r"([*%]+)", _with_inbox(pattern))
    wild = {True: ".*", False: "[^/]*"}
    text = "".join(wild["*" in part] if odd % 2 else re.escape(part) for odd, part in enumerate(parts))
    return re.compile(text, flags | re.DOTALL)


def _with_inbox(name: str) -> str:
    head, separator, tail = name.partition("/")
    return f"INBOX{separator}{tail}" if head.upper() == "INBOX" else name
