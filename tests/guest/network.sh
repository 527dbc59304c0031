#!/bin/sh
# Runs in the guest: the kernel has all that tests of switches need. Part of test-harness.sh.

# check NAME COMMAND...: COMMAND must succeed.
check()
{
	name=$1
	shift
	if message=$("$@" 2>&1); then
		echo "PASS $name"
	else
		echo "FAIL $name: $message"
	fi
}

# host NAME ADDRESS: a namespace whose eth0 is the other end of the veth NAME.
host()
{
	ip netns add "$1" && ip link add "$1" type veth peer name eth0 netns "$1" &&
		ip -n "$1" addr add "$2/24" dev eth0 && ip -n "$1" link set eth0 up &&
		ip link set "$1" up
}

# ping_from HOST ADDRESS
ping_from()
{
	ip netns exec "$1" ping -q -c 1 -W 2 "$2"
}

tap()
{
	ip tuntap add tap0 mode tap && ip link set tap0 up && ip link set tap0 master br0 &&
		bridge vlan add dev tap0 vid 100-200 && bridge -compressvlans vlan show dev tap0 | grep 100-200
}

vlan_device()
{
	ip -n h3 link add link eth0 name eth0.10 type vlan id 10 &&
		ip -n h3 addr add 10.0.10.3/24 dev eth0.10 && ip -n h3 link set eth0.10 up &&
		bridge vlan add dev h3 vid 10
}

check "veth" host h1 10.0.10.1
check "second veth" host h2 10.0.10.2
check "third veth" host h3 10.0.99.3
check "bridge" ip link add br0 type bridge vlan_filtering 1 vlan_stats_enabled 1
ip link set br0 up
for port in h1 h2 h3; do
	ip link set $port master br0
done
check "ping within VLAN 1" ping_from h1 10.0.10.2
bridge vlan del dev h2 vid 1
check "other VLAN" sh -c '! ip netns exec h1 ping -q -c 1 -W 1 10.0.10.2'
check "access port" bridge vlan add dev h1 vid 10 pvid untagged
check "VLAN device" vlan_device
check "ping to a VLAN device through a tagged port" ping_from h1 10.0.10.3
check "TAP as a port" tap
check "statistics of a VLAN" sh -c 'bridge -s vlan show dev h1 vid 10 | grep -q "RX: [1-9]"'
check "802.1ad" ip link set br0 type bridge vlan_protocol 802.1ad
check "dummy" ip link add dummy0 type dummy
check "macvlan" ip link add link dummy0 name macvlan0 type macvlan
check "vxlan" ip link add vxlan0 type vxlan id 1 dstport 4789 dev lo
check "clsact" tc qdisc add dev h1 clsact
check "tc vlan" tc filter add dev h1 ingress protocol all matchall action vlan push id 5
