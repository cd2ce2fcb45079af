#!/usr/bin/env bash
# Packs the corpus that fuzz/run.sh has grown into fuzz/corpus.tar.gz, which the repository keeps: for each target the
# fewest inputs that cover what all of them cover. tests/parsers.rs replays them. Needs the programs of a run before.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=fuzz/target/$(rustc -vV | sed -n 's/^host: //p')/release
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT

for source in fuzz/fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    mkdir "$kept/$target"
    "$programs/$target" -set_cover_merge=1 "$kept/$target" "fuzz/corpus/$target" 2>"$kept/log" >&2 || { cat "$kept/log"; exit 1; }
    echo "$target: $(find "fuzz/corpus/$target" -type f | wc -l) inputs, kept $(find "$kept/$target" -type f | wc -l)"
done
rm "$kept/log"
# The same inputs give the same bytes.
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -C "$kept" -c . | gzip -9n >fuzz/corpus.tar.gz
