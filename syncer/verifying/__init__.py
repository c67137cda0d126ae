"""Verifying one account: read every copy of every message, compare it with what the index remembers, and mend.

`verify` looks at both sides of each mailbox, then reads lot by lot, on several connections; what is wrong with a
message is decided in `reconcile/verdicts`. Octets pass by and are thrown away. Without `repair` nothing is changed
anywhere; with it `repairing` follows. What is new, deleted, moved or flagged is a sync's matter: counted, and left.
"""

from syncer.verifying.task import Task
from syncer.verifying.verify import Verify

__all__ = ["Task", "Verify"]
