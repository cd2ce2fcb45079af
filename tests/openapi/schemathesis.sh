#!/bin/sh
# Has Schemathesis, from PyPI, try the daemon by its own /openapi.json: every check, examples, boundaries, random data and
# sequences of requests, on a box with a few agents. Usage: tests/openapi/schemathesis.sh [OPTION…], options are
# Schemathesis's. Needs target/debug/taosd. Set SCHEMATHESIS_VENV to keep the environment. Ends after five minutes,
# or SCHEMATHESIS_SECONDS, and says so.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
taosd=${TAOSD:-"$root/target/debug/taosd"}
dir=$(mktemp -d)
daemon=
sender=
end() {
    [ -z "$sender" ] || kill "$sender" 2>/dev/null || true
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap end EXIT INT TERM
venv=${SCHEMATHESIS_VENV:-"$dir/venv"}
if [ ! -x "$venv/bin/schemathesis" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet 'schemathesis>=4.32,<5'
fi

# A rate would end the run, and a deployment needs an image.
printf '[containers]\nimage = "debian12"\n' >"$dir/taosd.toml"
TAOSD_REQUESTS_PER_MINUTE=0 TAOSD_FAILED_LOGINS_PER_MINUTE=0 "$taosd" --config "$dir/taosd.toml" --data-dir "$dir/data" \
    --listen 127.0.0.1:0 --containers none >"$dir/ready" 2>"$dir/log" &
daemon=$!
for _ in $(seq 100); do
    [ -s "$dir/ready" ] && break
    sleep 0.1
done
url=$(sed -n 's/^taosd listening on \([^ ]*\).*/\1/p' "$dir/ready")
TAOS_TOKEN=$(cat "$dir/data/operator.token")
send() { curl -sf -H "Authorization: Bearer $TAOS_TOKEN" --json "$2" "$url$1"; }

for name in atlas boreas ceres; do
    send /api/agents "{\"name\":\"$name\"}" >/dev/null
done
send /agents/register '{"name":"mailer","description":"","acp_url":"http://localhost:1","acp_type":"async"}' >/dev/null
send /agent_api_keys '{"agent_name":"mailer","name":"laptop"}' >/dev/null
send /api/users '{"username":"ann"}' >/dev/null
TAOS_KEY=$(send /api/v1/keys '{"name":"exchange"}' | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
export TAOS_TOKEN TAOS_KEY
# Streams get something to tell.
(while sleep 0.5; do send /api/ui/notify '{"title":"tick","body":"tock"}' >/dev/null 2>&1 || true; done) &
sender=$!

# What it keeps for itself goes with the rest.
cp "$root/tests/openapi/hooks.py" "$dir"
cd "$dir"
status=0
timeout "${SCHEMATHESIS_SECONDS:=300}" "$venv/bin/schemathesis" \
    --config-file "$root/tests/openapi/schemathesis.toml" run "$url/openapi.json" \
    --checks all --phases examples,coverage,fuzzing,stateful --max-examples "${SCHEMATHESIS_EXAMPLES:-3}" --workers 1 \
    "$@" || status=$?
[ "$status" != 124 ] || echo "not done within $SCHEMATHESIS_SECONDS s" >&2
kill -0 "$daemon" || status=1
if grep -i 'panic' "$dir/log"; then status=1; fi
exit "$status"
