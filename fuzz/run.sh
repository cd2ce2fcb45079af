#!/usr/bin/env bash
# Fuzzes the parsers of bytes from outside, each target for so many minutes, as many at once as there are cores, with the
# words of its format (fuzz/words). Prints a table: executions, edges covered, the minute in which the last new edge was
# found, inputs in the corpus. It begins with what earlier runs found: fuzz/corpus.tar.gz, and fuzz/corpus if there is one.
# fuzz/corpus grows from run to run, and fuzz/keep.sh packs it. Whatever broke a promise is in fuzz/artifacts, and the
# script ends with 1.
# Needs cargo-fuzz (cargo install cargo-fuzz).
#
#   fuzz/run.sh [MINUTES [TARGET ...]]      60 minutes and every target, unless told otherwise
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-60}
shift $(($# > 0))
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || mapfile -t targets < <(find fuzz/fuzz_targets -name '*.rs' -printf '%f\n' | sed 's/\.rs$//' | sort)

echo "building ${#targets[@]} targets" >&2
cargo run --quiet --manifest-path fuzz/Cargo.toml --target-dir target --example seeds fuzz/corpus
tar -xzf fuzz/corpus.tar.gz -C fuzz/corpus --skip-old-files
# Overflows and debug assertions count as broken promises.
cargo fuzz build --sanitizer none --debug-assertions >/dev/null
programs=fuzz/target/$(rustc -vV | sed -n 's/^host: //p')/release
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

words() { # TARGET: the literals of the files that fuzz/words names
    awk -v target="$1" '$1 == target { $1 = ""; print }' fuzz/words |
        xargs -r grep -rhoE --include='*.rs' '"[A-Za-z0-9_.:/*+=-]{2,40}"' | sort -u
}
for target in "${targets[@]}"; do words "$target" >"$logs/$target.words"; done

fuzz() { # TARGET
    mkdir -p "fuzz/artifacts/$1"
    : >"$logs/$1"
    local words=()
    [[ ! -s $logs/$1.words ]] || words=("-dict=$logs/$1.words")
    # What takes more than 10 s or 1 GB is a finding too. After each finding it goes on with the time that is left.
    local left=$((minutes * 60)) begun start=$SECONDS
    while ((left > 0)); do
        begun=$SECONDS
        nice -n 10 "$programs/$1" -max_total_time="$left" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
            -verbosity=1 "-artifact_prefix=fuzz/artifacts/$1/" "${words[@]}" "fuzz/corpus/$1" 2>&1 |
            while IFS= read -r line; do echo "$((SECONDS - start)) $line"; done >>"$logs/$1" || true
        left=$((left - (SECONDS - begun) - 1))
    done
}
export -f fuzz
export minutes programs logs
echo "$minutes minutes each, $(nproc) at once" >&2
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'fuzz {}'

# The pulses of the fuzzer tell edges: "SECOND #N NEW cov: EDGES ...". What the corpus covers (INITED) is not new.
last_new_edge() { # TARGET
    awk '/ cov: [0-9]/ { for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1)
        if (edges > most) { most = edges; if (!/INITED/) second = $1 } } END { print int((second + 59) / 60) }' "$logs/$1"
}

printf '%-16s %13s %7s %9s %7s %9s\n' target executions edges 'last new' inputs findings
findings=0
silent=()
for target in "${targets[@]}"; do
    executed=$(awk '$2 == "stat::number_of_executed_units:" { n += $3 } END { print n + 0 }' "$logs/$target")
    edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$logs/$target" | tail -n 1)
    found=$(find "fuzz/artifacts/$target" -type f | wc -l)
    printf '%-16s %13s %7s %9s %7s %9s\n' "$target" "$executed" "${edges:-0}" "$(last_new_edge "$target")" "$(find "fuzz/corpus/$target" -type f | wc -l)" "$found"
    findings=$((findings + found))
    ((executed > 0)) || silent+=("$target")
done
[[ ${#silent[@]} -eq 0 ]] || { echo "never ran: ${silent[*]}" >&2; exit 1; }
((findings == 0))
