#!/bin/bash
# SPDX-License-Identifier: MIT
# A tag crosses the switch with its TPID, whatever kind of port it comes in and goes out through.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
TRAFFIC=$(tool traffic)

ns sw a b c
veth a eth0 sw p1
veth b eth0 sw p2
switch sw -p p1 -p p2 -p tap0
move sw tap0 c
ip -n "$PREFIX-c" link set tap0 name eth0
ip -n "$PREFIX-c" link set eth0 up
wait_for 3 sh -c "'$BUILD/uswitchctl' -S '$SOCKET' -j link show | jq -e 'all(.state == \"forwarding\")'"

# crosses NAME FROM TO TAGS...: a broadcast frame with these tags must arrive as it was.
crosses() {
	local name=$1 from=$2 to=$3 frame=ffffffffffff0200000000${RANDOM:0:2}${4}88b5deadbeef
	in_ns "$to" "$TRAFFIC" sniff eth0 0.6 >"$TMP/seen" &
	local sniffer=$!
	sleep 0.2
	in_ns "$from" "$TRAFFIC" frame eth0 "$frame"
	wait $sniffer
	if grep -q "^$frame" "$TMP/seen"; then
		pass "$name"
	else
		fail "$name: sent $frame, seen $(tr '\n' ' ' <"$TMP/seen")"
	fi
}

for path in "packet-packet a b" "packet-tap a c" "tap-packet c b"; do
	read -r name from to <<<"$path"
	crosses "$name-8021q" "$from" "$to" 8100a00a
	crosses "$name-8021ad" "$from" "$to" 88a8700a
	crosses "$name-priority" "$from" "$to" 8100e000
	crosses "$name-qinq" "$from" "$to" 88a8006481000fff
done
finish
