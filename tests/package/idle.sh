#!/usr/bin/env bash
# Ten idle minutes of an installed taosd, counted: no write at all.
#
#   tests/package/idle.sh begin     boots a box, installs the package, notes the counters once it rests
#   tests/package/idle.sh end       waits for the rest of the ten minutes, compares, reports, removes the box
set -euo pipefail

dir=${TAOSD_CI_DIR:-/var/lib/taosd-ci}
minutes=${TAOSD_IDLE_MINUTES:-10}
name=taosd-idle
state=$dir/idle

setting() { sed -n "s/^$1=//p" "$dir/env"; }
inside() { lxc exec "$name" -- bash -c "set -euo pipefail; $1"; }

# Bytes handed to the disk, the newest time of any file, lines in the journal; processor ticks and memory for the report.
counters() {
  inside 'pid=$(systemctl show taosd --property MainPID --value)
    sed -n "s/^write_bytes: /write_bytes /p" "/proc/$pid/io"
    echo "newest $(find /var/lib/taosd /run/taosd -printf "%T@\n" | sort -n | tail -n 1)"
    echo "journal $(journalctl --unit taosd --no-pager --output cat | wc -l)"
    echo "ticks $(awk "{ print \$14 + \$15 }" "/proc/$pid/stat")"
    echo "rss_kib $(awk "/^VmRSS/ { print \$2 }" "/proc/$pid/status")"'
}

begin() {
  lxc delete --force "$name" 2>/dev/null || true
  lxc launch "$(setting TAOSD_TEST_SYSTEMD_IMAGE)" "$name" -c security.nesting=true >/dev/null
  for _ in $(seq 120); do inside 'systemctl is-system-running' 2>/dev/null | grep -qE 'running|degraded' && break; sleep 0.5; done
  lxc file push --quiet "$(setting TAOSD_TEST_DEB)" "$name/root/taosd.deb"
  inside 'dpkg --install /root/taosd.deb >/dev/null 2>&1
    token=$(cat /var/lib/taosd/operator.token)
    for n in $(seq 20); do curl -sS -o /dev/null -H "Authorization: Bearer $token" --json "{\"name\": \"agent$n\"}" http://127.0.0.1:6969/api/agents; done'
  # The last uses are written and the copy is made a while after the last request: then it rests.
  inside 'systemctl restart taosd'
  sleep 75
  counters >"$state.before"
  date +%s >"$state.began"
}

end() {
  local began=$(<"$state.began") left now said changed
  left=$((began + minutes * 60 - $(date +%s)))
  if ((left > 0)); then sleep "$left"; fi
  now=$(counters)
  printf 'idle for %s s\nbefore: %s\nafter:  %s\n' "$(($(date +%s) - began))" "$(paste -sd' ' "$state.before")" "$(paste -sd' ' <<<"$now")"
  said=$(inside "journalctl --unit taosd --no-pager --output short-iso | tail -n 3")
  lxc delete --force "$name"
  changed=$(diff <(grep -vE '^(ticks|rss_kib)' "$state.before") <(grep -vE '^(ticks|rss_kib)' <<<"$now")) || {
    printf 'an idle box wrote:\n%s\nthe last lines of its journal:\n%s\ntest ten_idle_minutes ... FAILED\n' "$changed" "$said"
    return 1
  }
  echo 'test ten_idle_minutes ... ok'
}

case ${1:-} in
  begin) begin ;;
  end) end ;;
  *) echo "usage: tests/package/idle.sh begin|end" >&2; exit 2 ;;
esac
