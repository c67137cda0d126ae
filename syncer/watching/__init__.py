"""One account that is kept equal by itself: when passes are made, and what is heard of the server meanwhile.

`loop` makes passes when `syncer.wakeups` says so, `listening` hears of changes on the server. Neither knows what a pass
is or how a connection is made: `syncer.wiring.watching` puts that in. `standing` is what it all comes to at a moment.
"""
