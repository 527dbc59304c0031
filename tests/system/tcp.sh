#!/bin/bash
# SPDX-License-Identifier: MIT
# Two hosts talk through the switch with all offloads on: TAP to TAP, TAP to AF_PACKET, AF_PACKET to AF_PACKET. Payload is verified
# byte by byte; and TCP's super-frames must cross in one piece.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need ping jq
TRAFFIC=$(tool traffic)
BYTES=$((200 << 20))

ns sw a b c d
veth a eth0 sw p1
veth b eth0 sw p2
switch sw -p p1 -p p2 -p tap0 -p tap1
move sw tap0 c
move sw tap1 d
ip -n "$PREFIX-c" link set tap0 name eth0
ip -n "$PREFIX-d" link set tap1 name eth0
for i in 1:a 2:b 3:c 4:d; do address "${i#*:}" eth0 "10.9.0.${i%:*}/24"; done

# tcp NAME FROM TO ADDRESS: sends, and waits at the receiver for frames of more than 30,000 bytes, which are many there.
tcp() {
	local name=$1 from=$2 to=$3 to_address=$4 server capture served client
	start in_ns "$to" "$TRAFFIC" tcp-server 7000 $BYTES >"$TMP/rate" 2>"$TMP/server"
	server=$STARTED
	start in_ns "$to" "$TRAFFIC" long eth0 30000 50 20 >"$TMP/long" 2>"$TMP/capture"
	capture=$STARTED
	wait_for 3 grep -q listening "$TMP/capture"
	wait_for 3 sh -c "ip netns exec $PREFIX-$to ss -ltn | grep -q :7000"
	in_ns "$from" timeout 60 "$TRAFFIC" tcp-client "$to_address" 7000 $BYTES 2>"$TMP/client"
	client=$?
	[ $client = 0 ] || kill $server
	wait $server
	served=$?
	if [ $served != 0 ] || [ $client != 0 ]; then
		fail "$name: $(cat "$TMP/server" "$TMP/client" | tr '\n' ' ')"
		kill $capture
		return
	fi
	pass "$name ($(cat "$TMP/rate") Mbit/s)"
	if wait $capture; then
		pass "$name-super-frames"
	else
		fail "$name-super-frames: $(cat "$TMP/long") of 50 frames longer than 30000 bytes"
	fi
}

# both NAME FROM ADDRESS TO ADDRESS
both() {
	check "ping-$1" in_ns "$2" ping -c 3 -i 0.05 -W 1 "$5" || return
	tcp "tcp-$1" "$2" "$4" "$5"
	tcp "tcp-$1-back" "$4" "$2" "$3"
}

both packet-packet a 10.9.0.1 b 10.9.0.2
both tap-tap c 10.9.0.3 d 10.9.0.4
both tap-packet c 10.9.0.3 a 10.9.0.1

# udp NAME FROM TO ADDRESS COUNT SIZE [SEGMENTS]
udp() {
	local name=$1 from=$2 to=$3 to_address=$4 server
	shift 4
	start in_ns "$to" "$TRAFFIC" udp-server 7001 "$1" 5 >"$TMP/count" 2>"$TMP/server"
	server=$STARTED
	wait_for 3 sh -c "ip netns exec $PREFIX-$to ss -lun | grep -q :7001"
	in_ns "$from" "$TRAFFIC" udp-client "$to_address" 7001 "$@" 2>"$TMP/client"
	if wait $server; then
		pass "$name"
	else
		fail "$name: $(cat "$TMP/count") of $1 datagrams; $(cat "$TMP/server" "$TMP/client" | tr '\n' ' ')"
	fi
}

for path in "a b 2 packet-packet" "c d 4 tap-tap" "c a 1 tap-packet" "a c 3 packet-tap"; do
	read -r from to number name <<<"$path"
	udp "udp-$name" "$from" "$to" "10.9.0.$number" 1000 1400
	udp "udp-fragments-$name" "$from" "$to" "10.9.0.$number" 100 30000
	udp "udp-segments-$name" "$from" "$to" "10.9.0.$number" 1000 1400 40
done

check no-drops test "$(ctl -j stats | jq '[.ports[].drop_out | add] | add')" = 0
finish
