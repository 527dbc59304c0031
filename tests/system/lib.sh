#!/bin/bash
# SPDX-License-Identifier: MIT
# What the system tests share. A test sources this file first; then it has throw-away network namespaces, a switch in one of
# them, and lines "PASS name", "FAIL name why", "SKIP name why". All is gone when it ends, however it ends.
#
#	. "$(dirname "$0")/lib.sh"
#	ns sw a b                       namespaces, named by what follows the test's own prefix
#	veth a eth0 sw p1               a pair of interfaces, up; host A's end first
#	address a eth0 10.0.0.1/24
#	switch sw -p p1 -p tap0         starts uswitch there and waits until it is ready; its process is $SWITCH
#	ctl fdb show                    uswitchctl to the last switch
#	in_ns a ping ...                runs a command there
#	check NAME COMMAND...           PASS if the command succeeds, else FAIL with the end of its output
#	finish                          exit status
# A test of this folder run by a plain user becomes root of a user namespace of its own.
# shellcheck disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
case ${BUILD:=build} in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac

if [ "$(id -u)" != 0 ]; then
	if ! unshare -Urnm true 2>/dev/null; then
		echo "SKIP $(basename "$0" .sh) needs root, or user namespaces"
		exit 77
	fi
	# shellcheck disable=SC2016
	exec unshare -Urnm sh -c 'mount -t tmpfs tmpfs /run && exec "$0" "$@"' "$0" "$@"
fi

PREFIX=uswitch-$(basename "$0" .sh)-$$
TMP=$(mktemp -d) NAMESPACES=() PIDS=() FAILED=0 SWITCH='' SOCKET=''

clean_up() {
	local pid name
	trap - EXIT
	for pid in "${PIDS[@]}"; do kill -CONT "$pid" 2>/dev/null; kill "$pid" 2>/dev/null; done
	for pid in "${PIDS[@]}"; do
		for _ in $(seq 50); do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.02
		done
		kill -KILL "$pid" 2>/dev/null
	done
	for name in "${NAMESPACES[@]}"; do ip netns del "$PREFIX-$name" 2>/dev/null; done
	rm -rf "$TMP"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

pass() { echo "PASS $*"; }
fail() { echo "FAIL $*"; FAILED=1; }
skip() { echo "SKIP $*"; }
finish() { exit $FAILED; }

# check NAME COMMAND...
check() {
	local name=$1
	shift
	if "$@" >"$TMP/check.log" 2>&1; then
		pass "$name"
	else
		fail "$name: $(tail -n 3 "$TMP/check.log" | tr '\n' ' ')"
		return 1
	fi
}

# need COMMAND: ends the test with SKIP when it is not installed.
need() {
	local command
	for command in "$@"; do
		command -v "$command" >/dev/null || { skip "$(basename "$0" .sh) needs $command"; exit 77; }
	done
}

# wait_for SECONDS COMMAND...: until it succeeds; fails when it did not in time.
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $(awk "BEGIN { print int($1 * 1000000) }")))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt "$end" ] || return 1
		sleep 0.01
	done
}

# start COMMAND... or start in_ns NAMESPACE COMMAND...: in the background, ended by clean_up; its process is $STARTED.
start() {
	[ "$1" != in_ns ] || set -- ip netns exec "$PREFIX-$2" "${@:3}"
	"$@" &
	STARTED=$!
	PIDS+=("$STARTED")
}

ns() {
	local name file
	for name in "$@"; do
		ip netns add "$PREFIX-$name" || exit 1
		NAMESPACES+=("$name")
		in_ns "$name" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null
		in_ns "$name" ip link set lo up
	done
}

in_ns() {
	local name=$1
	shift
	ip netns exec "$PREFIX-$name" "$@"
}

veth() {
	ip -n "$PREFIX-$1" link add "$2" type veth peer name "$4" netns "$PREFIX-$3" &&
		ip -n "$PREFIX-$1" link set "$2" up && ip -n "$PREFIX-$3" link set "$4" up
}

address() {
	ip -n "$PREFIX-$1" address add "$3" dev "$2" && ip -n "$PREFIX-$1" link set "$2" up
}

# move FROM IFNAME TO: a TAP of the switch becomes an interface of a host.
move() {
	ip -n "$PREFIX-$1" link set "$2" netns "$PREFIX-$3"
}

mac() {
	in_ns "$1" cat "/sys/class/net/$2/address"
}

# switch NAMESPACE OPTION...: starts uswitch and waits for its control socket.
switch() {
	local name=$1
	shift
	SOCKET=$TMP/$name.sock
	ip netns exec "$PREFIX-$name" "$BUILD/uswitch" -S "$SOCKET" "$@" 2>>"$TMP/$name.log" &
	SWITCH=$!
	PIDS+=("$SWITCH")
	if ! wait_for 5 ctl version; then
		fail "$(basename "$0" .sh) uswitch does not start: $(tail -n 2 "$TMP/$name.log" | tr '\n' ' ')"
		exit 1
	fi
}

ctl() {
	"$BUILD/uswitchctl" -S "$SOCKET" "$@"
}

# counter PORT NAME: one number of `stats`, or the sum of a direction's drops.
counter() {
	ctl -j stats dev "$1" | jq -r ".ports[0].$2 // 0"
}

# tool NAME: builds tests/system/NAME.c and prints the program's path.
tool() {
	local program=$BUILD/tests/system/$1
	if [ ! "$program" -nt "$ROOT/tests/system/$1.c" ]; then
		mkdir -p "$(dirname "$program")" &&
			"${CC:-gcc}" -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -I"$ROOT" -o "$program.$$" \
				"$ROOT/tests/system/$1.c" &&
			mv "$program.$$" "$program" || exit 1
	fi
	echo "$program"
}

# flow OPTION...: the benchmark's generator; interfaces are NAMESPACE:IFNAME. Prints JSON.
flow() {
	local word options=()
	for word in "$@"; do
		case $word in
		*:*) options+=("$PREFIX-$word") ;;
		*) options+=("$word") ;;
		esac
	done
	"$BUILD/bench-flowgen" "${options[@]}"
}
