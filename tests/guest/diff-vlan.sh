#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the guest: random programs with VLANs on a kernel bridge and on uswitch, after the test of the test. Part of
# test-diff-vlan.sh; with options, one run of diff with these.
vlans() { ./diff --uswitch "$(command -v uswitch)" --vlans --no-ageing "$@" || status=1; }

status=0
if [ $# -gt 0 ]; then
	vlans "$@"
	exit $status
fi
vlans --self-test --programs 2 --frames 300
vlans --sides kernel,packet --programs 20
vlans --sides kernel,backend --programs 12
vlans --sides kernel,tap --programs 8
exit $status
