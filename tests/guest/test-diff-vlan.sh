#!/bin/bash
# SPDX-License-Identifier: MIT
# The differential test (tests/diff) with VLANs, in the guest, whose kernel's bridge filters them.
#
#	tests/guest/test-diff-vlan.sh                   as CI runs it: about 11,000 frames
#	tests/guest/test-diff-vlan.sh --programs 200 --seed 1000     more of it; what a failure prints is replayed likewise
here=$(dirname "$0")
exec "$here/run" -t 570 -f "${BUILD:-$here/../../build}/diff" -a "$*" "$here/diff-vlan.sh"
