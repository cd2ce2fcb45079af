#!/usr/bin/env bash
# Makes the disk from which packaging/box-test.sh boots: Debian 12 with a kernel, ssh and one container runtime. It is kept
# and made anew when the list of packages changes. Needs root, debootstrap and a Debian mirror.
#
#   packaging/box/image.sh incus|lxd|lxc DIR     makes DIR/RUNTIME.img, .vmlinuz, .initrd, and DIR/key
set -euo pipefail

runtime=${1:?which runtime} dir=${2:?which folder}
suite=bookworm
mirror=${TAOSD_BOX_MIRROR:-http://deb.debian.org/debian}
system="linux-image-amd64 initramfs-tools udev apparmor openssh-server iproute2 procps kmod curl jq busybox-static psmisc"
case $runtime in
# Incus is in Debian 12's backports.
incus) packages="incus-base incus-client" options="-t $suite-backports" ;;
lxd) packages="lxd lxd-client dnsmasq-base" options= ;;
lxc) packages="lxc" options= ;;
*) echo "image: unknown runtime $runtime" >&2; exit 1 ;;
esac
# Raise the number when the disks of others must be made anew.
mark="2 $suite $system $packages"

say() { printf 'image: %s\n' "$*" >&2; }

# Runs a script in a root, with its own /proc and no service started.
within() { # ROOT SCRIPT
    unshare --mount --pid --fork --kill-child sh -euc '
        mount -t proc proc "$1/proc"
        mount -t devtmpfs dev "$1/dev" 2>/dev/null || mount --bind /dev "$1/dev"
        exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C sh -euc "$2"
    ' within "$1" "$2"
}

# Debian with systemd, as docs/agents/operations/classic-lxc.md makes an image; containers are made from it too.
debian() {
    [[ -e $dir/debian12/.made ]] && return 0
    say "debootstrap of $suite"
    rm -rf "$dir/debian12"
    mkdir -p "$dir/debian12"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,ca-certificates "$suite" "$dir/debian12" "$mirror"
    rm -rf "$dir/debian12"/var/cache/apt/archives/*.deb
    : >"$dir/debian12/.made"
}

# The same with a kernel, a way in and a network card that is found.
base() { # ROOT
    local root=$1
    cp -a "$dir/debian12" "$root"
    rm "$root/.made"
    printf 'deb %s %s main\ndeb %s %s-backports main\n' "$mirror" "$suite" "$mirror" "$suite" >"$root/etc/apt/sources.list"
    # How this machine reaches its mirror.
    cp -f /etc/resolv.conf /etc/hosts "$root/etc/"
    cp -r /etc/apt/apt.conf.d "$root/etc/apt/here.d"
    local apt="apt-get -o Dir::Etc::parts=/etc/apt/here.d -qq"
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    # A small initial disk and few drivers: unpacking and loading them is slow in emulation.
    mkdir -p "$root"/etc/initramfs-tools/conf.d "$root/etc/modprobe.d"
    printf 'MODULES=list\nCOMPRESS=gzip\n' >"$root/etc/initramfs-tools/conf.d/box"
    printf 'virtio_pci\nvirtio_blk\next4\n' >"$root/etc/initramfs-tools/modules"
    printf 'blacklist cfg80211\nblacklist psmouse\nblacklist floppy\n' >"$root/etc/modprobe.d/box.conf"
    say "installing kernel and ssh"
    within "$root" "$apt update; $apt install -y --no-install-recommends -o DPkg::Options::=--force-confold $system"
    say "installing $packages"
    within "$root" "$apt install -y --no-install-recommends $options $packages; apt-get clean; rm -rf /var/lib/apt/lists/*"
    rm -r "$root/usr/sbin/policy-rc.d" "$root/etc/apt/here.d"
    echo box >"$root/etc/hostname"
    printf '127.0.0.1 localhost box\n' >"$root/etc/hosts"
    printf '/dev/vda / ext4 rw,noatime 0 1\n' >"$root/etc/fstab"
    printf '[Match]\nName=eth0\n[Network]\nAddress=10.0.2.15/24\nLinkLocalAddressing=no\n' >"$root/etc/systemd/network/eth0.network"
    within "$root" "systemctl enable systemd-networkd ssh; systemctl disable systemd-networkd-wait-online
        systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer"
    mkdir -p "$root/root/.ssh" "$root/etc/ssh/sshd_config.d"
    cp "$dir/key.pub" "$root/root/.ssh/authorized_keys"
    chmod -R go= "$root/root/.ssh"
    printf 'UseDNS no\nUsePAM no\nMaxSessions 50\nMaxStartups 100\n' >"$root/etc/ssh/sshd_config.d/box.conf"
    # Only the quick key: the others cost seconds of emulation.
    rm -f "$root"/etc/ssh/ssh_host_{rsa,ecdsa}_key*
    printf 'root:1000000:1000000000\n' | tee "$root/etc/subuid" >"$root/etc/subgid"
    mkdir -p "$root/etc/systemd/journald.conf.d"
    printf '[Journal]\nStorage=persistent\nSyncIntervalSec=1s\n' >"$root/etc/systemd/journald.conf.d/box.conf"
}

# The image of the page on classic LXC.
classic_image() { # ROOT
    local made=$1/var/lib/lxc/.images/debian12
    mkdir -p "$made"
    cp -a "$dir/debian12" "$made/rootfs"
    rm "$made/rootfs/.made"
    printf 'lxc.include = /usr/share/lxc/config/common.conf\nlxc.net.0.type = empty\n' >"$made/config"
}

[[ $(cat "$dir/$runtime.mark" 2>/dev/null) == "$mark" ]] && exit 0
mkdir -p "$dir"
log=$dir/$runtime.log
root=$dir/$runtime.root
trap 'status=$?; [[ $status == 0 ]] || { tail -n 20 "$log" >&2; say "failed, see $log"; }; rm -rf "$root"' EXIT
rm -rf "$root" "$dir/$runtime.mark"
: >"$log"
{
    [[ -s $dir/key ]] || ssh-keygen -q -t ed25519 -N '' -f "$dir/key"
    debian
    base "$root"
    [[ $runtime != lxc ]] || classic_image "$root"
    cp "$root"/boot/vmlinuz-* "$dir/$runtime.vmlinuz"
    cp "$root"/boot/initrd.img-* "$dir/$runtime.initrd"
    say "writing the disk"
    rm -f "$dir/$runtime.img"
    truncate -s 6G "$dir/$runtime.img"
    mke2fs -q -t ext4 -d "$root" "$dir/$runtime.img"
} 3>&2 >>"$log" 2> >(tee -a "$log" | grep --line-buffered '^image: ' >&3)
echo "$mark" >"$dir/$runtime.mark"
