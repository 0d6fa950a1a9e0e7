#!/usr/bin/env bash
# hosts.sh TEST_NODES: what tests/cluster/hosts promises, on clusters of this test's own. Leaves with
# 77 and the reason where this machine cannot make them.
set -uo pipefail
test_nodes=$1
here=$(dirname "$(readlink -f "$0")")
hosts=$here/hosts
bad=0
work=$(mktemp -d)
unset RECUA_HOSTS_DIR

# shellcheck disable=SC2317 # by the trap
clean() {
    local d
    for d in "$work"/*/count; do [ -f "$d" ] && "$hosts" --dir "$(dirname "$d")" down; done
    rm -rf "$work"
}
trap clean EXIT

say() { # NAME STATUS [OUTPUT]
    if [ "$2" = 0 ]; then
        echo "ok    $1"
    else
        echo "FAIL  $1${3:+: $3}"
        bad=1
    fi
}

refuses() { # NAME CODE TEXT COMMAND...: it ends with this code and says this
    local name=$1 code=$2 text=$3 out status=0
    shift 3
    out=$("$@" 2>&1) || status=$?
    [ $status = "$code" ] && grep -qF -- "$text" <<<"$out"
    say "$name" $? "exit $status, wanted $code and '$text', got: $out"
}

# Of one host and counter in the JSON that `stats` prints.
counter() { # HOST KEY
    "$hosts" --dir "$work/a" stats | python3 -c '
import json, sys
print([h[sys.argv[2]] for h in json.load(sys.stdin)["hosts"] if h["name"] == sys.argv[1]][0])' "$1" "$2"
}

# n1 to n2: a host that is reached refuses a port where nobody listens; one that is not says nothing.
reaches() {
    local k
    for k in $(seq 20); do
        timeout 1 "$hosts" --dir "$work/a" on n1 bash -c 'echo >/dev/tcp/n2/9' 2>/dev/null
        [ $? = 1 ] && return 0
        [ "$k" != "${1:-20}" ] || return 1
    done
}

send_million() {
    "$hosts" --dir "$work/a" on n2 python3 -c '
import socket
s = socket.create_server(("", 7777)); c = s.accept()[0]
while c.recv(1 << 20): pass' &
    "$hosts" --dir "$work/a" on n1 python3 -c '
import socket, time
for k in range(200):
    try: s = socket.create_connection(("n2", 7777)); break
    except OSError: time.sleep(0.05)
s.sendall(bytes(1000000)); s.close()'
    wait $!
}

# Two million bytes from n1 to n2 through eth1, at 100 Mbit/s: 160 ms, but for the bucket's 66 kB.
over_cable() {
    "$hosts" --dir "$work/b" on n2 python3 -c '
import socket
socket.setdefaulttimeout(20)
s = socket.create_server(("10.78.0.2", 7777)); c = s.accept()[0]; left = 2000000
while left:
    got = len(c.recv(1 << 20))
    if got == 0: break
    left -= got
c.sendall(b"all")' &
    "$hosts" --dir "$work/b" on n1 python3 -c '
import socket, sys, time
for k in range(200):
    try: s = socket.create_connection(("10.78.0.2", 7777)); break
    except OSError: time.sleep(0.05)
start = time.monotonic(); s.sendall(bytes(2000000)); answer = s.recv(3)
print(time.monotonic() - start, answer)
sys.exit(answer != b"all" or time.monotonic() - start < 0.15)' && wait $!
}

# Processes of a cluster, and others in its networks.
left_of() { # NETWORK...
    local net link
    for link in /proc/[0-9]*/ns/net; do
        for net in "$@"; do [ "$(readlink "$link" 2>/dev/null)" != "$net" ] || echo "$link"; done
    done
}

networks_of() { # DIR
    sed -n 's|.*"pid": \([0-9]*\).*|/proc/\1/ns/net|p' "$1/state.json" | xargs -n 1 readlink
}

wait_until_gone() { # NETWORK...
    local k
    for k in $(seq 100); do
        [ -z "$(left_of "$@")" ] && return 0
        sleep 0.1
    done
    return 1
}

devices() { ip -o link | sed 's/.*: \([^:]*\): <.*/\1/' | sort; }

before=$(devices)
out=$("$hosts" up 4 --rate 1000 --latency 200 --dir "$work/a" --watch $$ 2>&1)
code=$?
[ $code != 77 ] || { echo "$out" && exit 77; }
say "up makes a cluster" $code "$out"
[ $code = 0 ] || exit 1
say "and prints its directory" "$([ "$out" = "$work/a" ]; echo $?)" "$out"
mapfile -t nets < <(networks_of "$work/a")
say "five networks, none of them this one" \
    "$([ "$(printf '%s\n' "${nets[@]}" "$(readlink /proc/self/ns/net)" | sort -u | wc -l)" = 6 ]; echo $?)"
out=$("$hosts" --dir "$work/a" run 8 "$test_nodes" 2>&1)
say "eight ranks see four nodes" $? "$out"
say "mpirun's code comes back" "$("$hosts" --dir "$work/a" run 2 false >/dev/null 2>&1; [ $? = 1 ]; echo $?)"

sent=$(counter n1 sent_bytes) received=$(counter n2 received_bytes) other=$(counter n3 sent_bytes)
send_million
sent=$(($(counter n1 sent_bytes) - sent)) received=$(($(counter n2 received_bytes) - received))
other=$(($(counter n3 sent_bytes) - other))
say "a million bytes are counted where they leave and arrive" \
    $((sent > 1000000 && sent < 1100000 && received > 1000000 && received < 1100000 ? 0 : 1)) \
    "$sent sent, $received received"
say "and nowhere else" $((other < 10000 ? 0 : 1)) "$other bytes from n3"

reaches
say "n1 reaches n2" $?
"$hosts" --dir "$work/a" link n2 down
reaches 3
say "not with the cable pulled" $((! $?))
say "which stats say" "$([ "$(counter n2 link_up)" = False ]; echo $?)"
"$hosts" --dir "$work/a" link 2 up
reaches
say "again with the cable in" $?
"$hosts" --dir "$work/a" link 2 100 500 && "$hosts" --dir "$work/a" rack 3 1 &&
    "$hosts" --dir "$work/a" uplink 1 200 300 && "$hosts" --dir "$work/a" shape 500 100 0
say "links, racks and uplinks change while it runs" $?
say "to what was asked" "$([ "$(counter n2 mbit_per_s)" = 500 ]; echo $?)"

# A link may be slower than asked for on a busy machine, never faster.
out=$("$hosts" --dir "$work/a" shape 100 5000 && "$hosts" --dir "$work/a" stream ping both ring)
python3 -c '
import json, sys
ping, *rates = map(json.loads, sys.argv[1].splitlines())
sys.exit(not (ping["half_round_trip_us_low"] > 4000 and len(rates) == 2 and
              all(0 < r["payload_mbit_per_s_least"] and r["payload_mbit_per_s_most"] < 105
                  for r in rates)))' "$out"
say "no link is faster than asked for" $? "$out"

refuses "no such host" 2 "there are n1 to n4" "$hosts" --dir "$work/a" link 9 up
refuses "no number" 2 "MBIT is 'fast'" "$hosts" --dir "$work/a" shape fast 0
refuses "no such rack" 2 "cannot use 'rack 1 99'" "$hosts" --dir "$work/a" rack 1 99
refuses "no hosts" 2 "whole number from 1" "$hosts" up 0
refuses "too many ranks" 2 "do not fit" "$hosts" --dir "$work/a" run 9 --per-host 2 true
refuses "no cluster there" 2 "no cluster lies here" "$hosts" --dir "$work" stats
refuses "a directory in use" 2 "is not empty" "$hosts" up 2 --dir "$work/a"

"$hosts" --dir "$work/a" crash n3
refuses "a crashed host is down" 2 "n3 is down" "$hosts" --dir "$work/a" on n3 true
reaches
say "the others go on" $?
"$hosts" --dir "$work/a" shape 1000 200
say "and their links still change" $?

sleep 1000 &
watched=$!
"$hosts" up 2 --dir "$work/b" --watch $watched >/dev/null
mapfile -t others < <(networks_of "$work/b")
say "a second cluster beside the first" "$([ "$("$hosts" --dir "$work/b" run 2 hostname 2>/dev/null | sort | tr '\n' ' ')" = 'n1 n2 ' ]; echo $?)"
"$hosts" --dir "$work/b" cable n1 n2 100
say "a cable past the switch" $?
out=$(over_cable)
say "which is no faster than asked for" $? "$out"
refuses "a second one" 2 "has one already" "$hosts" --dir "$work/b" cable n2 n1 100
refuses "no rate" 2 "whole number from 1" "$hosts" --dir "$work/b" cable n1 n2 0
refuses "a cable to itself" 2 "both ends are n1" "$hosts" --dir "$work/b" cable n1 1 100
kill $watched && wait $watched 2>/dev/null
wait_until_gone "${others[@]}"
say "it ends with the process it watches" $? "$(left_of "${others[@]}")"
reaches
say "the first does not" $?
"$hosts" up 2 --dir "$work/c" --lifetime 1 >/dev/null
mapfile -t others < <(networks_of "$work/c")
wait_until_gone "${others[@]}"
say "or with its lifetime" $? "$(left_of "${others[@]}")"

mkdir "$work/path"
printf '#!/bin/sh\n[ "$*" != "link set eth0 up" ] || exit 1\nexec %s "$@"\n' "$(command -v ip)" >"$work/path/ip"
chmod +x "$work/path/ip"
refuses "half made" 77 "could not be set up" env PATH="$work/path:$PATH" "$hosts" up 2 --dir "$work/d"
printf '#!/bin/sh\nexit 1\n' >"$work/path/flock"
rm "$work/path/ip"
chmod +x "$work/path/flock"
refuses "made, but not set" 1 "" env PATH="$work/path:$PATH" "$hosts" up 2 --dir "$work/d"
say "is unmade" "$([ ! -e "$work/d" ] && ! grep -lsF "$work/d" /proc/[0-9]*/cmdline; echo $?)"

"$hosts" --dir "$work/a" down
say "down" $?
say "no process is left in its networks" "$([ -z "$(left_of "${nets[@]}")" ]; echo $?)" "$(left_of "${nets[@]}")"
say "and no switch" "$(! grep -lsF "$work/a" /proc/[0-9]*/cmdline; echo $?)"
say "and no directory" "$([ ! -e "$work/a" ]; echo $?)"
say "and no network device" "$([ "$(devices)" = "$before" ]; echo $?)" "$(devices)"
exit $bad
