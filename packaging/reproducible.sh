#!/usr/bin/env bash
# Shows that the package can be built again: builds it twice from the last commit, in two folders with two folders for the
# outcome, and compares byte for byte. Takes twice a release build. Ends with 1 if the two differ, and keeps them then.
#
#   packaging/reproducible.sh
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
epoch=$(git -C "$root" log -1 --format=%ct)

build() { # NAME
    # Of unlike length, so that a folder's name that got into a program would move what follows it.
    local folder=$work/$1
    mkdir -p "$folder"
    git -C "$root" archive HEAD | tar -xf - -C "$folder"
    (cd "$folder" && env -u CARGO_TARGET_DIR SOURCE_DATE_EPOCH="$epoch" packaging/build-deb.sh "$folder/out" >/dev/null)
    rm -rf "$folder/target"
    (cd "$folder/out" && sha256sum taosd_*.deb)
}

printf 'building %s twice in %s\n' "$(git -C "$root" rev-parse --short HEAD)" "$work"
one=$(build one)
two=$(build the-other-one)
printf '%s\n%s\n' "$one" "$two"
if [[ $one == "$two" ]]; then
    rm -rf "$work"
    echo "the same, byte for byte"
else
    echo "they differ: compare $work/one/out and $work/the-other-one/out, for instance with diffoscope" >&2
    exit 1
fi
