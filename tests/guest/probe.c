/*
 * Sends one Ethernet frame and says who receives it, with which tags. For scripts in the guest.
 *
 * usage: probe [-i IN] [-s SOURCE] [-d DESTINATION] [-t TAGS] [-l LENGTH] [-p] OUT...
 *
 * It prints the interfaces OUT that received the frame before 50 ms of silence, in the order given,
 * each with the tags that it had on the wire: "h2 h3/8100:10p5d/88a8:7" means that h2 got it
 * untagged and h3 got it with an outer tag of TPID 0x8100, VID 10, PCP 5 and DEI, and an inner one;
 * "-" means nobody. An interface that received it twice is printed twice; "!" follows if the rest
 * of the frame is not as it was sent. TAGS has the same form, outer tag first. LENGTH counts the
 * bytes without TAGS. With -p the OUT interfaces are promiscuous.
 *
 * The kernel gives the outer tag beside the frame (PACKET_AUXDATA), so that it has to be put back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { OUT_MAX = 64, FRAME_MAX = 9216, SILENCE_MS = 50, SERIAL_LEN = 8, ETHERTYPE_TEST = 0x88b5 };

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len;
};

static void die(const char *what)
{
	fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void put16(struct frame *frame, unsigned int value)
{
	frame->bytes[frame->len++] = (uint8_t)(value >> 8);
	frame->bytes[frame->len++] = (uint8_t)value;
}

static void put_mac(struct frame *frame, const char *text)
{
	uint8_t *mac = frame->bytes + frame->len;

	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4,
		   mac + 5) != 6) {
		errno = EINVAL;
		die(text);
	}
	frame->len += ETHER_ADDR_LEN;
}

/* Appends tags like "8100:10p5d/88a8:7". */
static void put_tags(struct frame *frame, const char *text)
{
	while (*text) {
		unsigned int tpid, vid, pcp = 0;
		bool dei;
		int used = 0;

		if (sscanf(text, "%x:%u%n", &tpid, &vid, &used) != 2) {
			errno = EINVAL;
			die(text);
		}
		text += used;
		if (sscanf(text, "p%u%n", &pcp, &used) == 1)
			text += used;
		dei = *text == 'd';
		text += dei;
		text += *text == '/';
		put16(frame, tpid);
		put16(frame, pcp << 13 | (unsigned int)dei << 12 | vid);
	}
}

/* Opens a packet socket that hears what comes in; with protocol 0 it only sends. */
static int open_socket(const char *name, int protocol, bool promisc)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	struct packet_mreq mreq = { .mr_type = PACKET_MR_PROMISC };
	int on = 1, fd = socket(AF_PACKET, SOCK_RAW, 0);

	address.sll_ifindex = mreq.mr_ifindex = (int)if_nametoindex(name);
	address.sll_protocol = htons((uint16_t)protocol);
	if (fd < 0 || !address.sll_ifindex ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
	    (promisc && setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq))) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die(name);
	return fd;
}

/* Receives one frame and puts its outer tag back. Returns false if there is none. */
static bool receive(int fd, struct frame *frame)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec iov = { frame->bytes, sizeof(frame->bytes) - 4 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t len = recvmsg(fd, &msg, MSG_DONTWAIT);
	struct cmsghdr *cmsg = len < 0 ? NULL : CMSG_FIRSTHDR(&msg);
	struct tpacket_auxdata aux;

	if (len < 2 * ETHER_ADDR_LEN)
		return false;
	frame->len = (size_t)len;
	if (!cmsg || cmsg->cmsg_level != SOL_PACKET || cmsg->cmsg_type != PACKET_AUXDATA)
		return true;
	memcpy(&aux, CMSG_DATA(cmsg), sizeof(aux));
	if (aux.tp_status & TP_STATUS_VLAN_VALID) {
		struct frame tag = { .len = 0 };

		put16(&tag, aux.tp_vlan_tpid);
		put16(&tag, aux.tp_vlan_tci);
		memmove(frame->bytes + 16, frame->bytes + 12, frame->len - 12);
		memcpy(frame->bytes + 12, tag.bytes, 4);
		frame->len += 4;
	}
	return true;
}

/*
 * Writes " NAME/TAG/TAG" to `to` if the frame is the one that was sent, whose bytes after its tags
 * begin at `rest`.
 */
static void describe(FILE *to, const char *name, const struct frame *frame,
		     const struct frame *sent, size_t rest)
{
	const uint8_t *bytes = frame->bytes;
	size_t rest_len = sent->len - rest, at = 2 * ETHER_ADDR_LEN;
	bool same;

	if (frame->len < at + SERIAL_LEN ||
	    memcmp(bytes + frame->len - SERIAL_LEN, sent->bytes + sent->len - SERIAL_LEN,
		   SERIAL_LEN))
		return;
	fprintf(to, " %s", name);
	for (; frame->len - at > rest_len; at += 4) {
		unsigned int tci = (unsigned int)bytes[at + 2] << 8 | bytes[at + 3];

		fprintf(to, "/%02x%02x:%u", bytes[at], bytes[at + 1], tci & 0xfff);
		if (tci >> 13)
			fprintf(to, "p%u", tci >> 13);
		if (tci & 0x1000)
			fprintf(to, "d");
	}
	same = frame->len - at == rest_len && !memcmp(bytes + at, sent->bytes + rest, rest_len) &&
	       !memcmp(bytes, sent->bytes, 2 * ETHER_ADDR_LEN);
	if (!same)
		fprintf(to, "!");
}

/* Prints who gets the frame, in the order of `name`. */
static void print_receivers(char **name, struct pollfd *fds, int n, const struct frame *sent,
			    size_t rest)
{
	char *text[OUT_MAX] = { NULL };
	FILE *to[OUT_MAX] = { NULL };
	struct frame frame;
	size_t len[OUT_MAX];
	bool any = false;

	for (int i = 0; i < n; i++) {
		to[i] = open_memstream(&text[i], &len[i]);
		if (!to[i])
			die("memory");
	}
	while (poll(fds, (nfds_t)n, SILENCE_MS) > 0)
		for (int i = 0; i < n; i++)
			while (receive(fds[i].fd, &frame))
				describe(to[i], name[i], &frame, sent, rest);
	for (int i = 0; i < n; i++) {
		fclose(to[i]);
		fputs(text[i] + (len[i] && !any), stdout);
		any |= len[i] > 0;
		free(text[i]);
	}
	puts(any ? "" : "-");
}

struct options {
	const char *in, *source, *destination, *tags;
	unsigned int len;
	bool promisc;
};

static struct options parse(int argc, char **argv)
{
	struct options o = { "h1", "02:00:00:00:01:01", "ff:ff:ff:ff:ff:ff", "", 60, false };
	int option;

	while ((option = getopt(argc, argv, "i:s:d:t:l:p")) != -1) {
		switch (option) {
		case 'i':
			o.in = optarg;
			break;
		case 's':
			o.source = optarg;
			break;
		case 'd':
			o.destination = optarg;
			break;
		case 't':
			o.tags = optarg;
			break;
		case 'l':
			o.len = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			o.promisc = true;
			break;
		default:
			exit(2);
		}
	}
	if (o.len < ETHER_HDR_LEN + SERIAL_LEN || o.len > FRAME_MAX - 256 || optind == argc ||
	    argc - optind > OUT_MAX) {
		fputs("probe: wrong LENGTH, or no OUT\n", stderr);
		exit(2);
	}
	return o;
}

/* Builds the frame, its last bytes a number that no other frame has. Returns where its tags end. */
static size_t build(const struct options *o, struct frame *frame)
{
	struct timespec now;
	uint64_t serial;
	size_t rest;

	put_mac(frame, o->destination);
	put_mac(frame, o->source);
	put_tags(frame, o->tags);
	rest = frame->len;
	put16(frame, ETHERTYPE_TEST);
	for (; frame->len < rest + o->len - 2 * ETHER_ADDR_LEN - SERIAL_LEN; frame->len++)
		frame->bytes[frame->len] = (uint8_t)(frame->len * 7);
	clock_gettime(CLOCK_REALTIME, &now);
	serial = (uint64_t)now.tv_sec << 30 ^ (uint64_t)now.tv_nsec ^ (uint64_t)getpid() << 48;
	memcpy(frame->bytes + frame->len, &serial, SERIAL_LEN);
	frame->len += SERIAL_LEN;
	return rest;
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct pollfd fds[OUT_MAX];
	struct frame sent = { .len = 0 };
	size_t rest = build(&o, &sent);
	int n = argc - optind, in = open_socket(o.in, 0, false);

	for (int i = 0; i < n; i++) {
		fds[i].fd = open_socket(argv[optind + i], ETH_P_ALL, o.promisc);
		fds[i].events = POLLIN;
	}
	if (send(in, sent.bytes, sent.len, 0) != (ssize_t)sent.len)
		die("send");
	print_receivers(argv + optind, fds, n, &sent, rest);
	return 0;
}
