"""One pass over one account: observe, plan, apply, report.

`passing` takes a glance and is done if nothing happened; else `rounds` of looking, deciding and applying (`applying`)
follow, and how far each mailbox came is recorded (`recording`).
"""

from syncer.engine.passing import Hints, Order, Pass

__all__ = ["Hints", "Order", "Pass"]
