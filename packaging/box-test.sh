#!/usr/bin/env bash
# The whole life of an agent on a Debian 12 of its own: boots it in QEMU's software emulation, installs the package there and
# tries it with a real container runtime, through an upgrade, SIGKILL, a reboot and a power cut. One line a step; ends with 1
# at the first failure. Runs as root on Debian 12, takes about 15 minutes and 3 GB of disk a runtime.
#
#   packaging/box-test.sh [--deb FILE] [--previous FILE] incus|lxd|lxc|all
#
#   --deb FILE       the package to try; built by packaging/build-deb.sh if absent
#   --previous FILE  the package to upgrade from; if absent, the same one under a lower version and with another unit
#
# TAOSD_BOX_DIR      where the images are kept (/var/cache/taosd-box)
# TAOSD_BOX_PATIENCE what the steps' limits are multiplied by on a slow machine (1)
# TAOSD_BOX_KEEP     if set, a box whose test failed stays up, and how to get in is printed
# TAOSD_BOX_MIRROR   a Debian mirror
#
# Needs: apt install qemu-system-x86 debootstrap openssh-client. The box has no network but the way in by ssh.
set -euo pipefail
cd "$(dirname "$0")/.."

die() { printf 'box-test: %s\n' "$*" >&2; exit 1; }

deb= previous= runtimes=()
while (($#)); do
    case $1 in
    --deb) deb=$(realpath "${2:?--deb needs a file}"); shift 2 ;;
    --previous) previous=$(realpath "${2:?--previous needs a file}"); shift 2 ;;
    --help | -h) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
    incus | lxd | lxc) runtimes+=("$1"); shift ;;
    all) runtimes=(incus lxc lxd); shift ;;
    *) die "unknown argument $1; see --help" ;;
    esac
done
((${#runtimes[@]})) || die "which runtime? incus, lxd, lxc or all"
[[ $(id -u) == 0 ]] || die "run it as root: it makes a root file system"
for program in qemu-system-x86_64:qemu-system-x86 debootstrap:debootstrap ssh:openssh-client; do
    command -v "${program%:*}" >/dev/null || die "${program%:*} is missing: apt install ${program#*:}"
done

cache=${TAOSD_BOX_DIR:-/var/cache/taosd-box}
mkdir -p "$cache"
patience=${TAOSD_BOX_PATIENCE:-1}
work=$(mktemp -d "$cache/run.XXXXXX")
qemu= port= runtime= failed=
SECONDS=0

finish() {
    local status=$?
    if [[ -n $qemu && -n $failed && -n ${TAOSD_BOX_KEEP:-} ]]; then
        printf 'the box is kept: ssh -i %s -p %s root@127.0.0.1; then kill %s; rm -r %s\n' "$cache/key" "$port" "$qemu" "$work"
    else
        [[ -z $qemu ]] || kill -9 "$qemu" 2>/dev/null || true
        rm -rf "$work"
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# --- The box ---

power_on() {
    nice -n "${TAOSD_BOX_NICE:-5}" qemu-system-x86_64 -accel tcg,thread=multi,tb-size=512 -cpu max,la57=off -smp 2 -m 2560 \
        -display none -monitor none -serial "file:$work/console" -nodefaults -no-user-config \
        -kernel "$cache/$runtime.vmlinuz" -initrd "$cache/$runtime.initrd" \
        -append 'root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet no_timer_check mitigations=off panic=5' \
        -drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" -device virtio-rng-pci \
        -netdev "user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:$port-:22" -device virtio-net-pci,netdev=n \
        </dev/null >"$work/qemu" 2>&1 &
    qemu=$!
}

power_cut() {
    kill -9 "$qemu"
    wait "$qemu" 2>/dev/null || true
    # Its port is free only when it is gone.
    while kill -0 "$qemu" 2>/dev/null; do sleep 0.2; done
    qemu=
    power_on
}

# Each call is a connection of its own: a shared one hangs when the box goes.
ssh_options=(-q -F none -i "$cache/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes
    -o ConnectTimeout=10 -o ServerAliveInterval=15)
enter() { # SECONDS COMMAND
    timeout "$1" ssh "${ssh_options[@]}" -p "$port" root@127.0.0.1 "$2"
}

# Runs a function of packaging/box/life.sh in the box, with an end in the box as well: sshd would leave it behind.
within() { # SECONDS FUNCTION ARGUMENT…
    local seconds=$1
    shift
    enter $((seconds + 30)) "timeout $seconds bash /root/life.sh $runtime $*" </dev/null
}

wait_for_boot() { # SECONDS
    local end=$((SECONDS + $1)) state=
    while ((SECONDS < end)); do
        kill -0 "$qemu" 2>/dev/null || { cat "$work/qemu"; return 1; }
        state=$(enter 40 'cat /proc/sys/kernel/random/boot_id; systemctl is-system-running' </dev/null 2>/dev/null || true)
        case $state in
        "${boot:-none}"*) ;;
        *running* | *degraded*) boot=${state%%$'\n'*}; return 0 ;;
        esac
        sleep 1
    done
    echo "not up: $state"
    return 1
}

reboot_box() {
    enter 60 'systemctl reboot' </dev/null || true
    wait_for_boot "$1"
}

cut_and_boot() {
    power_cut
    wait_for_boot "$1"
}

# --- Steps ---

step() { # NAME SECONDS COMMAND…: the command gets the seconds as its first argument
    local name=$1 limit=$(($2 * patience)) begun=$EPOCHREALTIME ended
    shift 2
    if "$1" "$limit" "${@:2}" >"$work/said" 2>&1; then
        ended=$EPOCHREALTIME
        printf '%-6s %-58s %6.1f s  ok\n' "$runtime" "$name" "$(elapsed "$begun" "$ended")"
        sed -n 's/^shown: /                /p' "$work/said"
    else
        ended=$EPOCHREALTIME
        printf '%-6s %-58s %6.1f s  FAILED (limit %s s)\n' "$runtime" "$name" "$(elapsed "$begun" "$ended")" "$limit"
        tail -n 40 "$work/said"
        echo '--- the last lines of the console ---'
        tail -n 5 "$work/console" 2>/dev/null || true
        failed=1
        exit 1
    fi
}

elapsed() { awk -v a="$1" -v b="$2" 'BEGIN { print b - a }'; }

life() { # NAME SECONDS FUNCTION ARGUMENT…
    step "$1" "$2" within "${@:3}"
}

# A package to upgrade from: this one under a lower version, with another limit in its unit.
make_previous() {
    dpkg-deb -R "$deb" "$work/previous"
    sed -i 's/^Version: .*/Version: 0.0.1-1/' "$work/previous/DEBIAN/control"
    local unit
    unit=$(find "$work/previous" -name taosd.service)
    sed -i 's/^LimitNOFILE=.*/LimitNOFILE=4000/' "$unit" && grep -qx LimitNOFILE=4000 "$unit" || return 1
    (cd "$work/previous" && find . -type f -not -path './DEBIAN/*' -printf '%P\0' | xargs -0 md5sum >DEBIAN/md5sums)
    dpkg-deb --build --root-owner-group -Zgzip -z1 "$work/previous" "$work/previous.deb" >/dev/null
}

make_image() { timeout "$1" nice -n 5 packaging/box/image.sh "$runtime" "$cache"; }

first_boot() {
    cp --sparse=always "$cache/$runtime.img" "$work/disk"
    port=$(free_port)
    power_on
    wait_for_boot "$1"
}

free_port() {
    local port
    for port in $(shuf -i 20000-29999 -n 50); do
        (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
    return 1
}

copy_in() {
    local tar=(tar -C "$work/in" -cf - .)
    mkdir -p "$work/in"
    cp "$deb" "$work/in/new.deb"
    cp "${previous:-$work/previous.deb}" "$work/in/previous.deb"
    cp packaging/box/life.sh "$work/in/life.sh"
    "${tar[@]}" | enter 120 'tar -C /root -xf -'
}

whole_life() {
    runtime=$1 boot=
    step "image" 3600 make_image
    [[ -n $previous ]] || step "a package to upgrade from" 120 make_previous
    step "boot" 300 first_boot
    step "copy the packages" 120 copy_in
    life "runtime ready" 180 runtime_ready
    life "apt install of the previous release" 120 install previous.deb
    [[ $runtime != lxc ]] || life "the drop-in for classic LXC" 60 drop_in
    life "deploy" 180 deploy
    life "adopt a container made by hand" 180 adopt
    life "whoami from inside" 60 all_answer
    life "upgrade with the daemon running" 180 upgrade
    life "all as before" 60 all_as_before
    life "rotate with grace" 120 rotate
    life "restart" 120 restart
    life "stop, start" 180 stop_start
    life "pause, resume" 120 pause_resume
    life "logs" 60 logs
    life "archive, restore" 240 archive_restore
    life "revoke, issue" 120 revoke
    life "SIGKILL of the daemon" 120 kill_daemon
    life "SIGKILL during 10 rotations and 2 deployments" 240 kill_under_work
    if [[ $runtime == lxc ]]; then
        life "Debian made as the page says" 240 debian_image
        life "nothing of the unit's limits in containers" 60 not_in_the_unit
    fi
    life "backup, restore of the database" 180 backup_restore
    life "note what runs" 60 note_all
    step "reboot" 300 reboot_box
    life "all that ran runs, every token works, none issued twice" 180 all_as_noted
    life "the first requests from inside" 60 first_requests
    step "power cut" 300 cut_and_boot
    life "all that ran runs, every token works, none issued twice" 180 all_as_noted
    life "the first requests from inside" 60 first_requests
    life "begin rotations and deployments" 60 begin_work
    step "power cut in the middle of them" 300 cut_and_boot
    life "one live token each, and it works; nothing half-made" 240 after_work
    life "socket activation: enable both" 60 enable_sockets
    life "note what runs" 60 note_all
    step "reboot" 300 reboot_box
    life "all that ran runs, every token works, none issued twice" 180 all_as_noted
    life "the first requests from inside" 60 first_requests
    life "purge of the agents" 300 purge_agents
    life "apt purge" 120 purge_package
    step "power off" 120 power_off
}

power_off() {
    local end=$((SECONDS + $1))
    enter 60 'systemctl poweroff' </dev/null || true
    while kill -0 "$qemu" 2>/dev/null && ((SECONDS < end)); do sleep 0.5; done
    kill -9 "$qemu" 2>/dev/null && { echo "it did not go down"; return 1; }
    wait "$qemu" 2>/dev/null || true
    qemu=
    rm -f "$work/disk"
}

if [[ -z $deb ]]; then
    deb=$(realpath "$(packaging/build-deb.sh "$work/deb")")
fi
echo "$(basename "$deb") ($(sha256sum "$deb" | head -c 16)), from $(basename "${previous:-the same}"), $(qemu-system-x86_64 --version | head -n 1), $(date -u +%F)"
for one in "${runtimes[@]}"; do whole_life "$one"; done
echo "all of it in $SECONDS s"
