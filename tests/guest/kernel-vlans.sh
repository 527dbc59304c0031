#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the guest: the kernel backend makes what options and file say, and iproute2 says the same of the bridge as
# uswitchctl does. Part of test-kernel.sh.

ctl() { uswitchctl -S /run/u.sock "$@"; }

# is NAME WANTED SEEN
is() {
	[ "$2" = "$3" ] && echo "PASS $1" && return
	echo "FAIL $1"
	printf 'want: %s\n got: %s\n' "$2" "$3" | sed 's/^/    | /'
}

wait_for() {
	for _ in $(seq 400); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.02
	done
	echo "FAIL waiting for: $*"
}

# start OPTION...
start() {
	uswitch -b kernel -S /run/u.sock "$@" 2>>/run/u.log &
	pid=$!
	wait_for ctl version
}

stop() {
	kill $pid
	wait $pid
	is "ends" 0 $?
}

sorted() { jq -cS 'sort_by(tostring)'; }

# What iproute2 has and uswitch has not is left out.
like_iproute2() {
	is "$1: fdb" "$(bridge -j fdb show br br0 | jq '[.[] | select(.master)]' | sorted)" "$(ctl -j fdb show | sorted)"
	is "$1: vlan" "$(bridge -j vlan show | sorted)" "$(ctl -j vlan show | sorted)"
	is "$1: ranges" "$(bridge -j -compressvlans vlan show | sorted)" "$(ctl -j -compressvlans vlan show | sorted)"
	for key in ageing_time vlan_filtering vlan_protocol vlan_default_pvid vlan_stats_enabled vlan_stats_per_port \
		group_fwd_mask group_addr no_linklocal_learn; do
		is "$1: $key" "$(ip -d -j link show br0 | jq ".[0].linkinfo.info_data.$key")" "$(ctl -j show | jq ".$key")"
	done
}

# A kernel without bridges: its module cannot be loaded.
modprobe=$(cat /proc/sys/kernel/modprobe)
echo /nonexistent >/proc/sys/kernel/modprobe
modprobe -r br_netfilter bridge 2>/dev/null
is "no bridge" "uswitch: error: br0: this kernel has no bridge (CONFIG_BRIDGE, modprobe bridge)" \
	"$(uswitch -b kernel -S /run/u.sock 2>&1)"
echo "$modprobe" >/proc/sys/kernel/modprobe

sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1
for i in 1 2 3 4; do
	ip link add h$i type veth peer name p$i
	ip link set h$i up
	ip link set p$i up
done

start -p p1,access=10 -p p2,trunk=10-20+30 -p p3,trunk=100-150,native=5 -p p4 -l
wait_for sh -c "! bridge link | grep -v forwarding"
is "access" '[{"vlan":10,"flags":["PVID","Egress Untagged"]}]' "$(bridge -j vlan show dev p1 | jq -c '.[0].vlans')"
is "native" '[{"vlan":5,"flags":["PVID","Egress Untagged"]},{"vlan":100,"vlanEnd":150}]' \
	"$(bridge -j -compressvlans vlan show dev p3 | jq -c '.[0].vlans | map(if .flags == [] then del(.flags) else . end)')"
like_iproute2 modes
ctl fdb add 02:00:00:00:00:01 dev p2 static
ctl fdb add 02:00:00:00:00:02 dev p2 vlan 10 static
ctl fdb add 02:00:00:00:00:03 dev p2 vlan 10 dynamic
ctl fdb add 02:00:00:00:00:04 dev br0 local
is "entry in every VLAN" 13 "$(bridge fdb show br br0 | grep -c '00:01 dev p2 .*master')"
ctl set vlan_stats_enabled 1 vlan_default_pvid 20
ctl vlan set vid 12-14 dev p2 state blocking
ctl vlan del vid 15-16 dev p2
like_iproute2 changed
is "states" "$(bridge -j -d vlan show dev p2 | jq -c '[.[0].vlans[] | [.vlan, .vlanEnd, .state]]')" \
	"$(ctl -j -d vlan show dev p2 | jq -c '[.[0].vlans[] | [.vlan, .vlanEnd, .state]]')"
ctl show config >/run/config
stop
start -c /run/config
ctl show config >/run/again
is "round trip" "" "$(diff /run/config /run/again)"
like_iproute2 loaded
is "entry in every VLAN again" 11 "$(bridge fdb show br br0 | grep -c '00:01 dev p2 .*master')"
ctl fdb add 02:00:00:00:00:09 dev p2 vlan 10 dynamic
ctl fdb flush dev p2 vlan 10
is "flush of a VLAN" "" "$(bridge fdb show | grep 00:09)"
is "flush spares static" 1 "$(bridge fdb show | grep -c '00:02 dev p2 vlan 10')"
is "flush of VLAN 0 is refused by name" "vlan 0: the kernel's bridge cannot flush it alone" "$(ctl fdb flush dev p2 vlan 0 2>&1)"
is "entry in VLAN 0 alone" "" "$(ctl fdb add 02:00:00:00:00:0a dev p2 vlan 0 static 2>&1; bridge fdb show | grep '00:0a.*vlan')"
is "dynamic entry in VLAN 0 alone is refused" 255 "$(ctl fdb add 02:00:00:00:00:0b dev p2 vlan 0 dynamic 2>/dev/null; echo $?)"
is "VLAN that the port lacks" "VLAN 99 is not configured on p1" "$(ctl fdb add 02:00:00:00:00:0c dev p1 vlan 99 static 2>&1)"
is "kernel's own words" "set vlan_stats_per_port 1: Device or resource busy" \
	"$(ctl set vlan_stats_per_port 1 2>&1)"
like_iproute2 end
bridge vlan del vid 18-20 dev p2
bridge vlan add vid 7 dev p1
is "drift" '["vlan del vid 7 dev p1","vlan add vid 18-20 dev p2"]' "$(ctl -j show | jq -c .drift)"
ctl repair >/run/repair
is "repair" "" "$(ctl -j show | jq -r '.drift // empty')"
like_iproute2 repaired
ctl vlan add vid 1-4094 dev p4
is "every VLAN" 4094 "$(bridge vlan show dev p4 | grep -c "[0-9]$")"
stop

# The hand-over: VLANs, their states and entries are the same on the other side.
state() { ctl -j -d vlan show | sorted; ctl fdb show | sort; ctl show config; }
uswitch -b user -S /run/u.sock -p p1,access=10 -p p2,trunk=10-20+30 -p p3,trunk=100-150,native=5 -p p4 2>>/run/u.log &
pid=$!
wait_for ctl version
wait_for sh -c "uswitchctl -S /run/u.sock -j link show | jq -e 'all(.state == \"forwarding\")'"
ctl vlan set vid 12-14 dev p2 state blocking
ctl fdb add 02:00:00:00:00:02 dev p2 vlan 10 static
ctl fdb add 02:00:00:00:00:03 dev p2 vlan 10 dynamic
ctl fdb add 02:00:00:00:00:04 dev p3 vlan 5 dynamic
state >/run/before
ctl set backend kernel
is "handed over" kernel "$(ctl -j show | jq -r .backend)"
state >/run/after
is "to the kernel: the same" "" "$(diff /run/before /run/after)"
is "dynamic again" "02:00:00:00:00:03 vlan 10 master br0 " "$(bridge fdb show brport p2 dynamic | grep 00:03)"
ctl set backend user
state >/run/after
is "and back: the same" "" "$(diff /run/before /run/after)"
stop
is "leaves nothing" "" "$(ip -br link show br0 2>/dev/null)"
