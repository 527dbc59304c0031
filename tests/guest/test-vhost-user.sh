#!/bin/bash
# SPDX-License-Identifier: MIT
# Two guests on vhost-user ports, one QEMU as the client of its socket and one as the server, with split and then with
# packed rings: ping, super-frames both ways with what arrives compared by hash, no bad checksum.
# The end of a guest or of the switch is test-transports.sh's.
# vectors=0 because QEMU 7.2.22 without KVM crashes when a vhost device is to use MSI-X.
# shellcheck disable=SC2317
# shellcheck disable=SC2015,SC2126,SC2054

# In a guest: number of this one, of the other.
inside() {
	local me=$1 peer=$2 rings=$3 want
	pass() { echo "PASS guest $me, $rings rings: $*"; }
	fail() { echo "FAIL guest $me, $rings rings: $*"; }
	# until_true SECONDS WHAT COMMAND...
	until_true() {
		local end=$(($(cut -d. -f1 /proc/uptime) + $1)) what=$2
		shift 2
		until "$@" >/dev/null 2>&1; do
			[ "$(cut -d. -f1 /proc/uptime)" -lt "$end" ] || { fail "$what"; return 1; }
			sleep 0.1
		done
		pass "$what"
	}
	carrier() { [ "$(cat /sys/class/net/eth0/carrier)" = "$1" ]; }
	counter() { awk -v name="$2" '$1 == "'"$1"':" && !n { split($0, key); n = 1; next } $1 == "'"$1"':" {
		for (i in key) if (key[i] == name) print $i }' /proc/net/snmp; }
	ip address add "10.0.0.$me/24" dev eth0
	ip link set eth0 up
	until_true 60 "carrier" carrier 1
	ethtool -k eth0 | grep -E '^(tcp-segmentation-offload|tx-checksumming|rx-checksumming): on' | wc -l | grep -qx 3 &&
		pass "checksum and segmentation offloads are on" || fail "offloads: $(ethtool -k eth0 | head -n 30)"
	until_true 60 "ping" ping -c 1 -W 1 "10.0.0.$peer"
	seq 1200000 >/tmp/data
	want=$(sha256sum </tmp/data)
	mkfifo /tmp/open # nc ends when either side does
	sleep 100 >/tmp/open &
	nc -l -p 5000 >/tmp/got </tmp/open &
	local receiver=$!
	# what the other sends is the same; both send at the same time
	sleep 2
	until_true 60 "sends 9 MB" sh -c "nc -w 30 10.0.0.$peer 5000 < /tmp/data"
	wait $receiver
	[ "$(sha256sum </tmp/got)" = "$want" ] && pass "9 MB arrived unchanged" ||
		fail "what arrived is another: $(wc -c </tmp/got) bytes"
	[ "$(counter Tcp InCsumErrors)" = 0 ] && pass "no bad checksum in $(counter Tcp InSegs) segments" ||
		fail "bad checksums: $(grep Tcp: /proc/net/snmp)"
	sleep 2 # the other one may not have all yet
}

if [ -e /test/.list ]; then
	inside "$@"
	exit
fi

HERE=$(cd "$(dirname "$0")" && pwd)
BUILD=$(realpath "${BUILD:-$HERE/../../build}")
export BUILD
DIR=$(mktemp -d) GUESTS=() SWITCH='' STATUS=0
trap 'kill "$SWITCH" "${GUESTS[@]}" 2>/dev/null; wait; rm -rf "$DIR"' EXIT
trap 'exit 130' INT TERM

start_switch() {
	"$BUILD/uswitch" -p "vhost-user:$DIR/1.sock,client,name=g1" -p "vhost-user:$DIR/2.sock,server,name=g2" \
		-S "$DIR/control" 2>>"$DIR/switch.log" &
	SWITCH=$!
}

# start_guest NUMBER PEER RINGS CHARDEV-OPTIONS
start_guest() {
	local packed=off
	[ "$3" = split ] || packed=on
	local qemu=(-object memory-backend-memfd,id=mem,size=512M,share=on -machine memory-backend=mem
		-chardev "socket,id=c,path=$DIR/$1.sock,$4" -netdev vhost-user,id=n,chardev=c
		-device "virtio-net-pci,netdev=n,vectors=0,mac=02:00:00:00:00:0$1,packed=$packed")
	"$HERE/run" -t 200 -a "$1 $2 $3" -q "${qemu[*]}" "$0" >"$DIR/$1.log" 2>&1 &
	GUESTS+=($!)
}

for rings in split packed; do
	GUESTS=()
	start_switch
	start_guest 1 2 $rings server=on,wait=off
	start_guest 2 1 $rings reconnect=1
	for i in 0 1; do
		wait "${GUESTS[i]}" || STATUS=$?
	done
	kill "$SWITCH"
	wait "$SWITCH"
	grep -hE '^(PASS|FAIL|SKIP)' "$DIR/1.log" "$DIR/2.log"
	[ $STATUS = 77 ] && exit 77
	if [ $STATUS -ne 0 ] || grep -q '^FAIL' "$DIR"/?.log; then
		tail -n 30 "$DIR"/1.log "$DIR"/2.log "$DIR/switch.log"
		exit 1
	fi
done
