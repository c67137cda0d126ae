#!/bin/sh
# Makes .venv with this package (editable) and what its development needs; completes one that is there.
set -eu
cd "$(dirname "$0")/.."

if [ ! -x .venv/bin/python ]; then
  for python in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break
    python=
  done
  [ -n "$python" ] || { echo "venv.sh: Python 3.11 or later is needed; say where with PYTHON=..." >&2; exit 1; }
  "$python" -m venv .venv || {
    rm -rf .venv
    echo "venv.sh: no virtual environment could be made; on Debian: apt-get install python3-venv" >&2
    exit 1
  }
fi

# The --group of pip 25.1 reads [dependency-groups] of pyproject.toml.
.venv/bin/python -m pip --version | grep -qE '^pip (25\.[1-9]|2[6-9]|[3-9][0-9])' \
  || .venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
.venv/bin/python -m pip install --quiet --group dev --editable .
touch .venv/.ready
