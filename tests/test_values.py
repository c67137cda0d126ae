"""Loading msgspec leaves no trace of what it was kept from loading."""

import subprocess
import sys

_SCRIPT = """
import sys
import syncer.values
assert "platform" not in sys.modules and "typing_extensions" not in sys.modules, sorted(sys.modules)
import platform, uuid
print(bool(platform.python_version()), uuid.UUID(int=1), len(str(uuid.uuid4())))
"""


def test_the_modules_that_msgspec_does_without_can_be_loaded_afterwards() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", _SCRIPT], capture_output=True, text=True, check=False)

    assert (done.stdout, done.stderr) == ("True 00000000-0000-0000-0000-000000000001 36\n", "")
