#!/bin/bash
# SPDX-License-Identifier: MIT
# uswitch-bridge-helper: its access file, its arguments, a TAP that is a port as long as it is held, and setuid.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need python3 setpriv

HELPER=$BUILD/uswitch-bridge-helper
ETC=$TMP/etc
mkdir "$ETC" "$TMP/uswitch"
export XDG_RUNTIME_DIR=$TMP RUN_SOCKET=/nonexistent

# inside COMMAND...: in the namespace sw, with our /etc/uswitch, and no switch in /run but $RUN_SOCKET.
# shellcheck disable=SC2016
INSIDE=(unshare -m sh -c 'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /etc && mkdir /etc/uswitch &&
	mount --bind "$0" /etc/uswitch && mkdir /run/uswitch && ln -s "$RUN_SOCKET" /run/uswitch/lab.sock && exec "$@"' "$ETC")
inside() { in_ns sw "${INSIDE[@]}" "$@"; }
receive() { inside timeout 10 python3 "$ROOT/tests/system/receive-fd.py" "$@"; }

# conf LINE...: the access file.
conf() { printf '%s\n' "$@" >"$ETC/bridge.conf"; }

# says TEXT COMMAND...: fails, and says so.
says() {
	local want=$1
	shift
	"$@" >"$TMP/said" 2>&1 && return 1
	cat "$TMP/said"
	grep -q -- "$want" "$TMP/said"
}

# Nobody serves "none": what is allowed gets as far as that.
allowed() { says "no such switch" receive "$HELPER" --br=none; }
denied() { says "access denied" receive "$HELPER" --br=none; }

ns sw
check "without its file it denies" says "No such file" receive "$HELPER" --br=none
conf '# nothing'
check "nothing is allowed by default" denied
conf '  allow   none  '
check "allow" allowed
conf 'allow other'
check "allow for another one" denied
conf 'allow nonesuch' 'allow non'
check "names are whole" denied
conf 'allow all'
check "allow all" allowed
conf 'allow none' 'deny none'
check "deny is stronger" denied
conf 'deny all' 'allow none'
check "wherever it stands" denied
conf 'deny other' $'allow\tall' ''
check "deny for another one" allowed
conf "include /etc/uswitch/more.conf"
check "a missing file says nothing" denied
echo 'allow none' >"$ETC/more.conf"
check "include" allowed
echo 'deny none' >>"$ETC/more.conf"
check "include deny" denied
conf 'include more.conf'
echo 'allow none' >"$ETC/more.conf"
# shellcheck disable=SC2016
check "a file of the folder that it is called in is not included" says "absolute path" \
	inside sh -c 'cd /etc/uswitch && exec "$@"' - timeout 10 python3 "$ROOT/tests/system/receive-fd.py" "$HELPER" --br=none
conf 'allow none' 'include /etc/uswitch/bridge.conf'
check "files in a circle" denied
conf 'allow none' 'include /etc/uswitch'
check "a folder is no file" denied
for line in 'permit none' allow 'allow ' "allow $(printf '%5000s' x)"; do
	conf 'allow none' "$line"
	check "a bad line: ${line:0:20}" says "bridge.conf:2: " receive "$HELPER" --br=none
done
conf 'allow all'
for name in '' a/b ../x .x 1234567890123456 'a b' $'a\nb'; do
	check "not a name: ${name@Q}" says "not a switch's name" receive "$HELPER" "--br=$name"
done
check "an unknown argument" says "unknown argument" receive "$HELPER" --br=none --use-vhost
check "no descriptor" says usage inside "$HELPER" --br=none
check "a descriptor that is none" says "unknown\|usage" inside "$HELPER" --br=none --fd=x

switch sw -n lab -l
ln -s "$SOCKET" "$TMP/uswitch/lab.sock"
# hold ARGUMENT...: a guest in the background; $GUEST is what ends it, $PORT its port.
hold() {
	: >"$TMP/got"
	start in_ns sw "${INSIDE[@]}" python3 "$ROOT/tests/system/receive-fd.py" "$@" >"$TMP/got" 2>"$TMP/why"
	GUEST=$STARTED
	wait_for 5 grep -q got "$TMP/got"
	PORT=$(awk 'NR == 1 { print $1 }' "$TMP/got")
}
# Answers 02:00:00:00:00:0a from the host's port.
answer() {
	in_ns sw ip link set lab up
	in_ns sw python3 -c 'import socket, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
s.bind(("lab", 0))
while True:
	s.send(bytes.fromhex("02000000000a02000000000b88b5") + bytes(46))
	time.sleep(0.02)'
}
got() { "$@" >"$TMP/got" 2>&1; cat "$TMP/got"; grep -qx got "$TMP/got"; }
has_port() { ctl link show | grep -q "^[0-9]*: $1:"; }
no_port() { ! has_port "$1"; }
no_if() { ! in_ns sw ip link show dev "$1" 2>/dev/null; }
learned() { ctl fdb show | grep -q "^02:00:00:00:00:0a dev $1 master"; }
in_vlan() { ctl -j vlan show dev "$1" | jq -e '.[0].vlans[].vlan == 10'; }

start answer 2>/dev/null
check "a guest gets a TAP and frames" hold "$HELPER" --use-vnet --br=lab || cat "$TMP/why"
check "with virtio headers" grep -qx "$PORT vnet" "$TMP/got"
check "its interface is a port" has_port "$PORT"
check "where it is learned" learned "$PORT"
ctl vlan add vid 10 dev "$PORT" pvid untagged
check "that can be configured" in_vlan "$PORT"
check "the host is silent on it" [ "$(in_ns sw cat "/proc/sys/net/ipv6/conf/$PORT/disable_ipv6")" = 1 ]
ctl reload
check "a reload keeps it, as it is" in_vlan "$PORT"
first=$PORT
check "a second one, without" hold "$HELPER" --br=lab
check "has none" grep -qx "$PORT plain" "$TMP/got"
kill "$GUEST"
check "its port goes with it" wait_for 2 no_port "$PORT"
check "and the interface" no_if "$PORT"
check "and the configuration's line" sh -c "! '$BUILD/uswitchctl' -S '$SOCKET' show config | grep '$PORT'"
check "but no other's" has_port "$first"
ctl link add mem:,name="$PORT"
check "nobody gets a TAP when the switch refuses" says 'there is a port "tap' receive "$HELPER" --br=lab
check "which is gone" no_if "$PORT"
ctl link del dev "$PORT"
ns away
check "nor from another namespace than the switch's" says "another network namespace" \
	in_ns away "${INSIDE[@]}" timeout 10 python3 "$ROOT/tests/system/receive-fd.py" "$HELPER" --br=lab

# As users call it: setuid root, by somebody who may do nothing.
if [ -e /proc/self/loginuid ] && setpriv --reuid=65534 true 2>/dev/null; then
	cp "$HELPER" "$TMP/helper" && chmod 4755 "$TMP/helper" && chmod 755 "$TMP" "$ETC"
	cp "$ROOT/tests/system/receive-fd.py" "$TMP"
	USER=(setpriv --reuid=65534 --regid=65534 --clear-groups /usr/bin/python3 "$TMP/receive-fd.py" "$TMP/helper")
	check "setuid root, it takes no folder from the user" says "no such switch" inside timeout 10 "${USER[@]}" --br=lab
	RUN_SOCKET=$SOCKET
	check "but root's" got inside timeout 2 "${USER[@]}" --br=lab
	conf 'include /etc/uswitch/more.conf'
	echo 'allow lab' >"$ETC/more.conf"
	chmod 600 "$ETC/more.conf"
	check "a file that the user may not read allows nothing" says "access denied" inside timeout 10 "${USER[@]}" --br=lab
else
	skip "setuid: needs another user"
fi
finish
