#!/bin/bash
# SPDX-License-Identifier: MIT
# Guests of a listening stream port: names, settings, coming, going and coming back, bad ones, ones that do not read.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need python3

A=02:00:00:00:00:0a B=02:00:00:00:00:0b C=02:00:00:00:00:0c ALL=ff:ff:ff:ff:ff:ff

# guest MAC WORD...: in the foreground.
guest() {
	python3 "$ROOT/tests/system/stream.py" "$TMP/lan" "$@"
}

# stay LOG MAC WORD...: in the background; waits until it is ready.
stay() {
	local log=$TMP/$1
	shift
	start python3 "$ROOT/tests/system/stream.py" "$TMP/lan" "$@" >"$log" 2>&1
	wait_for 5 grep -q ready "$log" || fail "a guest cannot connect: $(cat "$log")"
}

# leave PID: this guest ends.
leave() {
	kill "$1"
	wait "$1" 2>/dev/null
}

missing() { ctl -j stats dev "$1" | jq -e '.ports[0].state == "missing"'; }
present() { ctl -j stats dev "$1" | jq -e '.ports[0].state == "forwarding"'; }
received() { [ "$(counter "$1" rx_packets)" -ge "$2" ]; }
has_port() { ctl link show | grep -q "^[0-9]*: $1:"; }
no_port() { ! has_port "$1"; }
vlans() { ctl -j vlan show dev "$1" | tr -d '\n'; }
same_vlans() { [ "$(vlans "$1" | sed "s/\"$1\"//")" = "$(vlans "$2" | sed "s/\"$2\"//")" ]; }
knows() { ctl fdb show | grep -q "^$1 dev $2 "; }
no_process() { ! kill -0 "$1"; }
forgot() { ! ctl fdb show | grep -q "^$1 "; }
isolated() { ctl -d link show dev "$1" | grep -q 'isolated on'; }
refused() { ! ctl "$@"; }
no_path() { [ ! -e "$1" ]; }
all_full() { ctl stats dev vm1 | grep -qE 'full *[1-9]'; }

ns sw
switch sw -p "stream:unix:$TMP/lan,listen,name=vm,access=10" -p "stream:unix:$TMP/lan2,name=up,access=10"
stay a.log $A send $ALL ready get $B ready wait
first=$STARTED
check "a guest is a port with the next name" has_port vm0
check "and is learned in the listener's VLAN" wait_for 2 knows $A vm0
check "with the listener's VLANs" same_vlans vm vm0
ctl vlan add vid 20 dev vm
ctl link set dev vm isolated on
check "which it also gets later" same_vlans vm vm0
check "as all settings" isolated vm0
ctl link set dev vm isolated off
check "it is not in the configuration" sh -c "! '$BUILD/uswitchctl' -S '$SOCKET' show config | grep vm0"
check "and cannot be configured" refused link set dev vm0 isolated on
check "one more guest, both exchange frames" guest $B send $A
check "is missing when it ends" wait_for 2 missing vm1
check "with its address forgotten" forgot $B
check "and what it received still counted" received vm1 1
check "one that comes takes its port" guest $B send $A send $A
check "where its frames are counted, too" wait_for 2 received vm1 3
check "a bad length ends the guest" guest $B bad closed
check "but no other" has_port vm0
stay c.log $C send $ALL ready wait
check "a guest that does not read loses only its own" guest $B flood $C send $A
check "which is counted" all_full
third=$STARTED
leave "$first"
check "a guest that is killed is missing" wait_for 2 missing vm0
leave "$third"
check "as another one" wait_for 2 missing vm1
ctl link set dev vm isolated on
stay b.log $B send $ALL ready wait
check "the guest that left last is the first to be back" present vm1
check "with what was set meanwhile" isolated vm1
leave "$STARTED"
check "a port that is kept gives its name away" ctl link add mem:,name=vm0
check "and for good" sh -c "'$BUILD/uswitchctl' -S '$SOCKET' show config | grep -q 'mem:.*vm0'"
ctl link del dev vm1
check "it can be removed" no_port vm1
stay d.log $B ready closed
ctl link del dev vm2
check "as that of a guest, which notices" wait_for 2 no_process "$STARTED"
ctl link del dev vm
check "guests go with their listener" no_port vm1
check "whose path is gone" no_path "$TMP/lan"

ctl link add "stream:unix:$TMP/lan,listen,name=few,guests=2,keep=1"
stay 1.log $A ready wait
stay 2.log $B ready wait
check "one guest too many is turned away" guest $C closed
leave "$STARTED"
check "but not when another has left" guest $C send $A
check "a port is kept as long as it was said" wait_for 2 missing few1
check "and then goes" wait_for 3 no_port few1
ctl link del dev few
ctl link add "stream:unix:$TMP/lan,listen,name=all,guests=1023"
stay 3.log $A crowd 1023 ready wait
check "guests take all ports there are" eval '! ctl link add mem:'
leave "$STARTED"
check "ports that are kept give way" wait_for 2 ctl link add mem:
ctl link del dev all
ctl link add "stream:unix:$TMP/lan2,listen,name=in,access=10"
check "a client connects as soon as somebody listens" wait_for 8 has_port in0
finish
