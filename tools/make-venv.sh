#!/bin/sh
# Make a virtual environment in $1 with a Python that this project is tried on, 3.11 at least.
set -eu
cd "$(dirname "$0")/.."
. tools/as-root.sh

# A command named python3.13 may be a launcher whose version is not there, so each is asked.
find_python() {
    for name in python3.13 python3.12 python3.11 python3 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            "$name" -c 'import sys; print(sys.executable)'
            return 0
        fi
    done
    return 1
}

python=$(find_python) || {
    echo "No Python 3.11 or newer was found. Install one (Debian 12 and newer: apt-get install python3 python3-venv)." >&2
    exit 1
}
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    install_packages "$python cannot make virtual environments" "python$version-venv"
fi
echo "== virtual environment in $1 with $("$python" --version)"
rm -rf "$1"
"$python" -m venv "$1"
