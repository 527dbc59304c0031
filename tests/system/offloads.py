#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every kind of port to every other one, with every request for an offload: offloads.py USWITCHCTL SOCKET VHOST FOLDER

Makes two ports of each kind in PORTS in a running switch of this network namespace and sends each of KINDS into the
first of them: untagged, with a tag that the switch takes off, and without one that it puts on. Their destination is
unknown, so all other ports get them. What arrives is read as a device reads it, and taken apart by scapy: headers,
lengths, checksums, payload, and the virtio header where there is one. Prints a line for each pair of kinds.
"""
import fcntl
import logging
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
from scapy.config import conf  # noqa: E402

conf.ipv6_enabled = True
from scapy.layers.inet import IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt  # noqa: E402
from scapy.layers.l2 import Dot1Q, Ether  # noqa: E402
from scapy.packet import NoPayload  # noqa: E402

CTL, SOCKET, VHOST, FOLDER = sys.argv[1:5]
NEEDS_CSUM, TCPV4, TCPV6, UDP_L4, ECN = 1, 1, 4, 5, 0x80
HEADER = struct.Struct("=BBHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
NONE = (0, 0, 0, 0, 0, 0)
SIZE = 1420  # of a segment
VLAN_IN, VLAN_OUT = 10, 20  # untagged where they leave; tagged
SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 8, 15, 23
VHOST_OFFLOADS = sum(1 << bit for bit in (0, 1, 7, 8, 9, 11, 12, 13, 54, 55, 56))

# name: network layer, transport layer, checksum wanted, gso_type, bytes of payload
V4 = IP(src="10.0.0.1", dst="10.0.0.2", id=0xFFFE, flags="DF", ttl=9, tos=2)
V6 = IPv6(src="fd00::1", dst="fd00::2", tc=2, fl=77, hlim=9)
T = TCP(sport=1000, dport=2000, seq=0xFFFFFC00, ack=7, flags="PAF", window=501,
        options=[("NOP", 0), ("NOP", 0), ("Timestamp", (1, 2))])
CWR = T.copy()
CWR.flags = "PAFC"
U = UDP(sport=1000, dport=2000)
EXT = V6 / IPv6ExtHdrDestOpt()
KINDS = {
    "plain tcp4": (V4, T, False, 0, 1000),
    "plain udp6": (V6, U, False, 0, 47),
    "csum tcp4": (V4, T, True, 0, 1001),
    "csum udp4": (V4, U, True, 0, 1),
    "csum tcp6": (V6, T, True, 0, 0),
    "csum udp6": (EXT, U, True, 0, 1399),
    "tso4": (V4, T, True, TCPV4, 4 * SIZE + 5),
    "tso6": (EXT, T, True, TCPV6, 3 * SIZE),
    "uso4": (V4, U, True, UDP_L4, 2 * SIZE + 1),
    "uso6": (V6, U, True, UDP_L4, 3 * SIZE - 1),
    "ecn4": (V4, CWR, True, TCPV4 | ECN, 3 * SIZE + 1),
    "ecn6": (V6, CWR, True, TCPV6 | ECN, 2 * SIZE),
    "segments tcp4": (V4, T, False, TCPV4, 5 * SIZE - 1),  # sent in pieces at once; may arrive as one
    "segments tcp6": (V6, T, False, TCPV6, 9 * SIZE),
}


class Wrong(Exception):
    """What is wrong with a frame."""


def need(condition, what):
    if not condition:
        raise Wrong(what)


def ctl(*words):
    subprocess.run([CTL, "-S", SOCKET, *words], check=True, stdout=subprocess.DEVNULL)


def ones(data):
    """The one's complement sum of @data."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def finish(frame, start, offset):
    """Writes the checksum that a virtio header asks for, as a device would."""
    value = ~ones(frame[start:]) & 0xFFFF or 0xFFFF
    return frame[:start + offset] + struct.pack("!H", value) + frame[start + offset + 2:]


def rebuilt(packet):
    """What scapy makes of @packet when it has to find its lengths and checksums by itself."""
    copy = packet.copy()
    layer = copy
    while not isinstance(layer, NoPayload):
        for field in ("len", "plen", "chksum"):
            if field in getattr(layer, "fields", {}) and layer.name != "Raw":
                del layer.fields[field]
        layer.raw_packet_cache = None
        layer = layer.payload
    return bytes(copy)


class Sent:
    """A frame of a kind, as it is sent."""

    def __init__(self, kind, number):
        ip, self.l4, self.csum, self.gso, length = KINDS[kind]
        self.payload = random.Random(number).randbytes(length)
        self.macs = bytes.fromhex("02ff0000%04x0200000000%02x" % (number, 1 + number % 200))
        self.network = ip / self.l4 / self.payload
        data = bytes(self.network)
        self.type = b"\x08\0" if data[0] >> 4 == 4 else b"\x86\xdd"
        self.start = 14 + len(data) - length - len(bytes(self.l4))
        self.offset = 16 if TCP in self.l4 else 6
        self.header = NONE
        if self.csum:
            at = self.start - 14 + self.offset
            rest = ones(data[self.start - 14:at] + b"\0\0" + data[at + 2:])
            whole = ones(data[at:at + 2]) ^ 0xFFFF  # sum of the rest and of the pseudo-header
            pseudo = (whole - rest) % 0xFFFF
            data = data[:at] + struct.pack("!H", pseudo) + data[at + 2:]
            hdr_len = 14 + len(data) - length if self.gso else 0
            self.header = (NEEDS_CSUM, self.gso, hdr_len, SIZE if self.gso else 0, self.start, self.offset)
        self.data = data

    def frames(self, tag):
        head = self.macs + (struct.pack("!HH", 0x8100, tag) if tag else b"") + self.type
        if self.csum or not self.gso:
            return [head + self.data]
        return [head + self.segment(at) for at in range(0, len(self.payload), SIZE)]

    def segment(self, at):
        packet = self.network.copy()
        tcp = packet[TCP]
        last = at + SIZE >= len(self.payload)
        tcp.remove_payload()
        tcp.seq = (tcp.seq + at) & 0xFFFFFFFF
        tcp.flags = self.l4.flags if last else "A"
        if IP in packet:
            packet.id = (packet.id + at // SIZE) & 0xFFFF
        return bytes(packet / self.payload[at:at + SIZE])

    def header_for(self, tag):
        flags, gso, hdr_len, size, start, offset = self.header
        more = 4 if tag else 0
        return (flags, gso, hdr_len + (more if hdr_len else 0), size, start + (more if flags else 0), offset)


class Arrival:
    """What has come of a frame at one port; complains by raising Wrong."""

    def __init__(self, sent, tag, own_headers):
        self.sent, self.tag, self.own_headers = sent, tag, own_headers
        self.payload, self.frames = b"", 0
        self.over = False

    def check_header(self, header):
        flags, gso, hdr_len, size, start, offset = header
        sent = self.sent
        l4 = sent.start + (4 if self.tag else 0)
        need(flags & ~3 == 0, "flags %x" % flags)
        if flags & NEEDS_CSUM:
            need((start, offset) == (l4, sent.offset), "csum_start %d offset %d" % (start, offset))
        if gso:
            need(gso == sent.gso and size == SIZE, "gso_type %x gso_size %d" % (gso, size))
            need(flags & NEEDS_CSUM, "gso without checksum")
            if self.own_headers:  # as the switch wrote it, not as a kernel made it again
                need(hdr_len == l4 + len(bytes(sent.l4)), "hdr_len %d" % hdr_len)

    def add(self, header, frame):
        """@header is None where the port has none."""
        sent = self.sent
        need(frame[:12] == sent.macs, "addresses " + frame[:12].hex())
        need(not self.over, "one more frame")
        if header and header[0] & NEEDS_CSUM:
            need(header[4] + header[5] + 2 <= len(frame), "csum_start %d" % header[4])
            frame = finish(frame, header[4], header[5])
        packet = Ether(frame)
        need((Dot1Q in packet) == bool(self.tag), "tags: " + packet.summary())
        if self.tag:
            need(packet[Dot1Q].vlan == self.tag and packet.type == 0x8100, "tag: " + packet.summary())
        layer = packet[Dot1Q] if self.tag else packet
        ip, want = layer.payload, sent.network
        need(type(ip) is type(want), "network: " + packet.summary())
        need(type(sent.l4) in ip, "transport: " + packet.summary())
        l4 = ip[type(sent.l4)]
        data = bytes(l4.payload)
        self.check_header(header or NONE)
        gso = header[1] if header else 0
        if sent.gso and not gso:
            need(len(data) <= SIZE, "a segment of %d bytes" % len(data))
        need(bytes(ip) == frame[len(frame) - len(bytes(ip)):] and rebuilt(ip) == bytes(ip), "lengths or checksums")
        at = len(self.payload)
        self.payload += data
        last = len(self.payload) >= len(sent.payload)
        need(self.payload == sent.payload[:len(self.payload)], "payload from %d on" % at)
        need(last or len(data) == SIZE, "a segment of only %d bytes" % len(data))
        if IP in packet:
            want_id = (0xFFFE + self.frames) & 0xFFFF
            need((ip.id, ip.tos, ip.ttl, int(ip.flags)) == (want_id, 2, 9, 2), "IP: " + repr(ip))
        else:
            need((ip.tc, ip.fl, ip.hlim) == (2, 77, 9), "IPv6: " + repr(ip))
        if TCP in packet:
            self.check_tcp(l4, at, last)
        self.frames += 1
        self.over = last

    def check_tcp(self, tcp, at, last):
        flags = set(str(self.sent.l4.flags))
        if at:
            flags -= {"C"}
        if not last:
            flags -= {"P", "F"}
        need(tcp.seq == (self.sent.l4.seq + at) & 0xFFFFFFFF, "sequence number %x" % tcp.seq)
        need(set(str(tcp.flags)) == flags, "flags %s" % tcp.flags)
        need(bytes(tcp)[8:12] == bytes(self.sent.l4)[8:12], "acknowledgement")
        need(bytes(tcp)[20:tcp.dataofs * 4] == bytes(self.sent.l4)[20:], "options %s" % tcp.options)


class Port:
    """One port of the switch and its other end, of which this is the plainest sort: no virtio headers, one frame a message."""

    headers = False  # frames come and go with a virtio header
    own_headers = False  # which is the one that the switch wrote
    hears_itself = False  # gets what it sends
    bursts = False  # what is sent at once is received in one batch

    def __init__(self, kind, letter):
        self.kind, self.name = kind, kind.replace("-", "")[:12] + letter
        self.path = os.path.join(FOLDER, self.name)
        self.open()
        for vid, words in ((VLAN_IN, ("pvid", "untagged")), (VLAN_OUT, ())):
            ctl("vlan", "add", "vid", str(vid), "dev", self.name, *words)

    def add(self, spec):
        ctl("link", "add", "%s,name=%s" % (spec, self.name))

    def pvid(self, vid):
        words = ("untagged",) if vid == VLAN_IN else ()
        ctl("vlan", "add", "vid", str(vid), "dev", self.name, "pvid", *words)

    def fileno(self):
        return self.socket.fileno()


class Interface(Port):
    """A port whose other end is an interface of the kernel."""

    headers = True

    def listen(self, interface):
        subprocess.run(["ip", "link", "set", interface, "up"], check=True)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        for option in PACKET_VNET_HDR, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING:
            self.socket.setsockopt(SOL_PACKET, option, 1)
        self.socket.bind((interface, 3))  # ETH_P_ALL
        self.socket.setblocking(False)

    def send(self, header, frames):
        for frame in frames:
            self.socket.send(HEADER.pack(*header) + frame)

    def receive(self):
        while True:
            try:
                data, control, _, _ = self.socket.recvmsg(70000, 256)
            except BlockingIOError:
                return
            header, frame = HEADER.unpack_from(data), data[HEADER.size:]
            for level, what, value in control:
                status, _, _, _, _, tci, tpid = struct.unpack_from("=IIIHHHH", value)
                if level == SOL_PACKET and what == PACKET_AUXDATA and status & 0x10:
                    frame = frame[:12] + struct.pack("!HH", tpid if status & 0x40 else 0x8100, tci) + frame[12:]
                    if header[0] & NEEDS_CSUM:
                        header = header[:4] + (header[4] + 4, header[5])
            yield header, frame


class Tap(Interface):
    def open(self):
        self.add("tap:" + self.name)
        self.listen(self.name)


class Packet(Interface):
    def open(self):
        peer = self.name + "h"
        subprocess.run(["ip", "link", "add", self.name, "type", "veth", "peer", "name", peer], check=True)
        subprocess.run(["ip", "link", "set", self.name, "up"], check=True)
        self.add("packet:" + self.name)
        self.listen(peer)


class Stream(Port):
    bursts = True

    def open(self):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(1)
        self.add("stream:unix:" + self.path)
        self.socket, _ = listener.accept()
        self.socket.setblocking(False)
        self.bytes = b""

    def send(self, _, frames):
        self.socket.sendall(b"".join(struct.pack("!I", len(frame)) + frame for frame in frames))

    def receive(self):
        try:
            self.bytes += self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        while len(self.bytes) >= 4:
            end = 4 + struct.unpack_from("!I", self.bytes)[0]
            if len(self.bytes) < end:
                break
            frame, self.bytes = self.bytes[4:end], self.bytes[end:]
            yield None, frame


class Dgram(Port):
    def open(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path + ".test")
        self.add("dgram:local=unix:%s,remote=unix:%s.test" % (self.path, self.path))
        self.socket.connect(self.path)
        self.socket.setblocking(False)

    def send(self, _, frames):
        for frame in frames:
            self.socket.send(frame)

    def receive(self):
        while True:
            try:
                yield None, self.socket.recv(70000)
            except BlockingIOError:
                return


class Vde(Dgram):
    """What is set at the port whose directory it is goes for its guests, too."""

    def open(self):
        self.add("vde:" + self.path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        mine = self.path + "/.%05d-00000" % os.getpid()
        self.socket.bind(mine)
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(self.path + "/ctl")
        self.control.sendall(struct.pack("=IIIH108s", 0xFEEDFACE, 3, 0, socket.AF_UNIX, mine.encode()) + b"test")
        self.socket.connect(self.control.recv(110)[2:].split(b"\0")[0].decode())
        self.socket.setblocking(False)


class Vhost(Port):
    headers = own_headers = True
    features = VHOST_OFFLOADS

    def open(self):
        self.add("vhost-user:" + self.path)
        self.guest = subprocess.Popen([VHOST, self.path, hex(self.features)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        need(self.guest.stderr.readline() == b"connected\n", "vhost does not start")
        fcntl.fcntl(self.guest.stdout, fcntl.F_SETFL, os.O_NONBLOCK)
        self.bytes = b""

    def fileno(self):
        return self.guest.stdout.fileno()

    def send(self, header, frames):
        for frame in frames:
            data = HEADER.pack(*header) + b"\0\0" + frame
            self.guest.stdin.write(struct.pack("=I", len(data)) + data)

    def receive(self):
        self.bytes += self.guest.stdout.read(1 << 20) or b""
        while len(self.bytes) >= 4:
            end = 4 + struct.unpack_from("=I", self.bytes)[0]
            if len(self.bytes) < end:
                break
            data, self.bytes = self.bytes[4:end], self.bytes[end:]
            header = HEADER.unpack_from(data)
            yield (header if self.headers else header if header != NONE else None), data[12:]


class VhostPlain(Vhost):
    """A guest that has not accepted any offload."""

    headers = False
    features = 0


class Pcap(Port):
    """Records to a file; what is sent is replayed by a port of its own, which is there as long as that takes."""

    hears_itself = bursts = True

    def open(self):
        self.add("pcap:,out=" + self.path)
        self.file = open(self.path, "rb")
        self.socket = None
        need(len(self.file.read(24)) == 24, "no head of the capture file")

    def send(self, _, frames):
        with open(self.path + ".in", "wb") as out:
            out.write(struct.pack("=IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for frame in frames:
                out.write(struct.pack("=IIII", 0, 0, len(frame), len(frame)) + frame)
        ctl("link", "add", "pcap:%s.in,name=replay,speed=full,trunk=%d,native=%d" % (
            self.path, VLAN_OUT if self.native == VLAN_IN else VLAN_IN, self.native))

    def pvid(self, vid):
        self.native = vid
        super().pvid(vid)

    def receive(self):
        while True:
            head = self.file.read(16)
            if len(head) < 16:
                self.file.seek(-len(head), os.SEEK_CUR)
                return
            length = struct.unpack_from("=I", head, 8)[0]
            frame = self.file.read(length)
            if len(frame) < length:
                self.file.seek(-len(head) - len(frame), os.SEEK_CUR)
                return
            yield None, frame


# What is to be in the table.
PORTS = {
    "tap": Tap,
    "packet": Packet,
    "stream": Stream,
    "dgram": Dgram,
    "vde": Vde,
    "vhost-user": Vhost,
    "vhost-plain": VhostPlain,
    "pcap": Pcap,
}


class Table:
    """Counts for each pair of kinds of ports, and what went wrong there."""

    def __init__(self):
        self.ports = [make(kind, letter) for letter in "AB" for kind, make in PORTS.items()]
        self.good, self.bad = {}, {}
        self.number = 0

    def send(self, port, kind, treatment):
        """One frame into @port; looks at what comes out of all others."""
        self.number += 1
        sent = Sent(kind, self.number)
        tag = VLAN_IN if treatment == "popped" else 0
        out = VLAN_OUT if treatment == "pushed" else 0
        arrivals = {p: Arrival(sent, out, p.own_headers) for p in self.ports if p is not port or p.hears_itself}
        wrong = {}
        frames = sent.frames(tag)
        port.send(sent.header_for(tag), frames)
        end = time.monotonic() + 2
        pollable = [p for p in arrivals if not isinstance(p, Pcap)]
        while time.monotonic() < end and any(not a.over for p, a in arrivals.items() if p not in wrong):
            select.select(pollable, [], [], 0.005)
            self.collect(arrivals, wrong)
        self.collect(arrivals, wrong)  # what is too much
        for p, arrival in arrivals.items():
            if p not in wrong and not arrival.over:
                wrong[p] = "%d of %d bytes arrive" % (len(arrival.payload), len(sent.payload))
            if p not in wrong and port.bursts and p.headers and arrival.frames > 1:
                wrong[p] = "%d segments are not joined" % arrival.frames
            pair = (port.kind, p.kind)
            self.good[pair] = self.good.get(pair, 0) + (p not in wrong)
            if p in wrong:
                self.bad.setdefault(pair, []).append("%s %s: %s" % (treatment, kind, wrong[p]))
        if isinstance(port, Pcap):
            ctl("link", "del", "dev", "replay")

    @staticmethod
    def collect(arrivals, wrong):
        for port, arrival in arrivals.items():
            for header, frame in port.receive():
                try:
                    arrival.add(header, frame)
                except Wrong as e:
                    wrong.setdefault(port, str(e))

    def run(self):
        for treatment, vid in (("untagged", VLAN_IN), ("popped", VLAN_OUT), ("pushed", VLAN_OUT)):
            for port in self.ports:
                port.pvid(vid)
            for port in self.ports[:len(PORTS)]:
                for kind in KINDS:
                    if port.headers or not KINDS[kind][2]:
                        self.send(port, kind, treatment)

    def show(self):
        for pair, n in self.good.items():
            bad = self.bad.get(pair, [])
            print("%s %s to %s%s" % ("FAIL" if bad else "PASS", *pair,
                                     ": %d wrong: %s" % (len(bad), "; ".join(bad[:3])) if bad else " (%d frames)" % n))
        return bool(self.bad)


def main():
    ctl("set", "vlan_filtering", "1")
    table = Table()
    time.sleep(0.1)
    table.run()
    return table.show()


if __name__ == "__main__":
    sys.exit(main())
