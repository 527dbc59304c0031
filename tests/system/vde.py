# SPDX-License-Identifier: MIT
"""A guest on a VDE directory for vde.sh, as libvdeplug does it: `vde.py DIR MAC WORD...`, each WORD one step.

send MAC   a frame to there            get MAC    waits for a frame from there
flood MAC  20,000 full frames there    junk       something more on the connection
ready      prints "ready"              closed     waits until the switch hangs up
wait       for ever, reading nothing   silent N   N more connections that say nothing
mute       closes its socket, not the connection
"""
import os
import signal
import socket
import struct
import sys


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def address(path):
    return struct.pack("=H108s", socket.AF_UNIX, path.encode())


def connect(folder):
    control = socket.socket(socket.AF_UNIX)
    control.connect(folder + "/ctl")
    control.settimeout(10)
    return control


def plug(folder):
    control, data = connect(folder), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    mine = f"{folder}/.{os.getpid():05}-00000"
    data.bind(mine)
    control.sendall(struct.pack("=III", 0xFEEDFACE, 3, 0) + address(mine) + b"vde.py")
    answer = control.recv(110)
    if len(answer) != 110:
        sys.exit("the switch hung up")
    data.connect(answer[2:].split(b"\0")[0].decode())
    data.settimeout(10)
    os.unlink(mine)
    return control, data


def main():
    folder, me, words, more = sys.argv[1], mac(sys.argv[2]), iter(sys.argv[3:]), []
    control, data = plug(folder)
    for word in words:
        if word in ("send", "flood"):
            times, size = (1, 46) if word == "send" else (20000, 1500)
            frame = mac(next(words)) + me + b"\x88\xb5" + bytes(size)
            for _ in range(times):
                data.send(frame)
        elif word == "get":
            want = mac(next(words))
            while data.recv(65536)[6:12] != want:
                pass
        elif word == "junk":
            control.sendall(b"more")
        elif word == "closed":
            try:
                if control.recv(1):
                    sys.exit("a byte instead of an end")
            except ConnectionResetError:
                pass
        elif word == "silent":
            more += [connect(folder) for _ in range(int(next(words)))]
        elif word == "mute":
            data.close()
        elif word == "ready":
            print("ready", flush=True)
        elif word == "wait":
            signal.pause()


main()
