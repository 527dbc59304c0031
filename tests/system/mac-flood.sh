#!/bin/bash
# SPDX-License-Identifier: MIT
# Ten million random source addresses from one port: the others keep their entries, no memory is taken, nobody else's frames are
# flooded, and a third pair goes on talking.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need jq
TRAFFIC=$(tool traffic)
FRAMES=${FRAMES:-10000000}
D=0200000000dd

ns sw a b c d
for pair in a:1 b:2 c:3 d:4; do veth "${pair%:*}" eth0 sw "p${pair#*:}"; done
switch sw -p p1 -p p2 -p p3 -p p4
forward() { [ "$(ctl -j link show | jq 'map(select(.state == "forwarding")) | length')" = 4 ]; }
check start wait_for 3 forward

rss() { awk '/^VmRSS/ { print $2 }' "/proc/$SWITCH/status"; }
entries() { ctl -j fdb show dev "$1" dynamic | jq length; }

# 1,000 stations on each of a and b.
flow -i a:eth0 -o b:eth0 -s 60 -S 1000 -D 1000 -n 4000 -r 20000 -t 2 >/dev/null
flow -i b:eth0 -o a:eth0 -x -s 60 -S 1000 -D 1000 -n 4000 -r 20000 -t 2 -P >/dev/null
in_ns d "$TRAFFIC" frame eth0 ffffffffffff${D}88b5
in_ns c "$TRAFFIC" macs eth0 300000 $D # touches the whole table once
a=$(entries p1) b=$(entries p2) memory=$(rss)
known() { [ "$a" -ge 1000 ] && [ "$b" -ge 1000 ]; }
check "stations-are-known ($a, $b)" known

began=$EPOCHREALTIME
in_ns c "$TRAFFIC" macs eth0 "$FRAMES" $D 2>"$TMP/err" &
FLOOD=$!
sleep 1
flow -i a:eth0 -o b:eth0 -o d:eth0 -s 200 -S 1000 -D 1000 -r 2000 -t 5 -f 4 -P >"$TMP/pair"
wait $FLOOD
flooded=$?
took=$(awk "BEGIN { printf \"%.0f\", $EPOCHREALTIME - $began }")

if [ $flooded = 0 ]; then pass "flood ($FRAMES addresses in $took s)"; else fail "flood: $(cat "$TMP/err")"; fi
kept() { [ "$(entries p1)" -ge "$a" ] && [ "$(entries p2)" -ge "$b" ]; }
check others-keep-entries kept
after=$(rss)
if [ $((after - memory)) -le 256 ]; then pass "memory ($memory kB)"; else fail "memory: $memory kB, then $after kB"; fi
if jq -e '.sent > 5000 and .rx[1].received == 0' "$TMP/pair" | grep -q true; then
	pass nothing-flooded
else
	fail "nothing-flooded: $(jq '.rx[1].received' "$TMP/pair") frames of a for b were seen at d"
fi
lost=$(jq '.rx[0].lost // 99999' "$TMP/pair")
if [ "$lost" -le $(($(jq .sent "$TMP/pair") / 100)) ]; then
	pass "pair-goes-on (lost $lost of $(jq .sent "$TMP/pair"))"
else
	fail "pair-goes-on: lost $lost of $(jq .sent "$TMP/pair")"
fi
check evicted-counted test "$(ctl -j stats | jq '.fdb.fdb_evicted')" -gt 0
finish
