# Read by other scripts: `install_packages WHY PACKAGE...` installs Debian packages, or says what a person must do.

install_packages() {
    why=$1
    shift
    if ! command -v apt-get >/dev/null; then
        echo "$why. Install these, as your system names them: $*" >&2
        exit 1
    fi
    if [ "$(id -u)" = 0 ]; then
        sudo=""
    elif sudo -n true 2>/dev/null; then
        sudo="sudo -n"
    else
        echo "$why. As root, run: apt-get install $*" >&2
        exit 1
    fi
    echo "== installing $* with apt-get"
    log=$(mktemp)
    # shellcheck disable=SC2086 # empty for root
    if ! { $sudo apt-get update && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } \
        >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        echo "$why, and apt-get could not install: $*" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}
