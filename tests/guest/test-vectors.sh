#!/bin/sh
# What the kernel's VLAN-filtering bridge does, as uswitch believes it. Names with a number (42 to 52)
# are the test vectors for VLANs; the others are details that they rest on.
# Usage, on the host: tests/guest/test-vectors.sh [options for run]

if [ ! -x /test/probe ]; then
	here=$(dirname "$0")
	tmp=$(mktemp -d) || exit
	trap 'rm -rf "$tmp"' EXIT
	"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -o "$tmp/probe" "$here/probe.c" || exit
	"$here/run" -f "$tmp/probe" "$@" "$0"
	exit
fi
command -v jq > /dev/null || { echo "SKIP needs jq on the host"; exit 77; }
sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1

# is NAME WANTED SEEN
is()
{
	[ "$2" = "$3" ] && echo "PASS $1: $3" || echo "FAIL $1: saw $3, expected $2"
}

# got NAME WANTED OPTION...: who receives a frame; see probe.c.
got()
{
	name=$1 wanted=$2
	shift 2
	is "$name [$*]" "$wanted" "$(probe "$@" h1 h2 h3 h4 br0 2>&1)"
}

# refused NAME STATUS COMMAND...
refused()
{
	name=$1 wanted=$2
	shift 2
	message=$("$@" 2>&1)
	is "$name [$*] ($message)" "$wanted" $?
}

# The bridge br0 with ports p1 to p4, whose other ends are h1 to h4.
make()
{
	for i in 1 2 3 4; do
		ip link del h$i
	done 2> /dev/null
	ip link del br0 2> /dev/null
	ip link add br0 address 02:00:00:00:00:bb type bridge mcast_snooping 0 "$@"
	for i in 1 2 3 4; do
		ip link add h$i address 02:00:00:00:01:0$i type veth \
			peer name p$i address 02:00:00:00:00:0$i
		ip link set h$i up promisc on
		ip link set p$i up master br0
	done
	ip link set br0 up
	while bridge link | grep -qv forwarding; do
		sleep 0.05
	done
}

bridge_set()
{
	ip link set br0 type bridge "$@"
}

add()
{
	port=$1
	shift
	bridge vlan add dev "$port" vid "$@"
}

# vlans [PORT]: the table in one line, P for PVID and U for egress untagged.
vlans()
{
	bridge -compressvlans vlan show ${1:+dev "$1"} | sed '1d; s/PVID/P/; s/Egress Untagged/U/' |
		awk '/^[a-z]/ { printf "%s%s:", n++ ? " " : "", $1; $1 = "" }
			{ gsub(/ +/, ""); printf " %s", $0 }'
}

# fdb ADDRESS: its entries as PORT/VLAN and kind.
fdb()
{
	bridge fdb show br br0 | awk -v mac="$1" '$1 == mac {
		vid = 0; kind = ""
		for (i = 4; i <= NF; i++) {
			if ($i == "vlan") vid = $++i
			else if ($i == "master") i++
			else kind = kind "," $i
		}
		print $3 "/" vid kind
	}' | sort | xargs
}

# rx_tx PORT VID: packets and bytes of the VLAN's statistics.
rx_tx()
{
	bridge -j -s vlan show dev "$1" vid "$2" |
		jq -r '.[].vlans[] | "\(.rx_packets)/\(.rx_bytes) \(.tx_packets)/\(.tx_bytes)"'
}

HOST1=02:00:00:00:01:01
OTHER=02:00:00:00:02:01
LLDP=01:80:c2:00:00:0e

tags()
{
	make vlan_filtering 1
	is "42 defaults" "br0: 1PU p1: 1PU p2: 1PU p3: 1PU p4: 1PU" "$(vlans)"
	got 42 "h2 h3 h4 br0"
	is "42 learned" "p1/1" "$(fdb $HOST1)"
	add p3 1
	is "flags are replaced" "p3: 1" "$(vlans p3)"
	add p1 10
	got "42 tagged port" "h2 h3/8100:1 h4 br0"
	got "43 not a member" "-" -t 8100:20
	got "43" "-" -t 8100:4095
	is "43 learns nothing" "" "$(probe -s $OTHER -t 8100:20 h2 > /dev/null; fdb $OTHER)"
	refused "43" 255 bridge vlan add dev p1 vid 4095
	refused "43" 255 bridge vlan add dev p1 vid 0
	got 44 "h2 h3/8100:1p5 h4 br0" -t 8100:0p5
	got "44 DEI" "h2 h3/8100:1p5d h4 br0" -t 8100:0p5d
	got 45 "h2 h3/8100:1p3 h4 br0" -t 8100:1p3
	got 47 "h2/88a8:5p2d h3/8100:1/88a8:5p2d h4/88a8:5p2d br0/88a8:5p2d" -t 88a8:5p2d
	got "47 VID 0" "h2/88a8:0 h3/8100:1/88a8:0 h4/88a8:0 br0/88a8:0" -t 88a8:0
	got "two tags" "h2/8100:7/88a8:3 h3/8100:1/8100:7/88a8:3 h4/8100:7/88a8:3 br0/8100:7/88a8:3" \
		-t 8100:1/8100:7/88a8:3
	got "two priority tags" "h2/8100:0p3 h3/8100:1p2/8100:0p3 h4/8100:0p3 br0/8100:0p3" \
		-t 8100:0p2/8100:0p3
	got "TPID 9100 is payload" "h2/9100:1 h3/8100:1/9100:1 h4/9100:1 br0/9100:1" -t 9100:1
	got "no PVID" "-" -i h3
}

pvid()
{
	make vlan_filtering 1
	for port in p1 p2 p3; do
		add $port 10
	done
	bridge vlan del dev p1 vid 1
	is "46 PVID deleted" "p1: 10" "$(vlans p1)"
	got 46 "-"
	got 46 "-" -t 8100:0p3
	got 46 "-" -t 88a8:10
	got 46 "h2/8100:10p3 h3/8100:10p3" -t 8100:10p3
	add p2 1 untagged
	is "46 PVID flag taken away" "p2: 1U 10" "$(vlans p2)"
	got "46 PVID flag taken away" "-" -i h2
	add p2 10 pvid
	add p2 1 pvid untagged
	is "a second PVID replaces the first" "p2: 1PU 10" "$(vlans p2)"
	bridge vlan del dev p2 vid 2-4094
	is "deleting a range with holes" "p2: 1PU" "$(vlans p2)"
	refused "deleting an absent VLAN" 0 bridge vlan del dev p2 vid 99
	refused "range with PVID" 255 bridge vlan add dev p2 vid 10-12 pvid
	refused "VLAN of the bridge without self" 255 bridge vlan add dev br0 vid 10
	ip link set p2 nomaster
	ip link set p2 master br0
	is "a port that comes back" "p2: 1PU" "$(vlans p2)"
	bridge vlan del dev p2 vid 1
	is "port without VLANs, text" "port vlan-id" "$(bridge vlan show dev p2 | xargs)"
	is "port without VLANs, JSON" "[]" "$(bridge -j vlan show dev p2 | xargs)"
}

default_pvid()
{
	make vlan_filtering 1
	add p2 10 pvid untagged
	add p3 1 pvid
	bridge vlan del dev p4 vid 1
	bridge_set vlan_default_pvid 20
	is "default PVID replaces only PVID + untagged of the old" \
		"br0: 20PU p1: 20PU p2: 1U 10PU p3: 1P" "$(vlans)"
	bridge_set vlan_default_pvid 0
	is "default PVID 0 deletes it" "p2: 1U 10PU p3: 1P" "$(vlans)"
	bridge_set vlan_default_pvid 30
	is "from 0 every port gets it as PVID" \
		"br0: 30PU p1: 30PU p2: 1U 10U 30PU p3: 1 30PU p4: 30PU" "$(vlans)"
	add p1 40
	bridge_set vlan_default_pvid 40
	is "a port that has the VLAN keeps all it has" \
		"br0: 40PU p1: 30PU 40 p2: 1U 10U 40PU p3: 1 40PU p4: 40PU" "$(vlans)"
	bridge_set vlan_default_pvid 1
	is "default PVID 1" "br0: 1PU p1: 30PU 40 p2: 1U 10U 40PU p3: 1 40PU p4: 1PU" "$(vlans)"
	refused "default PVID" 2 ip link set br0 type bridge vlan_default_pvid 4095
	refused "default PVID" 0 ip link set br0 type bridge vlan_default_pvid 4094
	make vlan_filtering 0
	bridge_set vlan_default_pvid 9
	is "default PVID without filtering" "br0: 9PU p1: 9PU p2: 9PU p3: 9PU p4: 9PU" "$(vlans)"
}

service_tags()
{
	make vlan_filtering 1
	add p3 1
	add p1 10
	add p2 10
	probe -t 8100:10 h2 > /dev/null
	bridge_set vlan_protocol 802.1ad
	is "vlan_protocol keeps VLANs" "br0: 1PU p1: 1PU 10 p2: 1PU 10 p3: 1 p4: 1PU" "$(vlans)"
	is "vlan_protocol keeps the FDB" "p1/10" "$(fdb $HOST1)"
	got "48" "h2 h3/88a8:1 h4 br0"
	got "48" "h2/8100:10p3 h3/88a8:1/8100:10p3 h4/8100:10p3 br0/8100:10p3" -t 8100:10p3
	got "48" "h2/8100:4095 h3/88a8:1/8100:4095 h4/8100:4095 br0/8100:4095" -t 8100:4095
	got "48" "h2/88a8:10p5d" -t 88a8:10p5d
	got "48" "h2 h3/88a8:1p5d h4 br0" -t 88a8:0p5d
	got "48" "h2/8100:10 h3/88a8:1p1/8100:10 h4/8100:10 br0/8100:10" -t 88a8:0p1/8100:10
	for x in 0 b c d f; do
		got "48 reserved" "h2 h3/88a8:1 h4 br0" -d 01:80:c2:00:00:0$x
	done
	for x in 1 2 8 e; do
		got "48 reserved" "-" -d 01:80:c2:00:00:0$x
	done
	group()
	{
		ip -d -j link show br0 | jq -r '.[].linkinfo.info_data.group_addr'
	}
	is "48 group address" "01:80:c2:00:00:08" "$(group)"
	bridge_set vlan_filtering 0
	is "48 group address, filtering off" "01:80:c2:00:00:00" "$(group)"
	got "48 reserved, filtering off" "-" -d 01:80:c2:00:00:0b
	bridge_set vlan_filtering 1 vlan_protocol 802.1Q
	is "48 group address, 802.1Q" "01:80:c2:00:00:00" "$(group)"
	got "48 reserved, 802.1Q" "-" -d 01:80:c2:00:00:0b
	bridge_set group_address 01:80:c2:00:00:0b vlan_protocol 802.1ad
	is "48 group address of the user" "01:80:c2:00:00:0b" "$(group)"
	got "48 not the group address" "-" -d 01:80:c2:00:00:0b
	got "48" "h2 h3/88a8:1 h4 br0" -d 01:80:c2:00:00:0d
	refused "48" 2 ip link set br0 type bridge vlan_protocol 0x9100
}

tables()
{
	make vlan_filtering 1
	add p1 10
	add p2 10
	bridge vlan del dev p3 vid 1
	add p3 10 pvid untagged
	probe -s $OTHER -t 8100:10 h2 > /dev/null
	probe -s $OTHER -i h2 h1 > /dev/null
	is "49 independent learning" "p1/10 p2/1" "$(fdb $OTHER)"
	got 49 "h2" -i h4 -d $OTHER
	got 49 "h1/8100:10" -i h3 -d $OTHER
	bridge fdb add 02:00:00:00:03:50 dev p4 master static vlan 1
	got "50 member" "h4" -d 02:00:00:00:03:50
	bridge vlan del dev p4 vid 1
	got "50" "-" -d 02:00:00:00:03:50
	got "50 unknown in its own VLAN" "h2/8100:10 h3" -t 8100:10 -d 02:00:00:00:03:50
	refused "FDB entry in a VLAN that the port lacks" 255 \
		bridge fdb add 02:00:00:00:03:51 dev p4 master static vlan 1
	bridge fdb add 02:00:00:00:03:52 dev p1 master static
	is "FDB entry without a VLAN" "p1/0,static p1/1,static p1/10,static" "$(fdb 02:00:00:00:03:52)"
	got "link-local is learned in its VLAN" "-" -t 8100:10 -d $LLDP -s 02:00:00:00:03:53
	is "link-local is learned in its VLAN" "p1/10" "$(fdb 02:00:00:00:03:53)"
	got "link-local, other TPID" "-" -t 88a8:10 -d $LLDP -s 02:00:00:00:03:54
	is "link-local, other TPID" "p1/1" "$(fdb 02:00:00:00:03:54)"
	got "link-local, not a member" "-" -t 8100:20 -d $LLDP -s 02:00:00:00:03:55
	is "link-local, not a member" "" "$(fdb 02:00:00:00:03:55)"
}

deletion()
{
	make vlan_filtering 1
	add p1 10
	add p2 10
	probe -t 8100:10 h2 > /dev/null
	for kind in static dynamic extern_learn permanent; do
		bridge fdb add 02:00:00:00:03:0${#kind} dev p1 master $kind vlan 10
	done 2> /dev/null
	bridge fdb add 02:00:00:00:03:0e dev p1 master extern_learn vlan 10
	is "local address in each VLAN" "p1/0,permanent p1/1,permanent p1/10,permanent" \
		"$(fdb 02:00:00:00:00:01)"
	bridge vlan del dev p1 vid 10
	is "VLAN deleted: local address" "p1/0,permanent p1/1,permanent" "$(fdb 02:00:00:00:00:01)"
	is "VLAN deleted: learned" "" "$(fdb $HOST1)"
	is "VLAN deleted: static" "p1/10,static" "$(fdb 02:00:00:00:03:06)"
	is "VLAN deleted: dynamic of the user" "" "$(fdb 02:00:00:00:03:07)"
	is "VLAN deleted: extern_learn" "p1/10,extern_learn" "$(fdb 02:00:00:00:03:0e)"
	is "VLAN deleted: permanent of the user" "p1/10,permanent" "$(fdb 02:00:00:00:03:09)"
	refused "VLAN deleted: its entries cannot be" 255 \
		bridge fdb del 02:00:00:00:03:06 dev p1 master vlan 10
	bridge_set fdb_flush
	is "fdb_flush keeps static" "p1/10,static" "$(fdb 02:00:00:00:03:06)"
	bridge fdb flush dev br0 vlan 1
	is "flush of a VLAN takes local entries, too" "br0/0,permanent" "$(fdb 02:00:00:00:00:bb)"
	got "flush of a VLAN takes local entries, too" "h2 h3 h4" -d 02:00:00:00:00:bb
	bridge fdb flush dev p1 master
	is "flush of a port takes static entries, too" "" "$(fdb 02:00:00:00:03:06)"
	make vlan_filtering 0
	probe h2 > /dev/null
	bridge_set vlan_filtering 1
	is "52 entry of VLAN 0 stays" "p1/0" "$(fdb $HOST1)"
	got "52 but is not used" "h1 h3 h4" -i h2 -s $OTHER -d $HOST1
	probe h2 > /dev/null
	bridge_set vlan_filtering 0
	is "52 and back" "p1/0 p1/1" "$(fdb $HOST1)"
	got "52 and back" "h1" -i h2 -s $OTHER -d $HOST1
}

host()
{
	make vlan_filtering 1
	for port in p1 p2 p3; do
		add $port 10
	done
	got "51" "h2/8100:10p4d h3/8100:10p4d" -t 8100:10p4d
	got "51 promiscuous" "h2/8100:10p4d h3/8100:10p4d br0/8100:10p4d" -p -t 8100:10p4d
	got "51 bridge's address is unknown there" "h2/8100:10 h3/8100:10" -t 8100:10 -d 02:00:00:00:00:bb
	got "51 address of a member port is known" "-" -t 8100:10 -d 02:00:00:00:00:02
	got "51 address of another port is not" "h2/8100:10 h3/8100:10" -t 8100:10 -d 02:00:00:00:00:04
	add br0 10 self
	got "51 member" "h2/8100:10p4d h3/8100:10p4d br0/8100:10p4d" -t 8100:10p4d
	got "51 member" "br0/8100:10" -t 8100:10 -d 02:00:00:00:00:bb
	got "51 member" "br0/8100:10" -t 8100:10 -d 02:00:00:00:00:02
	add br0 10 pvid untagged self
	got "51 untagged" "h2/8100:10p4d h3/8100:10p4d br0" -t 8100:10p4d
	got "from the host" "h1/8100:10 h2/8100:10 h3/8100:10" -i br0
	got "from the host" "h1 h2 h3 h4" -i br0 -t 8100:1p3
	got "from the host" "h1/8100:10p5d h2/8100:10p5d h3/8100:10p5d" -i br0 -t 8100:0p5d
	got "from the host" "h1/8100:10/88a8:1 h2/8100:10/88a8:1 h3/8100:10/88a8:1" -i br0 -t 88a8:1
	got "from the host, not a member" "-" -i br0 -t 8100:20
	got "from the host to a port's address" "h2/8100:10" -i br0 -d 02:00:00:00:00:02
	got "from the host to itself" "-" -i br0 -d 02:00:00:00:00:bb
	bridge vlan del dev br0 vid 10 self
	bridge vlan del dev br0 vid 1 self
	is "bridge without VLANs" "p1: 1PU 10 p2: 1PU 10 p3: 1PU 10 p4: 1PU" "$(vlans)"
	is "bridge without VLANs: its address" "br0/0,permanent" "$(fdb 02:00:00:00:00:bb)"
	got "bridge without VLANs" "h2 h3 h4"
	got "bridge without VLANs, promiscuous" "h2 h3 h4 br0/8100:1" -p
	got "bridge without VLANs" "-" -i br0
	got "bridge without VLANs" "-" -i br0 -t 8100:1
	add br0 1 self
	got "bridge with tagged VLAN 1" "h2 h3 h4 br0/8100:1p6" -t 8100:0p6
	got "bridge with tagged VLAN 1" "-" -i br0
	make vlan_filtering 0
	got "filtering off: from the host to a port's address" "h2" -i br0 -d 02:00:00:00:00:02
}

states()
{
	make vlan_filtering 1
	for port in p1 p2 p3; do
		add $port 10
	done
	for state in disabled listening blocking learning; do
		[ $state = learning ] && learned=p1/1 || learned=''
		bridge vlan set dev p1 vid 1 state $state
		bridge_set fdb_flush
		got "PVID $state" "-" -s $OTHER
		is "PVID $state" "$learned" "$(fdb $OTHER)"
		got "PVID $state" "-" -s $OTHER -t 8100:1
		got "PVID $state" "-" -s $OTHER -d $LLDP
		is "PVID $state, link-local" "$learned" "$(fdb $OTHER)"
		got "PVID $state, egress" "h3 h4 br0" -i h2
		got "PVID $state, other VLAN" "h2/8100:10 h3/8100:10" -t 8100:10
	done
	bridge vlan set dev p1 vid 1 state forwarding
	probe h2 > /dev/null
	bridge vlan set dev p1 vid 1 state blocking
	is "state keeps the FDB" "p1/1 p1/10" "$(fdb $HOST1)"
	got "known address behind a blocked VLAN" "-" -i h2 -s $OTHER -d $HOST1
	add p1 1 pvid untagged
	is "state after adding again" blocking \
		"$(bridge -j -d vlan show dev p1 vid 1 | jq -r '.[].vlans[].state')"
	bridge link set dev p1 state 2
	got "port learning, VLAN blocking" "-" -s 02:00:00:00:03:61
	is "port learning, VLAN blocking" "p1/1" "$(fdb 02:00:00:00:03:61)"
	bridge vlan set dev p2 vid 1 state blocking
	bridge vlan set dev br0 vid 1 state blocking
	got "bridge's VLAN blocking" "h3" -i h4
	got "bridge's VLAN blocking" "-" -i br0
	bridge vlan set dev br0 vid 1 state learning
	got "bridge's VLAN learning" "h3" -i h4
	got "bridge's VLAN learning" "h3 h4" -i br0
	add p3 12
	refused "state of a range with a hole" 255 bridge vlan set dev p3 vid 10-12 state blocking
	is "state of a range with a hole: done up to it" "blocking forwarding" \
		"$(bridge -j -d vlan show dev p3 | jq -r '.[].vlans[1:][].state' | xargs)"
	refused "state of an absent VLAN" 255 bridge vlan set dev p3 vid 99 state blocking
	bridge_set stp_state 1
	refused "state with STP" 255 bridge vlan set dev p3 vid 10 state blocking
}

statistics()
{
	make vlan_filtering 1 vlan_stats_enabled 1
	probe -l 100 h2 > /dev/null
	for port in br0 p1 p2; do
		is "statistics are the bridge's" "1/86 4/344" "$(rx_tx $port 1)"
	done
	refused "per port" 2 ip link set br0 type bridge vlan_stats_per_port 1
	make vlan_stats_per_port 1 vlan_filtering 1 vlan_stats_enabled 1
	add p1 10
	probe -l 100 h2 > /dev/null
	is "per port: no header, no tag" "1/86 0/0" "$(rx_tx p1 1)"
	is "per port: sent" "0/0 1/86" "$(rx_tx p2 1)"
	is "per port: the host's side" "0/0 1/86" "$(rx_tx br0 1)"
	probe -l 100 -t 88a8:7 h2 > /dev/null
	is "per port: other tag is payload" "2/176 0/0" "$(rx_tx p1 1)"
	probe -l 100 -i br0 h2 > /dev/null
	is "per port: from the host" "1/86 2/176" "$(rx_tx br0 1)"
	bridge vlan set dev p1 vid 10 state blocking
	probe -l 100 -t 8100:10 h2 > /dev/null
	is "per port: blocked" "0/0 0/0" "$(rx_tx p1 10)"
	bridge vlan set dev p1 vid 10 state learning
	probe -l 100 -t 8100:10 h2 > /dev/null
	is "per port: learning" "1/86 0/0" "$(rx_tx p1 10)"
	ip link set p3 mtu 500
	probe -l 1000 h2 > /dev/null
	is "per port: sent, though over the MTU" "0/0 4/1248" "$(rx_tx p3 1)"
	bridge_set vlan_stats_enabled 0
	probe -l 100 h2 > /dev/null
	is "per port: switched off" "3/1162 1/86" "$(rx_tx p1 1)"
	bridge_set vlan_stats_enabled 1 vlan_filtering 0
	probe -l 100 h2 > /dev/null
	is "per port: filtering off" "3/1162 1/86" "$(rx_tx p1 1)"
	add p1 1
	is "per port: VLAN changed" "3/1162 1/86" "$(rx_tx p1 1)"
	bridge vlan del dev p1 vid 1
	add p1 1
	is "per port: VLAN added again" "0/0 0/0" "$(rx_tx p1 1)"
}

mtu()
{
	make vlan_filtering 1
	add p3 1
	for device in h1 h2 h3 h4 p1; do
		ip link set $device mtu 9000
	done
	got "MTU" "h2 h3/8100:1 h4 br0" -l 1518
	got "MTU" "h2 h3/8100:1 h4 br0" -l 1518 -t 8100:1
	got "MTU" "h2/8100:5 h3/8100:1/8100:5 h4/8100:5 br0/8100:5" -l 1514 -t 8100:1/8100:5
	got "MTU, other tag counts" "h2/88a8:5 h3/8100:1/88a8:5 h4/88a8:5 br0/88a8:5" -l 1514 -t 88a8:5
	got "MTU" "br0" -l 1519
	got "MTU" "br0" -l 1519 -t 8100:1
	got "MTU, inner tag counts" "br0/8100:5" -l 1515 -t 8100:1/8100:5
	got "MTU, other tag counts" "br0/88a8:5" -l 1515 -t 88a8:5
	bridge_set vlan_filtering 0
	got "MTU, filtering off: other tag does not count" \
		"h2/88a8:5 h3/88a8:5 h4/88a8:5 br0/88a8:5" -l 1518 -t 88a8:5
}

for part in tags pvid default_pvid service_tags tables deletion host states statistics mtu; do
	echo "== $part"
	$part
done
