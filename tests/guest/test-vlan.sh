#!/bin/bash
# SPDX-License-Identifier: MIT
# VLANs on a kernel that has them: commands and their answers beside bridge(8)'s, and TCP between hosts with VLAN devices.
# Usage: tests/guest/test-vlan.sh [options for run]
here=$(dirname "$0")
tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -o "$tmp/probe" "$here/probe.c" &&
	"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -o "$tmp/traffic" "$here/../system/traffic.c" || exit
"$here/run" -f "$tmp/probe" -f "$tmp/traffic" "$@" "$here/vlan-show.sh" "$here/vlan-tcp.sh"
