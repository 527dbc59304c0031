#!/bin/bash
# SPDX-License-Identifier: MIT
# Every kind of port to every other one, with every request for an offload, tags put on and taken off: offloads.py has the table.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"
need jq /usr/bin/python3
VHOST=$(tool vhost)

ns sw
switch sw
in_ns sw /usr/bin/python3 "$(dirname "$0")/offloads.py" "$BUILD/uswitchctl" "$SOCKET" "$VHOST" "$TMP" || FAILED=1
check nothing-dropped test "$(ctl -j stats | jq '[.ports[] | (.drop_in, .drop_out | add), .rx_missed] | add')" = 0
check balance test "$(ctl -j stats | jq 'all(.ports[]; .queued == .tx_packets)')" = true
finish
