#!/usr/bin/env bash
# Builds the Debian package of this checkout, with its manual pages and completions: prints the file's name last.
#
#   packaging/build-deb.sh [DIR]     DIR: where to; target/debian if absent
#
# Needs Rust, a C compiler and cargo-deb (`cargo install cargo-deb --locked`).
set -euo pipefail
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
cargo build --release --quiet
rm -rf target/manual
cargo run --quiet --example manual -- target/manual
if [[ $target != target ]]; then
    # The package's list of files names the usual place.
    mkdir -p target/release
    cp "$target/release/taosd" "$target/release/taosctl" target/release/
fi
cargo deb --quiet --no-build --no-strip --output "${1:-target/debian}/" >/dev/null
find "${1:-target/debian}" -name 'taosd_*.deb' -newer target/manual -print
