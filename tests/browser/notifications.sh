#!/usr/bin/env bash
# Hostile texts in notifications stay texts in a real browser: the fragment that the daemon gives to a page is put into
# a page as it is and opened in headless Chromium (Debian package chromium), without any policy that would help.
# A page with the same texts unescaped is opened first: the check must be able to fail.
#
# Usage: tests/browser/notifications.sh [TAOSD], the binary; target/debug/taosd if absent. Needs chromium, curl, python3.
set -euo pipefail
cd "$(dirname "$0")/../.."

taosd=${1:-${CARGO_TARGET_DIR:-target}/debug/taosd}
work=$(mktemp -d)
daemon=
cleanup() {
    # It writes until it has ended.
    [ -z "$daemon" ] || { kill "$daemon" && wait "$daemon"; } 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

"$taosd" --data-dir "$work/d" --listen 127.0.0.1:0 >"$work/ready" 2>"$work/log" &
daemon=$!
for _ in $(seq 100); do
    [ -s "$work/ready" ] && break
    sleep 0.1
done
url=$(sed -n 's/^taosd listening on \(http:[^ ]*\) .*/\1/p' "$work/ready")
[ -n "$url" ] || { cat "$work/log" >&2; exit 1; }
printf 'Authorization: Bearer %s\n' "$(cat "$work/d/operator.token")" >"$work/header"

# Each would leave a mark in the page if it ran.
cat >"$work/hostile" <<'TEXTS'
<script>document.body.dataset.pwned = 1</script>
<img src=x onerror="document.body.dataset.pwned = 1">
"><svg onload="document.body.dataset.pwned = 1">
' onmouseover='document.body.dataset.pwned = 1' x='
</div></body><iframe srcdoc="<script>parent.document.body.dataset.pwned = 1</script>"></iframe>
&lt;script&gt;document.body.dataset.pwned = 1&lt;/script&gt;
<details open ontoggle="document.body.dataset.pwned = 1">x</details>
TEXTS

python3 - "$work" "$url" <<'SEND'
import json, subprocess, sys
work, url = sys.argv[1:]
for text in open(f"{work}/hostile").read().splitlines():
    body = {"title": text[:120], "body": text, "priority": "high", "action_url": "/" + "".join(text.split())}
    subprocess.run(["curl", "-fsS", "-o", "/dev/null", "-H", f"@{work}/header", "--json", json.dumps(body),
                    f"{url}/api/ui/notify"], check=True)
SEND

page() { printf '<!doctype html><meta charset="utf-8"><title>t</title><body><main>'; cat "$1"; printf '</main></body>'; }
# Waits for whatever the page may still run.
dom() {
    chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --virtual-time-budget=3000 \
        --dump-dom "file://$1" 2>/dev/null
}

page "$work/hostile" >"$work/raw.html"
dom "$work/raw.html" >"$work/raw.dom"
grep -q '<body data-pwned="1"' "$work/raw.dom" || { echo "the check itself does not work" >&2; exit 1; }

curl -fsS -H "@$work/header" -H "HX-Request: true" "$url/api/notifications" >"$work/fragment"
page "$work/fragment" >"$work/page.html"
dom "$work/page.html" >"$work/page.dom"
items=$(grep -o 'class="notif-item' "$work/page.dom" | wc -l)
wanted=$(wc -l <"$work/hostile")
[ "$items" = "$wanted" ] || { echo "$items notifications are shown, not $wanted" >&2; exit 1; }
if grep -Eiq 'data-pwned="|<(script|img|svg|iframe|details)' "$work/page.dom"; then
    echo "a hostile text came alive:" >&2
    cat "$work/page.dom" >&2
    exit 1
fi
grep -q '&lt;script&gt;' "$work/page.dom"
echo "ok: $items hostile notifications are inert in $(chromium --version 2>/dev/null)"
