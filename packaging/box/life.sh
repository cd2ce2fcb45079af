#!/usr/bin/env bash
# What packaging/box-test.sh does inside the box, one function a step: bash life.sh RUNTIME FUNCTION [ARGUMENT…]
# A line that begins with "shown: " is printed below the step.
set -euo pipefail
trap 'echo "line $LINENO: $BASH_COMMAND" >&2' ERR

runtime=$1
shift
export HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive TMPDIR=/tmp
unset TAOS_URL TAOS_TOKEN

fail() { echo "$*" >&2; journalctl -u taosd --no-pager --lines 25 -o cat >&2; exit 1; }
must() { # WHAT COMMAND…
    local what=$1
    shift
    "$@" || fail "not so: $what"
}
# The step's own deadline ends it.
until_so() {
    until "$@" >/dev/null 2>&1; do sleep 0.5; done
}
same() { [[ $1 == "$2" ]] || fail "$1 is not $2 ($3)"; }

# --- The runtimes ---

inside() { # AGENT COMMAND…
    local container=taos-agent-$1
    shift
    case $runtime in
    incus) incus exec "$container" -- "$@" </dev/null ;;
    lxd) lxc exec "$container" -- "$@" </dev/null ;;
    lxc) lxc-attach -n "$container" --clear-env -- "$@" </dev/null ;;
    esac
}

state() { # AGENT: running, stopped, frozen
    local container=taos-agent-$1
    case $runtime in
    incus) incus query "/1.0/instances/$container" | jq -r .status ;;
    lxd) lxc query "/1.0/instances/$container" | jq -r .status ;;
    lxc) lxc-info -n "$container" -s -H ;;
    esac | tr '[:upper:]' '[:lower:]'
}

is() { [[ $(state "$1") == "$2" ]]; }

containers() {
    case $runtime in
    incus) incus list --format csv -c n ;;
    lxd) lxc list --format csv -c n ;;
    lxc) lxc-ls -1 ;;
    esac
}

# The token that the first process of a container was given.
environment_token() { inside "$1" sh -c "tr '\\0' '\\n' </proc/1/environ | sed -n s/^TAOS_TOKEN=//p"; }
file_token() { inside "$1" cat /run/taos/token; }

# --- What the daemon says ---

record() { taosctl agents get "$1" -o json; }
field() { record "$1" | jq -r ".$2"; }
field_is() { [[ $(field "$1" "$2") == "$3" ]]; }
credential() { taosctl agents token show "$1" -o json | jq -r .credential_id; }
agents() { taosctl agents list -o json | jq -r '.[].name' | sort; }
issued() { taosctl audit -o json | jq '[.[] | select(.action | test("token")) | select(.outcome == "ok") | .count] | add // 0'; }
healthy() { [[ $(curl -sS -o /dev/null -w '%{http_code}' --max-time 5 http://127.0.0.1:6969/readyz) == 200 ]]; }

# Whether this token is this agent's, asked from inside its container over its own way in.
answers() { # AGENT TOKEN
    local said
    said=$(inside "$1" whoami-at "$2") || return 1
    [[ $(jq -r .agent_name <<<"$said") == "$1" ]]
}

file_works() { answers "$1" "$(file_token "$1")"; }

# As the recipe tells a program: the file first, then the environment.
token() { file_token "$1" 2>/dev/null || environment_token "$1"; }

works() { # AGENT: its container has its token, and that works
    local delivery
    delivery=$(field "$1" token_delivery) || return 1
    answers "$1" "$(token "$1")" || return 1
    # After a rotation the first process still has the one before.
    case $delivery in
    delivered) answers "$1" "$(environment_token "$1")" ;;
    pending_restart) ;;
    *) return 1 ;;
    esac
}

# --- Steps ---

# A container of one static busybox, which asks as soon as it runs.
busybox() { # ROOT
    local root=$1 applet
    mkdir -p "$root"/{bin,sbin,etc,proc,sys,dev,run,tmp,root,var/log}
    cp /bin/busybox "$root/bin/busybox"
    for applet in sh ls cat sleep env wget ip mkdir echo stat id ps kill ln rm cut tr sed timeout; do
        ln -sf busybox "$root/bin/$applet"
    done
    ln -sf ../bin/busybox "$root/sbin/init"
    cat >"$root/bin/whoami-at" <<'SH'
#!/bin/sh
timeout 20 wget -q -O - --header "Authorization: Bearer $1" http://127.0.0.1:6969/api/auth/whoami
SH
    cat >"$root/bin/first" <<'SH'
#!/bin/sh
begun=$(cut -d. -f1 /proc/uptime) refused=0 end="gave up"
while [ $refused -lt 150 ]; do
    if whoami-at "$TAOS_TOKEN" >/tmp/first.body 2>/tmp/first.error; then end=ok; break; fi
    refused=$((refused + 1))
    sleep 0.2
done
echo "refused $refused times, then $end after $(($(cut -d. -f1 /proc/uptime) - begun)) s" >>/var/log/first
SH
    chmod +x "$root/bin/whoami-at" "$root/bin/first"
    printf '%s\n' '::sysinit:/bin/ip link set lo up' '::sysinit:/bin/echo bb has booted' '::once:/bin/first' \
        '::respawn:/bin/sleep 100000' '::shutdown:/bin/echo bb is going down' >"$root/etc/inittab"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    echo 'root:x:0:' >"$root/etc/group"
}

busybox_image() {
    local made
    if [[ $runtime == lxc ]]; then
        made=/var/lib/lxc/.images/bb
        busybox "$made/rootfs"
        printf 'lxc.include = /usr/share/lxc/config/common.conf\nlxc.net.0.type = empty\nlxc.signal.halt = SIGUSR1\n' >"$made/config"
        return
    fi
    made=$(mktemp -d)
    busybox "$made/rootfs"
    printf 'architecture: %s\ncreation_date: %s\nproperties: {description: bb, os: bb}\n' "$(uname -m)" "$(date +%s)" >"$made/metadata.yaml"
    tar -C "$made" -czf /root/bb.tar.gz metadata.yaml rootfs
    rm -r "$made"
}

runtime_ready() {
    local preseed='storage_pools:
- name: default
  driver: dir
profiles:
- name: default
  devices:
    root: {type: disk, path: /, pool: default}'
    busybox_image
    case $runtime in
    incus)
        incus admin waitready --timeout 150
        incus admin init --preseed <<<"$preseed"
        incus image import /root/bb.tar.gz --alias bb
        echo "shown: Incus $(incus --version)"
        ;;
    lxd)
        systemctl start lxd
        lxd waitready --timeout 150
        lxd init --preseed <<<"$preseed"
        lxc image import /root/bb.tar.gz --alias bb
        echo "shown: LXD $(lxc --version)"
        ;;
    lxc) echo "shown: LXC $(lxc-ls --version)" ;;
    esac
    echo "shown: Linux $(uname -r), systemd $(systemctl --version | sed -n '1s/systemd \([0-9]*\).*/\1/p'), AppArmor $(cat /sys/module/apparmor/parameters/enabled)"
}

install() {
    apt-get install -y --allow-downgrades "/root/$1"
    must "active" systemctl is-active taosd
    must "enabled" systemctl is-enabled taosd
    taosctl whoami
    echo "shown: $(dpkg-query -W taosd | tr '\t' ' ')"
}

drop_in() {
    mkdir -p /etc/systemd/system/taosd.service.d
    cp /usr/share/doc/taosd/examples/classic-lxc.conf /etc/systemd/system/taosd.service.d/
    systemctl daemon-reload
    systemctl restart taosd
    taosctl whoami
}

deploy() {
    local agent
    for agent in atlas still ice; do taosctl agents deploy --name "$agent" --image bb --timeout 120; done
    for agent in atlas still ice; do
        same "$(state "$agent")" running "$agent"
        same "$(field "$agent" token_delivery)" delivered "$agent"
        file_works "$agent"
    done
}

adopt() {
    case $runtime in
    incus) incus launch --quiet bb taos-agent-edge ;;
    lxd) lxc launch --quiet bb taos-agent-edge ;;
    lxc)
        mkdir -p /var/lib/lxc/taos-agent-edge
        cp -a /var/lib/lxc/.images/bb/rootfs /var/lib/lxc/taos-agent-edge/
        {
            cat /var/lib/lxc/.images/bb/config
            echo 'lxc.rootfs.path = dir:/var/lib/lxc/taos-agent-edge/rootfs'
            echo 'lxc.uts.name = taos-agent-edge'
        } >/var/lib/lxc/taos-agent-edge/config
        lxc-start -n taos-agent-edge
        ;;
    esac
    taosctl agents create edge
    systemctl restart taosd
    until_so field_is edge token_delivery pending_restart
    until_so file_works edge
    taosctl agents restart edge --timeout 90
    same "$(field edge token_delivery)" delivered edge
}

all_answer() {
    local agent
    for agent in atlas edge still ice; do until_so works "$agent"; done
    # A token of one agent is nothing in another's container.
    if answers edge "$(environment_token atlas)"; then fail "a stolen token works"; fi
}

# What must not change: credentials, and what was ever issued.
identity() {
    local agent
    agents | while read -r agent; do echo "$agent $(credential "$agent")"; done
    echo "issued $(issued)"
}

inits() {
    local container
    for container in taos-agent-atlas taos-agent-edge; do
        case $runtime in
        incus) incus query "/1.0/instances/$container/state" | jq .pid ;;
        lxd) lxc query "/1.0/instances/$container/state" | jq .pid ;;
        lxc) lxc-info -n "$container" -p -H ;;
        esac
    done
}

open_files() { awk '/^Max open files/ { print $4 }' "/proc/$1/limits"; }

upgrade() {
    local pid before
    identity >/root/before
    inits >/root/inits
    pid=$(systemctl show taosd -p MainPID --value)
    before=$(open_files "$pid")
    apt-get install -y /root/new.deb
    must "active" systemctl is-active taosd
    same "$(systemctl show taosd -p NeedDaemonReload --value)" no "the new unit counts"
    [[ $(systemctl show taosd -p MainPID --value) != "$pid" ]] || fail "the old one runs"
    same "$(open_files "$(systemctl show taosd -p MainPID --value)")" \
        "$(sed -n 's/^LimitNOFILE=//p' /lib/systemd/system/taosd.service)" "its limits are the new unit's"
    same "taosd $(curl -sS http://127.0.0.1:6969/healthz | jq -r .version)" "$(taosd --version)" "the new one runs"
    echo "shown: $(dpkg-query -W taosd | tr '\t' ' '); open files before $before, now $(open_files "$(systemctl show taosd -p MainPID --value)")"
}

all_as_before() {
    same "$(identity)" "$(cat /root/before)" "credentials after the upgrade"
    same "$(inits)" "$(cat /root/inits)" "containers went on"
    all_answer
    taosctl box check
}

rotate() {
    local agent old
    for agent in atlas edge; do
        old=$(file_token "$agent")
        taosctl agents token issue "$agent" --grace 300
        [[ $(file_token "$agent") != "$old" ]] || fail "the file has the old token"
        answers "$agent" "$(file_token "$agent")"
        answers "$agent" "$old"
        same "$(field "$agent" token_delivery)" pending_restart "$agent"
        taosctl agents token issue "$agent"
        if answers "$agent" "$old"; then fail "the token before the last works"; fi
    done
}

restart() {
    local agent
    for agent in atlas edge; do
        taosctl agents restart "$agent" --timeout 90
        same "$(field "$agent" token_delivery)" delivered "$agent"
        until_so works "$agent"
    done
}

stop_start() {
    local agent
    for agent in atlas edge; do
        taosctl agents stop "$agent" --timeout 90
        same "$(state "$agent")" stopped "$agent"
        taosctl agents start "$agent" --timeout 90
        same "$(state "$agent")" running "$agent"
        until_so works "$agent"
    done
    taosctl agents stop still --timeout 90
}

pause_resume() {
    local agent
    for agent in atlas edge; do
        taosctl agents pause "$agent"
        until_so is "$agent" frozen
        taosctl agents resume "$agent"
        until_so is "$agent" running
        until_so works "$agent"
    done
    taosctl agents pause ice
}

logs() { taosctl agents logs atlas --lines 50 | tee /root/logs | grep 'bb has booted' || fail "$(cat /root/logs)"; }

archive_restore() {
    local agent old
    for agent in atlas edge; do
        old=$(file_token "$agent")
        taosctl agents rm "$agent" --yes --timeout 90
        taosctl agents restore "$agent" --timeout 120
        until_so is "$agent" running
        until_so works "$agent"
        if answers "$agent" "$old"; then fail "the token from before the archive works"; fi
    done
}

revoke() {
    local old
    old=$(file_token atlas)
    taosctl agents token revoke atlas --yes
    if answers atlas "$old"; then fail "a revoked token works"; fi
    taosctl agents token issue atlas
    answers atlas "$(file_token atlas)"
    taosctl agents restart atlas --timeout 90
    until_so works atlas
}

kill_daemon() {
    local before pid
    before=$(identity)
    inits >/root/inits
    pid=$(systemctl show taosd -p MainPID --value)
    kill -9 "$pid"
    until_so healthy
    [[ $(systemctl show taosd -p MainPID --value) != "$pid" ]] || fail "it was not killed"
    same "$(identity)" "$before" "credentials"
    same "$(inits)" "$(cat /root/inits)" "containers went on"
    until_so works atlas
    until_so works edge
}

live_tokens() { # AGENT
    taosctl tokens ls -o json | jq "[.[] | select(.holder == \"agent:$1\" and .state == \"active\")] | length"
}

# Exactly one token of each agent lives.
one_each() {
    local agent
    for agent in $(agents); do same "$(live_tokens "$agent")" 1 "tokens of $agent"; done
}

no_open_operation() { [[ $(taosctl operations ls -o json | jq '[.[] | select(.status == "running" or .status == "queued")] | length') == 0 ]]; }

kill_under_work() {
    local round worker
    (
        for round in 1 2 3 4 5 6 7 8 9 10; do taosctl agents token issue atlas || true; taosctl agents token issue edge || true; done
    ) >/dev/null 2>&1 &
    worker=$!
    (
        for round in one two; do taosctl agents deploy --name "cut-$round" --image bb --timeout 60 || true; done
    ) >/dev/null 2>&1 &
    for round in 1 2 3 4; do
        sleep 2
        kill -9 "$(systemctl show taosd -p MainPID --value)" || true
        until_so healthy
    done
    wait "$worker" || true
    wait
    until_so healthy
    until_so no_open_operation
    echo "shown: deployments: $(taosctl agents list -o json | jq -c '[.[] | select(.name | startswith("cut-")) | {(.name): .status}] | add')"
    for round in $(agents | grep '^cut-' || true); do taosctl agents rm "$round" --yes --timeout 60; taosctl agents purge "$round" --yes --timeout 60; done
    same "$(containers | grep taos-agent-cut- || true)" "" "containers left behind"
    until_so works atlas
    until_so works edge
    one_each
}

backup_restore() {
    local before
    identity >/root/before
    runuser -u "$(systemctl show taosd -p User --value)" -- taosd backup /var/lib/taosd/box.db --data-dir /var/lib/taosd
    taosctl agents create later
    systemctl stop taosd
    taosd check /var/lib/taosd/box.db
    taosd restore /var/lib/taosd/box.db --data-dir /var/lib/taosd
    systemctl start taosd
    if taosctl agents get later 2>/dev/null; then fail "made after the backup, and still there"; fi
    before=$(grep -v '^issued' /root/before)
    same "$(identity | grep -v '^issued')" "$before" "credentials after the restore"
    until_so works atlas
    until_so works edge
    [[ $(stat -c %U /var/lib/taosd/taosd.db) == $(systemctl show taosd -p User --value) ]] || fail "the owner of the database"
}

# What the box is before it goes down: which containers run, which tokens they have, what was ever issued.
note_all() {
    same "$(state still)" stopped still
    for agent in atlas edge; do
        until_so works "$agent"
        echo "$agent $(token "$agent")"
    done >/root/tokens
    identity >/root/before
    for agent in atlas edge; do inside "$agent" rm -f /var/log/first; done
    sync
}

all_as_noted() {
    local agent token
    must "active" systemctl is-active taosd
    for agent in atlas edge; do until_so is "$agent" running; done
    until_so no_open_operation
    while read -r agent token; do until_so answers "$agent" "$token"; done </root/tokens
    for agent in atlas edge; do until_so works "$agent"; done
    same "$(state still)" stopped still
    echo "shown: ice, paused before, is $(state ice), its record says paused=$(field ice paused)"
    one_each
    same "$(identity)" "$(cat /root/before)" "credentials, and what was issued"
    taosctl box check
    [[ $(systemctl --failed --no-legend | wc -l) == 0 ]] || fail "$(systemctl --failed --no-legend)"
}

first_requests() {
    local agent said
    for agent in atlas edge; do
        until_so inside "$agent" cat /var/log/first
        said=$(inside "$agent" cat /var/log/first)
        echo "shown: $agent: $said"
        [[ $said == *"then ok after"* ]] || fail "$agent: $said"
        inside "$agent" rm -f /var/log/first
    done
    sync
}

at_work() { (($(issued) >= $(cat /root/issued) + 6)) && ! no_open_operation; }

# Rotations and deployments go on after this step, until the power goes.
begin_work() {
    issued >/root/issued
    sync
    cat >/root/work.sh <<'SH'
for round in $(seq 100); do
    taosctl agents token issue atlas
    taosctl agents token issue edge
done &
for round in $(seq 20); do taosctl agents deploy --name "half-$round" --image bb --timeout 60; done
SH
    setsid bash /root/work.sh </dev/null >/root/work.log 2>&1 &
    until_so at_work
}

no_container() { ! containers | grep -qx "taos-agent-$1"; }

# What a deployment that the cut met has come to: a container with one token that works, or neither.
whole_or_nothing() { # AGENT
    local status
    status=$(field "$1" status)
    case $status in
    running)
        until_so works "$1"
        same "$(live_tokens "$1")" 1 "tokens of $1"
        ;;
    failed)
        until_so no_container "$1"
        same "$(live_tokens "$1")" 0 "tokens of $1"
        ;;
    *) fail "$1 is $status" ;;
    esac
}

after_work() {
    local agent
    until_so healthy
    until_so no_open_operation
    for agent in atlas edge; do
        until_so is "$agent" running
        until_so works "$agent"
    done
    echo "shown: $(($(issued) - $(cat /root/issued))) tokens issued since their begin; deployments: $(taosctl agents list -o json | jq -c '[.[] | select(.name | startswith("half-")) | {(.name): .status}] | add')"
    for agent in $(agents | grep '^half-' || true); do
        whole_or_nothing "$agent"
        taosctl agents rm "$agent" --yes --timeout 60
        taosctl agents purge "$agent" --yes --timeout 60
    done
    same "$(containers | grep taos-agent-half- || true)" "" "containers left behind"
    one_each
    taosctl box check
}

enable_sockets() {
    systemctl stop taosd.service
    systemctl enable --now taosd.socket
    must "the first connection starts it" taosctl whoami
    must "active" systemctl is-active taosd.service
}

not_in_the_unit() {
    local init filters
    init=$(lxc-info -n taos-agent-atlas -p -H)
    same "$(awk '/^Umask/ { print $2 }' "/proc/$init/status")" 0022 umask
    filters=$(awk '/^Seccomp_filters/ { print $2 }' "/proc/$init/status")
    ((filters <= 1)) || fail "$filters filters of seccomp"
    [[ $(awk '/^Max open files/ { print $4 }' "/proc/$init/limits") != 4096 ]] || fail "the unit's open files"
    ! grep -q taosd.service "/proc/$init/cgroup" || fail "$(cat "/proc/$init/cgroup")"
    echo "shown: umask 0022, $filters filter of seccomp, $(cat "/proc/$init/cgroup")"
    systemctl list-units --no-legend 'taosd-lxc-*'
}

debian_image() {
    taosctl agents deploy --name deb --image debian12 --timeout 200
    until_so inside deb systemctl is-active multi-user.target
    echo "shown: systemd in it: $(inside deb systemctl is-system-running || true), AppArmor: $(tr -d '\0' <"/proc/$(lxc-info -n taos-agent-deb -p -H)/attr/current")"
    same "$(field deb token_delivery)" delivered deb
    [[ -n $(inside deb cat /run/taos/token) ]]
    taosctl agents stop deb --timeout 100
    taosctl agents rm deb --yes --timeout 60
    taosctl agents purge deb --yes --timeout 60
}

purge_agents() {
    local agent
    for agent in $(agents); do
        taosctl agents rm "$agent" --yes --timeout 90
        taosctl agents purge "$agent" --yes --timeout 90
    done
    same "$(agents)" "" "agents"
    same "$(containers)" "" "containers"
}

purge_package() {
    local left
    [[ $runtime != lxc ]] || rm -r /etc/systemd/system/taosd.service.d
    apt-get purge -y taosd
    # The kernel has a driver called taos. What a runtime keeps of containers that are gone, empty logs and profiles, is its own.
    left=$(find / -xdev \( -path /proc -o -path /sys -o -path /usr/lib/modules -o -path /var/log/journal \
        -o -path /var/log/incus -o -path /var/lib/incus/security -o -path /var/log/lxd -o -path /var/lib/lxd/security \) -prune \
        -o -iname '*taos*' -print)
    same "$left" "" "left behind"
    if getent passwd taosd || getent group taosd; then fail "the user is left"; fi
    if systemctl list-unit-files | grep taosd; then fail "units are left"; fi
    [[ ! -e /run/taosd ]] || fail "/run/taosd is left"
}

"$@"
