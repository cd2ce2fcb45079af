#!/usr/bin/env bash
# An agent in a container, in real browsers: see deploy.mjs. Usage: tests/browser/deploy.sh URL TOKEN NAME HOSTILE ROOT: a
# daemon with a container runtime, a user's token, the agent to be made, one with a hostile log, and a mount root. Needs
# node, npm, and chromium.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tests/browser/package.json tests/browser/package-lock.json "$work/"
(cd "$work" && npm ci --silent --no-audit --no-fund)
cp tests/browser/*.mjs "$work/"
node "$work/deploy.mjs" "$work" "$@"
