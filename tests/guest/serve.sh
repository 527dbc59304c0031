#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in a guest of test-transports.sh: the host 10.0.0.NUMBER, which does on port 5000 what it is told by one line.
#	put N       reads N bytes; answers with their hash and with how many segments had a bad checksum
#	get N MS    sends the hash of 1 MiB, then that N times, MS milliseconds apart
#	reboot
# Usage: serve.sh NUMBER
if [ "$1" = handle ]; then
	read -r word n ms
	case $word in
	put)
		hash=$(head -c "$n" | sha256sum)
		errors=$(awk '$1 == "Tcp:" && ++n == 1 { split($0, name) } $1 == "Tcp:" && n == 2 {
			for (i in name) if (name[i] == "InCsumErrors") print $i }' /proc/net/snmp)
		echo "${hash%% *} $errors"
		;;
	get)
		cat /run/hash
		for _ in $(seq "$n"); do
			cat /run/data
			[ "$ms" = 0 ] || sleep "$(awk "BEGIN { print $ms / 1000 }")"
		done
		;;
	reboot) reboot -f ;;
	esac
	exit
fi
head -c 1048576 /dev/urandom >/run/data
sha256sum </run/data | cut -d' ' -f1 >/run/hash
ip address add "10.0.0.$1/24" dev eth0
ip link set eth0 up
exec nc -ll -p 5000 -e "$0" handle
