# SPDX-License-Identifier: MIT
"""A guest on a stream socket for stream.sh: `stream.py PATH MAC WORD...`, each WORD one step.

send MAC   a frame to there            get MAC    waits for a frame from there
bad        a length that no frame has  closed     waits until the switch hangs up
flood MAC  20,000 full frames there, however many arrive
crowd N    N more guests connect, and the last is turned away
ready      prints "ready"              wait       for ever, reading nothing
"""
import resource
import signal
import socket
import struct
import sys


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def receive(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            sys.exit("the switch hung up")
        data += more
    return data


def main():
    path, me, words = sys.argv[1], mac(sys.argv[2]), iter(sys.argv[3:])
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(path)
    for word in words:
        if word in ("send", "flood"):
            times, size = (1, 46) if word == "send" else (20000, 1500)
            frame = mac(next(words)) + me + b"\x88\xb5" + bytes(size)
            for _ in range(times):
                sock.sendall(struct.pack(">I", len(frame)) + frame)
        elif word == "get":
            want = mac(next(words))
            while receive(sock, struct.unpack(">I", receive(sock, 4))[0])[6:12] != want:
                pass
        elif word == "bad":
            sock.sendall(struct.pack(">I", 13))
        elif word == "closed":
            if sock.recv(1):
                sys.exit("a byte instead of an end")
        elif word == "crowd":
            resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
            more = [socket.socket(socket.AF_UNIX) for _ in range(int(next(words)))]
            for one in more:
                one.connect(path)
            more[-1].settimeout(10)
            if more[-1].recv(1):
                sys.exit("a byte instead of an end")
        elif word == "ready":
            print("ready", flush=True)
        elif word == "wait":
            signal.pause()


main()
