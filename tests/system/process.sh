#!/bin/bash
# SPDX-License-Identifier: MIT
# The process: how it starts, what it refuses, what it leaves behind, and how it follows its interfaces.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need jq python3 setpriv tcpdump

USWITCH=$BUILD/uswitch
LOG=$TMP/sw.log

ns sw a b

# How long process $1 takes to end after signal $2, in ms, and its status; "hangs" after 3 s.
end_of() {
	local pid=$1 start=${EPOCHREALTIME/./} status
	kill "-$2" "$pid"
	(sleep 3; kill -KILL "$pid" 2>/dev/null) &
	local guard=$!
	wait "$pid"
	status=$?
	kill $guard 2>/dev/null
	echo $(((${EPOCHREALTIME/./} - start) / 1000)) $status
}

# ends NAME SIGNAL: the switch ends within a second, with status 0.
ends() {
	local ms status
	end_of "$SWITCH" "$2" >"$TMP/end"
	read -r ms status <"$TMP/end"
	if [ "$ms" -lt 1000 ] && [ "$status" -eq 0 ]; then
		pass "$1"
	else
		fail "$1: ended after $ms ms with status $status"
	fi
}

exists() { in_ns sw test -e "/sys/class/net/$1"; }
not() { ! "$@"; }
gone() { ! exists "$1"; }
state_is() { [ "$(ctl -j link show dev "$1" | jq -r '.[0].state')" = "$2" ]; }
missing() { ctl -j link show dev "$1" | jq -e '.[0].flags | index("UP") | not' >/dev/null; }
files() { find "$TMP" -maxdepth 1 -name 'sw.sock*'; }
descriptors() { find "/proc/$SWITCH/fd" -mindepth 1 | wc -l; }
ticks() { awk '{ print $14 + $15 }' "/proc/$SWITCH/stat"; }
sleeps() { awk '/^voluntary/ { print $2 }' "/proc/$SWITCH/status"; }
pings() { in_ns "$1" ping -q -c 1 -W 0.3 "$2"; }

# refuses NAME STATUS TEXT OPTION...: uswitch exits at once with STATUS and one error of one line that contains TEXT.
refuses() {
	local name=$1 status=$2 text=$3 got
	shift 3
	in_ns sw timeout 5 "$USWITCH" -S "$TMP/refused.sock" "$@" >"$TMP/refused" 2>&1
	got=$?
	if [ $got -eq "$status" ] && grep -q "^uswitch: error: .*$text" "$TMP/refused" &&
		[ "$(grep -vc ': made a TAP' "$TMP/refused")" -eq 1 ]; then
		pass "refuses-$name"
	else
		fail "refuses-$name: status $got: $(tr '\n' ' ' <"$TMP/refused")"
	fi
}

# Every option that --help knows is in the manual.
manual() {
	local word lost=''
	"$USWITCH" --help | sed -nE 's/^      ([a-z]+).*/Cm \1/p; s/^  ([a-z]+):.*/Cm \1/p
		s/^  -([a-zA-Z]) .*/Fl \1/p; s/^  --([a-z-]+) .*/Fl \\-\1/p' >"$TMP/words"
	while read -r word; do
		grep -qwF -- "$word" "$ROOT/switch/daemon/uswitch.8" || lost="$lost $word"
	done <"$TMP/words"
	check "manual-is-complete$lost" test "$(wc -l <"$TMP/words")" -gt 20 -a -z "$lost"
}

usage() {
	refuses unknown-option 2 '-x is no option' -x
	refuses no-value 2 '-p needs a value' -p
	refuses long-name 2 'longer than 15 bytes' -p 0123456789abcdef
	refuses unknown-kind 2 'unknown port type "foo"' -p foo:bar
	refuses option-value 2 'mtu=10: ' -p tap:tap0,mtu=10
	refuses bare-option 2 'unknown option "speed=1"' -p tap0,speed=1
	refuses port-twice 2 'tap0' -p tap0 -p tap0
	refuses interface-twice 2 'tap0' -p tap0 -p packet:tap0,name=x
	refuses fdb-size 2 'from 1024 to 4194304' --fdb-size 12
	refuses stray-word 2 'ports are given with -p' tap0
	refuses backend 2 'must be user, kernel or auto' -b magic -p tap0
	check usage-leaves-nothing gone tap0
}

unusable() {
	ip -n "$PREFIX-sw" link add br9 type bridge
	ip -n "$PREFIX-sw" link add v0 type veth peer name v1
	ip -n "$PREFIX-sw" link set v0 master br9
	ip -n "$PREFIX-sw" tuntap add tun9 mode tun
	refuses loopback 1 'lo is the loopback interface' -p lo
	refuses bridge 1 'br9 is a bridge' -p br9
	refuses bridge-port 1 'v0 belongs to br9' -p v0
	refuses no-ethernet 1 'tun9 is not' -p tun9
	refuses no-tap 1 'packet:v1' -p tap:v1
	refuses namespace 1 'no network namespace "nowhere"' -p tap0,netns=nowhere
	refuses socket-folder 1 "$TMP/none/x" -S "$TMP/none/x"
	refuses group 1 '-G nosuchgroup: ' -G nosuchgroup
	in_ns sw setpriv --bounding-set=-all "$USWITCH" -S "$TMP/x" -p tap0 2>"$TMP/refused"
	check "refuses-tap-without-capability" grep -q "CAP_NET_ADMIN.*unshare -Urn" "$TMP/refused"
	in_ns sw setpriv --bounding-set=-all "$USWITCH" -S "$TMP/x" -p v1 2>"$TMP/refused"
	check "refuses-packet-without-capability" grep -q "CAP_NET_RAW" "$TMP/refused"
	check unusable-leaves-nothing gone tap0
	# an error after ports were opened takes them away again
	refuses second-port 1 'loopback' -p tap0 -p lo
	check second-port-leaves-nothing gone tap0
	for name in br9 v0 tun9; do ip -n "$PREFIX-sw" link del $name; done
}

configuration() {
	echo 'link add host:up1' >"$TMP/bad.conf"
	refuses two-host-ports 1 "$TMP/bad.conf:1: .*there is a host port already" -l -c "$TMP/bad.conf"
	printf 'link add tap0\nset ageing_time 10s\nlink add foo:bar\n' >"$TMP/bad.conf"
	refuses half-wrong-file 1 "$TMP/bad.conf:3: " -c "$TMP/bad.conf"
	check half-wrong-file-leaves-nothing gone tap0
	refuses missing-file 1 'No such file' -c "$TMP/none.conf"
	refuses folder-as-file 1 'Is a directory' -c "$TMP"
	head -c 100000 /dev/urandom >"$TMP/random.conf"
	refuses random-file 1 "$TMP/random.conf:1: " -c "$TMP/random.conf"
	printf '# two\nlink add tap0\nlink add mem:,name=m0\nset ageing_time 10s\n' >"$TMP/sw.conf"
	switch sw -p tap1 -c "$TMP/sw.conf"
	check file-and-options test "$(ctl show config | sort | tr '\n' ';')" = \
		"link add mem:,name=m0;link add tap:tap0;link add tap:tap1;set ageing_time 10s;"
	ctl link add tap2
	printf 'link add tap0\nset ageing_time 20s\n' >"$TMP/sw.conf"
	kill -HUP "$SWITCH"
	check reload wait_for 1 test_config "link add tap:tap0;link add tap:tap1;set ageing_time 20s;"
	check reload-logged grep -q 'reload: link del dev tap2' "$LOG"
	check reload-removes wait_for 1 gone tap2
	echo "nonsense" >>"$TMP/sw.conf"
	kill -HUP "$SWITCH"
	check reload-refused wait_for 1 grep -q "reload: $TMP/sw.conf:3: .*nothing was changed" "$LOG"
	check reload-refused-unchanged test_config "link add tap:tap0;link add tap:tap1;set ageing_time 20s;"
	ends ends-after-reload TERM
}

test_config() { [ "$(ctl show config | sort | tr '\n' ';')" = "$1" ]; }

# Prints how many ms uswitch takes until READY=1, the best of five.
ready_time() {
	in_ns sw python3 - "$USWITCH" "$TMP" <<'PY'
import os, socket, subprocess, sys, time
best = 9e9
for _ in range(5):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(sys.argv[2] + "/notify")
    s.settimeout(5)
    start = time.monotonic()
    p = subprocess.Popen([sys.argv[1], "-S", sys.argv[2] + "/n.sock", "-p", "tap0", "-p", "p1"],
                         env=dict(os.environ, NOTIFY_SOCKET=sys.argv[2] + "/notify"), stderr=subprocess.DEVNULL)
    assert s.recv(64) == b"READY=1"
    best = min(best, (time.monotonic() - start) * 1000)
    assert os.path.exists(sys.argv[2] + "/n.sock")
    p.terminate()
    assert s.recv(64) == b"STOPPING=1"
    assert p.wait() == 0
    os.unlink(sys.argv[2] + "/notify")
print(round(best))
PY
}

life() {
	local ready kb
	veth a eth0 sw p1
	address a eth0 10.0.0.1/24
	ready=$(ready_time)
	check "ready-within-100ms (${ready:-failed} ms)" test "${ready:-9999}" -le 100
	switch sw -p tap0 -p p1
	check tap-is-made exists tap0
	kb=$(awk '/^VmRSS/ { print $2 }' "/proc/$SWITCH/status")
	check "memory (${kb} KiB)" test "$kb" -le 20480
	check socket-mode test "$(stat -c %a "$SOCKET")" = 600
	ends ends-on-TERM TERM
	check leaves-no-tap gone tap0
	check leaves-no-socket test -z "$(files)"
	switch sw -p tap0
	ends ends-on-INT INT
	# killed: the socket stays, and the next one takes it over
	switch sw -p tap0
	kill -KILL "$SWITCH"
	wait "$SWITCH" 2>/dev/null
	check killed-leaves-socket test -S "$TMP/sw.sock"
	check killed-leaves-no-tap gone tap0
	switch sw -p tap0
	pass stale-socket-taken-over
	# a second one must not touch the first one's ports
	in_ns sw "$USWITCH" -S "$SOCKET" -p other0 >"$TMP/second" 2>&1
	check second-refused test $? = 1
	check second-says-why grep -q "in use by a .*switch" "$TMP/second"
	check second-touches-nothing test "$(grep -c . "$TMP/second")" = 1 # it made no TAP
	check first-goes-on ctl version
	# a client that is connected does not keep it from ending
	start "$USWITCH"ctl -S "$SOCKET" monitor >/dev/null 2>&1
	ends ends-with-a-monitor TERM
	ip -n "$PREFIX-a" link del eth0
}

detached() {
	local out status
	SOCKET=$TMP/sw.sock
	out=$(in_ns sw timeout 5 "$USWITCH" -D -S "$SOCKET" -p tap0 2>&1)
	status=$?
	check detach-status test $status = 0
	check detach-is-ready ctl version
	SWITCH=$(in_ns sw ip netns pids "$PREFIX-sw" | head -n 1)
	PIDS+=("$SWITCH")
	check detach-own-session test "$(ps -o sid= -p "$SWITCH" | tr -d ' ')" = "$SWITCH"
	kill -TERM "$SWITCH"
	check detach-ends wait_for 1 gone tap0
	out=$(in_ns sw timeout 5 "$USWITCH" -D -S "$SOCKET" -p lo 2>&1)
	status=$?
	check detach-error-status test $status = 1
	check detach-error-text grep -q loopback <<<"$out"
}

# The interface of a packet port is deleted, made again, renamed, taken down.
missing_interface() {
	local fds before used
	veth a eth0 sw p1
	address a eth0 10.0.0.1/24
	switch sw -p p1 -p packet:later -l
	address sw br0 10.0.0.3/24
	check packet-forwards wait_for 2 pings a 10.0.0.3
	check absent-is-missing missing later
	fds=$(descriptors)
	ip -n "$PREFIX-sw" link del p1
	check deleted-is-missing wait_for 0.2 missing p1
	before=$(ticks)
	sleep 1
	used=$(($(ticks) - before))
	check "missing-is-idle ($used ticks)" test "$used" -le 2
	veth a eth0 sw p1
	address a eth0 10.0.0.1/24
	check missing-is-back wait_for 1 state_is p1 forwarding
	check back-forwards wait_for 1 pings a 10.0.0.3
	for _ in $(seq 30); do
		ip -n "$PREFIX-sw" link del p1
		veth a eth0 sw p1
	done
	address a eth0 10.0.0.1/24
	check back-after-30-times wait_for 1 state_is p1 forwarding
	check descriptors-constant test "$(descriptors)" = "$fds"
	ip -n "$PREFIX-sw" link set p1 down
	check down-is-disabled wait_for 0.5 state_is p1 disabled
	check down-flushes test -z "$(ctl fdb show dynamic brport p1)"
	ip -n "$PREFIX-sw" link set p1 name q1
	ip -n "$PREFIX-sw" link set q1 up
	check renamed-is-followed wait_for 1 state_is p1 forwarding
	check renamed-forwards wait_for 1 pings a 10.0.0.3
	ip -n "$PREFIX-sw" link del q1
	check host-is-alone wait_for 0.5 missing p1
	ip -n "$PREFIX-sw" link add later type veth peer name later1
	ip -n "$PREFIX-sw" link set later up
	ip -n "$PREFIX-sw" link set later1 up
	check absent-appears wait_for 1 state_is later forwarding
	ip -n "$PREFIX-sw" link del later
	ends ends-while-missing TERM
}

# A TAP of the switch is moved to a host, its interface renamed, its namespace deleted, and one of its name made again.
moved_tap() {
	switch sw -p tap0 -p tap1
	move sw tap0 a
	move sw tap1 b
	ip -n "$PREFIX-a" link set tap0 name eth0
	address a eth0 10.0.0.1/24
	address b tap1 10.0.0.2/24
	check moved-forwards wait_for 2 pings a 10.0.0.2
	check moved-is-forwarding state_is tap0 forwarding
	ip -n "$PREFIX-a" link set eth0 down
	check moved-down-is-seen wait_for 0.5 state_is tap0 disabled
	ip -n "$PREFIX-a" link set eth0 up
	check moved-up-is-seen wait_for 0.5 state_is tap0 forwarding
	check moved-is-not-kept-alive namespace_dies
	check namespace-gone-is-missing wait_for 1 missing tap1
	# whoever makes it holds it for a moment, and the kernel has no news of its being let go
	in_ns sw python3 - tap1 <<'PY'
import fcntl, struct, sys, time
with open("/dev/net/tun", "r+b", buffering=0) as tun:
    fcntl.ioctl(tun, 0x400454ca, struct.pack("16sH22x", sys.argv[1].encode(), 0x1002))  # TUNSETIFF, IFF_TAP | IFF_NO_PI
    fcntl.ioctl(tun, 0x400454cb, 1)  # TUNSETPERSIST
    time.sleep(0.3)
PY
	check tap-made-again-is-back wait_for 1 grep -q 'tap1: back' "$LOG"
	address sw tap1 10.0.0.2/24
	check tap-made-again-forwards wait_for 1 pings a 10.0.0.2
	ends ends-after-moves TERM
	ip -n "$PREFIX-sw" link del tap1
}

# Deletes namespace b and checks that the kernel lets it go: its end of a veth pair takes the other end with it.
namespace_dies() {
	ip -n "$PREFIX-sw" link add probe type veth peer name probe1 netns "$PREFIX-b"
	ip netns del "$PREFIX-b"
	NAMESPACES=(sw a)
	wait_for 2 gone probe
}

# What -p NAME makes of what is there.
bare_names() {
	ip -n "$PREFIX-sw" tuntap add idle0 mode tap
	ip -n "$PREFIX-sw" link set idle0 up
	ip -n "$PREFIX-sw" link add v0 type veth peer name v1
	switch sw -p idle0 -p new0 -p v0
	check bare-idle-tap grep -q 'idle0: attached to a TAP.*idle0,guest' "$LOG"
	check bare-new-tap grep -q 'new0: made a TAP.*new0,guest' "$LOG"
	check bare-veth-is-down grep -q 'v0: attached to v0, which is down' "$LOG"
	SOCKET1=$SOCKET SWITCH1=$SWITCH
	SOCKET=$TMP/two.sock
	start ip netns exec "$PREFIX-sw" "$USWITCH" -n two -S "$SOCKET" -p idle0 -p new0 2>/dev/null
	wait_for 2 ctl version
	check bare-held-tap-is-packet test "$(ctl -j stats dev new0 | jq -r '.ports[0].kind')" = packet
	check bare-held-persistent-tap-is-packet test "$(ctl -j stats dev idle0 | jq -r '.ports[0].kind')" = packet
	kill "$STARTED"
	wait "$STARTED"
	SOCKET=$SOCKET1 SWITCH=$SWITCH1
	ends ends-bare TERM
	check persistent-tap-stays exists idle0
	ip -n "$PREFIX-sw" link del idle0
	ip -n "$PREFIX-sw" link del v0
}

# Whether a sniffer on the host port sees hosts a and b talk to each other.
overhears() {
	in_ns sw timeout 1 tcpdump --immediate-mode -n -i up0 "$@" -c 1 icmp >/dev/null 2>&1 &
	local sniffer=$!
	sleep 0.4
	in_ns a ping -q -c 2 -i 0.1 -W 0.3 10.0.0.2 >/dev/null
	wait "$sniffer"
}

host_port() {
	veth a eth0 sw p1
	address a eth0 10.0.0.1/24
	switch sw -l up0 -p p1
	address sw up0 10.0.0.3/24
	check host-port-pings wait_for 2 pings a 10.0.0.3
	veth b eth0 sw p2
	address b eth0 10.0.0.2/24
	ctl link add p2
	check host-port-others-ping wait_for 2 pings a 10.0.0.2
	check host-port-sees-not-all not overhears -p
	check host-port-promiscuous-sees-all overhears
	check host-port-address-is-local grep -q permanent <<<"$(ctl fdb show brport up0)"
	ends ends-host TERM
	check host-port-goes gone up0
	ip -n "$PREFIX-a" link del eth0
	ip -n "$PREFIX-b" link del eth0
}

# Ports come and go while it runs.
changes() {
	switch sw -p tap0 -G "$(id -g)"
	check group-mode test "$(stat -c %a "$SOCKET")" = 660
	check port-added ctl link add tap1
	check port-added-exists exists tap1
	check port-twice-refused not ctl link add tap1
	check port-unusable-refused not ctl link add lo
	check refused-changes-nothing test_config "link add tap:tap0;link add tap:tap1;"
	# an interface takes a moment to go; the new port of its name must not find the old one
	for _ in $(seq 5); do printf 'link del dev tap1\nlink add tap1\n'; done >"$TMP/again"
	check port-again ctl -b "$TMP/again"
	check port-again-is-tap test "$(ctl -j stats dev tap1 | jq -r '.ports[0].kind')" = tap
	check port-removed ctl link del dev tap1
	check port-removed-goes wait_for 1 gone tap1
	ctl stop
	check ends-on-stop wait "$SWITCH"
}

# 64 packet ports: each has several sockets that the kernel is slow to close.
many_packet_ports() {
	local options=() i
	for i in $(seq 64); do
		ip -n "$PREFIX-sw" link add "v$i" type veth peer name "w$i"
		options+=(-p "v$i")
	done
	switch sw "${options[@]}"
	check 64-packet-ports test "$(ctl -j link show | jq length)" = 64
	ends ends-64-packet-ports TERM
	for i in $(seq 64); do ip -n "$PREFIX-sw" link del "v$i"; done
}

many_ports() {
	local options=() i
	for i in $(seq 64); do options+=(-p "tap$i"); done
	switch sw "${options[@]}"
	check 64-ports test "$(ctl -j link show | jq length)" = 64
	check 64-ports-forwarding wait_for 2 sh -c \
		"'$USWITCH'ctl -S '$SOCKET' -j link show | jq -e 'all(.state == \"forwarding\")'"
	move sw tap1 a
	address a tap1 10.0.0.1/24
	address sw tap64 10.0.0.3/24
	check 64-ports-forward wait_for 2 pings a 10.0.0.3
	ends ends-64-ports TERM
	check 64-ports-go gone tap32
}

# Without traffic nothing wakes it; with entries at most once a second.
idle() {
	local options=() i before woken
	for i in $(seq 8); do options+=(-p "tap$i"); done
	switch sw "${options[@]}"
	sleep 0.5
	before=$(sleeps)
	sleep 10
	woken=$(($(sleeps) - before))
	check "idle-never-wakes ($woken in 10 s)" test $woken -eq 0
	address sw tap1 10.0.0.1/24
	in_ns sw ping -q -c 1 -W 0.2 10.0.0.9 >/dev/null
	sleep 4
	check idle-has-entries test "$(ctl fdb show dynamic | wc -l)" -ge 1
	before=$(sleeps)
	sleep 5
	woken=$(($(sleeps) - before))
	check "idle-with-entries ($woken in 5 s)" test $woken -le 6
	ends ends-idle TERM
}

manual
usage
unusable
configuration
life
detached
missing_interface
moved_tap
ns b
bare_names
host_port
changes
many_ports
many_packet_ports
idle
finish
