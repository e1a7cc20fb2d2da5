#!/bin/sh
# What the tests use and Python packages do not bring: a browser, an MQTT client that nobody here wrote, and Node.js for
# an SMSC and a push service that nobody here wrote.
set -eu
cd "$(dirname "$0")/.."
. tools/as-root.sh

missing=""
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    missing="$missing chromium"
command -v mosquitto_pub >/dev/null || missing="$missing mosquitto-clients"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
# shellcheck disable=SC2086 # a list of names
[ -z "$missing" ] || install_packages "The tests need more than Python packages" $missing

# The same engine without windows, with which the browser tests cost a quarter; where it cannot be had they do without.
if ! command -v chromium-headless-shell >/dev/null && apt-cache show chromium-headless-shell >/dev/null 2>&1; then
    (install_packages "The browser tests would be faster" chromium-headless-shell) || true
fi
