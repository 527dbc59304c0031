#!/bin/bash
# SPDX-License-Identifier: MIT
# A real guest on every transport that QEMU has, all on one switch with a host on a veth: ping, and TCP both ways with
# what arrives compared by hash. Then the guests reboot by themselves, they are killed and started again, and the switch is
# killed and started again while TCP is under way. The network must be back each time, and nobody touches the guest.
# A TAP is had in every order of starting; where the switch was first with a bare name, it says what to do instead.
# QEMU 7.2 does not connect again as a client of `stream` or `vde`: those guests have no part in the switch's end.
# vectors=0 because QEMU 7.2.22 without KVM crashes when a vhost device is to use MSI-X.
# Usage: tests/guest/test-transports.sh [GUEST]...
# shellcheck source=tests/system/lib.sh disable=SC2317,SC2054,SC2153,SC2015
. "$(dirname "$0")/../system/lib.sh"
need qemu-system-x86_64 python3 jq
export BUILD

# A TAP made by the switch, by QEMU, by somebody else; vhost-user with both kinds of ring and in both roles; ...
GUESTS=("$@")
[ $# -gt 0 ] || GUESTS=(ours qemus own split packed listen connect dgram vde)
declare -A PORT=(
	[ours]=tap:ours,guest
	[qemus]=qemus
	[own]=own
	[split]=vhost-user:$TMP/split,server,name=split
	[packed]=vhost-user:$TMP/packed,client,name=packed
	[listen]=stream:unix:$TMP/listen,listen,name=listen
	[connect]=stream:unix:$TMP/connect,name=connect
	[dgram]=dgram:local=unix:$TMP/dgram,remote=unix:$TMP/dgram.guest,name=dgram
	[vde]=vde:$TMP/vde,name=vde
)
tap=tap,script=no,downscript=no,ifname
memory="-object memory-backend-memfd,id=mem,size=512M,share=on -machine memory-backend=mem"
socket="addr.type=unix,addr.path=$TMP"
declare -A QEMU=(
	[ours]="-netdev $tap=ours"
	[qemus]="-netdev $tap=qemus"
	[own]="-netdev $tap=own"
	[split]="$memory -chardev socket,id=c,path=$TMP/split,reconnect=1 -netdev vhost-user,chardev=c"
	[packed]="$memory -chardev socket,id=c,path=$TMP/packed,server=on,wait=off -netdev vhost-user,chardev=c"
	[listen]="-netdev stream,server=off,$socket/listen"
	[connect]="-netdev stream,server=on,$socket/connect"
	[dgram]="-netdev dgram,local.type=unix,local.path=$TMP/dgram.guest,remote.type=unix,remote.path=$TMP/dgram"
	[vde]="-netdev vde,sock=$TMP/vde"
)
declare -A DEVICE=([split]=,vectors=0 [packed]=,vectors=0,packed=on) NUMBER=() BOOT=() RUN=()
for name in "${GUESTS[@]}"; do NUMBER[$name]=$((${#NUMBER[@]} + 1)); done

start_guest() {
	start in_ns sw "$ROOT/tests/guest/run" -t 250 -a "${NUMBER[$1]}" -q "-action reboot=reset -pidfile $TMP/$1.pid ${QEMU[$1]},id=n \
		-device virtio-net-pci,netdev=n,mac=02:00:00:00:00:0${NUMBER[$1]}${DEVICE[$1]}" "$ROOT/tests/guest/serve.sh" >"$TMP/$1.log" 2>&1
	RUN[$1]=$STARTED
}

# start_guests NAME...: those of them that are wanted; somebody brings up the TAP that QEMU made.
start_guests() {
	local name
	for name in "$@"; do
		[ -z "${NUMBER[$name]}" ] || start_guest "$name"
	done
	case "${NUMBER[qemus]} $* " in
	[0-9]*" qemus "*)
		wait_for 20 exists qemus || tail "$TMP/qemus.log"
		in_ns sw ip link set qemus up
		;;
	esac
}

kill_guest() {
	kill -KILL "$(cat "$TMP/$1.pid")"
	wait "${RUN[$1]}" 2>/dev/null
	rm "$TMP/$1.pid"
}

start_switch() {
	local name options=()
	for name in "${GUESTS[@]}"; do options+=(-p "${PORT[$name]}"); done
	switch sw -p p0 "${options[@]}" "$@"
}

kill_switch() {
	kill -KILL "$SWITCH"
	wait "$SWITCH" 2>/dev/null
}

# tell GUEST WORD...
tell() {
	local address=10.0.0.${NUMBER[$1]}
	shift
	in_ns h python3 "$ROOT/tests/guest/peer.py" "$address" "$@"
}

reach() { in_ns h ping -q -c 1 -W 1 "10.0.0.${NUMBER[$1]}"; }
boot() { tell "$1" get 0 0; }
new_boot() { boot "$1" && [ "$(boot "$1")" != "${BOOT[$1]}" ]; }
tcp() { tell "$1" put "${2:-2}" && tell "$1" get "${2:-2}" 0; }
port_names() { ctl -j link show | jq -c '[.[].ifname]'; }
same_ports() { [ "$(port_names)" = "$ports" ]; }
forgot() { ! ctl fdb show | grep -q "^02:00:00:00:00:0${NUMBER[$1]} "; }
is_held() { in_ns sw ip link show "$1" | grep -q LOWER_UP; }
exists() { in_ns sw ip link show "$1"; }
skipped() { grep -q '^SKIP' "$TMP/$1.log"; }
up_or_skipped() { reach "$1" || skipped "$1"; }

# all WHEN MIB GUEST...: it has booted since the last time; ping, TCP with so much data each way.
all() {
	local what=$1 mib=$2 name
	shift 2
	for name in "$@"; do
		if check "$name: network $what" wait_for 90 new_boot "$name"; then
			BOOT[$name]=$(boot "$name")
			check "$name: TCP both ways $what" tcp "$name" "$mib"
		else
			tail -n 5 "$TMP/$name.log" "$TMP/sw.log"
		fi
	done
}

# busy TAP: QEMU cannot open it.
busy() {
	! in_ns sw qemu-system-x86_64 -M none -display none -monitor none -netdev "$tap=$1,id=n" </dev/null 2>"$TMP/busy" &&
		grep -q "Device or resource busy" "$TMP/busy"
}
advised() { grep -q "$1: .*$1,guest" "$TMP/sw.log"; }

ns sw h
veth h eth0 sw p0
address h eth0 10.0.0.100/24
in_ns sw ip tuntap add own mode tap
in_ns sw ip tuntap add free mode tap
for name in own free; do in_ns sw ip link set "$name" up; done
start_guests qemus own connect packed
[ -z "${NUMBER[own]}" ] || wait_for 20 is_held own
start_switch -p new -p free
start_guests ours split listen dgram vde
check "a TAP that the switch made first is not QEMU's" busy new
check "and the switch says what would help" advised new
check "nor is a free one that the switch had first" busy free
check "which is said, too" advised free
wait_for 90 up_or_skipped "${GUESTS[0]}"
if skipped "${GUESTS[0]}"; then
	skip "the guest cannot be had: $(tail -n 1 "$TMP/${GUESTS[0]}.log")"
	finish
fi
all "at first" 8 "${GUESTS[@]}"

ports=$(port_names)
for name in "${GUESTS[@]}"; do tell "$name" reboot; done
all "after a reboot" 2 "${GUESTS[@]}"

for name in "${GUESTS[@]}"; do kill_guest "$name"; done
for name in "${GUESTS[@]}"; do
	[ "$name" = dgram ] || check "$name: its address is forgotten" wait_for 5 forgot "$name"
done
start_guests "${GUESTS[@]}"
all "after it was killed" 2 "${GUESTS[@]}"
check "nobody has another port than before" same_ports

others=() tells=()
for name in "${GUESTS[@]}"; do [ "$name" = listen ] || [ "$name" = vde ] || others+=("$name"); done
for name in "${others[@]}"; do
	tell "$name" get 6 500 >"$TMP/$name.get" 2>&1 &
	tells+=($!)
done
sleep 1
kill_switch
start_switch
for name in "${others[@]}"; do
	wait "${tells[0]}" && pass "$name: TCP survives the switch's end" || fail "$name: TCP over the switch's end: $(tail -n 1 "$TMP/$name.get")"
	tells=("${tells[@]:1}")
	check "$name: TCP both ways after the switch's end" tcp "$name"
done

finish
