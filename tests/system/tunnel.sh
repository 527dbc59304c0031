#!/bin/bash
# SPDX-License-Identifier: MIT
# Hosts talk through VXLAN tunnels over the switch, with all offloads on: super-frames and half checksums inside a tunnel, whose
# own checksum is there or not, are finished in software. Payload is verified byte by byte.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need ping jq
TRAFFIC=$(tool traffic)
BYTES=$((8 << 20))

ns sw far a b c d
veth a eth0 sw p1
veth b eth0 sw p2
veth d eth0 far p1
switch far -p p1 -p "stream:unix:$TMP/link,listen,name=link" # a switch behind a port without any offloads
switch sw -p p1 -p p2 -p tap0 -p "stream:unix:$TMP/link,name=link"
move sw tap0 c
ip -n "$PREFIX-c" link set tap0 name eth0
for i in 1:a 2:b 3:c 4:d; do
	in_ns "${i#*:}" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6'
	address "${i#*:}" eth0 "10.9.0.${i%:*}/24"
	ip -n "$PREFIX-${i#*:}" address add "fd00:9::${i%:*}/64" dev eth0 nodad
done

# tunnel HOST NUMBER NUMBER PREFIX OPTION...: a tunnel to the other one, over the network of that prefix.
tunnel() {
	local host=$1 from=$2 to=$3 prefix=$4
	shift 4
	ip -n "$PREFIX-$host" link add vx0 type vxlan id 42 dstport 4789 local "$prefix$from" remote "$prefix$to" "$@" || return
	in_ns "$host" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/vx0/disable_ipv6'
	ip -n "$PREFIX-$host" address add "10.8.0.$from/24" dev vx0
	ip -n "$PREFIX-$host" address add "fd00:8::$from/64" dev vx0 nodad
	ip -n "$PREFIX-$host" link set vx0 up
}

# tcp NAME FROM TO ADDRESS
tcp() {
	local name=$1 from=$2 to=$3 address=$4 server status
	start in_ns "$to" "$TRAFFIC" tcp-server 7000 $BYTES >"$TMP/rate" 2>"$TMP/server"
	server=$STARTED
	wait_for 3 sh -c "ip netns exec $PREFIX-$to ss -ltn | grep -q :7000"
	in_ns "$from" timeout 10 "$TRAFFIC" tcp-client "$address" 7000 $BYTES 2>"$TMP/client"
	status=$?
	[ $status = 0 ] || kill $server
	if wait $server && [ $status = 0 ]; then
		pass "$name ($(cat "$TMP/rate") Mbit/s)"
	else
		fail "$name: $(cat "$TMP/server" "$TMP/client" | tr '\n' ' ')"
	fi
}

# udp NAME FROM TO ADDRESS: super-datagrams, which the kernel leaves whole where it can.
udp() {
	local name=$1 from=$2 to=$3 address=$4 server
	start in_ns "$to" "$TRAFFIC" udp-server 7001 400 5 >"$TMP/count" 2>"$TMP/server"
	server=$STARTED
	wait_for 3 sh -c "ip netns exec $PREFIX-$to ss -lun | grep -q :7001"
	in_ns "$from" "$TRAFFIC" udp-client "$address" 7001 400 1300 40 2>"$TMP/client"
	if wait $server; then
		pass "$name"
	else
		fail "$name: $(cat "$TMP/count") of 400 datagrams; $(cat "$TMP/server" "$TMP/client" | tr '\n' ' ')"
	fi
}

# path NAME HOST NUMBER HOST NUMBER PREFIX OPTION...: everything through one tunnel, both ways.
path() {
	local name=$1 a=$2 an=$3 b=$4 bn=$5
	if ! { tunnel "$a" "$an" "$bn" "${@:6}" && tunnel "$b" "$bn" "$an" "${@:6}"; } 2>"$TMP/tunnel"; then
		fail "$name: no tunnel: $(tr '\n' ' ' <"$TMP/tunnel")"
		return
	fi
	if check "ping-$name" wait_for 5 in_ns "$a" ping -c 2 -i 0.05 -W 2 "10.8.0.$bn"; then
		tcp "tcp4-$name" "$a" "$b" "10.8.0.$bn"
		tcp "tcp6-$name" "$b" "$a" "fd00:8::$an"
		tcp "tcp4-$name-back" "$b" "$a" "10.8.0.$an"
		udp "udp-segments-$name" "$a" "$b" "10.8.0.$bn"
		udp "udp-segments6-$name" "$b" "$a" "fd00:8::$an"
	fi
	ip -n "$PREFIX-$a" link del vx0
	ip -n "$PREFIX-$b" link del vx0
}

for hosts in "packet-packet a 1 b 2" "packet-tap a 1 c 3" "packet-stream a 1 d 4"; do
	read -r name from from_number to to_number <<<"$hosts"
	set -- "$from" "$from_number" "$to" "$to_number"
	path "$name" "$@" 10.9.0. noudpcsum
	path "$name-checksum" "$@" 10.9.0. udpcsum
	path "$name-over6" "$@" fd00:9::
	path "$name-over6-without" "$@" fd00:9:: udp6zerocsumtx udp6zerocsumrx
done

# A rare frame may be lost on the way to a full queue, but none because it could not be finished.
check nothing-refused test "$(ctl -j stats | jq '[.ports[] | .drop_out | (.offload // 0) + (.error // 0)] | add')" = 0
finish
