#!/bin/bash
# SPDX-License-Identifier: MIT
# 64 ports, veth and TAP: a broadcast reaches 63 hosts, once each; a learned address is reached alone.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need jq
VETHS=48 TAPS=16

ns sw h
for i in $(seq $VETHS); do
	echo "link add p$i type veth peer name h$i netns $PREFIX-h"
	echo "link set p$i up"
done >"$TMP/batch"
ip -n "$PREFIX-sw" -batch "$TMP/batch"
for i in $(seq $VETHS); do echo "link set h$i up"; done >"$TMP/batch"
ip -n "$PREFIX-h" -batch "$TMP/batch"

ports=()
for i in $(seq $VETHS); do ports+=(-p "p$i"); done
for i in $(seq $TAPS); do ports+=(-p "tap:t$i"); done
switch sw "${ports[@]}"

all_forward() { [ "$(ctl -j link show | jq 'map(select(.state == "forwarding")) | length')" = $((VETHS + TAPS)) ]; }
check all-forward wait_for 5 all_forward

hosts=()
for i in $(seq 2 $VETHS); do hosts+=(-o "h:h$i"); done
for i in $(seq $TAPS); do hosts+=(-o "sw:t$i"); done
if flow -i h:h1 "${hosts[@]}" -T broadcast -s 300 -r 500 -n 500 -t 5 >"$TMP/flow" 2>"$TMP/err" &&
	jq -e '.sent == 500 and (.rx | length == 63) and all(.rx[]; .received == 500 and .duplicates == 0 and .bad == 0)' \
	"$TMP/flow" >/dev/null; then
	pass "broadcast-to-63"
else
	fail "broadcast-to-63: $(jq -c '[.sent, (.rx | map(select(.received != 500)) | map([.name, .received]))]' "$TMP/flow") $(cat "$TMP/err")"
fi

# alone NAME FROM TO: frames of FROM for a station behind TO, which has spoken, are seen there and nowhere else.
alone() {
	local name=$1 from=$2 to=$3 others=() host
	for host in "${hosts[@]}"; do
		[ "$host" = -o ] || [ "$host" = "$to" ] || [ "$host" = "$from" ] || others+=(-o "$host")
	done
	if flow -i "$from" -o "$to" "${others[@]}" -s 300 -r 2000 -n 1000 -t 3 -f 7 >"$TMP/flow" 2>"$TMP/err" &&
		jq -e '.rx[0].received == 1000 and all(.rx[1:][]; .received == 0)' "$TMP/flow" >/dev/null; then
		pass "$name"
	else
		fail "$name: $(jq -c '.rx | map(select(.received > 0)) | map([.name, .received])' "$TMP/flow") $(cat "$TMP/err")"
	fi
}
alone veth-to-veth h:h1 h:h48
alone veth-to-tap h:h2 sw:t16
alone tap-to-veth sw:t1 h:h47
alone tap-to-tap sw:t2 sw:t15

for i in $(seq 20 30); do ctl link del dev "p$i"; done
check eleven-removed test "$(ctl -j link show | jq length)" = $((VETHS + TAPS - 11))
for i in $(seq 20 30); do ctl link add "packet:p$i"; done
check eleven-added wait_for 3 all_forward
finish
