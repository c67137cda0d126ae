"""The decision: pure functions from observations and the index to a plan.

Nothing in this room does I/O, asks the clock or imports a third-party package. `observations` says what was seen,
`matching` which messages of both sides are one message, `mailboxes` and `planner` what to do about it, `guards`
what must not be done, and `actions` is the vocabulary of the answer.
"""
