#!/bin/bash
# SPDX-License-Identifier: MIT
# Speed beside the kernel bridge, by the benchmark's shortest runs. The ratios are reported. What fails is only what no noise
# explains: no frames at all, or less than a fifth of the bridge twice, as when offloads are lost.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need jq python3 iperf3 ethtool

ratios() {
	"$ROOT/tools/bench/run" --build "$BUILD" --only tcp1,fwd60 --rounds 2 --seconds 0.5 --json "$TMP/speed.json" \
		--switches "kernel bridge,uswitch packet,uswitch tap" >"$TMP/table" 2>&1 || return
	# the means of two rounds, by row and switch
	jq -r '.rows | to_entries[] | select(.key == "tcp1" or .key == "fwd60") | .key as $row | .value.values as $all |
		($all["kernel bridge"] | add / length) as $bridge | $all | to_entries[] | select(.key != "kernel bridge") |
		"\($row) \(.key | split(" ")[1]) \((.value | add / length) / $bridge * 100 | round / 100)"' "$TMP/speed.json" >"$TMP/ratios"
	test "$(wc -l <"$TMP/ratios")" = 4
}
fast_enough() { ratios && awk '$3 < 0.2 { exit 1 }' "$TMP/ratios"; }

if fast_enough || fast_enough; then
	while read -r row kind ratio; do
		pass "$row-$kind"
		echo "NOTE $row, $kind ports: $ratio times the kernel bridge"
	done <"$TMP/ratios"
else
	fail "speed: $(tail -n 8 "$TMP/table") $(cat "$TMP/ratios")"
fi
finish
