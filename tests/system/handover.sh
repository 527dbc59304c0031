#!/bin/bash
# SPDX-License-Identifier: MIT
# The live hand-over between this process and the kernel's bridge: with 10,000 addresses, under UDP with sequence numbers and
# under TCP; what is carried over, and what is refused before anything is changed.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need jq python3
TRAFFIC=$(tool traffic)
SEQUENCE=$ROOT/tests/system/sequence.py
BYTES=$((800 << 20))

ns sw a b c
backend() { ctl -j show | jq -r .backend; }
gone() { ! in_ns sw ip link show "$1" 2>/dev/null; }

# The addresses that were learned or added, but those that VLAN 1 adds where the kernel has none.
table() { ctl fdb show | grep -v permanent | grep -v 'vlan 1 ' | sort; }

# The same configuration, but for VLANs that this kernel may lack.
config() { ctl show config | grep -v vlan_default_pvid; }

make() {
	local i=1 host
	for host in a b c; do
		veth $host eth0 sw p$i
		address $host eth0 10.0.0.$i/24
		i=$((i + 1))
	done
	in_ns sw ip link add q1 type veth peer name q2
	in_ns sw ip link set q1 up
	in_ns sw ip link set q2 up
	switch sw -b user -p p1 -p p2 -p p3 -p q1 -p tap:t0,guest
	for i in $(seq 0 9999); do
		printf 'fdb add 06:00:00:00:%02x:%02x dev q1 dynamic\n' $((i >> 8)) $((i & 255))
	done | ctl -b -
	ctl link set dev p3 cost 33 isolated on
	ctl fdb add 02:00:00:00:00:01 dev q1 static
	in_ns a ping -q -c 1 10.0.0.2 >/dev/null
	in_ns b ping -q -c 1 10.0.0.3 >/dev/null
}

# slowly COMMAND...: reads the whole table, and has the command done meanwhile. Prints how many entries it had and how many of
# them were different, or "unfinished".
slowly() {
	python3 - "$SOCKET" "$@" <<-'END'
		import json, socket, subprocess, sys, time
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(10)
		s.connect(sys.argv[1])
		s.sendall(b"fdb show\n")
		data = s.recv(1000)
		time.sleep(0.2)
		subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
		while not data.endswith(b"\n") and (more := s.recv(1 << 20)):
		    data += more
		if data.endswith(b"\n"):
		    keys = [(e["mac"], e.get("vlan")) for e in json.loads(data)["result"]]
		    print(len(keys) > 10000, len(keys) == len(set(keys)))
		else:
		    print("unfinished")
	END
}

# carried NAME BACKEND: hands over; everything is as before.
carried() {
	local before config counted
	before=$(table) config=$(config) counted=$(counter p1 rx_packets)
	check "$1" ctl set backend "$2"
	check "$1-backend" test "$(backend)" = "$2"
	check "$1-addresses" test "$before" = "$(table)"
	check "$1-config" test "$config" = "$(config)"
	check "$1-counters" test "$(counter p1 rx_packets)" -ge "$counted" -a "$(counter p1 rx_packets)" -lt $((counted + 100))
}

# A stream of datagrams while both hand over; what became of it is in udp and strays.
stream() {
	local receiver stray sender
	start in_ns b python3 "$SEQUENCE" receive 7 >"$TMP/udp"
	receiver=$STARTED
	start in_ns c python3 "$SEQUENCE" strays eth0 6 >"$TMP/strays"
	stray=$STARTED
	sleep 0.5
	start in_ns a python3 "$SEQUENCE" send 10.0.0.2 1000 5
	sender=$STARTED
	sleep 1.5
	ctl set backend kernel || return
	sleep 1.5
	ctl set backend user || return
	wait "$sender" "$stray" "$receiver"
	jq -e '.received > 4900 and .lost <= 50 and .gap_ms <= 50' "$TMP/udp"
}

# The times are those of a machine that has nothing else to do: it may take three attempts to find it so.
udp() {
	stream >/dev/null || stream >/dev/null || stream >/dev/null
	check "udp $(cat "$TMP/udp")" jq -e '.received > 4900 and .lost <= 50 and .gap_ms <= 50' "$TMP/udp"
	check "no-flooding ($(cat "$TMP/strays") strays)" test "$(cat "$TMP/strays")" = 0
}

tcp() {
	local server client under=0
	start in_ns b "$TRAFFIC" tcp-server 7000 $BYTES >"$TMP/rate" 2>"$TMP/server"
	server=$STARTED
	wait_for 3 sh -c "ip netns exec $PREFIX-b ss -ltn | grep -q :7000"
	start in_ns a timeout 60 "$TRAFFIC" tcp-client 10.0.0.2 7000 $BYTES 2>"$TMP/client"
	client=$STARTED
	while kill -0 "$client" 2>/dev/null; do
		check tcp-to-kernel ctl set backend kernel
		check tcp-to-user ctl set backend user
		kill -0 "$client" 2>/dev/null && under=$((under + 1))
	done
	check "tcp-under-hand-overs ($under)" test "$under" -ge 2
	wait "$client"
	check tcp-client test $? -eq 0
	wait "$server"
	check tcp-server test $? -eq 0
}

# refused NAME TEXT: the kernel's bridge is refused, with this sentence, and nothing has changed.
refused() {
	ctl set backend kernel 2>"$TMP/refused"
	check "refuses-$1" grep -qF -- "$2" "$TMP/refused"
	check "refuses-$1-changes-nothing" test "$(backend)" = user
	check "refuses-$1-leaves-nothing" gone br0
}

refusals() {
	ctl link add tap:tap0
	refused tap 'tap0: the kernel bridge cannot forward to a TAP that uswitch holds; use tap:tap0,guest'
	ctl link del dev tap0
	ctl link add host:br1
	refused host-port 'the host port br1 cannot be handed over'
	ctl link del dev br1
	ctl link set dev p1 accept tagged
	refused accept 'it has no accept'
	ctl link set dev p1 accept all
	in_ns sw ip link add br0 type bridge
	ctl set backend kernel 2>"$TMP/refused"
	check refuses-a-name-that-is-taken grep -q 'br0: there is a bridge of that name' "$TMP/refused"
	in_ns sw ip link del br0
	check refuses-words sh -c "! '$BUILD/uswitchctl' -S '$SOCKET' set backend magic 2>/dev/null"
	check refuses-beside-settings sh -c "! '$BUILD/uswitchctl' -S '$SOCKET' set backend kernel ageing_time 9s 2>/dev/null"
	check still-forwards in_ns a ping -q -c 1 -W 1 10.0.0.2
}

make
carried to-kernel kernel
check to-kernel-has-a-bridge in_ns sw ip link show br0
check to-kernel-pings in_ns a ping -q -c 1 -W 1 10.0.0.2
check to-kernel-dynamic test "$(in_ns sw bridge fdb show br br0 | grep -c '06:00:.* static')" = 0
check nothing-to-do ctl set backend kernel
printf 'fdb add 06:00:00:00:ff:ff dev q1 dynamic\nfdb show\n' >"$TMP/meanwhile"
check walks-beside-each-other test "$(slowly "$BUILD/uswitchctl" -S "$SOCKET" -b "$TMP/meanwhile")" = 'True True'
check walk-ends-with-its-backend test "$(slowly "$BUILD/uswitchctl" -S "$SOCKET" set backend user)" = unfinished
check back-to-kernel ctl set backend kernel
carried to-user user
check to-user-has-no-bridge gone br0
check to-user-pings in_ns a ping -q -c 1 -W 1 10.0.0.2
udp
tcp
refusals
check tap-is-still-there in_ns sw ip link show t0
kill "$SWITCH"
wait "$SWITCH"
check ends test $? -eq 0
check tap-goes-with-the-switch gone t0
grep 'without forwarding' "$TMP/sw.log" | sed 's/^/  /'
finish
