#!/bin/bash
# SPDX-License-Identifier: MIT
# A vde port: guests of vde_plug2tap, a cable to a vde_switch, names, settings, coming and going, bad ones, ones that do
# not read, and a switch that was killed.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need python3 vde_plug vde_plug2tap vde_switch

A=02:00:00:00:00:0a B=02:00:00:00:00:0b C=02:00:00:00:00:0c D=02:00:00:00:00:0d ALL=ff:ff:ff:ff:ff:ff

# guest MAC WORD...: in the foreground.
guest() {
	python3 "$ROOT/tests/system/vde.py" "$TMP/lan" "$@"
}

# stay LOG MAC WORD...: in the background; waits until it is ready.
stay() {
	local log=$TMP/$1
	shift
	start python3 "$ROOT/tests/system/vde.py" "$TMP/lan" "$@" >"$log" 2>&1
	wait_for 5 grep -q ready "$log" || fail "a guest cannot connect: $(cat "$log")"
}

has_port() { ctl link show | grep -q "^[0-9]*: $1:"; }
missing() { ctl -j stats dev "$1" | jq -e '.ports[0].state == "missing"'; }
no_port() { ! has_port "$1"; }
knows() { ctl fdb show | grep -q "^$1 dev $2 "; }
forgot() { ! ctl fdb show | grep -q "^$1 "; }
refused() { ! "$@"; }
all_full() { ctl stats dev vm1 | grep -qE 'full *[1-9]'; }
has_if() { in_ns "$1" ip link show dev "$2"; }

# plug NAMESPACE DIR ADDRESS: an interface t0 there that is plugged into DIR.
plug() {
	start in_ns "$1" vde_plug2tap -s "$2" t0
	wait_for 5 has_if "$1" t0 && address "$1" t0 "$3"
}

pings() {
	wait_for 5 in_ns "$1" ping -q -c 1 -W 1 "$2" && in_ns "$1" ping -q -c 50 -i 0.01 -s 1400 -W 1 "$2"
}

ns sw a b c
switch sw -p "vde:$TMP/lan,name=vm,access=10"
stay a.log $A send $ALL ready get $B ready wait
first=$STARTED
check "a guest is a port with the next name" has_port vm0
check "and is learned in the listener's VLAN" wait_for 2 knows "$A" "vm0 vlan 10"
check "one more guest, both exchange frames" guest $B send $A
check "is missing when it ends" wait_for 2 missing vm1
check "with its address forgotten" forgot $B
check "one that says more than its request is unplugged" guest $B junk closed
check "silent ones do not keep others out" guest $B silent 200 send $A
stay c.log $C send $ALL ready wait
check "a guest that does not read loses only its own" guest $B flood $C send $A
check "which is counted" all_full
stay b.log $B mute ready closed
muted=$STARTED
stay d.log $D send $ALL ready wait
check "one whose socket is gone is unplugged when a frame is for it" wait "$muted"
kill -KILL "$first"
check "a guest that is killed is missing" wait_for 2 missing vm0
kill -KILL "$SWITCH"
wait "$SWITCH" 2>/dev/null
check "the directory of a killed switch is left" test -S "$TMP/lan/ctl"
switch sw -p "vde:$TMP/lan,name=vm"
check "and taken over" guest $A send $ALL
check "nothing of it is left" wait_for 2 sh -c "! ls '$TMP/lan' | grep -v '^ctl$'"
check "a second switch does not get it" refused "$BUILD/uswitch" -S "$TMP/second.sock" -p "vde:$TMP/lan"

plug a "$TMP/lan" 10.0.0.1/24
plug b "$TMP/lan" 10.0.0.2/24
check "ping between two vde_plug2tap" pings a 10.0.0.2
vde_switch -d -s "$TMP/theirs" -p "$TMP/theirs.pid"
wait_for 5 test -S "$TMP/theirs/ctl" -a -s "$TMP/theirs.pid"
PIDS+=("$(cat "$TMP/theirs.pid")")
start vde_plug "vde://$TMP/lan" "vde://$TMP/theirs"
plug c "$TMP/theirs" 10.0.0.3/24
check "ping through vde_plug and a vde_switch" pings c 10.0.0.1
check "frames of a guest balance" sh -c "'$BUILD/uswitchctl' -j -S '$SOCKET' stats dev vm0 |
	jq -e '.ports[0] | .queued > 0 and .queued == .tx_packets + ([.drop_out[]] | add)'"
ctl link del dev vm
check "guests go with their listener" no_port vm0
check "whose directory stays, as it was there before" test -d "$TMP/lan"
ctl link add "vde:$TMP/new,mode=660"
check "a new one has the mode that was asked for" [ "$(stat -c %a "$TMP/new" "$TMP/new/ctl" | tr '\n' ' ')" = "3770 660 " ]
ctl link del dev vde0
check "and is gone with its port" [ ! -e "$TMP/new" ]
finish
