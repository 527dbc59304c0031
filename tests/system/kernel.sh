#!/bin/bash
# SPDX-License-Identifier: MIT
# The kernel backend, without VLAN filtering, which the host's kernel may lack: what it makes and takes away, that bridge(8)
# and ip(8) say of the bridge what uswitchctl says, news, what it refuses, and what others do to the bridge.
# shellcheck source=tests/system/lib.sh disable=SC2016,SC2317
. "$(dirname "$0")/lib.sh"
need jq python3

ns sw a b
sw() { in_ns sw "$@"; }
gone() { ! sw ip link show "$1" 2>/dev/null; }
is_master() { [ "$(sw ip -j link show dev "$1" | jq -r '.[0].master')" = "$2" ]; }

# refuses NAME TEXT OPTION...: the switch ends with status 1 and one line, which has TEXT, and leaves nothing.
refuses() {
	local name=$1 text=$2 before
	shift 2
	before=$(sw ip -br link | sort)
	sw timeout 5 "$BUILD/uswitch" -S "$TMP/refused.sock" -b kernel "$@" 2>"$TMP/refused"
	if [ $? -eq 1 ] && [ "$(grep -c "^uswitch: error: " "$TMP/refused")" -eq 1 ] && grep -qF -- "$text" "$TMP/refused"; then
		pass "refuses-$name"
	else
		fail "refuses-$name: $(cat "$TMP/refused")"
	fi
	check "refuses-$name-leaves-nothing" test "$before" = "$(sw ip -br link | sort)"
}

stop() {
	kill "$SWITCH"
	wait "$SWITCH"
	check "$1" test $? -eq 0
}

# in_table MAC...: a line of the kernel's table begins so. out_of_table MAC: there is a table, and none does.
in_table() { sw bridge fdb show | grep -q "^$*"; }
out_of_table() { sw bridge fdb show >"$TMP/table" && [ -s "$TMP/table" ] && ! grep -q "^$1" "$TMP/table"; }

# same NAME BRIDGE USWITCH: both are arrays of objects, equal but for their order, and not empty.
same() {
	local name=$1
	jq -S 'sort_by(tostring)' <<<"$2" >"$TMP/want"
	jq -S 'sort_by(tostring)' <<<"$3" >"$TMP/got"
	check "$name" test "$(jq length "$TMP/want")" -gt 0 -a "$(cat "$TMP/want")" = "$(cat "$TMP/got")" || diff "$TMP/want" "$TMP/got" | head -20
}

# What this iproute2 says and uswitch does not, since it has no such thing; and the other way round.
like_iproute2() {
	same "$1-fdb" "$(sw bridge -j fdb show br br0 | jq '[.[] | select(.master)]')" "$(ctl -j fdb show)"
	same "$1-link" "$(sw bridge -j -d link show master br0 | jq '[.[] | del(.link, .guard, .root_block, .fastleave,
		.mcast_router, .mcast_to_unicast, .neigh_suppress, .neigh_vlan_suppress, .vlan_tunnel, .mcast_n_groups,
		.mcast_max_groups, .mab, .group_fwd_mask)]')" \
		"$(ctl -j -d link show | jq '[.[] | del(.kind, .port, .fdb_entries, .note, .accept, .mab, .group_fwd_mask)]')"
	ctl -j show | jq 'del(.ifname, .backend, .ports)' >"$TMP/ours"
	sw ip -d -j link show br0 | jq '.[0].linkinfo.info_data' >"$TMP/theirs"
	check "$1-settings" jq -ne --slurpfile a "$TMP/ours" --slurpfile b "$TMP/theirs" \
		'[$a[0] | to_entries[] | select($b[0][.key] != null and $b[0][.key] != .value)] == []'
	check "$1-settings-compared" jq -ne --slurpfile a "$TMP/ours" --slurpfile b "$TMP/theirs" \
		'[$a[0] | keys[] | select($b[0][.] != null)] | length >= 5'
}

commands() {
	ctl link set dev p1 isolated on hairpin on priority 8 cost 77
	ctl link set dev p2 learning off flood off mcast_flood off bcast_flood off locked on
	ctl set ageing_time 100s group_fwd_mask 0x8 no_linklocal_learn 1
	ctl fdb add 02:00:00:00:00:01 dev p1 static
	ctl fdb add 02:00:00:00:00:02 dev p2 dynamic
	ctl fdb add 02:00:00:00:00:03 dev p1 extern_learn
	ctl fdb add 02:00:00:00:00:04 dev p1 static sticky
	ctl fdb add 02:00:00:00:00:05 dev p1 local
	ctl fdb add 02:00:00:00:00:06 dev br0 local
	like_iproute2 changed
	check setting-is-the-kernels test "$(sw ip -d -j link show br0 | jq '.[0].linkinfo.info_data.ageing_time')" = 10000
	check fdb-get test "$(ctl fdb get 02:00:00:00:00:04)" = '02:00:00:00:00:04 dev p1 sticky master br0 static'
	ctl fdb get 02:00:00:00:00:99 2>/dev/null
	check fdb-get-none test $? -eq 254
	check fdb-exists sh -c "! '$BUILD/uswitchctl' -S '$SOCKET' fdb add 02:00:00:00:00:01 dev p2 static 2>/dev/null"
	ctl fdb del 02:00:00:00:00:03 dev p1
	check fdb-del out_of_table 02:00:00:00:00:03
	ctl fdb flush dev br0
	check flush-takes-dynamic out_of_table 02:00:00:00:00:02
	check flush-spares-static in_table 02:00:00:00:00:01
	ctl fdb flush dev p1 static
	check flush-static out_of_table 02:00:00:00:00:01
	ctl fdb add 02:00:00:00:00:01 dev p1 static
	ctl show config >"$TMP/config"
	like_iproute2 flushed
}

# The configuration that is printed makes the same switch.
round_trip() {
	stop ends-before-round-trip
	switch sw -b kernel -c "$TMP/config"
	ctl show config >"$TMP/again"
	check round-trip diff "$TMP/config" "$TMP/again"
	like_iproute2 loaded
}

news() {
	"$BUILD/uswitchctl" -S "$SOCKET" -j monitor all >"$TMP/news" &
	PIDS+=($!)
	heard() { jq -es "any(.[]; $1)" "$TMP/news" >/dev/null; }
	wait_for 2 test -e "$TMP/news"
	sleep 0.2
	sw bridge fdb add 02:00:00:00:00:20 dev p1 master dynamic
	check news-of-an-entry wait_for 2 heard '.event == "fdb" and .mac == "02:00:00:00:00:20" and .ifname == "p1"'
	sw bridge fdb del 02:00:00:00:00:20 dev p1 master
	check news-of-an-entry-gone wait_for 2 heard '.event == "fdb" and .deleted and .mac == "02:00:00:00:00:20"'
	sw ip link set p1 mtu 1400
	check news-of-a-link wait_for 2 heard '.event == "link" and .ifname == "p1" and .mtu == 1400'
	sw ip link set p1 mtu 1500
	ctl set ageing_time 50s
	check news-of-the-bridge wait_for 2 heard '.event == "bridge" and .ageing_time == 5000'
}

# Others change the bridge: commands show it, and the ports' coming and going is followed.
others() {
	sw bridge link set dev p1 cost 5
	check others-setting test "$(ctl -j link show dev p1 | jq '.[0].cost')" = 5
	ctl fdb add 02:00:00:00:00:30 dev p2 static
	sw ip link del p2
	check missing wait_for 2 sh -c "'$BUILD/uswitchctl' -S '$SOCKET' -d link show | grep -q 'no interface p2'"
	check missing-is-configured grep -q 'link add packet:p2' <(ctl show config)
	check missing-takes-settings ctl link set dev p2 cost 9
	sw bridge link set dev p1 cost 5
	veth b eth0 sw p2
	check back wait_for 2 is_master p2 br0
	check back-with-settings wait_for 2 sh -c "'$BUILD/uswitchctl' -S '$SOCKET' -j link show dev p2 | jq -e '.[0].cost == 9'"
	check back-with-entries wait_for 2 in_table 02:00:00:00:00:30 dev p2
	check back-leaves-others-work test "$(ctl -j link show dev p1 | jq '.[0].cost')" = 5
	like_iproute2 back
	ctl fdb del 02:00:00:00:00:30 dev p2
}

# A hundred thousand changes, more than a socket holds: the tables are equal two seconds later.
burst() {
	python3 - >"$TMP/burst" <<-'END'
		for n in range(60000):
		    print(f"fdb add 06:00:00:00:{n >> 8:02x}:{n & 255:02x} dev p1 master dynamic")
		for n in range(40000):
		    print(f"fdb del 06:00:00:00:{n >> 8:02x}:{n & 255:02x} dev p1 master")
	END
	kill -STOP "$SWITCH"
	sw bridge -batch "$TMP/burst" >/dev/null
	kill -CONT "$SWITCH"
	sleep 1
	same burst "$(sw bridge -j fdb show br br0 | jq '[.[] | select(.master)]')" "$(timeout 1 "$BUILD/uswitchctl" -S "$SOCKET" -j fdb show)"
	check burst-is-noticed grep -q '"event":"lost"' "$TMP/news"
	ctl fdb flush dev br0
}

refusals() {
	sw ip link add br7 type bridge
	sw ip link add v0 type veth peer name v1
	sw ip link set v0 master br7
	sw ip tuntap add tun9 mode tun
	refuses tap 'tap0: the kernel bridge cannot forward to a TAP that uswitch holds; use tap:tap0,guest' -p tap:tap0
	refuses loopback 'lo is the loopback interface' -p lo
	refuses bridge 'br7 is a bridge' -p br7
	refuses enslaved 'v0 belongs to br7 already' -p v0
	refuses no-ethernet 'tun9 carries no Ethernet' -p tun9
	refuses kind 'the kernel bridge has no pcap ports' -p pcap:,out="$TMP/x.pcap"
	refuses namespace 'netns=' -p packet:v1,netns=other
	refuses name-of-a-bridge 'br7: there is a bridge of that name: take it over with -b kernel,adopt' -n br7 -p v1
	refuses name-of-another 'v1: there is an interface of that name, which is no bridge' -n v1
	refuses host-name 'the host port of a kernel bridge is the bridge itself' -l other
	refuses accept 'the kernel'"'"'s bridge lets in every kind of frame' -p v1,accept=tagged
	refuses after-a-tap 'v1 is not a TAP but a veth' -p tap0 -p tap:v1,guest
	refuses kept 'v1 is not a TAP but a veth' -b kernel,keep -p tap0 -p tap:v1,guest
	refuses kept-without-socket 'x.sock.lock: No such' -b kernel,keep -S "$TMP/none/x.sock" -p tap0 -p v1
	sw setpriv --bounding-set=-all "$BUILD/uswitch" -S "$TMP/x.sock" -b kernel -p v1 2>"$TMP/refused"
	check refuses-without-capability grep -q 'br0: no permission .*CAP_NET_ADMIN' "$TMP/refused"
	if sw ip -d -j link show br7 | jq -e '.[0].linkinfo.info_data.vlan_default_pvid == null' >/dev/null; then
		refuses filtering "this kernel's bridge has no VLAN filtering" -p v1,access=10
	fi
	check enslaved-is-left is_master v0 br7
}

# All of br7 that the switch could have changed.
br7() {
	sw ip -d -j link show dev br7 | jq -c '.[0] | .flags, (.linkinfo.info_data | del(.gc_timer, .hello_timer, .tcn_timer))'
	sw bridge -d link show dev v0
	sw bridge fdb show br br7 | sort
}

# adopt_refused NAME TEXT OPTION...: the start fails, and br7 is as before.
adopt_refused() {
	local before
	before=$(br7)
	refuses "adopted-$1" "$2" -n br7 -b kernel,adopt "${@:3}"
	check "refuses-adopted-$1-is-left-alone" diff <(cat <<<"$before") <(br7)
}

# An existing bridge is taken over, and stays; a start that fails leaves it as it was.
adoption() {
	sw ip link set br7 type bridge stp_state 1 mcast_snooping 1 ageing_time 7000
	sw bridge link set dev v0 cost 7 hairpin on
	sw bridge fdb add 02:00:00:00:00:07 dev v0 master static
	sw ip link set v1 up
	adopt_refused halfway 'v1 is not a TAP but a veth' -p tap:v1,guest
	adopt_refused socket 'x.sock.lock: No such' -S "$TMP/none/x.sock" -p v1
	start in_ns sw ip monitor link >"$TMP/touched"
	sleep 0.1
	adopt_refused early 'lo is the loopback' -p v1 -p lo
	check refuses-adopted-early-touches-nothing test ! -s "$TMP/touched"
	kill "$STARTED"
	switch sw -b kernel,adopt -n br7 -p v1
	check adopted-is-exact gone_from v0 br7
	check adopted-has is_master v1 br7
	check adopted-without-protocols test "$(sw ip -d -j link show br7 |
		jq -c '.[0].linkinfo.info_data | [.stp_state, .mcast_snooping // 0]')" = '[0,0]'
	sw bridge link >"$TMP/adopted"
	check adopted-is-not-handed-over sh -c "'$BUILD/uswitchctl' -S '$SOCKET' set backend user 2>&1 | grep -q 'br7 was taken over'"
	check adopted-is-not-touched diff "$TMP/adopted" <(sw bridge link)
	stop adopted-ends
	check adopted-stays sw ip link show br7
	check adopted-is-left sh -c "! ip -n $PREFIX-sw link show v1 | grep -q master"
	switch sw -b kernel,keep -n br8 -p v1 -p tap8
	stop keep-ends
	check kept is_master v1 br8
	check kept-tap is_master tap8 br8
	for name in br7 br8 v0 tun9 tap8; do sw ip link del $name; done
}
# A TAP goes with the switch that made it, unless it is to stay or somebody made it anew.
taps() {
	sw ip link add br7 type bridge
	switch sw -b kernel -p tap1 -p tap2 -p tap3 -p tap:tap4,guest,persist
	sw ip link set tap2 master br7
	check others-have-a-tap sh -c "'$BUILD/uswitchctl' -S '$SOCKET' repair 2>&1 | grep -q 'tap2 belongs to br7'"
	sw ip link del tap3
	sw ip tuntap add tap3 mode tap
	check new-tap-is-the-port wait_for 2 is_master tap3 br0
	sw ip link set tap2 nomaster
	check handed-over-with-taps ctl set backend user
	stop ends-with-taps
	check made-tap-goes gone tap1
	check lost-tap-goes gone tap2
	check tap-of-others-stays sw ip link show tap3
	check persistent-tap-stays sw ip link show tap4
	switch sw -b kernel -p tap1 -p tap2
	sw ip link set tap2 master br7
	ctl repair 2>/dev/null
	stop ends-without-a-tap
	check others-tap-goes gone tap2
	for name in br7 tap3 tap4; do sw ip link del $name; done
}

# A temporary port goes with its interface.
temporary() {
	sw ip link add v0 type veth peer name v1
	switch sw -b kernel -p p1 -p packet:v0,temporary
	sw ip link del v0
	check temporary-goes wait_for 2 sh -c "! '$BUILD/uswitchctl' -S '$SOCKET' show config | grep -q v0"
	check temporary-is-no-drift drift_is '[]'
	stop temporary-ends
}

gone_from() { ! is_master "$1" "$2"; }

# Without packet sockets the kernel's bridge does it.
automatic() {
	sw ip link add v0 type veth peer name v1
	sw setpriv --bounding-set=-net_raw "$BUILD/uswitch" -S "$TMP/auto.sock" -n auto0 -p v0 2>"$TMP/auto.log" &
	PIDS+=($!)
	SOCKET=$TMP/auto.sock
	check auto-starts wait_for 5 ctl version
	check auto-takes-the-kernel is_master v0 auto0
	check auto-says-why grep -q "the kernel's bridge forwards, since this process cannot: .*CAP_NET_RAW" "$TMP/auto.log"
	ctl stop
	check auto-ends wait_for 2 gone auto0
	switch sw -v -n auto0 -p v0
	check auto-prefers-user test "$(ctl -j show | jq -r .backend)" = user
	ctl stop
	sw ip link del v0
}

drift() { ctl -j show | jq -c '.drift // []'; }
drift_is() { [ "$(drift)" = "$1" ]; }

# What others change is seen, told and undone.
drifting() {
	ctl fdb add 02:00:00:00:00:04 dev p1 static sticky
	check no-drift drift_is '[]'
	check plan-nothing test "$(ctl -j plan)" = '{"verbs":[],"lost":[]}'
	sw bridge link set dev p1 cost 4
	sw bridge fdb del 02:00:00:00:00:04 dev p1 master
	check drift-is-seen drift_is '["link set dev p1 cost 77","fdb add 02:00:00:00:00:04 dev p1 vlan 0 static sticky"]'
	check drift-is-told wait_for 2 heard '.event == "drift" and .verbs[0] == "link set dev p1 cost 77"'
	check drift-in-text grep -q '^drift: link set dev p1 cost 77$' <(ctl show)
	check plan-of-repair test "$(ctl plan)" = "$(printf 'link set dev p1 cost 77\nfdb add 02:00:00:00:00:04 dev p1 vlan 0 static sticky')"
	check command-for-another-port ctl link set dev p2 cost 8
	check command-mends-others-work drift_is '[]'
	sw bridge fdb del 02:00:00:00:00:04 dev p1 master
	sw ip link set p1 nomaster
	check repair-says-what test "$(ctl repair | head -n 1)" = 'link add packet:p1'
	check repaired drift_is '[]'
	check repaired-in-the-kernel test "$(sw bridge -d link show dev p1 | grep -c 'isolated on')" = 1
	check drift-is-over wait_for 2 heard '.event == "drift" and .verbs == []'
	check roaming-is-no-drift sw bridge fdb replace 02:00:00:00:00:04 dev p2 master static
	check roamed-is-followed drift_is '[]'
	ctl fdb flush dev br0 static
	check flush-is-no-drift drift_is '[]'
	printf 'link add pcap:,name=x\nlink add p1,accept=tagged\nset ageing_time 9s\n' >"$TMP/plan"
	(cd "$TMP" && ctl plan plan) >"$TMP/planned"
	check plan-of-a-file grep -qx 'set ageing_time 9s' "$TMP/planned"
	check plan-says-what-is-lost grep -qx '# lost: x: the kernel bridge has no pcap ports, only packet and tap:NAME,guest' "$TMP/planned"
	check plan-says-what-else-is-lost grep -q '# lost: p1: .* it has no accept' "$TMP/planned"
	check plan-does-nothing test "$(ctl -j show | jq .ageing_time)" != 900
	check plan-of-nothing sh -c "! '$BUILD/uswitchctl' -S '$SOCKET' plan /nonexistent 2>/dev/null"
}

# A backup that is missing is no drift, and is the backup again when it comes.
backup() {
	sw ip link add v0 type veth peer name v1
	switch sw -b kernel,enforce -p p1 -p v0
	ctl link set dev p1 backup_port v0
	sw ip link del v0
	check backup-is-missing wait_for 2 sh -c "'$BUILD/uswitchctl' -S '$SOCKET' -d link show | grep -q 'no interface v0'"
	sleep 0.2
	check missing-backup-is-no-drift drift_is '[]'
	sw timeout 0.5 ip monitor link >"$TMP/links"
	check missing-backup-is-not-repeated test ! -s "$TMP/links"
	sw ip link add v0 type veth peer name v1
	check backup-is-back wait_for 2 sh -c "ip netns exec $PREFIX-sw bridge -d link show dev p1 | grep -q 'backup_port v0'"
	stop backup-ends
	sw ip link del v0
}

# With `enforce` the switch undoes it itself.
enforcing() {
	switch sw -b kernel,enforce -p p1 -p p2
	sw ip link set p1 nomaster
	check enforced-port wait_for 2 is_master p1 br0
	sw bridge link set dev p2 cost 4
	check enforced-setting wait_for 2 sh -c "ip netns exec $PREFIX-sw bridge -j link show dev p2 | jq -e '.[0].cost == 2'"
	ctl link set dev p2 cost 5
	sleep 0.3
	check enforced-as-configured-now test "$(sw bridge -j link show dev p2 | jq '.[0].cost')" = 5
	stop enforce-ends
}

# What others take away is made again.
behind() {
	sw ip link set p1 nomaster
	check others-take-a-port wait_for 2 sh -c "! '$BUILD/uswitchctl' -S '$SOCKET' link show | grep -q p1:"
	ctl set ageing_time 60s
	check command-puts-it-back is_master p1 br0
	sw ip link del br0
	check command-without-a-bridge ctl set ageing_time 70s
	check bridge-is-back is_master p1 br0
	check bridge-is-up sh -c "ip -n $PREFIX-sw link show br0 | grep -q ,UP"
}

veth a eth0 sw p1
veth b eth0 sw p2
address a eth0 10.0.0.1/24
address b eth0 10.0.0.2/24
switch sw -b kernel -p p1 -p p2 -p tap0 -l
check made-a-bridge is_master p1 br0
check made-a-tap is_master tap0 br0
check ping wait_for 5 in_ns a ping -q -c 1 -W 1 10.0.0.2
in_ns a ping -q -c 3 -i 0.2 10.0.0.2 >/dev/null
check counts test "$(counter p1 rx_packets)" -ge 3
check counts-bytes test "$(counter p2 tx_bytes)" -ge 294
like_iproute2 start
commands
round_trip
news
others
drifting
burst
behind
stop ends
check leaves-no-bridge gone br0
check leaves-no-tap gone tap0
check leaves-ports sw ip link show p1
refusals
adoption
enforcing
backup
taps
temporary
automatic
finish
