#!/bin/bash
# SPDX-License-Identifier: MIT
# A switch without privileges serves TAPs that somebody else opened: inherited, and handed over by uswitchctl.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need python3 setpriv iperf3

# Without capabilities, and when root is real as another user.
LESS=(setpriv --bounding-set=-all --inh-caps=-all --no-new-privs)
if setpriv --reuid=65534 true 2>/dev/null; then
	LESS+=(--reuid=65534 --regid=65534 --clear-groups)
	chown 65534 "$TMP"
fi

# with NAME... -- COMMAND...: in the namespace sw, with the TAPs as descriptors 3, 4, ...
with() {
	in_ns sw python3 "$ROOT/tests/system/tap-fd.py" "$@"
}

refuses() {
	local want=$1
	shift
	"$@" 2>"$TMP/refused.log" && return 1
	cat "$TMP/refused.log"
	grep -q "$want" "$TMP/refused.log"
}

one_shot() {
	timeout 5 "$BUILD/uswitch" -S "$TMP/one.sock" "$@"
}
export -f one_shot
export BUILD TMP

port_is() { ctl link show dev "$1" | grep -q "$2"; }
caps() { grep CapEff: "/proc/$1/status" | grep -q '0000000000000000$'; }
has_if() { in_ns "$1" ip link show dev "$2"; }
no_if() { ! has_if "$@"; }

tcp() {
	iperf3_once "$1" "$2" && iperf3_once "$1" "$2" -R
}

iperf3_once() {
	in_ns "$1" iperf3 -c "$2" -n 20M "${@:3}" >/dev/null
}

ns sw a b c
SOCKET=$TMP/sw.sock
start in_ns sw python3 "$ROOT/tests/system/tap-fd.py" t0 t1,novnet -- \
	"${LESS[@]}" "$BUILD/uswitch" -S "$SOCKET" -p fd:3,name=t0 -p fd:4 2>"$TMP/sw.log"
SWITCH=$STARTED
check "a switch without privileges starts" wait_for 5 ctl version || { cat "$TMP/sw.log"; finish; }
check "it has none" caps "$SWITCH"
check "ports have names" [ "$(ctl -j link show | jq -r '.[].ifname' | tr '\n' ' ')" = "t0 fd0 " ]
check "it is down yet" port_is t0 "state disabled"
ip -n "$PREFIX-sw" link set t0 up
check "news of the interface are followed" wait_for 2 port_is t0 LOWER_UP
move sw t0 a && address a t0 10.0.0.1/24
move sw t1 b && address b t1 10.0.0.2/24
start in_ns b iperf3 -s -1 >/dev/null
check "ping" wait_for 5 in_ns a ping -q -c 1 -W 1 10.0.0.2
check "TCP with and without virtio headers" wait_for 5 iperf3_once a 10.0.0.2
start in_ns b iperf3 -s -1 >/dev/null
check "the other way round" wait_for 5 iperf3_once a 10.0.0.2 -R

check "a TAP is handed over" with t2 -- "$BUILD/uswitchctl" -S "$SOCKET" link add fd:3,name=late
check "it is a port" port_is late late
move sw t2 c && address c t2 10.0.0.3/24
check "that works" wait_for 5 in_ns c ping -q -c 1 -W 1 10.0.0.1
check "no TAP is not" refuses "is not that of a TAP" with file -- "$BUILD/uswitchctl" -S "$SOCKET" link add fd:3
check "a TUN is not" refuses "is a TUN" with u0,tun -- "$BUILD/uswitchctl" -S "$SOCKET" link add fd:3
check "one without an interface is not" refuses "has no interface" with none -- "$BUILD/uswitchctl" -S "$SOCKET" link add fd:3
check "one with packet information is not" refuses "IFF_NO_PI" with u1,pi -- "$BUILD/uswitchctl" -S "$SOCKET" link add fd:3
check "what was refused is closed" wait_for 2 no_if sw u1
check "a descriptor is for fd: alone" refuses "no descriptor" with u2 -- "$BUILD/uswitchctl" -S "$SOCKET" link add fd:9
check "the switch's own are not taken" refuses "is the switch's own\|no descriptor" \
	sh -c "printf 'link add fd:%s\n' 3 | timeout 2 python3 -c '
import socket,sys
s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.stdin.buffer.read())
a=s.recv(4096).decode(); print(a, file=sys.stderr); sys.exit(\"false\" in a)' '$SOCKET'"
fds=$(find "/proc/$SWITCH/fd" | wc -l)
for _ in 1 2 3; do
	with u3 -- "$BUILD/uswitchctl" -S "$SOCKET" link add fd:3,name=late 2>/dev/null
	with u3 -- "$BUILD/uswitchctl" -S "$SOCKET" link add fd:3,name=more
	ctl link del dev more
done
no_more_fds() { [ "$(find "/proc/$SWITCH/fd" | wc -l)" = "$fds" ]; }
check "no descriptor is left over" wait_for 2 no_more_fds
ip -n "$PREFIX-c" link del t2
deleted() { ctl -d link show dev late | grep -q "note the interface of descriptor .* was deleted"; }
check "a TAP that was deleted is missing" wait_for 2 deleted
ctl link del dev late
check "and can be removed" refuses "Cannot find device" ctl link show dev late
kill "$SWITCH"
wait "$SWITCH"
check "ends well" [ $? = 0 ]
check "the TAPs go with it" no_if a t0

check "-p fd:N of no TAP" refuses "is not that of a TAP" with file -- bash -c 'one_shot -p fd:3'
check "-p fd:N twice" refuses "is the switch's own" with x0 -- bash -c 'one_shot -p fd:3 -p fd:3,name=y'
check "-p fd:N of nothing" refuses "no descriptor 77" one_shot -p fd:77
check "-p fd:0" refuses "3 or higher" one_shot -p fd:0
finish
