"""Runs one command and says what it took.

It is a script of its own, started with `python -I -S`, and small: the kernel lets a process begin with the memory
high-water mark of the one that started it. What is smaller than this script is reported as large as it, about 8 MB.

Arguments: the time limit in seconds, the file for the figures (JSON), the command. Standard output and standard error
of the command go where those of this script go.
"""

import os
import signal
import sys
import time


def main() -> None:
    """Run it; at the time limit its whole process group is killed."""
    limit, figures, command = float(sys.argv[1]), sys.argv[2], sys.argv[3:]
    late = False
    begin = time.monotonic()
    pid = os.fork()
    if not pid:
        os.setpgid(0, 0)
        try:
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"{command[0]}: {error}\n".encode())
        os._exit(127)

    def end(*_: object) -> None:
        nonlocal late
        late = True
        os.killpg(pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        _, status, used = os.wait4(pid, 0)
    except BaseException:
        os.killpg(pid, signal.SIGKILL)
        raise
    wall = time.monotonic() - begin
    signal.setitimer(signal.ITIMER_REAL, 0)
    # Kilobytes on Linux, octets on macOS.
    rss = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with open(figures, "w") as file:
        file.write(
            f'{{"wall": {wall:.6f}, "user": {used.ru_utime:.6f}, "system": {used.ru_stime:.6f}, "rss": {rss}, '
            f'"status": {os.waitstatus_to_exitcode(status)}, "late": {"true" if late else "false"}}}'
        )


main()
