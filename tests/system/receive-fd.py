# SPDX-License-Identifier: MIT
"""What QEMU does with -netdev bridge: `receive-fd.py HELPER ARGUMENT...` runs the helper, receives a TAP and prints its
name and whether it has virtio headers; then sends frames from 02:00:00:00:00:0a until one for that comes back, says "got",
and holds the TAP until it is killed. Ends with the helper's status if that is not 0."""
import array
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import sys

TUNGETIFF, IFF_VNET_HDR = 0x800454D2, 0x4000
ME = bytes.fromhex("02000000000a")


def main():
    ours, theirs = socket.socketpair()
    helper = subprocess.Popen(sys.argv[1:] + [f"--fd={theirs.fileno()}"], pass_fds=[theirs.fileno()])
    theirs.close()
    message, control, _, _ = ours.recvmsg(16, socket.CMSG_SPACE(16))
    status = helper.wait()
    if status or message != b"\0":
        sys.exit(status or f"the message is {message}")
    tap = array.array("i", control[0][2][:4])[0]
    name, flags = struct.unpack("16sH", fcntl.ioctl(tap, TUNGETIFF, bytes(40))[:18])
    header = bytes(10 if flags & IFF_VNET_HDR else 0)
    print(name.rstrip(b"\0").decode(), "vnet" if header else "plain", flush=True)
    for _ in range(100):
        os.write(tap, header + b"\xff" * 6 + ME + b"\x88\xb5" + bytes(46))
        while select.select([tap], [], [], 0.05)[0]:
            if os.read(tap, 65536)[len(header) :][:6] == ME:
                print("got", flush=True)
                signal.pause()
                return
    sys.exit("no frame came")


main()
