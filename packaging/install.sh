#!/bin/sh
# Installs taosd on a Linux distribution with systemd that has no package of it, from a checkout that was built with
# `cargo build --release`. Safe to run again: that is an upgrade. As root:
#
#   packaging/install.sh               binaries to /usr/local/bin, unit, user, settings; enables and starts the service
#   packaging/install.sh --uninstall   takes the service and the binaries away; settings, data and user stay
#   packaging/install.sh --purge       takes everything away
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
bin=${CARGO_TARGET_DIR:-$here/target}/release
unit=/etc/systemd/system

die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

uninstall() {
    systemctl disable --now taosd.socket taosd.service 2>/dev/null || true
    rm -f "$unit/taosd.service" "$unit/taosd.socket" /usr/local/bin/taosd /usr/local/bin/taosctl
    systemctl daemon-reload
}

purge() {
    uninstall
    rm -rf /var/lib/taosd /run/taosd /etc/taosd
    if getent passwd taosd >/dev/null; then userdel taosd; fi
    if getent group taosd >/dev/null; then groupdel taosd; fi
}

install_all() {
    [ -x "$bin/taosd" ] && [ -x "$bin/taosctl" ] || die "build first: cargo build --release"
    [ ! -e /usr/bin/taosd ] || die "taosd is installed as a package; use that, or remove it first"
    getent group taosd >/dev/null || groupadd --system taosd
    getent passwd taosd >/dev/null ||
        useradd --system --gid taosd --home-dir /var/lib/taosd --no-create-home --shell /usr/sbin/nologin taosd
    for group in incus-admin lxd; do
        if getent group "$group" >/dev/null; then usermod -aG "$group" taosd; fi
    done
    for file in taosd taosctl; do
        # A running binary cannot be written to, only replaced.
        install -m 0755 "$bin/$file" "/usr/local/bin/.$file.new"
        mv "/usr/local/bin/.$file.new" "/usr/local/bin/$file"
    done
    install -d -m 0755 /etc/taosd
    [ -e /etc/taosd/taosd.toml ] || install -m 0644 "$here/packaging/taosd.toml" /etc/taosd/taosd.toml
    before=$([ -e "$unit/taosd.service" ] && echo yes || echo no)
    sed 's|/usr/bin/taosd|/usr/local/bin/taosd|' "$here/systemd/taosd.service" >"$unit/taosd.service"
    install -m 0644 "$here/systemd/taosd.socket" "$unit/taosd.socket"
    systemctl daemon-reload
    if [ "$before" = yes ]; then
        # What was switched off or stopped stays so.
        systemctl try-restart taosd.service
    else
        systemctl enable --quiet --now taosd.service
        systemctl --no-pager --lines 0 status taosd.service
    fi
}

[ "$(id -u)" = 0 ] || die "run it as root"
[ -d /run/systemd/system ] || die "this machine does not run systemd; start taosd by other means: taosd serve --help"
case "${1:-}" in
'') install_all ;;
--uninstall) uninstall ;;
--purge) purge ;;
*) die "usage: install.sh [--uninstall|--purge]" ;;
esac
