#!/bin/bash
# SPDX-License-Identifier: MIT
# The kernel backend on a kernel whose bridge filters VLANs: what test-vlan.sh asks of the user backend, and what
# tests/system/kernel.sh cannot ask. Usage: tests/guest/test-kernel.sh [options for run]
here=$(dirname "$0")
tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
"${CC:-cc}" -std=c11 -D_GNU_SOURCE -O2 -o "$tmp/probe" "$here/probe.c" || exit
"$here/run" -f "$tmp/probe" -a kernel "$@" "$here/vlan-show.sh" "$here/kernel-vlans.sh"
