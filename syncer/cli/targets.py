"""From the words on the command line to accounts and mailboxes, or to a list of what there is."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Final

from syncer.config import Account, Config, closest, find_config, load_config
from syncer.errors import AccountError, ConfigError
from syncer.later import later
from syncer.reconcile.identity import INBOX, MailboxName
from syncer.report import Target

_CONTROL: Final = later("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def invocation(options: argparse.Namespace) -> list[str]:
    """What begins a command that goes on with the same configuration, such as `syncer -c FILE`."""
    return ["syncer", *(["-c", options.config] if options.config else [])]


def configuration(option: str | None) -> Config:
    """The configuration that `-c FILE` or the usual places give. Raises ConfigError."""
    return load_config(find_config(option))


def account_named(config: Config, name: str) -> Account:
    """The account of this name.

    Raises:
        ConfigError: there is none; lists those that there are.
    """
    for account in config.accounts:
        if account.name == name:
            return account
    names = [account.name for account in config.accounts]
    raise ConfigError([f"no account {name!r} in {config.path}; {_offer(name, names, 'accounts')}"])


def accounts_named(config: Config, names: Sequence[str]) -> tuple[Account, ...]:
    """The accounts of these names, each once; all of them if no name is given. Raises ConfigError."""
    chosen = {name: account_named(config, name) for name in names}
    return tuple(chosen.values()) if names else config.accounts


def mailbox_named(word: str) -> MailboxName:
    """The name as the program writes it: INBOX in capitals.

    Raises:
        ConfigError: no mailbox can have this name.
    """
    unprintable = not word.isprintable() and _CONTROL.search(word)
    if not word or word.startswith("/") or word.endswith("/") or "//" in word or unprintable:
        raise ConfigError([f"{word!r} cannot name a mailbox: levels are joined by one '/', for instance Lists/python"])
    return INBOX if word.upper() == INBOX else MailboxName(word)


def targets(config: Config, words: Sequence[str], *, may_be_gone: bool = False) -> tuple[Target, ...]:
    """What `ACCOUNT` and `ACCOUNT:MAILBOX` mean, each once; every account if there are none.

    With `may_be_gone` a mailbox need not exist on either side.

    Raises:
        ConfigError: an unknown account or mailbox, with what there is.
    """
    chosen: dict[Target, None] = {}
    for word in words:
        name, colon, mailbox = word.partition(":")
        account = account_named(config, name)
        target = Target(name, mailbox_named(mailbox) if colon else None)
        if target.mailbox is not None and not may_be_gone:
            _check_mailbox(config, account, target.mailbox)
        chosen[target] = None
    whole = {target.account for target in chosen if target.mailbox is None}
    kept = tuple(target for target in chosen if target.mailbox is None or target.account not in whole)
    return kept if words else tuple(Target(account.name) for account in config.accounts)


def unknown_mailbox(account: Account, mailbox: str, known: Iterable[str]) -> ConfigError:
    """The error for a mailbox that is on neither side."""
    return ConfigError(
        [f"no mailbox {mailbox!r} in account {account.name}; {_offer(mailbox, list(known), 'mailboxes')}"]
    )


def _check_mailbox(config: Config, account: Account, mailbox: MailboxName) -> None:
    from syncer.wiring import account_status, mailbox_list  # noqa: PLC0415 - loads what talks to servers

    if not account.wants(mailbox):
        raise ConfigError([f"mailbox {mailbox!r} is left out by include and exclude of account {account.name}"])
    known = account_status(config, account).known or ()
    if any(one.name == mailbox for one in known):
        return
    try:
        lines = mailbox_list(config, account)
    except AccountError:
        return  # the pass meets the same error, and reports it in its place
    if all(line.name != mailbox for line in lines):
        raise unknown_mailbox(account, mailbox, (line.name for line in lines if account.wants(line.name)))


def _offer(word: str, known: Sequence[str], what: str) -> str:
    guess = closest(word, known)
    there = f"there are the {what} {', '.join(known)}" if known else f"there are no {what}"
    if len(known) == 1:
        there = f"there is only {known[0]}"
    return f"did you mean {guess!r}? {there}" if guess else there
