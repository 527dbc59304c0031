#!/bin/sh
# SPDX-License-Identifier: MIT
# The scenarios (tests/scenario) on `uswitch -b kernel` in the guest, whose kernel's bridge filters VLANs.
# Usage, on the host: tests/guest/test-live.sh [options for run]

if [ ! -x /test/live ]; then
	here=$(dirname "$0")
	exec "$here/run" -f "${BUILD:-$here/../../build}/live" -f "$here/../scenario" "$@" "$0"
fi
exec ./live --uswitch "$(command -v uswitch)" kernel scenario/*.txt
