#!/usr/bin/env bash
# tests/bare_root.sh DIR [--mirror URL] [--quickstart|--tests]: Recua on a bare Debian machine
#
# Makes DIR a minimal Debian 12 root with git and nothing else (debootstrap), clones the committed
# tree into it and runs there what README shows: `jobs/quickstart --steps 60`, then tests/run.
# Needs root and debootstrap; the mirror is the host's own unless --mirror names one. A root that
# stands in DIR is used again as it is. Not part of tests/run. Docs: docs/install.md.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
    printf 'recua: error: %s\n' "$1" >&2
    exit "${2:-1}"
}

# The first Debian mirror in the host's sources, in either of their two forms.
host_mirror() {
    local uri='(http|https)://[^ ]*'
    grep -hEr "^(URIs:|deb) .*$uri" /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
        grep -oE "$uri" | grep -E '/debian/?$' | head -n 1
}

make_root() {
    local root=$1 mirror=$2
    [ ! -e "$root/usr/bin/git" ] || return 0
    debootstrap --variant=minbase --include=git bookworm "$root" "$mirror"
}

# What a chroot lacks to be a machine; undone at exit.
mount_root() {
    local root=$1
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount --rbind /dev "$root/dev"
    mount --make-rslave "$root/dev"
    cp /etc/resolv.conf /etc/hosts "$root/etc/" # a host name that no one knows costs 5 s a start
}

umount_root() {
    local root=$1
    umount -R -l "$root/dev" "$root/sys" "$root/proc" 2>/dev/null || true
}

put_clone() {
    local root=$1
    rm -rf "$root/root/recua"
    git clone -q --no-hardlinks . "$root/root/recua"
}

# in_root ROOT COMMAND: with an environment of its own, as after a login.
in_root() {
    printf '\n#### %s\n' "$2"
    env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        TERM=dumb chroot "$1" bash -c "cd /root/recua && $2" </dev/null
}

main() {
    local root='' mirror='' what=both
    while [ $# -gt 0 ]; do
        case $1 in
        --mirror) mirror=${2:?--mirror wants a URL} && shift ;;
        --quickstart | --tests) what=${1#--} ;;
        -*) fail "unknown option '$1'; the head of this file shows them" 2 ;;
        *) root=$(realpath -m "$1") ;;
        esac
        shift
    done
    [ -n "$root" ] || fail "a directory for the root is wanted: tests/bare_root.sh DIR" 2
    [ "$(id -u)" = 0 ] || fail "chroot needs root: run it through sudo" 3
    command -v debootstrap >/dev/null || fail "debootstrap is missing: apt-get install debootstrap" 3
    [ -n "$mirror" ] || mirror=$(host_mirror) || true
    [ -n "$mirror" ] || fail "no Debian mirror in the host's sources; name one with --mirror" 3
    make_root "$root" "$mirror"
    # shellcheck disable=SC2064  # the root of now is meant
    trap "umount_root '$root'" EXIT
    mount_root "$root"
    put_clone "$root"
    [ "$what" = tests ] || in_root "$root" 'jobs/quickstart --steps 60'
    [ "$what" = quickstart ] || in_root "$root" 'tests/run'
}

main "$@"
