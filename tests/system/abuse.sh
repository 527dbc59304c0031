#!/bin/bash
# SPDX-License-Identifier: MIT
# Control clients that flood, stall, send garbage or hang up do not cost a single frame.
# shellcheck source=tests/system/lib.sh disable=SC2317
. "$(dirname "$0")/lib.sh"
need jq python3

ns sw a b c
for pair in a:1 b:2 c:3; do veth "${pair%:*}" eth0 sw "p${pair#*:}"; done
switch sw -p p1 -p p2 -p p3
forward() { [ "$(ctl -j link show | jq 'map(select(.state == "forwarding")) | length')" = 3 ]; }
check start wait_for 3 forward
flow -i c:eth0 -o b:eth0 -s 60 -S 30000 -n 30000 -r 50000 -t 2 -f 2 >/dev/null
check many-entries test "$(ctl -j fdb show dynamic | jq length)" -ge 25000

# Everything at once, for some seconds; connections are kept open as long as the switch lets them.
cat >"$TMP/abuse.py" <<'END'
import os, random, socket, sys, time

path, end, kept, refused = sys.argv[1], time.time() + 5, [], 0
def client():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.2)
    s.connect(path)
    return s
def send(data, keep=False):
    global refused
    try:
        s = client()
        s.sendall(data)
        kept.append(s) if keep else s.close()
    except OSError:
        refused += 1
while time.time() < end:
    send(b"fdb show\n" * 50, keep=True)               # never reads
    send(b"x" * 200000)                               # a line without end
    send(os.urandom(65536))                           # garbage
    send(b"link set dev p1 ", keep=True)              # half a line
    send(b"monitor all\n", keep=True)                 # and never reads
    send(b"\0\n\n\n\"unclosed\n" + b"'" * 100 + b"\n")
    send(b"show config\n" * 1000)
    send(b"")
    kept = kept[-40:]
    time.sleep(0.005)
print(refused)
END
flow -i a:eth0 -o b:eth0 -s 200 -r 4000 -t 6 >"$TMP/flow" &
FLOW=$!
sleep 0.5
python3 "$TMP/abuse.py" "$SOCKET" >"$TMP/abuse" 2>&1 &
ABUSE=($!)
python3 "$TMP/abuse.py" "$SOCKET" >>"$TMP/abuse" 2>&1 &
ABUSE+=($!)
if wait $FLOW && jq -e '.sent > 10000 and .rx[0].lost == 0' "$TMP/flow" >/dev/null; then
	pass "no-frame-lost ($(jq .sent "$TMP/flow") frames)"
else
	fail "no-frame-lost: $(jq -c '[.sent, .rx[0].lost]' "$TMP/flow") $(cat "$TMP/abuse")"
fi
wait "${ABUSE[@]}"
check answers-again wait_for 12 ctl show
check memory-is-bounded test "$(awk '/^VmRSS/ { print $2 }' "/proc/$SWITCH/status")" -lt 40000
# Its own socket, the ports' and a few more: none is kept for clients that are gone.
sockets() { find "/proc/$SWITCH/fd" -lname 'socket:*' | wc -l; }
few() { [ "$(sockets)" -le 16 ]; }
check clients-are-gone wait_for 12 few
finish
