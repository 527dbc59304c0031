#!/bin/bash
# SPDX-License-Identifier: MIT
# Two switches that a stream socket links, so that TCP arrives in segments: towards a TAP or a veth pair they are joined, in
# batches as they come, and no byte is lost or changed.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need ping jq
TRAFFIC=$(tool traffic)
BYTES=$((40 << 20))

ns sw1 sw2 a b c
veth b eth0 sw1 p1
switch sw1 -p tap0 -p p1 -p "stream:unix:$TMP/link,listen,name=link"
near=$SOCKET
switch sw2 -p tap0 -p "stream:unix:$TMP/link,name=link"
move sw1 tap0 a
move sw2 tap0 c
for i in 1:a 3:c; do ip -n "$PREFIX-${i#*:}" link set tap0 name eth0; done
for i in 1:a 2:b 3:c; do
	in_ns "${i#*:}" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6'
	address "${i#*:}" eth0 "10.9.0.${i%:*}/24"
	ip -n "$PREFIX-${i#*:}" address add "fd00:9::${i%:*}/64" dev eth0 nodad
done
SOCKET=$near
check linked wait_for 5 in_ns c ping -c 1 -W 1 10.9.0.1

# joins NAME PORT HOST ADDRESS: TCP from host c through the link to the host, which is behind the port.
joins() {
	local name=$1 port=$2 host=$3 address=$4 server status frames segments
	frames=$(counter "$port" tx_packets) segments=$(counter "$port" tx_segments)
	start in_ns "$host" "$TRAFFIC" tcp-server 7000 $BYTES >"$TMP/rate" 2>"$TMP/server"
	server=$STARTED
	wait_for 3 sh -c "ip netns exec $PREFIX-$host ss -ltn | grep -q :7000"
	in_ns c timeout 30 "$TRAFFIC" tcp-client "$address" 7000 $BYTES 2>"$TMP/client"
	status=$?
	[ $status = 0 ] || kill $server
	if wait $server && [ $status = 0 ]; then
		pass "$name ($(cat "$TMP/rate") Mbit/s)"
	else
		fail "$name: $(cat "$TMP/server" "$TMP/client" | tr '\n' ' ')"
	fi
	frames=$(($(counter "$port" tx_packets) - frames)) segments=$(($(counter "$port" tx_segments) - segments))
	if [ "$frames" -gt $((3 * segments)) ] && [ "$frames" -gt $((BYTES / 1500)) ]; then
		pass "$name-joined ($frames frames in $segments)"
	else
		fail "$name-joined: $frames frames were sent in $segments"
	fi
}

joins tap tap0 a 10.9.0.1
joins tap-ipv6 tap0 a fd00:9::1
joins packet p1 b 10.9.0.2
joins packet-ipv6 p1 b fd00:9::2
check balance test "$(ctl -j stats | jq 'all(.ports[]; .queued == .tx_packets + (.drop_out | add))')" = true
finish
