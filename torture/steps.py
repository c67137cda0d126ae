"""What each action of a plan does to the three sides in memory of T1, step by step: effects, and then the record.

A run may be killed between any two steps. The order is that of `syncer.executor`, and so is what asks for another look.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from syncer.reconcile.actions import (
    Action,
    Agree,
    Append,
    Download,
    Expunge,
    Forget,
    MoveLocal,
    MoveOnServer,
    RemoveLocal,
)
from syncer.reconcile.agreement import storable
from syncer.reconcile.flags import DELETED, FlagDelta, Flags, apply
from syncer.reconcile.identity import MailboxName, Side, Uid
from syncer.reconcile.observations import Intent, Observation, Pair, PairState
from syncer.values import replace
from torture.sides import CONTENTS, Box, File, Sides

Steps = Iterator[None]


class NameTakenError(Exception):
    """A message should get the name of another one, which is from before the server was restored and used its UID."""


def _download(sides: Sides, here: Observation, action: Download) -> Steps:
    box, seen = sides.boxes[here.mailbox], action.message
    message = box.messages[seen.uid]
    name = sides.own_name(box, seen.uid)
    if any(pair.name == name and pair.uid != seen.uid for pair in box.pairs.values()):
        raise NameTakenError
    there = box.files.get(name)
    if there is not None and there.content != message.content:  # a file of that name is another message
        name = type(name)(f"{name}.1")
    box.files.setdefault(name, File(message.content, sides.sayable(message.flags), message.life))
    yield
    box.record(Pair(seen.uid, name, message.flags, CONTENTS[message.content], seen.email_id))
    yield


def _append(sides: Sides, here: Observation, action: Append) -> Steps:
    box, name = sides.boxes[here.mailbox], action.message.name
    file = box.files[name]
    box.intents.setdefault(name, Intent(name, here.server.epoch.uidnext, file.content))
    yield
    flags = storable(action.message.flags, here.server)
    uid = sides.arrive(box, file.content, flags, file.life)
    yield
    if sides.uidplus and sides.tells_uids:
        box.record(Pair(Uid(uid), name, flags, CONTENTS[file.content]))
    else:
        box.intents[name] = replace(box.intents.pop(name), sent=True)
        sides.look_again = True
    yield


def _agree(sides: Sides, here: Observation, action: Agree) -> Steps:
    box = sides.boxes[here.mailbox]
    yield from _store(box, action.pair.uid, action.to_server)
    if action.to_local:
        file = box.files.get(action.pair.name)
        if file is None:  # gone, and the scan did not prove it
            sides.look_again = True
            return
        file.flags = sides.sayable(apply(file.flags, action.to_local))
        yield
    box.record(action.pair)
    yield


def _store(box: Box, uid: int, change: FlagDelta) -> Steps:
    """+FLAGS and -FLAGS are two commands."""
    message = box.messages.get(uid)
    for part in (FlagDelta(add=change.add), FlagDelta(remove=change.remove)):
        if part and message is not None:
            message.flags = apply(message.flags, part)
            yield


def _expunge(sides: Sides, here: Observation, action: Expunge) -> Steps:
    box, pair = sides.boxes[here.mailbox], action.pair
    if action.trash is None:
        yield from _take(sides, box, pair.uid)
        gone = sides.uidplus
    else:
        yield from _to(sides, box, pair.uid, sides.boxes[action.trash])
        gone = sides.uidplus or sides.atomic_move
        sides.look_again = True
    yield from _count(sides, here.mailbox, "server")
    if gone:
        box.pairs.pop(pair.uid, None)
    else:
        box.record(replace(pair, flags=pair.flags | {DELETED}, state=PairState.SERVER_ONLY))
    yield


def _take(sides: Sides, box: Box, uid: int) -> Steps:
    r"""Set `\Deleted`, then UID EXPUNGE where there is UIDPLUS."""
    yield from _store(box, uid, FlagDelta(add=frozenset({DELETED})))
    if sides.uidplus and uid in box.messages:
        del box.messages[uid]
        yield


def _to(sides: Sides, box: Box, uid: int, target: Box) -> Generator[None, None, int | None]:
    """MOVE, or COPY and expunge; returns the new UID if the server tells it."""
    message = box.messages.get(uid)
    if message is None:
        return None
    landed = sides.arrive(target, message.content, message.flags, message.life, message.email_id)
    if sides.atomic_move:
        del box.messages[uid]
        yield
    else:
        yield
        yield from _take(sides, box, uid)
    return landed if sides.uidplus and sides.tells_uids else None


def _remove(sides: Sides, here: Observation, action: RemoveLocal) -> Steps:
    box = sides.boxes[here.mailbox]
    box.files.pop(action.pair.name, None)
    yield
    yield from _count(sides, here.mailbox, "local")
    box.pairs.pop(action.pair.uid, None)
    yield


def _count(sides: Sides, mailbox: MailboxName, side: Side) -> Steps:
    sides.deletions[mailbox, side] = sides.deletions.get((mailbox, side), 0) + 1
    yield


def _forget(sides: Sides, here: Observation, action: Forget) -> Steps:
    box = sides.boxes[here.mailbox]
    pair = box.pairs.pop(action.uid, None)
    if pair is not None and (action.uid in box.messages or pair.name in box.files):
        sides.look_again = True  # what is left is new to the other side
    yield


def _move_on_server(sides: Sides, here: Observation, action: MoveOnServer) -> Steps:
    box, target = sides.boxes[here.mailbox], sides.boxes[action.target]
    yield from _store(box, action.pair.uid, action.to_server)
    landed = yield from _to(sides, box, action.pair.uid, target)
    if landed is None:
        sides.look_again = True
        return
    file = target.files[action.landed.name]
    file.flags = sides.sayable(apply(file.flags, action.to_local))
    yield
    _moved(box, target, action.pair, Uid(landed), replace(action.pair, name=action.landed.name), action.agreed)
    yield


def _move_local(sides: Sides, here: Observation, action: MoveLocal) -> Steps:
    box, target = sides.boxes[here.mailbox], sides.boxes[action.target]
    uid = action.landed.uid
    yield from _store(target, uid, action.to_server)
    if action.pair.name not in box.files:  # gone, and the scan did not prove it
        sides.look_again = True
        return
    name = sides.own_name(target, uid)
    if name in target.files:
        raise NameTakenError
    file = target.files[name] = box.files.pop(action.pair.name)
    file.flags = sides.sayable(apply(file.flags, action.to_local))
    yield
    _moved(
        box, target, action.pair, uid, replace(action.pair, name=name, email_id=action.landed.email_id), action.agreed
    )
    yield


def _moved(box: Box, target: Box, old: Pair, uid: Uid, pair: Pair, flags: Flags) -> None:
    """One transaction for both mailboxes."""
    box.pairs.pop(old.uid, None)
    target.record(replace(pair, uid=uid, flags=flags))


STEPS: Mapping[type[Action], Callable[[Sides, Observation, Any], Steps]] = {
    Download: _download,
    Append: _append,
    Agree: _agree,
    Expunge: _expunge,
    RemoveLocal: _remove,
    Forget: _forget,
    MoveOnServer: _move_on_server,
    MoveLocal: _move_local,
}
