# jobs/install.sh - installs what jobs/packages.txt lists and this machine lacks
#
# Sourced by jobs/quickstart and tests/run, from the root of the tree, under `set -euo pipefail`.
# install_packages SECTION... does nothing where all is there; else it uses apt, as root or with
# sudo. Where there is no apt, or no right to install, it installs nothing, lists each missing
# package with its Debian, Spack and EPEL name, and leaves with 3.
# RECUA_NO_INSTALL=1 asks for that refusal everywhere.
# shellcheck shell=bash

install_list=jobs/packages.txt

# The lines of one section, without comments: "debian | spack | epel | probe | what for".
install_section() {
    awk -v want="[$1]" '
        /^\[/ { inside = ($0 == want); next }
        inside && NF && !/^#/ { print }' "$install_list"
}

# A header is there when the compiler finds it, or under one of the prefixes that modules and
# Spack put into the environment.
install_has_header() {
    local prefix
    if printf '#if !__has_include(<%s>)\n#error\n#endif\n' "$1" |
        "${CC:-cc}" -E -x c - >/dev/null 2>&1; then
        return 0
    fi
    local IFS=':;'
    for prefix in ${CMAKE_PREFIX_PATH:-} ${HDF5_ROOT:-} ${HDF5_DIR:-} /usr /usr/local; do
        [ -e "$prefix/include/$1" ] && return 0
    done
    return 1
}

install_has_program() {
    local name
    for name in "$@"; do
        command -v "$name" >/dev/null 2>&1 && return 0
    done
    return 1
}

install_has_sanitizers() {
    local name
    for name in "$@"; do
        compgen -G "$(dirname "$("$name" -print-libgcc-file-name --rtlib=compiler-rt 2>/dev/null \
            || echo /nowhere/x)")/libclang_rt.asan*" >/dev/null && return 0
    done
    return 1
}

# install_is_there DEBIAN PROBE
install_is_there() {
    local probe
    if command -v dpkg-query >/dev/null 2>&1 &&
        [ "$(dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | head -n 1)" = installed ]
    then
        return 0
    fi
    read -ra probe <<<"$2"
    case ${probe[0]} in
    program) install_has_program "${probe[@]:1}" ;;
    python) python3 -c "import ${probe[1]}" >/dev/null 2>&1 ;;
    sanitizers) install_has_sanitizers "${probe[@]:1}" ;;
    *) install_has_header "${probe[0]}" ;;
    esac
}

# The lines of these sections whose package is missing.
install_missing() {
    local section line debian probe
    for section in "$@"; do
        while IFS= read -r line; do
            IFS='|' read -r debian _ _ probe _ <<<"$line"
            install_is_there "${debian// /}" "$probe" || printf '%s\n' "$line"
        done < <(install_section "$section")
    done
}

# Say what is missing under its three names, and leave with 3.
install_refuse() {
    local why=$1 lines=$2
    {
        printf 'recua: error: %s, and these are missing:\n' "$why"
        printf '%s\n' "$lines" | awk -F ' *[|] *' '
            BEGIN { printf "  %-22s %-16s %-22s %s\n", "Debian", "Spack", "EPEL", "what for" }
            { printf "  %-22s %-16s %-22s %s\n", $1, $2, $3, $5 }'
        printf 'install them, or load them as modules (docs/install.md), and run this again\n'
    } >&2
    exit 3
}

# How this user may run apt-get: "" as root, "sudo -n" or "sudo". Fails where it may not.
install_right() {
    if [ "$(id -u)" = 0 ]; then
        echo ""
    elif ! command -v sudo >/dev/null 2>&1; then
        return 1
    elif sudo -n true 2>/dev/null; then
        echo "sudo -n"
    elif [ -t 0 ] && [ -t 2 ]; then
        printf 'installing packages needs sudo, which asks for your password\n' >&2
        sudo -v || return 1
        echo "sudo"
    else
        return 1
    fi
}

# An earlier installation was cut off: apt-get refuses until dpkg has put things right.
install_was_cut_off() {
    command -v dpkg >/dev/null 2>&1 || return 1
    compgen -G '/var/lib/dpkg/updates/*' >/dev/null || [ -n "$(dpkg --audit 2>/dev/null)" ]
}

# install_with_apt RIGHT LOG PACKAGE...: what apt-get says goes to LOG. Another apt is waited for;
# the lists at hand may do where they cannot be fetched.
install_with_apt() {
    local -a as
    local log=$2
    read -ra as <<<"$1"
    shift 2
    [ ${#as[@]} = 0 ] || printf 'using sudo to install packages\n'
    printf 'installing: %s\n' "$*"
    as+=(env DEBIAN_FRONTEND=noninteractive)
    if install_was_cut_off; then
        "${as[@]}" dpkg --configure -a </dev/null >>"$log" 2>&1 || true
    fi
    as+=(apt-get -q -y -o DPkg::Lock::Timeout=300)
    "${as[@]}" update </dev/null >>"$log" 2>&1 || true
    "${as[@]}" install --no-install-recommends "$@" </dev/null >>"$log" 2>&1
}

# install_packages SECTION...
install_packages() {
    local lines right
    local -a names
    lines=$(install_missing "$@")
    [ -n "$lines" ] || return 0
    [ "${RECUA_NO_INSTALL:-0}" = 0 ] || install_refuse 'RECUA_NO_INSTALL is set' "$lines"
    command -v apt-get >/dev/null 2>&1 || install_refuse 'this system has no apt' "$lines"
    right=$(install_right) || install_refuse 'you may not install packages here' "$lines"
    mapfile -t names < <(printf '%s\n' "$lines" | awk -F ' *[|] *' '{ print $1 }')
    install_log=$(mktemp)
    trap 'rm -f "$install_log"' EXIT
    if ! install_with_apt "$right" "$install_log" "${names[@]}"; then
        tail -n 20 "$install_log" >&2
        install_refuse 'apt-get failed' "$(install_missing "$@")"
    fi
    rm -f "$install_log"
    trap - EXIT
}
