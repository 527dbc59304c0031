#!/bin/bash
# SPDX-License-Identifier: MIT
# The control socket and uswitchctl: what they answer, what they refuse, and clients that misbehave.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need jq python3

CLIENT=$ROOT/tests/system/client.py
GOLDEN=$ROOT/tests/unit/golden/uswitchctl.txt

ns sw

# says NAME STATUS TEXT WORD...: uswitchctl ends with STATUS and prints TEXT, on whatever output.
says() {
	local name=$1 status=$2 text=$3 got output
	shift 3
	output=$(ctl "$@" 2>&1)
	got=$?
	if [ "$got" -eq "$status" ] && [ "$output" = "$text" ]; then
		pass "$name"
	else
		fail "$name: status $got: $output"
	fi
}

# refuses NAME TEXT WORD...: status 255 and one line on standard error that contains TEXT.
refuses() {
	local name=$1 text=$2 got
	shift 2
	ctl "$@" >"$TMP/out" 2>"$TMP/err"
	got=$?
	if [ $got -eq 255 ] && [ ! -s "$TMP/out" ] && [ "$(wc -l <"$TMP/err")" -eq 1 ] && grep -qF -- "$text" "$TMP/err"; then
		pass "refuses-$name"
	else
		fail "refuses-$name: status $got: $(cat "$TMP/out" "$TMP/err")"
	fi
}

# same_as_bridge CASE WORD...: the running switch prints what the golden case says, blank for blank.
same_as_bridge() {
	local name=$1
	shift
	awk -v name="$name" '/^== / { on = $2 == name; next } on && !/^[$><?]/' "$GOLDEN" >"$TMP/want"
	ctl "$@" >"$TMP/got" 2>&1
	check "as-bridge-$name" diff "$TMP/want" "$TMP/got"
}

misbehave() {
	local name=$1
	shift
	check "client-$name" timeout 100 python3 "$CLIENT" "$SOCKET" "$name" "$@"
	grep -E '^(stuck|table|monitor):' "$TMP/check.log" | sed 's/^/  /'
}

# config: the configuration in one line.
config() { ctl show config | tr '\n' ';'; }
config_is() { [ "$(config)" = "$1" ]; }

# The VLANs of the kernel bridge whose outputs are the golden ones.
vlans_as_bridge() {
	switch sw -p swp1 -p swp2 -p swp3 -l br0
	for line in "vid 10 dev br0 self" "vid 10 dev swp1" "vid 20-24 dev swp1" "vid 30 dev swp2 pvid untagged" \
		"vid 40 dev swp3 pvid"; do
		# shellcheck disable=SC2086
		check "vlan-add-${line// /-}" ctl vlan add $line
	done
	ctl vlan del vid 1 dev swp2
	ctl vlan add vid 1 dev swp3 untagged
	ctl vlan set vid 20 dev swp1 state blocking
	same_as_bridge vlan vlan show
	same_as_bridge vlan-pretty -j -p vlan show
	same_as_bridge vlan-json -j vlan show dev swp1
	same_as_bridge vlan-color -c=always vlan show
	same_as_bridge vlan-details -d vlan show
	same_as_bridge vlan-details-pretty -d -j -p vlan show
	same_as_bridge vlan-compressed -compressvlans vlan show
	same_as_bridge vlan-compressed-pretty -compressvlans -j -p vlan show
	says vlan-vid 0 "$(printf 'port              vlan-id  \nbr0               10\nswp1              10')" vlan show vid 10
	says vlan-in-range 0 "$(printf 'port              vlan-id  \nswp1              20-24')" -com vlan show vid 22
	says vlan-nowhere 0 'port              vlan-id  ' vlan show vid 99
	check vlan-stats-keys test "$(ctl -s -j vlan show vid 10 | jq -c '[.[].vlans[] | keys_unsorted]')" = \
		'[["vid","flags","rx_bytes","rx_packets","tx_bytes","tx_packets"],["vid","rx_bytes","rx_packets","tx_bytes","tx_packets"]]'
}

entries() {
	ctl fdb add 02:00:00:00:00:10 dev swp1 vlan 10 master static
	says fdb-get 0 '02:00:00:00:00:10 dev swp1 vlan 10 master br0 static' fdb get 02:00:00:00:00:10 br br0 vlan 10
	says fdb-get-any 0 '02:00:00:00:00:10 dev swp1 vlan 10 master br0 static' fdb get 02:00:00:00:00:10
	says fdb-get-none 254 'Error: Fdb entry not found.' fdb get 02:00:00:00:00:99
	says fdb-get-other-vlan 254 'Error: Fdb entry not found.' fdb get 02:00:00:00:00:10 vlan 20
	check fdb-brport test "$(ctl fdb show brport swp1 vlan 10 | grep static)" = '02:00:00:00:00:10 vlan 10 master br0 static'
	refuses fdb-exists 'File exists' fdb add 02:00:00:00:00:10 dev swp1 vlan 10 static
	refuses fdb-kind 'static, dynamic or local?' fdb add 02:00:00:00:00:11 dev swp1
	refuses fdb-vlan 'VLAN 99 is not configured on swp1' fdb add 02:00:00:00:00:11 dev swp1 vlan 99 static
	refuses fdb-del-none 'No such file or directory' fdb del 02:00:00:00:00:11 dev swp1
	refuses fdb-del-other-port 'No such file or directory' fdb del 02:00:00:00:00:10 dev swp2
	refuses fdb-self 'self means the host port' fdb add 02:00:00:00:00:11 dev swp1 self static
	refuses fdb-host-static 'only have local entries' fdb add 02:00:00:00:00:11 dev br0 dynamic
	refuses fdb-other-bridge 'Cannot find bridge device "br7"' fdb show br br7
	ctl fdb add 02:00:00:00:00:12 dev swp2 vlan 30 dynamic
	says fdb-dynamic 0 '02:00:00:00:00:12 vlan 30 master br0 ' fdb show dev swp2 dynamic
	check fdb-dynamic-is-no-configuration test -z "$(ctl show config | grep 00:12)"
	refuses fdb-learned-exists 'File exists' fdb add 02:00:00:00:00:12 dev swp2 vlan 30 static
	ctl fdb replace 02:00:00:00:00:12 dev swp2 vlan 30 static sticky
	says fdb-replaced 0 '02:00:00:00:00:12 vlan 30 sticky master br0 static' fdb show dev swp2 vlan 30 static
	ctl fdb flush dev br0
	check flush-keeps-static ctl fdb get 02:00:00:00:00:12
	ctl fdb flush dev swp2 static
	check flush-static test -z "$(ctl fdb show dev swp2 static)"
	ctl set ageing_time 299s
	check flushed-stays-flushed test -z "$(ctl fdb show dev swp2 static)"
	ctl fdb add 02:00:00:00:00:13 dev swp1 static
	check fdb-in-all-vlans test "$(ctl -j fdb show dev swp1 | jq -c '[.[] | select(.mac == "02:00:00:00:00:13") | .vlan // 0] | sort')" = \
		'[0,1,10,20,21,22,23,24]'
	ctl fdb del 02:00:00:00:00:13 dev swp1
	check fdb-del-all-vlans test -z "$(ctl fdb show | grep 00:13)"
	ctl fdb add 02:00:00:00:00:14 dev swp1 extern_learn
	check extern-learn test "$(ctl fdb get 02:00:00:00:00:14 vlan 10)" = '02:00:00:00:00:14 dev swp1 vlan 10 extern_learn master br0 '
	ctl fdb flush dev swp1
	check extern-learn-flushed test -z "$(ctl fdb show | grep 00:14)"
	ctl set ageing_time 300s
	check extern-learn-stays-flushed test -z "$(ctl fdb show | grep 00:14)"
}

refusals() {
	refuses object 'Object "foo" is unknown' foo
	refuses no-guess 'Object "st" is unknown' st
	refuses vid 'Invalid VLAN ID "5000"' vlan add vid 5000 dev swp1
	refuses vid-0 'Invalid VLAN ID "0"' vlan add vid 0 dev swp1
	refuses vid-4095 'Invalid VLAN ID "4095"' vlan add vid 4095 dev swp1
	refuses vid-range 'Invalid VLAN range "10-5"' vlan add vid 10-5 dev swp1
	refuses pvid-range 'pvid cannot be configured for a vlan range' vlan add vid 10-12 pvid dev swp3
	refuses vlan-device 'Cannot find device "nosuch"' vlan add vid 10 dev nosuch
	refuses link-device 'Cannot find device "nosuch"' link show dev nosuch
	refuses state 'state "up" is none of' link set dev swp1 state up
	refuses time-unit 'ageing_time 30000 needs a unit' set ageing_time 30000
	refuses mask 'bits 0, 1 and 2' set group_fwd_mask 0x4
	refuses mab 'needs locked' link set dev swp1 mab on
	refuses host-port-setting 'host port' link set dev br0 hairpin on
	refuses port-twice 'File exists' link add swp1
	refuses interface-twice 'swp1' link add packet:swp1,name=x
	refuses second-host 'host port' link add host:br1
	refuses modes 'exclude each other' link add tap9,access=10,trunk=20
	refuses native 'needs trunk' link add tap9,native=10
	refuses qinq 'needs vlan_protocol 802.1ad' link add tap9,qinq=100
	refuses trunk 'Invalid VLAN range "30-20"' link add tap9,trunk=30-20
	refuses access 'access=0' link add tap9,access=0
	refuses trace-port 'Cannot find device "x"' trace in x src 02:00:00:00:00:01 dst 02:00:00:00:00:02
	refuses quote 'unknown word "a b"' fdb show "a b"
	says vlan-del-absent 0 '' vlan del vid 99 dev swp1
	check refusals-change-nothing test ! -e /sys/class/net/tap9
	same_as_bridge vlan vlan show
}

batch() {
	printf 'fdb add 02:00:00:00:01:01 dev swp1 vlan 10 static\n\n  # comment\nfdb add 02:00:00:00:01:01 dev swp1 vlan 10 static\nfdb add 02:00:00:00:01:02 dev swp1 vlan 10 static\n' >"$TMP/batch"
	says batch-stops 255 "$TMP/batch:4: File exists: 02:00:00:00:01:01 is behind swp1 already (see fdb replace)" -b "$TMP/batch"
	check batch-stopped test -z "$(ctl fdb show | grep 01:02)"
	ctl fdb del 02:00:00:00:01:01 dev swp1
	ctl -force -batch "$TMP/batch" 2>/dev/null
	check batch-force ctl fdb get 02:00:00:00:01:02
	printf 'fdb del 02:00:00:00:01:01 dev swp1\nfdb del 02:00:00:00:01:02 dev swp1\n' | ctl -b -
	check batch-standard-input test -z "$(ctl fdb show | grep 00:01:0)"
	says batch-no-file 255 "uswitchctl: cannot read $TMP/none: No such file or directory" -b "$TMP/none"
}

# heard NAME PATTERN: the monitor prints such a line.
heard() { check "monitor-$1" wait_for 2 grep -qE "$2" "$TMP/monitor"; }

monitors() {
	start "$BUILD/uswitchctl" -S "$SOCKET" -t monitor all >"$TMP/monitor"
	local text=$STARTED
	start "$BUILD/uswitchctl" -S "$SOCKET" -j monitor >"$TMP/monitor.json"
	local json=$STARTED
	sleep 0.1
	ctl fdb add 02:00:00:00:00:40 dev swp1 vlan 10 static
	ctl fdb del 02:00:00:00:00:40 dev swp1 vlan 10
	ctl vlan add vid 77 dev swp2
	ctl vlan del vid 77 dev swp2
	ctl set ageing_time 5s
	ctl link set dev swp1 cost 7
	ctl link add mem:,name=gone
	ctl link del dev gone
	heard time '^Timestamp: [A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} [0-9]{4} [0-9]+ usec$'
	heard fdb '^\[NEIGH\]02:00:00:00:00:40 dev swp1 vlan 10 master br0 static$'
	heard fdb-deleted '^\[NEIGH\]Deleted 02:00:00:00:00:40 dev swp1 vlan 10 master br0 static$'
	heard vlan '^\[VLAN\]swp2              77$'
	heard vlan-deleted '^\[VLAN\]Deleted swp2              77$'
	heard bridge '^\[LINK\]br0: .* ageing_time 5s'
	heard link '^\[LINK\][0-9]+: swp1: <.*> mtu 1500 master br0 state forwarding priority 32 cost 7 $'
	heard link-deleted '^\[LINK\]Deleted 0: gone: <'
	wait_for 2 grep -q '"ifname":"gone"' "$TMP/monitor.json"
	check monitor-json jq -es 'all(.event) and (map(select(.event == "fdb" and .deleted)) | length == 1)' "$TMP/monitor.json"
	kill "$text" "$json"
	ctl set ageing_time 300s
	ctl link set dev swp1 cost 2
}

run_time() {
	check link-add ctl link add mem:,name=m0
	check link-shown test "$(ctl -j link show dev m0 | jq -r '.[0].master')" = br0
	ctl link set dev m0 state learning isolated on
	check state-is-set test "$(ctl -j -d link show dev m0 | jq -c '.[0] | [.state, .isolated]')" = '["learning",true]'
	check state-is-no-configuration test -z "$(ctl show config | grep state.learning)"
	check link-del ctl link del dev m0
	refuses gone 'Cannot find device "m0"' link show dev m0
	check trace grep -q 'come in on swp1' <<<"$(ctl trace in swp1 src 02:00:00:00:00:01 dst 02:00:00:00:00:02 vlan 10)"
	check stats test "$(ctl -j stats dev swp1 | jq -c '[.ports[0].ifname, (.ports[0].drop_in | has("mtu")), .fdb.fdb_size]')" = \
		'["swp1",true,65536]'
	check stats-words grep -q 'places taken' <<<"$(ctl stats)"
	check show test "$(ctl -j show | jq -c '[.ifname, .ageing_time, .vlan_protocol, .group_fwd_mask]')" = '["br0",30000,"802.1Q","0"]'
	check show-units grep -q '^    ageing_time 300s$' <<<"$(ctl show)"
}

# Loading what `show config` prints makes the same switch.
configuration() {
	local before
	ctl set vlan_filtering 1 ageing_time 20s
	ctl fdb add 02:00:00:00:02:01 dev swp1 static sticky
	ctl link set dev swp2 backup_port swp3
	ctl link add 'mem:,name=m0,access=10'
	before=$(config)
	ctl show config >"$TMP/config"
	ctl vlan show >"$TMP/vlans"
	check stop ctl stop
	wait "$SWITCH"
	check stop-leaves-nothing test -z "$(find "$TMP" -name 'sw.sock*')"
	switch sw -c "$TMP/config"
	check config-loads config_is "$before"
	check config-loads-vlans diff "$TMP/vlans" <(ctl vlan show)
	check config-reload ctl reload
	check config-reload-changes-nothing config_is "$before"
	ctl link del dev m0
	ctl set ageing_time 30s
	check config-undone ctl reload
	check config-is-as-before config_is "$before"
	ctl stop
	wait "$SWITCH"
	switch sw -p tap0,access=10 -p tap1,trunk=10-12+20,native=5
	check modes config_is "$(printf '%s;' 'set vlan_filtering 1' 'link add tap:tap0' 'link add tap:tap1' \
		'vlan del vid 1 dev tap0' 'vlan del vid 1 dev tap1' 'vlan add vid 10 dev tap0 pvid untagged' \
		'vlan add vid 5 dev tap1 pvid untagged' 'vlan add vid 10-12 dev tap1' 'vlan add vid 20 dev tap1')"
	ctl stop
	wait "$SWITCH"
}

# What random commands make of a running switch, a fresh one makes of its `show config`.
random_commands() {
	local seed
	for seed in 1 2 $RANDOM; do
		check "random-commands-$seed" in_ns sw timeout 60 "$ROOT/tests/system/configure.py" "$BUILD/uswitch" "$TMP" "$seed" 15
	done
}

# Without -S: run in a mount namespace with a /run of its own.
discovery() {
	# shellcheck disable=SC2016
	check discovery in_ns sw unshare -m bash -c '
		mount -t tmpfs tmpfs /run || exit 1
		export XDG_RUNTIME_DIR=
		fails() { echo "$*"; kill "${PIDS[@]}" 2>/dev/null; exit 1; }
		ctl=$1/uswitchctl log=$2
		"$ctl" show >"$log" 2>&1; [ $? -eq 1 ] && grep -q "no switch is running" "$log" || fails none: "$(cat "$log")"
		run() { "$1/uswitch" -n "$2" -p mem:,name=m0 2>>"$log.sw" & PIDS+=($!)
			for _ in $(seq 200); do "$ctl" -n "$2" version >/dev/null 2>&1 && return; sleep 0.02; done; fails "$2 does not start"; }
		run "$1" lan
		[ "$("$ctl" version | cut -d: -f1)" = lan ] || fails only
		run "$1" wan
		"$ctl" show >"$log" 2>&1; [ $? -eq 1 ] && grep -qE "several switches are running: (lan, wan|wan, lan)" "$log" || fails two
		[ "$("$ctl" -n wan version | cut -d: -f1)" = wan ] || fails name
		"$ctl" -n dmz show >"$log" 2>&1; [ $? -eq 1 ] && grep -q "no switch \"dmz\".*running: " "$log" || fails unknown: "$(cat "$log")"
		kill -KILL "${PIDS[1]}"; wait "${PIDS[1]}" 2>/dev/null
		[ "$("$ctl" version | cut -d: -f1)" = lan ] || fails stale-is-not-live
		run "$1" wan
		"$ctl" -n wan version >/dev/null || fails stale-is-taken-over
		kill "${PIDS[0]}" "${PIDS[2]}"; wait; [ -z "$(ls /run/uswitch)" ] || fails "left: $(ls /run/uswitch)"
	' - "$BUILD" "$TMP/discovery"
}

sockets() {
	switch sw -p mem:,name=m0
	refuses switch-name 'name of the switch' link add mem:,name=br0
	refuses no-host-port 'no host port' vlan add vid 5 dev br0 self
	check mode test "$(stat -c %a "$SOCKET")" = 600
	in_ns sw "$BUILD/uswitch" -S "$SOCKET" -p mem:,name=m1 2>"$TMP/second"
	check live-is-refused grep -q "in use" "$TMP/second"
	check first-goes-on ctl version
	kill -KILL "$SWITCH"
	wait "$SWITCH" 2>/dev/null
	says dead 1 "uswitchctl: no switch at $SOCKET: Connection refused" version
	switch sw -p mem:,name=m0 -G 12345
	check stale-is-taken-over ctl version
	check group test "$(stat -c %a:%g "$SOCKET")" = 660:12345
	ctl stop
	wait "$SWITCH"
	touch "$SOCKET"
	in_ns sw "$BUILD/uswitch" -S "$SOCKET" -p mem:,name=m0 2>"$TMP/second"
	check no-socket-is-refused grep -q "no socket" "$TMP/second"
	check no-socket-is-kept test -f "$SOCKET"
	rm "$SOCKET"
	in_ns sw "$BUILD/uswitch" -S "$SOCKET" -G nosuchgroup -p mem:,name=m0 2>"$TMP/second"
	check no-group-is-refused grep -q "no such group" "$TMP/second"
	check no-lock-is-left test -z "$(find "$TMP" -name 'sw.sock*')"
}

# capture N: a capture file of N frames, each from another address.
capture() {
	python3 - "$1" "$TMP/many.pcap" <<-'END'
		import struct
		import sys
		with open(sys.argv[2], "wb") as f:
		    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
		    for i in range(int(sys.argv[1])):
		        frame = bytes.fromhex("020000000001") + b"\x02\x01" + struct.pack(">I", i) + b"\x08\x00" + b"\0" * 46
		        f.write(struct.pack("<IIII", 0, 0, 60, 60) + frame)
	END
}

bad_clients() {
	local name sockets
	capture 200000
	switch sw --fdb-size 524288 -p swp1
	for name in bytes long half many pipeline slow-monitor; do misbehave $name; done
	misbehave garbage 1
	misbehave garbage 2
	ctl link add "pcap:$TMP/many.pcap,speed=full,name=many"
	check table-is-full wait_for 20 sh -c "'$BUILD/uswitchctl' -S '$SOCKET' -j show | jq -e '.fdb_n_learned >= 200000'"
	misbehave table 200000
	check table-text test "$(ctl fdb show dynamic | wc -l)" -ge 200000
	check reader-that-goes-away sh -c "'$BUILD/uswitchctl' -S '$SOCKET' fdb show | head -n 1"
	sockets=$(find "/proc/$SWITCH/fd" -lname 'socket:*' | wc -l)
	misbehave stuck "$SWITCH" "$sockets"
	check still-there ctl version
	ctl stop
	wait "$SWITCH"
	check ends-well test $? -eq 0
}

vlans_as_bridge
entries
refusals
batch
monitors
run_time
configuration
random_commands
discovery
sockets
bad_clients
finish
