#!/bin/sh
# Validates the golden OpenAPI document with a validator that is not ours: openapi-spec-validator, from PyPI, in an
# environment of its own. Usage: tests/openapi/validate.sh [FILE]. Set OPENAPI_VENV to keep the environment.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
file=${1:-"$root/tests/golden/openapi.json"}
venv=${OPENAPI_VENV:-}
if [ -z "$venv" ]; then
    venv=$(mktemp -d)
    trap 'rm -rf "$venv"' EXIT INT TERM
fi
if [ ! -x "$venv/bin/openapi-spec-validator" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'openapi-spec-validator>=0.7,<1'
fi
"$venv/bin/openapi-spec-validator" --schema 3.1.0 "$file"
