#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the guest: TCP between hosts of which one has a VLAN device and the other is on an access port, and between a
# customer with VLANs of his own and the provider who carries them in a service VLAN; with all offloads on, over veth
# and TAP. The payload is verified byte by byte, and the receiver must see super-frames. Part of test-vlan.sh.
BYTES=$((6 << 20))

# host NAME: a namespace without IPv6's chatter.
host() {
	ip netns add "$1"
	ip netns exec "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	ip -n "$1" link set lo up
}

# wire NAME PORT: host NAME has the other end of the veth PORT of the switch.
wire() {
	host "$1"
	ip -n sw link add "$2" type veth peer name eth0 netns "$1"
	ip -n sw link set "$2" up
	ip -n "$1" link set eth0 up
}

# tap NAME PORT: host NAME gets the TAP that the switch made.
tap() {
	host "$1"
	ip -n sw link set "$2" netns "$1"
	ip -n "$1" link set "$2" name eth0
	ip -n "$1" link set eth0 up
}

# vlan HOST LOWER VID [PROTOCOL]: a VLAN device on LOWER, named LOWER.VID.
vlan() {
	ip -n "$1" link add link "$2" name "$2.$3" type vlan id "$3" protocol "${4:-802.1Q}"
	ip -n "$1" link set "$2.$3" up
}

address() { ip -n "$1" addr add "10.9.0.$3/24" dev "$2"; }

counter() { ip netns exec "$1" cat "/sys/class/net/eth0/statistics/$2"; }

# tcp NAME FROM TO NUMBER: sends to 10.9.0.NUMBER of host TO; what it got must be longer than frames are.
tcp() {
	bytes=$(counter "$3" rx_bytes) frames=$(counter "$3" rx_packets)
	ip netns exec "$3" traffic tcp-server 7000 $BYTES >/run/rate 2>/run/server &
	server=$!
	for _ in $(seq 200); do
		ip netns exec "$3" grep -q ':1B58 .* 0A ' /proc/net/tcp && break
		sleep 0.02
	done
	ip netns exec "$2" timeout 30 traffic tcp-client "10.9.0.$4" 7000 $BYTES 2>/run/client
	client=$?
	[ $client = 0 ] || kill $server
	if ! wait $server || [ $client != 0 ]; then
		echo "FAIL tcp $1: $(cat /run/server /run/client)"
		return
	fi
	bytes=$(($(counter "$3" rx_bytes) - bytes)) frames=$(($(counter "$3" rx_packets) - frames))
	if [ $((bytes / frames)) -gt 3000 ]; then
		echo "PASS tcp $1 ($(cat /run/rate) Mbit/s, $((bytes / frames)) bytes a frame)"
	else
		echo "FAIL tcp $1: $((bytes / frames)) bytes a frame: super-frames were cut"
	fi
}

both() {
	tcp "$1" "$2" "$4" "$5"
	tcp "$1, back" "$4" "$2" "$3"
}

start() {
	ip netns exec sw uswitch -S /run/sw.sock "$@" 2>/run/sw.log &
	switch=$!
	for _ in $(seq 200); do
		uswitchctl -S /run/sw.sock version >/dev/null 2>&1 && return
		sleep 0.02
	done
	echo "FAIL uswitch does not start: $(cat /run/sw.log)"
}

# How many frames the switch dropped on their way out, and where.
no_drops() {
	drops=$(uswitchctl -S /run/sw.sock -j stats | jq -c '[.ports[] | {p: .ifname, d: (.drop_out | with_entries(select(.value > 0)))} |
		select(.d != {})]')
	[ "$drops" = '[]' ] && echo "PASS no drops: $1" || echo "FAIL drops: $1: $drops"
}

customer_vlans() {
	wire a p1
	wire b p2
	start -p p1,trunk=10-12 -p p2,access=10 -p tap0,access=10 -p tap1,trunk=10
	tap c tap0
	tap d tap1
	vlan a eth0 10
	vlan d eth0 10
	address a eth0.10 1
	address b eth0 2
	address c eth0 3
	address d eth0.10 4
	both "packet trunk, packet access" a 1 b 2
	both "TAP trunk, TAP access" d 4 c 3
	both "packet trunk, TAP access" a 1 c 3
	both "TAP trunk, packet access" d 4 b 2
	both "packet trunk, TAP trunk" a 1 d 4
	no_drops "802.1Q"
	kill $switch
	wait $switch
	for name in a b c d; do ip netns del $name; done
}

# The provider's links carry four bytes more.
service_vlans() {
	wire a q1
	wire b q2
	ip -n sw link set q2 mtu 1504
	ip -n b link set eth0 mtu 1504
	echo 'set vlan_protocol 802.1ad' >/run/sw.conf
	start -c /run/sw.conf -p q1,qinq=100 -p q2,trunk=100 -p tap2,qinq=100 -p tap:tap3,mtu=1504,trunk=100
	tap c tap2
	tap d tap3
	for name in a c; do vlan $name eth0 10; done
	for name in b d; do
		vlan $name eth0 100 802.1ad
		vlan $name eth0.100 10
	done
	for name in b d; do ip -n $name link set eth0.100 mtu 1504; done
	address a eth0.10 1
	address b eth0.100.10 2
	address c eth0.10 3
	address d eth0.100.10 4
	both "packet QinQ, packet service trunk" a 1 b 2
	both "TAP QinQ, TAP service trunk" c 3 d 4
	both "TAP QinQ, packet service trunk" c 3 b 2
	both "packet QinQ, TAP service trunk" a 1 d 4
	no_drops "802.1ad"
	kill $switch
	wait $switch
}

host sw
customer_vlans
service_vlans
