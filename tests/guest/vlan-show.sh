#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the guest: the same words to bridge(8) and to uswitchctl give the same answers, `vlan show` and `monitor vlan` say
# the same, in text and in JSON. Part of test-vlan.sh, and with the argument `kernel` of test-kernel.sh. In namespace k is a
# kernel bridge, in u is uswitch, both named br0 with ports p1 to p4.
#
# Different on purpose, hence left out of the comparison: uswitch has no multicast router ports yet (mcast_router); a range
# after `vlan show vid` means all of it, not its first VLAN; refusals that the kernel words have words of their own; in
# which order ports follow a new vlan_default_pvid.

ctl() { uswitchctl -S /run/u.sock "$@"; }

# is NAME WANTED SEEN
is() {
	[ "$2" = "$3" ] && echo "PASS $1" && return
	echo "FAIL $1"
	printf 'bridge: %s\nuswitch: %s\n' "$2" "$3" | sed 's/^/    | /'
}

known() {
	sed -e 's/mcast_router 1 //' -e 's/,"mcast_router":1//g'
}

wait_for() {
	for _ in $(seq 400); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.02
	done
	echo "FAIL waiting for: $*"
}

make() {
	sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1
	for ns in k u; do
		ip netns add $ns
		ip netns exec $ns sysctl -qw net.ipv6.conf.default.disable_ipv6=1
		# first, since bridge(8) lists in the order of interfaces and uswitch its host port before the others
		[ $ns = u ] || ip -n k link add br0 address 02:00:00:00:00:bb type bridge mcast_snooping 0 \
			vlan_filtering 1 vlan_stats_enabled 1
		for i in 1 2 3 4; do
			ip -n $ns link add h$i address 02:00:00:00:01:0$i type veth peer name p$i address 02:00:00:00:00:0$i
			ip -n $ns link set h$i up
			ip -n $ns link set p$i up
		done
	done
	for i in 1 2 3 4; do
		ip -n k link set p$i master br0
	done
	ip -n k link set br0 up
	ip netns exec u uswitch -b "$backend" -S /run/u.sock -l -p p1 -p p2 -p p3 -p p4 2>/run/u.log &
	wait_for ctl version
	ip -n u link set br0 address 02:00:00:00:00:bb up
	ctl set vlan_filtering 1 vlan_stats_enabled 1
	wait_for sh -c "uswitchctl -S /run/u.sock -j link show | jq -e 'all(.state == \"forwarding\")'"
	wait_for sh -c "! bridge -n k link | grep -v forwarding"
}

# same FLAGS WORDS...: the answer to `vlan show WORDS...` with FLAGS.
same() {
	flags=$1
	shift
	# shellcheck disable=SC2086
	is "$flags vlan show $*" "$(bridge -n k $flags vlan show "$@" 2>&1 | known)" "$(ctl $flags vlan show "$@" 2>&1)"
}

# Both tables in every form that there is.
compare() {
	for flags in "" "-j" "-d" "-j -d" "-s" "-j -s" "-compressvlans" "-j -compressvlans" "-j -compressvlans -d" \
		"-compressvlans -d" "-s -compressvlans" "-c" "-d -s" "-j -d -s"; do
		same "$flags"
	done
	for flags in "-j" "-j -d" "-j -s" "-compressvlans"; do
		same "$flags" dev p1
		same "$flags" dev p4
		same "$flags" vid 10
		same "$flags" dev p2 vid 10
	done
}

# both WORDS...: does it on both sides; the exit status must be the same.
both() {
	bridge -n k "$@" >/run/k.out 2>&1
	status=$?
	ctl "$@" >/run/u.out 2>&1
	is "status $status: $*" "$status" $?
}

# says WORDS...: the same, and the message must be, too.
says() {
	both "$@"
	is "message: $*" "$(cat /run/k.out)" "$(cat /run/u.out)"
}

frame() {
	ip netns exec k probe "$@" >/run/k.out 2>&1
	ip netns exec u probe "$@" >/run/u.out 2>&1
	is "frame $*: $(cat /run/k.out)" "$(cat /run/k.out)" "$(cat /run/u.out)"
}

tables() {
	same ""
	both vlan add vid 10-20 dev p1
	both vlan add dev p2 vid 10 pvid untagged
	both vlan add vid 10-12 untagged dev p3
	both vlan add vid 10 dev br0 self
	both vlan add vid 30 dev p2
	both vlan add vid 4094 dev p2
	both vlan del vid 1 dev p4
	both vlan set vid 12-13 dev p1 state blocking
	both vlan set vid 15 dev p1 state learning
	frame h1 h2 h3 h4 br0
	frame -l 100 -t 8100:10p3 h2 h3 h4 br0
	frame -i h2 -l 200 h1 h3 h4 br0
	frame -i br0 -t 8100:10 h1 h2 h3 h4
	compare
	both vlan del vid 11-14 dev p1
	both vlan add vid 10 dev p2 pvid
	both vlan del vid 1-4094 dev p3
	same "-j -d"
}

refusals() {
	says vlan add vid 5000 dev p1
	says vlan add vid 10-5 dev p1
	says vlan add vid 10-12 pvid dev p1
	both vlan add vid 10 dev nosuch
	both vlan del vid 10 dev nosuch
	says vlan show dev nosuch
	says vlan del vid 99 dev p1
	says vlan del vid 90-4094 dev p1
	both vlan add vid 0 dev p1
	both vlan add vid 4095 dev p1
	both vlan add vid 4094-4095 dev p1
	both vlan add vid x dev p1
	both vlan add vid 10 dev p1 self
	both vlan add vid 10
	both vlan add dev p1
	both vlan set vid 99 dev p1 state blocking
	both vlan set vid 10 dev p1 state nosuch
	both vlan set vid 10 dev p1 state 9
	same "-j -d"
}

# heard TEXT: both monitors have printed it. bridge(8) prints a page at a time, so others must follow.
heard() {
	for ns in k u; do
		bridge -n k -force -b /run/noise
		ctl -force -b /run/noise
	done
	sleep 0.1
	grep -q "$1" /run/k.mon && grep -q "$1" /run/u.mon
}

# What monitors say about some changes. Both start with the same VLANs.
monitors() {
	for i in $(seq 20); do
		echo "vlan add vid 4003 dev p4"
		echo "vlan del vid 4003 dev p4"
	done >/run/noise
	bridge -n k monitor vlan >/run/k.mon 2>&1 &
	uswitchctl -S /run/u.sock monitor vlan >/run/u.mon 2>&1 &
	wait_for heard 4003
	both vlan add vid 4001 dev p1
	both vlan add vid 40-45 dev p1
	both vlan add vid 40-45 dev p1
	both vlan add vid 44-47 dev p1
	both vlan add vid 40-43 dev p1 untagged
	both vlan add vid 50 dev p1 pvid untagged
	both vlan add vid 51 dev p1 pvid
	both vlan del vid 42 dev p1
	both vlan del vid 40-60 dev p1
	both vlan del vid 40-60 dev p1
	both vlan set vid 10 dev p1 state blocking
	both vlan set vid 10 dev p1 state blocking
	both vlan set vid 16-19 dev p1 state disabled
	both vlan add vid 10 dev p1
	both vlan del vid 16-18 dev p1
	both vlan add vid 60-62 dev br0 self
	both vlan del vid 60-62 dev br0 self
	both vlan add vid 4004 dev p1
	for pvid in 20 0 30 1; do
		ip -n k link set br0 type bridge vlan_default_pvid $pvid
		ctl set vlan_default_pvid $pvid
	done
	both vlan add vid 4005 dev p1
	ip -n k link set br0 type bridge vlan_protocol 802.1ad
	ctl set vlan_protocol 802.1ad
	ip -n k link set br0 type bridge vlan_filtering 0
	ctl set vlan_filtering 0
	ip -n k link set p2 nomaster
	ctl link del dev p2
	ip -n k link set p2 master br0
	ctl link add p2
	both vlan add vid 4002 dev p1
	wait_for heard 4002
	events "monitor vlan" 4001 4004 cat
	events "monitor vlan: vlan_default_pvid, in any order" 4004 4005 sort
	events "monitor vlan: settings, port leaves and joins" 4005 4002 cat
}

# events NAME FROM TO ORDER: what both monitors printed between the news of VLANs FROM and TO, an event a line.
events() {
	for ns in k u; do
		sed -n "/$2/,/$3/p" /run/$ns.mon | known | paste - - | $4 >/run/$ns.events
	done
	if diff /run/k.events /run/u.events >/run/diff && [ -s /run/k.events ]; then
		echo "PASS $1: $(wc -l </run/k.events) events"
	else
		echo "FAIL $1"
		sed 's/^/    | /' /run/diff
	fi
}

backend=${1:-user}
make
tables
refusals
monitors
