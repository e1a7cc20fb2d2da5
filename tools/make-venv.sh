#!/bin/sh
# Make a virtual environment in $1 with a Python that this project is tried on, 3.11 at least.
set -eu
cd "$(dirname "$0")/.."
. tools/as-root.sh

# A command named python3.13 may be a launcher whose version is not there, so each is asked. The system's own goes before
# others of its version: distributions compile with profile-guided optimisation, version managers by default do not, and
# theirs needs a tenth more processor time for a storm.
find_python() {
    for name in python3.13 python3.12 python3.11 python3 python; do
        for command in "/usr/bin/$name" "$name"; do
            if "$command" -c "import sys, $1; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then
                "$command" -c 'import sys; print(sys.executable)'
                return 0
            fi
        done
    done
    return 1
}

python=$(find_python "ensurepip, venv" || find_python sys) || {
    echo "No Python 3.11 or newer was found. Install one (Debian 12 and newer: apt-get install python3 python3-venv)." >&2
    exit 1
}
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    install_packages "$python cannot make virtual environments" "python$version-venv"
fi
echo "== virtual environment in $1 with $python, $("$python" --version)"
rm -rf "$1"
"$python" -m venv "$1"
