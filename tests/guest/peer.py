# SPDX-License-Identifier: MIT
"""Tells a guest that runs serve.sh what to do, and checks what comes of it: `peer.py ADDRESS WORD...`.

put N      sends N MiB of random bytes; their hash comes back, and no segment had a bad checksum
get N MS   reads N MiB whose hash must be what the guest says, MS milliseconds between two of them; prints the hash,
           which is another one after each boot
reboot
"""
import hashlib
import os
import socket
import sys

MIB = 1 << 20


def put(sock, n):
    data = os.urandom(MIB) * n
    sock.sendall(f"put {len(data)}\n".encode() + data)
    want = hashlib.sha256(data).hexdigest() + " 0\n"
    got = sock.makefile().readline()
    return got == want or f"the guest says {got!r} instead of {want!r}"


def get(sock, n, pause_ms):
    sock.sendall(f"get {n} {pause_ms}\n".encode())
    file = sock.makefile("rb")
    want = file.readline().decode().strip()
    for i in range(n):
        data = file.read(MIB)
        got = hashlib.sha256(data).hexdigest()
        if got != want:
            return f"MiB {i} has {len(data)} bytes with hash {got} instead of {want!r}"
    print(want)
    return True


def main():
    address, word, *numbers = sys.argv[1:]
    sock = socket.create_connection((address, 5000), timeout=30)
    if word == "reboot":
        sock.sendall(b"reboot\n")
        return
    result = {"put": put, "get": get}[word](sock, *map(int, numbers))
    if result is not True:
        sys.exit(result)


main()
