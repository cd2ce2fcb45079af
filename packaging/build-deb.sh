#!/usr/bin/env bash
# Builds the Debian package of this checkout, with its manual pages, completions and bill of materials: prints the file's
# name last. The same checkout gives the same bytes, in whatever folder it is (packaging/reproducible.sh).
#
#   packaging/build-deb.sh [--target TRIPLE] [DIR]
#
#   DIR              where to; target/debian if absent
#   --target TRIPLE  for another machine: aarch64-unknown-linux-gnu, armv7-unknown-linux-gnueabihf
#
# Needs Rust, a C compiler and cargo-deb; for another machine Debian's cross compiler and Rust's library for it. It names
# what is missing. .ci/arm64 builds for arm64 and armhf and tries the programs.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'build-deb: %s\n' "$*" >&2; exit 1; }

triple= dir=
while (($#)); do
    case $1 in
    --target) triple=${2:?--target needs a triple}; shift 2 ;;
    --help | -h) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
    -*) die "unknown option $1; see --help" ;;
    *) dir=$1; shift ;;
    esac
done
dir=${dir:-target/debian}

command -v cargo >/dev/null || die "cargo is missing: install Rust from https://rustup.rs"
command -v cc >/dev/null || die "a C compiler is missing: apt install gcc libc6-dev"
cargo deb --version >/dev/null 2>&1 || die "cargo-deb is missing: cargo install cargo-deb --locked"
if [[ -n $triple ]]; then
    # Debian's name of the cross compiler, and the variables by which cargo and the cc crate find it.
    case $triple in
    aarch64-unknown-linux-gnu) cross=aarch64-linux-gnu package="gcc-aarch64-linux-gnu libc6-dev-arm64-cross" ;;
    armv7-unknown-linux-gnueabihf) cross=arm-linux-gnueabihf package="gcc-arm-linux-gnueabihf libc6-dev-armhf-cross" ;;
    x86_64-unknown-linux-gnu) cross=x86_64-linux-gnu package="gcc-x86-64-linux-gnu libc6-dev-amd64-cross" ;;
    *) die "no cross compiler is known for $triple" ;;
    esac
    command -v "$cross-gcc" >/dev/null || die "$cross-gcc is missing: apt install $package"
    echo '#include <stdlib.h>' | "$cross-gcc" -E -o /dev/null - 2>/dev/null || die "the C library for it is missing: apt install $package"
    [[ -d $(rustc --print sysroot)/lib/rustlib/$triple ]] || die "Rust's library for it is missing: rustup target add $triple"
    name=${triple//-/_}
    export "CARGO_TARGET_${name^^}_LINKER=$cross-gcc" "CC_$name=$cross-gcc" TAOSD_BUILD_TARGET=$triple
fi

# The times in the package are those of the last commit; without git, those of the changelog.
if [[ -z ${SOURCE_DATE_EPOCH:-} ]]; then
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date -d "$(sed -n 's/^ -- .*>  //p' packaging/debian/changelog | head -n 1)" +%s)
fi
export SOURCE_DATE_EPOCH

target=${CARGO_TARGET_DIR:-target}
# No folder of this machine stands in the programs.
home=${CARGO_HOME:-$HOME/.cargo}
maps="--remap-path-prefix=$PWD=/usr/src/taosd --remap-path-prefix=$home=/usr/share/cargo"
RUSTFLAGS="${RUSTFLAGS:-} $maps" CFLAGS="${CFLAGS:-} -ffile-prefix-map=$home=/usr/share/cargo" \
    cargo build --release --quiet --bins ${triple:+--target "$triple"}
rm -rf target/manual
cargo run --quiet --example manual -- target/manual
built=$target/${triple:+$triple/}release
wanted=target/${triple:+$triple/}release
if [[ $built != "$wanted" ]]; then
    # The package's list of files names the usual place.
    mkdir -p "$wanted"
    cp "$built/taosd" "$built/taosctl" "$wanted/"
fi
mark=$(mktemp)
trap 'rm -f "$mark"' EXIT
env -u CARGO_TARGET_DIR cargo deb --quiet --no-build --no-strip ${triple:+--target "$triple"} --output "$dir/" >/dev/null
find "$dir" -name 'taosd_*.deb' -newer "$mark" -print
