#!/bin/sh
# Pin and hash everything, for every system and Python at once, with no index named: $1 is uv.
set -eu
cd "$(dirname "$0")/.."

lock() {
    output=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --no-config \
        --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" \
        "$@" pyproject.toml --output-file "$output"
    echo "$output: $(grep -c == "$output") packages"
}

uv=$1
lock requirements.txt --group build
lock requirements-test.txt --group build --group test
