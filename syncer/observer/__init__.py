"""Looks at both sides of the mailboxes of one account and says how they differ from the index.

This is where listings become changes: flags get the account's spelling, unknown messages are described, and what
matching wants to know is read. Nothing is changed, and nothing is decided.

The cost follows the change. A mailbox whose counters on the server and whose directories here are as the last pass
left them is not looked at (`glance`). A side that did change is asked for what changed since then, if it can tell
(`look`, with `there` and `here`); otherwise, and from time to time whatever is told, everything is compared.
"""
