#!/bin/sh
# Installs taosd on a Linux distribution with systemd that has no package of it, from a checkout that was built with
# `cargo build --release`. Safe to run again: that is an upgrade.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
bin=$target/release
unit=/etc/systemd/system
share=/usr/local/share

usage() {
    cat <<'END'
Usage: packaging/install.sh [--uninstall | --purge | --help]

  (nothing)    install or upgrade: the programs to /usr/local/bin, the manual
               pages and the completions of bash, zsh and fish to
               /usr/local/share, the unit, the user and the settings; enable and
               start the service
  --uninstall  remove the service, the programs, the pages and the completions;
               settings, data and the user stay
  --purge      remove everything, data included

Build first, as yourself; the second line makes the manual pages:

  cargo build --release
  cargo run --release --example manual -- target/manual

Then run this script as root. It needs systemd. Without systemd start the daemon
yourself: target/release/taosd serve. On Debian use the package:
packaging/build-deb.sh.
END
}

die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

# What stands in $share, so that an uninstall finds all of it.
pages() {
    find "$share/man/man1" "$share/man/man8" \( -name 'taosctl*.1*' -o -name 'taosd*.8*' \) 2>/dev/null || true
    for file in bash-completion/completions/taosctl bash-completion/completions/taosd \
        zsh/site-functions/_taosctl zsh/site-functions/_taosd \
        fish/vendor_completions.d/taosctl.fish fish/vendor_completions.d/taosd.fish; do
        printf '%s\n' "$share/$file"
    done
}

uninstall() {
    systemctl disable --now taosd.socket taosd.service 2>/dev/null || true
    rm -f "$unit/taosd.service" "$unit/taosd.socket" /usr/local/bin/taosd /usr/local/bin/taosctl
    pages | xargs rm -f
    systemctl daemon-reload
}

purge() {
    uninstall
    rm -rf /var/lib/taosd /run/taosd /etc/taosd
    if getent passwd taosd >/dev/null; then userdel taosd; fi
    if getent group taosd >/dev/null; then groupdel taosd; fi
}

install_pages() {
    # An upgrade may have fewer of them.
    pages | xargs rm -f
    if [ -d "$target/manual/man" ]; then
        for section in 1 8; do
            install -d "$share/man/man$section"
            install -m 0644 "$target/manual/man/man$section"/* "$share/man/man$section/"
        done
    else
        echo "install.sh: no manual pages; install.sh --help says how to make them" >&2
    fi
    for shell in bash zsh fish; do
        case $shell in
        bash) to=bash-completion/completions/taosctl ;;
        zsh) to=zsh/site-functions/_taosctl ;;
        fish) to=fish/vendor_completions.d/taosctl.fish ;;
        esac
        install -d "$(dirname "$share/$to")"
        "$bin/taosctl" completion "$shell" >"$share/$to"
        chmod 0644 "$share/$to"
    done
}

install_all() {
    [ -x "$bin/taosd" ] && [ -x "$bin/taosctl" ] || die "build first: cargo build --release"
    [ ! -e /usr/bin/taosd ] || die "taosd is installed as a package; upgrade that, or remove it first: apt remove taosd"
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
    install_pages
    install -d -m 0755 /etc/taosd
    [ -e /etc/taosd/taosd.toml ] || install -m 0640 -g taosd "$here/packaging/taosd.toml" /etc/taosd/taosd.toml
    # It may hold secrets. Other permissions than those of an earlier version of this script are the administrator's choice.
    if [ "$(stat -c %U:%G /etc/taosd/taosd.toml)" = root:root ]; then
        chgrp taosd /etc/taosd/taosd.toml
        chmod 0640 /etc/taosd/taosd.toml
    fi
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
    echo "Next: sudo taosctl status; sudo taosctl doctor"
}

case "${1:-}" in
-h | --help)
    usage
    exit 0
    ;;
'' | --uninstall | --purge) ;;
*)
    usage >&2
    exit 2
    ;;
esac
[ "$(id -u)" = 0 ] || die "run it as root"
[ -d /run/systemd/system ] || die "this machine does not run systemd; start taosd by other means: taosd serve --help"
case "${1:-}" in
'') install_all ;;
--uninstall) uninstall ;;
--purge) purge ;;
esac
