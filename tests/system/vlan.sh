#!/bin/bash
# SPDX-License-Identifier: MIT
# VLANs: what bad input gets, port modes, frames of full length with tags, TCP between a host that tags and one that does
# not, as fast as between two that do not, and what VLAN filtering costs a frame. Since this kernel may lack VLAN
# devices, a tc program tags (tagger.c).
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need jq iperf3 clang tc
TRAFFIC=$(tool traffic)
TAGGER=$TMP/tagger.o

# ---- bad input ----

# refuses NAME TEXT WORD...: status 255, TEXT and nothing else, and no change.
refuses() {
	local name=$1 text=$2 before status output
	shift 2
	before=$(ctl show config)
	output=$(ctl "$@" 2>&1)
	status=$?
	if [ $status != 255 ] || [ "$output" != "$text" ]; then
		fail "refuses-$name: status $status: $output"
	elif [ "$(ctl show config)" != "$before" ]; then
		fail "refuses-$name: but it changed the configuration"
	else
		pass "refuses-$name"
	fi
}

# silent NAME WORD...: status 0, no word, no change.
silent() {
	local name=$1 before
	shift
	before=$(ctl show config)
	check "silent-$name" test "$(ctl "$@" 2>&1; echo $?)" = 0
	check "silent-$name-changes-nothing" test "$(ctl show config)" = "$before"
}

# usage NAME TEXT OPTION...: uswitch itself ends with a status that is not 0 and says TEXT.
usage() {
	local name=$1 text=$2 status
	shift 2
	in_ns sw timeout 5 "$BUILD/uswitch" -S "$TMP/usage.sock" "$@" >"$TMP/usage" 2>&1
	status=$?
	if { [ $status = 1 ] || [ $status = 2 ]; } && grep -qF "$text" "$TMP/usage" && [ ! -e "$TMP/usage.sock" ]; then
		pass "usage-$name"
	else
		fail "usage-$name: status $status: $(tr '\n' ' ' <"$TMP/usage")"
	fi
}

bad_input() {
	local vid
	switch sw -l -p mem:,name=m1 -p mem:,name=m2,access=10 -p mem:,name=m3,trunk=10-20+30,native=5
	for vid in 0 4095 4096 5000 99999999999 x 1.5 10,20 0x10 ''; do
		refuses "vid-$vid" "Invalid VLAN ID \"$vid\"" vlan add vid "$vid" dev m1
	done
	for vid in 10-5 10-10 0-5 10-4095 4094-4096 10- -10 10-20-30; do
		refuses "range-$vid" "Invalid VLAN range \"$vid\"" vlan add vid "$vid" dev m1
		refuses "range-$vid-del" "Invalid VLAN range \"$vid\"" vlan del vid "$vid" dev m1
	done
	refuses pvid-range "pvid cannot be configured for a vlan range" vlan add vid 10-12 dev m1 pvid
	refuses unknown-port 'Cannot find device "nosuch"' vlan add vid 10 dev nosuch
	refuses unknown-port-del 'Cannot find device "nosuch"' vlan del vid 10 dev nosuch
	refuses unknown-port-show 'Cannot find device "nosuch"' vlan show dev nosuch
	refuses no-port "vlan add: dev NAME is missing" vlan add vid 10
	refuses no-vid "vlan add: vid VID is missing" vlan add dev m1
	refuses self-of-a-port "self means the host port, which m1 is not" vlan add vid 10 dev m1 self
	refuses state-of-absent "No such file or directory: VLAN 10 is not configured on m1" \
		vlan set vid 10 dev m1 state blocking
	refuses state-of-range-with-hole "No such file or directory: VLAN 21 is not configured on m3" \
		vlan set vid 18-30 dev m3 state blocking
	refuses state-word 'state "closed" is none of disabled, listening, learning, forwarding, blocking' \
		vlan set vid 10 dev m3 state closed
	refuses default-pvid "vlan_default_pvid 4095 is out of range: 0 to 4094" set vlan_default_pvid 4095
	refuses protocol 'vlan_protocol "9100" is neither 802.1Q nor 802.1ad' set vlan_protocol 9100
	refuses fdb-without-vlan "VLAN 11 is not configured on m2" fdb add 02:00:00:00:00:01 dev m2 static vlan 11
	silent absent vlan del vid 99 dev m1
	silent absent-range vlan del vid 100-4094 dev m3
	silent repeated vlan add vid 10-20 dev m3
	modes
	kill "$SWITCH"
	wait "$SWITCH"
}

modes() {
	local add="link add mem:,name=x"
	# shellcheck disable=SC2086
	mode() { refuses "$1" "$2" $add,$3; }
	mode access-trunk "access, trunk and qinq exclude each other" access=10,trunk=20
	mode access-qinq "access, trunk and qinq exclude each other" access=10,qinq=20
	mode access-native "native=20 needs trunk=VLANS" access=10,native=20
	mode native "native=20 needs trunk=VLANS" native=20
	mode access-twice 'option "access" is given twice' access=10,access=20
	mode access-0 "access=0: must be a number from 1 to 4094" access=0
	mode access-4095 "access=4095: must be a number from 1 to 4094" access=4095
	mode trunk-range 'trunk=: Invalid VLAN range "10-5"' trunk=10-5
	mode trunk-vid 'trunk=: Invalid VLAN ID "5000"' trunk=10+5000
	mode trunk-end 'trunk=: Invalid VLAN ID ""' trunk=10+
	mode accept "accept=some: must be one of all|tagged|untagged" accept=some
	mode qinq-accept "qinq and accept=tagged exclude each other" qinq=100,accept=tagged
	mode qinq "x is a QinQ port (qinq=100): it needs vlan_protocol 802.1ad, not 802.1Q" qinq=100
	refuses host-accept "the host port has no accept" link add host:x,accept=tagged
	usage access-trunk "access, trunk and qinq exclude each other" -p mem:,name=x,access=10,trunk=20
	usage trunk 'Invalid VLAN ID "0"' -p mem:,name=x,trunk=0
	usage qinq "it needs vlan_protocol 802.1ad" -p mem:,name=x,qinq=100
	check modes-in-plain-terms test "$(ctl show config | grep -c 'access\|trunk\|native\|qinq')" = 0
	check access-expands test "$(ctl -j vlan show dev m2 | jq -c '.[0].vlans')" = \
		'[{"vlan":10,"flags":["PVID","Egress Untagged"]}]'
	check trunk-expands test "$(ctl -j -compressvlans vlan show dev m3 | jq -c '.[0].vlans')" = \
		'[{"vlan":5,"flags":["PVID","Egress Untagged"]},{"vlan":10,"vlanEnd":20,"flags":[]},{"vlan":30}]'
	check qinq-after-protocol ctl set vlan_protocol 802.1ad
	check qinq-is-added ctl link add mem:,name=x,qinq=100
	check qinq-expands test "$(ctl -j vlan show dev x | jq -c '.[0].vlans')" = \
		'[{"vlan":100,"flags":["PVID","Egress Untagged"]}]'
	check qinq-accepts-untagged grep -q 'link set dev x accept untagged' <<<"$(ctl show config)"
	refuses qinq-keeps-protocol "x is a QinQ port (qinq=100): it needs vlan_protocol 802.1ad, not 802.1Q" \
		set vlan_protocol 802.1Q
}

# ---- frames of full length ----

# frame NAME pass|mtu|nothing HEX LEN WANTED: host a sends 12 bytes of addresses, HEX and as many zeros as make LEN bytes; b gets
# WANTED instead of HEX, or p2 drops it for its MTU.
frame() {
	local name=$1 want=$2 hex=$3 len=$4 wanted=$5 before sniffer got sent
	sent=ffffffffffff02000000000a
	before=$(counter p2 drop_out.mtu)
	in_ns b "$TRAFFIC" sniff eth0 0.4 >"$TMP/seen" &
	sniffer=$!
	sleep 0.1
	in_ns a "$TRAFFIC" frame eth0 "$sent$hex" "$len"
	wait $sniffer
	grep -q "^$sent$wanted" "$TMP/seen" && got=pass || got=nothing
	[ "$(counter p2 drop_out.mtu)" = "$before" ] || got=mtu
	if [ $got = "$want" ]; then
		pass "$name"
	else
		fail "$name: $got: $(cut -c 1-60 "$TMP/seen" | tr '\n' ' ')"
	fi
}

# Of a frame the first tag of the switch's own kind does not count, whatever is inside does (is_skb_forwardable()).
full_length() {
	ip -n "$PREFIX-a" link set eth0 mtu 2000
	ip -n "$PREFIX-sw" link set p1 mtu 2000
	ip -n "$PREFIX-b" link set eth0 mtu 2000
	switch sw -p p1,trunk=10,native=1 -p p2,trunk=10,native=1
	wait_for 3 sh -c "'$BUILD/uswitchctl' -S '$SOCKET' -j link show | jq -e 'all(.state == \"forwarding\")'"
	frame full-untagged pass 88b5 1518 88b5
	frame full-untagged-and-one mtu 88b5 1519 88b5
	frame full-tagged pass 8100a00a88b5 1522 8100a00a88b5
	frame full-tagged-and-one mtu 8100a00a88b5 1523 8100a00a88b5
	frame full-double-tagged pass 8100a00a8100300588b5 1522 8100a00a8100300588b5
	frame full-double-tagged-and-one mtu 8100a00a8100300588b5 1523 8100a00a8100300588b5
	frame full-foreign-tag pass 88a8a00a88b5 1518 88a8a00a88b5
	frame full-foreign-tag-and-one mtu 88a8a00a88b5 1519 88a8a00a88b5
	kill "$SWITCH"
	wait "$SWITCH"
	echo "set vlan_protocol 802.1ad" >"$TMP/qinq.conf"
	switch sw -c "$TMP/qinq.conf" -p p1,qinq=100 -p p2,trunk=100
	wait_for 3 sh -c "'$BUILD/uswitchctl' -S '$SOCKET' -j link show | jq -e 'all(.state == \"forwarding\")'"
	frame qinq-push pass 8100a00a88b5 64 88a800648100a00a88b5
	frame qinq-full pass 8100a00a88b5 1518 88a800648100a00a88b5
	frame qinq-full-and-one mtu 8100a00a88b5 1519 88a800648100a00a88b5
	frame qinq-priority pass 88a8e00081000fff88b5 64 88a8e06481000fff88b5
	frame qinq-tagged-customer nothing 88a8006488b5 64 88a8006488b5
	kill "$SWITCH"
	wait "$SWITCH"
	for name in a b; do ip -n "$PREFIX-$name" link set eth0 mtu 1500; done
	ip -n "$PREFIX-sw" link set p1 mtu 1500
}

# ---- TCP ----

# tagger HOST EGRESS INGRESS: programs of tagger.c on both directions of its eth0.
tagger() {
	in_ns "$1" tc qdisc add dev eth0 clsact &&
		in_ns "$1" tc filter add dev eth0 egress bpf direct-action object-file "$TAGGER" section "$2" &&
		in_ns "$1" tc filter add dev eth0 ingress bpf direct-action object-file "$TAGGER" section "$3"
}

# rate FROM ADDRESS [-R]: Mbit/s as the receiver counts them.
rate() {
	in_ns "$1" timeout 20 iperf3 -J -t 1 -c "$2" ${3:+"$3"} | jq '.end.sum_received.bits_per_second / 1e6 | floor'
}

median() { sort -n | awk '{ a[NR] = $1 } END { print a[int((NR + 1) / 2)] }'; }

# compare NAME TAGGED PLAIN ADDRESS [-R]: TCP of host TAGGED with ADDRESS must have 0.95 of the throughput of host PLAIN,
# side by side, by the medians of 7 rounds; what is on the machine besides may cost it some rounds more.
compare() {
	local name=$1 tagged=$2 plain=$3 round with without
	shift 3
	: >"$TMP/with"
	: >"$TMP/without"
	for round in $(seq 21); do
		rate "$tagged" "$@" >>"$TMP/with"
		rate "$plain" "$@" >>"$TMP/without"
		with=$(median <"$TMP/with") without=$(median <"$TMP/without")
		[ "$round" -lt 7 ] || [ $((with * 100)) -lt $((without * 95)) ] || break
	done
	check "$name: $with Mbit/s tagged, $without untagged, ratio $(awk "BEGIN { printf \"%.2f\", $with / $without }"), $round rounds" \
		test $((with * 100)) -ge $((without * 95))
}

# carries NAME FROM TO ADDRESS: TCP whose payload is verified byte by byte.
carries() {
	local name=$1 from=$2 to=$3 server
	in_ns "$to" "$TRAFFIC" tcp-server 7000 $((50 << 20)) >/dev/null 2>"$TMP/server" &
	server=$!
	wait_for 3 sh -c "ip netns exec $PREFIX-$to ss -ltn | grep -q :7000"
	in_ns "$from" timeout 30 "$TRAFFIC" tcp-client "$4" 7000 $((50 << 20)) 2>"$TMP/client" || kill $server
	check "$name" wait $server
}

# path NAME TAGGED PLAIN OTHER: hosts TAGGED and PLAIN talk to OTHER, which is on an access port.
path() {
	local number=$5
	carries "tcp-$1" "$2" "$4" "10.9.0.$number"
	carries "tcp-$1-back" "$4" "$2" 10.9.0.1
	start in_ns "$4" iperf3 -s >/dev/null 2>&1
	wait_for 3 sh -c "ip netns exec $PREFIX-$4 ss -ltn | grep -q :5201"
	compare "throughput-$1" "$2" "$3" "10.9.0.$number"
	compare "throughput-$1-back" "$2" "$3" "10.9.0.$number" -R
	kill "$STARTED"
}

tcp() {
	if ! clang -target bpf -O2 "-I/usr/include/$(uname -m)-linux-gnu" -c -o "$TAGGER" "$ROOT/tests/system/tagger.c" 2>"$TMP/clang"; then
		fail "tcp: clang: $(head -n 1 "$TMP/clang")"
		return
	fi
	veth d eth0 sw p4
	if ! tagger a push_tag pop_tag >"$TMP/tc" 2>&1; then
		skip "tcp-with-tags: needs the right to load BPF programs: $(tail -n 1 "$TMP/tc")"
		return
	fi
	tagger d leave_tag leave_tag
	switch sw -p p1,trunk=10 -p p2,access=10 -p p4,access=10 -p tap1,trunk=10 -p tap2,access=10 -p tap4,access=10
	for port in tap1:e tap2:f tap4:g; do
		move sw "${port%:*}" "${port#*:}"
		ip -n "$PREFIX-${port#*:}" link set "${port%:*}" name eth0
		ip -n "$PREFIX-${port#*:}" link set eth0 up
	done
	tagger e push_tag pop_tag
	tagger g leave_tag leave_tag
	address a eth0 10.9.0.1/24
	address b eth0 10.9.0.2/24
	address d eth0 10.9.0.4/24
	path packet a d b 2
	for host in a b d; do ip -n "$PREFIX-$host" link set eth0 down; done
	address e eth0 10.9.0.1/24
	address f eth0 10.9.0.2/24
	address g eth0 10.9.0.4/24
	path tap e g f 2
	check "tcp-no-wrong-vlan" test "$(ctl -j stats | jq '[.ports[].drop_in.vlan] | add')" = 0
}

# ---- the cost in the core ----

# Prints ns a frame, as a whole number of hundredths, of bench-core with these options.
cost() { "$BUILD/bench-core" -t 0.3 "$@" | jq '.ns_per_frame * 100 | floor'; }

core() {
	local round with without
	: >"$TMP/with"
	: >"$TMP/without"
	for round in $(seq 21); do
		cost -v >>"$TMP/with"
		cost >>"$TMP/without"
		with=$(median <"$TMP/with") without=$(median <"$TMP/without")
		[ "$round" -lt 5 ] || [ $((with - without)) -gt 1000 ] || break
	done
	check "core-cost: $((with - without)) hundredths of a ns a frame, $round rounds" \
		test $((with - without)) -le 1000
}

ns sw a b d e f g
veth a eth0 sw p1
veth b eth0 sw p2
bad_input
full_length
tcp
core
finish
