"""What a process that stays needs towards the world outside: its supervisor, hooks, followers and monitoring.

- `notify` tells the service manager that it is ready, alive, or about to end (sd_notify), and `keeper` does so for as
  long as it runs;
- `network` hears of changes of this machine's addresses;
- `hooks` runs the person's `on_change` command, with what has changed on its standard input: `pending` (pure) says when
  and with what, `children` runs one process and sees to it that it ends;
- `events` writes one line of JSON for each thing that was done, for programs that follow;
- `control` answers whoever asks at a socket, and `followers` tells those who follow there what happens;
- `texts` (pure) makes text of file names and of what others print.

Nothing here can stop a pass or keep one waiting: who is not there, does not read or fails is logged, and left alone.
"""
