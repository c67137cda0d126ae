"""What the engine needs of the world: a server, a Maildir and an index, as three Protocols.

Adapters implement them, `tests/fakes.py` implements them in memory, and one contract suite per port
(`tests/contract/`) runs on both. Mailboxes are always named by `MailboxName`, messages by UID or unique name, never
by sequence number or path.
"""

from syncer.ports.index import Finished, Index, KnownMailbox
from syncer.ports.maildir import Delivery, Examined, Expectation, LocalStore
from syncer.ports.progress import Progress
from syncer.ports.server import Appended, Fetched, Outgoing, Server, ServerMailbox, Standing

__all__ = [
    "Appended",
    "Delivery",
    "Examined",
    "Expectation",
    "Fetched",
    "Finished",
    "Index",
    "KnownMailbox",
    "LocalStore",
    "Outgoing",
    "Progress",
    "Server",
    "ServerMailbox",
    "Standing",
]
