"""Carries out actions, in an order of effect and record that makes a killed run harmless.

1. Creating. A downloaded file is durable and visible before its pair is recorded; its name is derived from mailbox,
UIDVALIDITY and UID, so a file without a pair is recognised. An APPEND is announced in the index before it is sent;
an announcement whose outcome is unknown forces matching before the file may be sent again. 2. Changing, moving and
deleting: first the effect, then the record. The record may lag, it never leads. 3. Deletions come last, after
everything that might have given a message another place; pairs are forgotten when that is recorded in all mailboxes,
for a pair tells what has come elsewhere. 4. No transaction spans network or disk work; work is done and recorded in
batches.

One message that fails is a line in the report and stays as it is on both sides; the next pass meets it again.
"""

from syncer.executor.bench import Bench
from syncer.executor.mailbox import Executor

__all__ = ["Bench", "Executor"]
