#!/bin/bash
# SPDX-License-Identifier: MIT
# The fast path: what the kernel forwards by itself goes where the bridge says, with the right tag, in order, counted; and
# any change ends it at once (fastpath.py). Then: without it, without the privilege, in several namespaces, after kill -9.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need jq python3
PY="$ROOT/tests/system/fastpath.py"

ns sw a b c d
for host in a b c d; do veth $host eth0 sw "p$host"; done

# at NAME...: those checks of fastpath.py, which prints PASS and FAIL itself.
at() {
	python3 "$PY" "$PREFIX" "$SOCKET" "$BUILD/uswitchctl" "$@" || FAILED=1
}

stop() {
	kill "$SWITCH"
	wait "$SWITCH" 2>/dev/null
}

# As far as this machine can: root outside of user namespaces, Linux 6.6.
switch sw -v -p pa -p pb -p pc -p pd
if ! python3 "$PY" "$PREFIX" "$SOCKET" "$BUILD/uswitchctl" works; then
	if grep -q 'no fast path\|not on the fast path' "$TMP/sw.log"; then
		skip "fastpath: $(grep -m 1 'fast path' "$TMP/sw.log")"
	else
		fail "fastpath-begins: known unicast is not forwarded by the kernel, and nobody says why"
	fi
	at plain
	finish
fi
pass fastpath-begins

at counted order queue forgotten moved isolated disabled down mtu locked deleted idle crowd
stop
switch sw -p pa -p pb -p pc -p pd
at tags ageing
stop

# kill -9: nothing goes on forwarding, and a new switch can begin.
switch sw -p pa -p pb -p pc -p pd
at works
kill -KILL "$SWITCH"
wait "$SWITCH" 2>/dev/null
at silent
rm -f "$SOCKET"
switch sw -p pa -p pb -p pc -p pd
at works counted
stop

# The other end of the pair comes into the switch's own namespace: what was handed over directly is sent.
switch sw -p pa -p pb -p pc -p pd
at works
move b eth0 sw
in_ns sw ip link set eth0 address 02:b0:00:00:00:0b up
at came
in_ns sw ip link set eth0 netns "$PREFIX-b"
in_ns b ip link set eth0 up
at works
stop

switch sw --fastpath off -p pa -p pb -p pc -p pd
at plain
stop

# Interfaces in two other namespaces, with the same number: only those of one namespace are the kernel's.
ns x y
for side in x y; do
	for host in 1 2; do
		ns "$side$host"
		ip -n "$PREFIX-$side" link add "q$host" index $((100 + host)) type veth peer name eth0 netns "$PREFIX-$side$host"
		ip -n "$PREFIX-$side" link set "q$host" up
		in_ns "$side$host" ip link set eth0 up
	done
done
switch sw -p "packet:q1,name=x1,netns=$PREFIX-x" -p "packet:q2,name=x2,netns=$PREFIX-x" \
	-p "packet:q1,name=y1,netns=$PREFIX-y" -p "packet:q2,name=y2,netns=$PREFIX-y"
at namespaces
stop

# Without the privilege everything goes on by itself, and says why.
# shellcheck disable=SC2016
check fastpath-not-permitted unshare -Urn bash -c '
	for i in 0 1; do ip link add v$i type veth peer name e$i && ip link set v$i up && ip link set e$i up || exit 1; done
	"$1/uswitch" -v -S "$2/user.sock" -p packet:v0 -p packet:v1 2>"$2/user.log" &
	for _ in $(seq 100); do [ -S "$2/user.sock" ] && break; sleep 0.05; done
	python3 "$3" - "$2/user.sock" "$1/uswitchctl" unprivileged
	status=$?
	kill %1
	wait
	grep -q "no fast path: no permission" "$2/user.log" || { cat "$2/user.log"; exit 1; }
	exit $status' - "$BUILD" "$TMP" "$PY"
finish
