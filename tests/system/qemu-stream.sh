#!/bin/bash
# SPDX-License-Identifier: MIT
# Two QEMU guests on one listening stream port, a third on a dgram port: the two get ports with the listener's VLAN, all
# ping each other, and when the guests end, the two ports are missing and their addresses gone.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need qemu-system-x86_64 python3

cat >"$TMP/ping.sh" <<'END'
#!/bin/sh
me=$1 other=$2
ip addr add "10.0.0.$me/24" dev eth0 && ip link set eth0 up
for i in $(seq 90); do
	ping -q -c 1 -W 1 "10.0.0.$other" && break
done >/dev/null
if ping -q -c 5 -s 1400 "10.0.0.$other"; then echo "PASS ping"; else echo "FAIL ping"; fi
sleep 10 # another one is not done yet
END
chmod +x "$TMP/ping.sh"

# guest MAC ARGUMENTS NETDEV: boots one.
guest() {
	"$ROOT/tests/guest/run" -t 120 -a "$2" -q "-netdev $3,id=n0 -device virtio-net-pci,netdev=n0,mac=$1" "$TMP/ping.sh"
}

learned() {
	ctl fdb show | grep -q "^$1 dev vm[01] vlan 10 "
}

both_learned() {
	learned 52:54:00:00:00:01 && learned 52:54:00:00:00:02
}

over() {
	! kill -0 "$one"
}

learned_or_over() {
	both_learned || over
}

no_guests() {
	ctl -j stats | jq -e '[.ports[] | select(.ifname | test("^vm[01]$")) | .state] == ["missing", "missing"]'
}

no_addresses() {
	! ctl fdb show | grep -q '^52:54:00:00:00:0[12]'
}

ns sw
stream=stream,server=off,addr.type=unix,addr.path=$TMP/lan
dgram=dgram,local.type=unix,local.path=$TMP/guest,remote.type=unix,remote.path=$TMP/switch
switch sw -p "stream:unix:$TMP/lan,listen,name=vm,access=10" \
	-p "dgram:local=unix:$TMP/switch,remote=unix:$TMP/guest,name=dg,access=10"
start guest 52:54:00:00:00:01 "1 2" "$stream" >"$TMP/1.log" 2>&1
one=$STARTED
start guest 52:54:00:00:00:02 "2 3" "$stream" >"$TMP/2.log" 2>&1
two=$STARTED
start guest 52:54:00:00:00:03 "3 1" "$dgram" >"$TMP/3.log" 2>&1
three=$STARTED
wait_for 90 learned_or_over
if over; then
	wait "$one"
	[ $? = 77 ] && { skip "the guest cannot be had: $(tail -n 1 "$TMP/1.log")"; finish; }
fi
check "two guests are learned in their VLAN" both_learned || cat "$TMP/1.log"
wait "$one" "$two" "$three"
check "stream to stream" grep -qx 'PASS ping' "$TMP/1.log"
check "stream to dgram" grep -qx 'PASS ping' "$TMP/2.log"
check "dgram to stream" grep -qx 'PASS ping' "$TMP/3.log"
check "their ports are missing" wait_for 5 no_guests
check "their addresses are gone" no_addresses
check "the listener is still there" ctl link show dev vm
finish
