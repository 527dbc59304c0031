#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sequence.py send ADDRESS RATE SECONDS | receive SECONDS | strays IFNAME SECONDS

UDP with sequence numbers: the receiver prints how many were lost, came twice, and the longest time without one in ms.
`strays` prints how many unicast frames came to an interface that they are not for."""
import json
import socket
import struct
import sys
import time

PORT = 7001


def send(address, rate, seconds):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    begin = time.monotonic()
    for n in range(int(rate * seconds)):
        pause = begin + n / rate - time.monotonic()
        if pause > 0:
            time.sleep(pause)
        sock.sendto(struct.pack("!I", n), (address, PORT))


def receive(seconds):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", PORT))
    sock.settimeout(0.2)
    seen, twice, last, gap = set(), 0, None, 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            number = struct.unpack("!I", sock.recv(64))[0]
        except TimeoutError:
            continue
        now = time.monotonic()
        gap = max(gap, now - last) if last else 0.0
        last = now
        twice += number in seen
        seen.add(number)
    lost = max(seen) + 1 - len(seen) if seen else 0
    print(json.dumps({"received": len(seen), "lost": lost, "twice": twice, "gap_ms": round(gap * 1000, 1)}))


def strays(ifname, seconds):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((ifname, 0))
    sock.settimeout(0.2)
    own = sock.getsockname()[4]
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        try:
            frame, source = sock.recvfrom(64)
        except TimeoutError:
            continue
        # PACKET_OUTGOING is 4
        count += source[2] != 4 and not frame[0] & 1 and frame[:6] != own
    print(count)


if sys.argv[1] == "send":
    send(sys.argv[2], float(sys.argv[3]), float(sys.argv[4]))
elif sys.argv[1] == "receive":
    receive(float(sys.argv[2]))
else:
    strays(sys.argv[2], float(sys.argv[3]))
