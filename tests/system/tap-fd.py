# SPDX-License-Identifier: MIT
"""Opens TAPs and runs a program that inherits them: `tap-fd.py NAME[,novnet][,tun][,pi]... -- COMMAND...`: the first is
descriptor 3, the next 4, ... A NAME "file" is no TAP but /dev/null, "none" a TAP device without an interface."""
import fcntl
import os
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x400454CA, 1, 2, 0x1000, 0x4000


def tap(words):
    if words[0] == "file":
        return os.open("/dev/null", os.O_RDWR)
    fd = os.open("/dev/net/tun", os.O_RDWR)
    flags = IFF_TUN if "tun" in words else IFF_TAP
    flags |= 0 if "pi" in words else IFF_NO_PI
    flags |= 0 if "novnet" in words else IFF_VNET_HDR
    if words[0] != "none":
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", words[0].encode(), flags))
    return fd


def main():
    end = sys.argv.index("--")
    fds = [os.dup2(fcntl.fcntl(tap(name.split(",")), fcntl.F_DUPFD, 100), 3 + i) for i, name in enumerate(sys.argv[1:end])]
    os.closerange(fds[-1] + 1, 200)
    os.execvp(sys.argv[end + 1], sys.argv[end + 1 :])


main()
