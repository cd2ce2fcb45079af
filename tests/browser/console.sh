#!/usr/bin/env bash
# The console in real browsers: see console.mjs. Usage: tests/browser/console.sh [TAOSD]. Needs node, npm, and chromium,
# firefox-esr or both; BROWSER=chromium takes that one alone, STEP=pages,keys only these steps. With
# ASSETS=$PWD/assets the browser gets the style sheet and the scripts of the working tree, without a build in between.
# With SHOTS=1 it also makes the pictures of README anew (docs/images).
set -euo pipefail
cd "$(dirname "$0")/../.."
taosd=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/debug/taosd}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tests/browser/package.json tests/browser/package-lock.json "$work/"
(cd "$work" && npm ci --silent --no-audit --no-fund)
cp tests/browser/*.mjs "$work/"
node "$work/console.mjs" "$taosd" "$work" "$PWD/docs/images"
