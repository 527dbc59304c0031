#!/bin/bash
# SPDX-License-Identifier: MIT
# A bad port hurts only itself: while hosts a and b talk, a third port is deleted, flapped, replaced, stuck; they lose no frame.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need jq ping
TRAFFIC=$(tool traffic)
RATE=4000

ns sw a b c
veth a eth0 sw p1
veth b eth0 sw p2
veth c eth0 sw p3
switch sw -p p1 -p p2 -p p3 -p tap:tap4,guest
address a eth0 10.9.1.1/24
address b eth0 10.9.1.2/24

forwards() { [ "$(ctl -j link show dev "$1" | jq -r '.[0].state')" = forwarding ]; }
check start wait_for 3 forwards p3

# attempt COMMAND...: it repeats for three seconds while a sends to b. Succeeds if b got every frame.
attempt() {
	local end=$((${EPOCHREALTIME/./} + 3000000)) flow
	flow -i a:eth0 -o b:eth0 -s 200 -r $RATE -t 3 >"$TMP/flow" 2>"$TMP/flow.err" &
	flow=$!
	TIMES=0
	while [ "${EPOCHREALTIME/./}" -lt $end ]; do
		"$@" >/dev/null 2>&1
		TIMES=$((TIMES + 1))
		sleep 0.02
	done
	wait $flow && jq -e '.sent > 1000 and .rx[0].lost == 0 and .rx[0].reordered == 0 and .rx[0].bad == 0' \
		"$TMP/flow" >/dev/null
}

# during NAME COMMAND...: a lossless run, at the third attempt at last: where others use the processors too, the switch may
# not run for longer than a port's ring can hold.
during() {
	local name=$1
	shift
	if attempt "$@" || attempt "$@" || attempt "$@"; then
		pass "$name ($TIMES times, $(jq .sent "$TMP/flow") frames)"
	else
		fail "$name: $(cat "$TMP/flow" "$TMP/flow.err")"
	fi
}

recreate() {
	ip -n "$PREFIX-sw" link del p3
	sleep 0.05
	veth c eth0 sw p3
}

flap() {
	ip -n "$PREFIX-c" link set eth0 down
	ip -n "$PREFIX-sw" link set p3 down
	ip -n "$PREFIX-sw" link set p3 up
	ip -n "$PREFIX-c" link set eth0 up
}

replug() {
	ctl link del dev p3
	ctl link add packet:p3
}

check peer-before in_ns a ping -c 1 -W 1 10.9.1.2
during deleted recreate
during flapped flap
during replugged replug

# Gone means quiet, and back within a second.
ip -n "$PREFIX-sw" link del p3
sleep 0.3
before=$(awk '{ print $14 + $15 }' "/proc/$SWITCH/stat")
sleep 2
spent=$(($(awk '{ print $14 + $15 }' "/proc/$SWITCH/stat") - before))
if [ "$spent" -le 4 ]; then pass missing-is-idle; else fail "missing-is-idle: $spent ticks of CPU in 2 s"; fi
veth c eth0 sw p3
check back-within-a-second wait_for 1 forwards p3
address c eth0 10.9.1.3/24
check back-forwards wait_for 1 in_ns c ping -c 1 -W 1 10.9.1.1

# A guest behind a TAP that does not read, then one that is stopped: what is flooded to it is lost there, and only there.
start in_ns sw "$TRAFFIC" hold tap4
HOLD=$STARTED
check guest-is-there wait_for 3 forwards tap4
flood() { flow -i c:eth0 -T broadcast -s 1400 -r 20000 -t 0.2 -f 9; }
during stuck-guest flood
kill -STOP "$HOLD"
during stopped-guest flood
kill -CONT "$HOLD"
sent=$(counter tap4 tx_packets)
dropped=$(ctl -j stats dev tap4 | jq '.ports[0].drop_out | add')
if [ "$sent" -gt 0 ] && [ "$dropped" -gt 1000 ]; then
	pass "stuck-guest-loses ($dropped dropped as $(ctl -j stats dev tap4 | jq -c '.ports[0].drop_out | with_entries(select(.value > 0))'))"
else
	fail "stuck-guest-loses: tx_packets $sent, dropped $dropped"
fi
kill "$HOLD"

# The switch itself dies: the network is back as soon as a new one runs.
kill -KILL "$SWITCH"
wait "$SWITCH" 2>/dev/null
began=${EPOCHREALTIME/./}
switch sw -p p1 -p p2 -p p3
wait_for 2 in_ns a ping -c 1 -W 1 10.9.1.2
took=$(((${EPOCHREALTIME/./} - began) / 1000))
if [ "$took" -lt 1000 ]; then pass "killed-and-restarted ($took ms)"; else fail "killed-and-restarted: $took ms"; fi
finish
