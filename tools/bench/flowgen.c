/* SPDX-License-Identifier: MIT */
/*
 * flowgen: send numbered Ethernet frames on one interface, count them on others.
 *
 *	flowgen -i h1:eth0 -o h2:eth0 -s 60 -t 2
 *
 * One process holds both ends, each interface opened in its own network namespace, so that
 * "sent" and "received" belong to the same run. Every frame carries a sequence number, the
 * time it was sent and a pattern that follows from the number; a receiver can therefore tell
 * loss, duplication, reordering and damage apart without asking the switch. Receive times are
 * the kernel's (taken when the frame reaches the interface), so the cost of waking the
 * receiver is not part of the latency. The result is one JSON object on standard output.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "tools/bench/bench.h"

#define MAGIC 0x75737767u /* first word of our payload */
#define ETHERTYPE 0x88b5  /* local experiments: no host stack answers it */
#define SLOTS 256         /* prepared frames; the pattern of a frame is its number modulo this */
#define FRAME_MAX 9216
#define RX_MAX 64
#define WINDOW (1u << 20) /* sequence numbers remembered for telling duplicates */
#define BLOCK (1u << 18)  /* bytes of one ring block */
#define BLOCK_MS 8        /* a block that is not full is handed over after this time */
#define IDLE_MS 300       /* nothing for so long after the last send: the run is over */

enum target { TO_STATION, TO_BROADCAST, TO_UNKNOWN };

/* The part of a frame that changes from one to the next, after the EtherType. */
struct stamp {
	uint32_t magic, flow; /* network byte order, matched by the receivers' filter */
	uint64_t seq, sent_ns;
};

struct receiver {
	const char *name;
	int fd;
	uint8_t *ring;
	unsigned n_blocks, next;
	uint64_t received, unique, duplicates, reordered, bad, tagged, ring_dropped;
	uint64_t highest; /* sequence number, plus one */
	uint64_t first_ns, last_ns;
	uint64_t *seen; /* bitmap of WINDOW numbers */
	struct hist latency;
};

struct run {
	/* options */
	const char *tx_name, *rx_name[RX_MAX];
	unsigned n_rx, size, burst, vid, flow;
	uint32_t n_src, n_dst;
	uint64_t count;
	double rate, seconds;
	enum target target;
	bool random, reverse, no_prime;
	int tx_cpu, rx_cpu;
	/* state */
	int tx_fd;
	uint8_t *pattern; /* SLOTS + FRAME_MAX bytes */
	uint8_t (*frames)[FRAME_MAX];
	uint64_t sent, refused, start_ns, end_ns;
	double cpu_s;
	struct receiver rx[RX_MAX];
	atomic_bool sending;
};

/* Busy seconds of the whole machine so far. */
static double machine_cpu(void)
{
	FILE *f = fopen("/proc/stat", "r");
	unsigned long long v[7] = { 0 };

	if (!f || fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3],
			 &v[4], &v[5], &v[6]) != 7)
		die("/proc/stat");
	fclose(f);
	return (double)(v[0] + v[1] + v[2] + v[5] + v[6]) / (double)sysconf(_SC_CLK_TCK);
}

static void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

/* ---- addresses: side 0xa0 sends, side 0xb0 receives, 0xc0 is nobody ---- */

static void put_mac(uint8_t *p, uint8_t side, uint32_t station)
{
	p[0] = 0x02;
	p[1] = side;
	p[2] = (uint8_t)(station >> 24);
	p[3] = (uint8_t)(station >> 16);
	p[4] = (uint8_t)(station >> 8);
	p[5] = (uint8_t)station;
}

static uint32_t station(const struct run *r, uint64_t seq, uint64_t salt, uint32_t n)
{
	if (!r->random)
		return (uint32_t)(seq % n);
	return (uint32_t)(((mix(seq + salt + ((uint64_t)r->flow << 44)) >> 32) * n) >> 32);
}

static void put_addresses(const struct run *r, uint8_t *frame, uint64_t seq)
{
	uint8_t from = r->reverse ? 0xb0 : 0xa0, to = r->reverse ? 0xa0 : 0xb0;

	if (r->target == TO_BROADCAST)
		memset(frame, 0xff, ETH_ALEN);
	else
		put_mac(frame, r->target == TO_UNKNOWN ? 0xc0 : to, station(r, seq, 0, r->n_dst));
	put_mac(frame + ETH_ALEN, from, station(r, seq, 1ull << 40, r->n_src));
}

/* ---- sockets ---- */

/* Opens a packet socket, not bound yet, where the interface lives; stores the interface's index. */
static int open_socket(const char *name, int *index)
{
	const char *ifname;
	struct ifreq ifr = { 0 };
	int fd = socket_in(name, AF_PACKET, SOCK_RAW, 0, &ifname);

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (ioctl(fd, SIOCGIFINDEX, &ifr))
		die(name);
	*index = ifr.ifr_ifindex;
	return fd;
}

static void bind_socket(int fd, int index, uint16_t protocol)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(protocol),
				  .sll_ifindex = index };

	if (bind(fd, (struct sockaddr *)&ll, sizeof(ll)))
		die("bind");
}

static int open_sender(const char *name)
{
	int index, fd = open_socket(name, &index), one = 1, sndbuf = 16 << 20;

	if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)))
		die("PACKET_QDISC_BYPASS");
	/* Root of a user namespace gets what net.core.wmem_max allows. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sndbuf, sizeof(sndbuf)) &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)))
		die("SO_SNDBUF");
	bind_socket(fd, index, 0);
	return fd;
}

/* Only frames of our flow reach the ring; the kernel has lifted an outer tag out already. */
static void set_filter(int fd, uint32_t flow)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETH_HLEN),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAGIC, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETH_HLEN + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, flow, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, FRAME_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)))
		die("SO_ATTACH_FILTER");
}

static void open_receiver(struct run *r, unsigned i)
{
	struct receiver *rx = &r->rx[i];
	int index, version = TPACKET_V3, one = 1;
	struct tpacket_req3 req = { .tp_block_size = BLOCK,
				    .tp_frame_size = 2048,
				    .tp_retire_blk_tov = BLOCK_MS };

	rx->name = r->rx_name[i];
	rx->n_blocks = r->n_rx > 4 ? 16 : 128;
	req.tp_block_nr = rx->n_blocks;
	req.tp_frame_nr = BLOCK / req.tp_frame_size * rx->n_blocks;
	rx->fd = open_socket(rx->name, &index);
	set_filter(rx->fd, r->flow);
	if (setsockopt(rx->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(rx->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(rx->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)))
		die("PACKET_RX_RING");
	rx->ring = mmap(NULL, (size_t)BLOCK * rx->n_blocks, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, rx->fd, 0);
	rx->seen = calloc(WINDOW / 64, sizeof(*rx->seen));
	if (rx->ring == MAP_FAILED || !rx->seen)
		die("memory");
	bind_socket(rx->fd, index, ETH_P_ALL);
}

/* ---- sending ---- */

static unsigned payload_at(const struct run *r)
{
	return ETH_HLEN + (r->vid ? 4 : 0);
}

static void build_frames(struct run *r)
{
	unsigned at = payload_at(r), fixed = at + sizeof(struct stamp);
	uint16_t type = htons(ETHERTYPE), tpid = htons(ETH_P_8021Q), tci = htons((uint16_t)r->vid);

	r->pattern = malloc(SLOTS + FRAME_MAX);
	r->frames = calloc(SLOTS, sizeof(*r->frames));
	if (!r->pattern || !r->frames)
		die("memory");
	for (unsigned i = 0; i < SLOTS + FRAME_MAX; i++)
		r->pattern[i] = (uint8_t)mix(i);
	for (unsigned i = 0; i < SLOTS; i++) {
		uint8_t *frame = r->frames[i];

		if (r->vid) {
			memcpy(frame + 12, &tpid, 2);
			memcpy(frame + 14, &tci, 2);
		}
		memcpy(frame + at - 2, &type, 2);
		memcpy(frame + fixed, r->pattern + i, r->size - fixed);
	}
}

static void stamp_frame(const struct run *r, uint64_t seq, uint64_t now)
{
	uint8_t *frame = r->frames[seq % SLOTS];
	struct stamp stamp = {
		.magic = htonl(MAGIC), .flow = htonl(r->flow), .seq = seq, .sent_ns = now
	};

	put_addresses(r, frame, seq);
	memcpy(frame + payload_at(r), &stamp, sizeof(stamp));
}

/* Sends n prepared messages; a frame that the kernel refuses for lack of room is skipped. */
static void send_all(int fd, struct mmsghdr *msg, unsigned n, uint64_t *refused)
{
	for (unsigned i = 0; i < n;) {
		int sent = sendmmsg(fd, msg + i, n - i, 0);

		if (sent > 0) {
			i += (unsigned)sent;
		} else if (errno == ENOBUFS || errno == EAGAIN) {
			i++;
			(*refused)++;
		} else if (errno != EINTR) {
			die("sendmmsg");
		}
	}
}

/* How many frames are due now; waits, asleep when the wait is long, if none is. */
static unsigned due(const struct run *r, uint64_t now)
{
	uint64_t wanted, gap;

	if (r->rate <= 0)
		return r->burst;
	wanted = (uint64_t)((double)(now - r->start_ns) * r->rate / 1e9) + 1;
	if (wanted > r->sent)
		return wanted - r->sent > r->burst ? r->burst : (unsigned)(wanted - r->sent);
	gap = (uint64_t)((double)r->sent / r->rate * 1e9) + r->start_ns;
	if (gap > now + 300000)
		usleep((unsigned)((gap - now) / 1000) - 100);
	return 0;
}

static void send_flow(struct run *r)
{
	struct mmsghdr msg[SLOTS] = { 0 };
	struct iovec iov[SLOTS];
	uint64_t now, end;

	pin(r->tx_cpu);
	r->cpu_s = machine_cpu();
	r->start_ns = clock_ns();
	end = r->start_ns + (uint64_t)(r->seconds * 1e9);
	while ((now = clock_ns()) < end && (!r->count || r->sent < r->count)) {
		unsigned n = due(r, now);

		if (r->count && n > r->count - r->sent)
			n = (unsigned)(r->count - r->sent);
		for (unsigned i = 0; i < n; i++) {
			stamp_frame(r, r->sent + i, now);
			iov[i].iov_base = r->frames[(r->sent + i) % SLOTS];
			iov[i].iov_len = r->size;
			msg[i].msg_hdr.msg_iov = &iov[i];
			msg[i].msg_hdr.msg_iovlen = 1;
		}
		send_all(r->tx_fd, msg, n, &r->refused);
		r->sent += n;
	}
	r->end_ns = clock_ns();
	r->cpu_s = machine_cpu() - r->cpu_s;
}

/* Every destination station says one word, so that the switch knows where it lives. */
static void prime(const struct run *r)
{
	uint8_t frame[60] = { 0 }, from = r->reverse ? 0xa0 : 0xb0, to = r->reverse ? 0xb0 : 0xa0;
	struct iovec iov = { .iov_base = frame, .iov_len = sizeof(frame) };
	struct mmsghdr msg = { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } };
	uint64_t refused = 0;
	int fd = open_sender(r->rx_name[0]);

	for (uint32_t i = 0; i < r->n_dst; i++) {
		put_mac(frame, to, 0);
		put_mac(frame + ETH_ALEN, from, i);
		frame[12] = ETHERTYPE >> 8;
		frame[13] = ETHERTYPE & 0xff;
		send_all(fd, &msg, 1, &refused);
		if (i % 64 ==
		    63) /* slow enough for every switch to keep up: about 100,000 a second */
			usleep(500);
	}
	usleep(100000);
	close(fd);
}

/* ---- receiving ---- */

/* Notes a sequence number: new, new but late, or seen before. */
static void note_seq(struct receiver *rx, uint64_t seq)
{
	uint64_t *word = &rx->seen[seq % WINDOW / 64], bit = 1ull << (seq % 64);

	if (seq >= rx->highest) {
		if (seq - rx->highest >= WINDOW)
			memset(rx->seen, 0, WINDOW / 8);
		else
			for (uint64_t s = rx->highest; s <= seq; s++)
				rx->seen[s % WINDOW / 64] &= ~(1ull << (s % 64));
		rx->highest = seq + 1;
	} else {
		rx->reordered++;
		if (seq + WINDOW >= rx->highest && (*word & bit)) {
			rx->reordered--;
			rx->duplicates++;
			return;
		}
	}
	*word |= bit;
	rx->unique++;
}

static bool intact(const struct run *r, const uint8_t *frame, unsigned len, uint64_t seq)
{
	unsigned fixed = ETH_HLEN + sizeof(struct stamp);
	uint8_t mac[2 * ETH_ALEN];

	if (len != r->size - (r->vid ? 4 : 0))
		return false;
	put_addresses(r, mac, seq);
	return !memcmp(frame, mac, sizeof(mac)) &&
	       !memcmp(frame + fixed, r->pattern + seq % SLOTS, len - fixed);
}

static void note_frame(const struct run *r, struct receiver *rx, const struct tpacket3_hdr *h)
{
	const uint8_t *frame = (const uint8_t *)h + h->tp_mac;
	uint64_t now = (uint64_t)h->tp_sec * 1000000000u + h->tp_nsec;
	struct stamp stamp;

	memcpy(&stamp, frame + ETH_HLEN, sizeof(stamp));
	if (!intact(r, frame, h->tp_snaplen, stamp.seq)) {
		rx->bad++;
		return;
	}
	if (!rx->received++)
		rx->first_ns = now;
	rx->last_ns = now;
	rx->tagged += !!(h->tp_status & TP_STATUS_VLAN_VALID);
	note_seq(rx, stamp.seq);
	hist_add(&rx->latency, now > stamp.sent_ns ? now - stamp.sent_ns : 0);
}

/* Takes every block that is ready; false when there was none. */
static bool drain(const struct run *r, struct receiver *rx)
{
	bool any = false;

	for (;;) {
		uint8_t *block = rx->ring + (size_t)rx->next * BLOCK;
		struct tpacket_block_desc *desc = (void *)block;
		struct tpacket_hdr_v1 *head = &desc->hdr.bh1;
		const struct tpacket3_hdr *h;

		if (!(__atomic_load_n(&head->block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			return any;
		h = (const void *)(block + head->offset_to_first_pkt);
		for (unsigned i = 0; i < head->num_pkts; i++) {
			note_frame(r, rx, h);
			h = (const void *)((const uint8_t *)h + h->tp_next_offset);
		}
		any = any || head->num_pkts;
		__atomic_store_n(&head->block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		rx->next = (rx->next + 1) % rx->n_blocks;
	}
}

static void *receive_flow(void *arg)
{
	struct run *r = arg;
	struct pollfd pfd[RX_MAX];
	uint64_t last = clock_ns();

	pin(r->rx_cpu);
	for (unsigned i = 0; i < r->n_rx; i++)
		pfd[i] = (struct pollfd){ .fd = r->rx[i].fd, .events = POLLIN };
	for (;;) {
		bool any = false;

		poll(pfd, r->n_rx, 50);
		for (unsigned i = 0; i < r->n_rx; i++)
			any = drain(r, &r->rx[i]) || any;
		if (any || r->sending)
			last = clock_ns();
		else if (clock_ns() - last > IDLE_MS * 1000000ull)
			return NULL;
	}
}

/* ---- result ---- */

static void print_receiver(const struct run *r, struct receiver *rx)
{
	double s = (double)(rx->last_ns - rx->first_ns) / 1e9;
	double pps = rx->received > 1 && s > 0 ? (double)(rx->received - 1) / s : 0;
	struct tpacket_stats_v3 st = { 0 };
	socklen_t len = sizeof(st);

	if (!getsockopt(rx->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len))
		rx->ring_dropped = st.tp_drops;
	printf("{\"name\":\"%s\",\"received\":%llu,\"lost\":%llu,\"duplicates\":%llu,"
	       "\"reordered\":%llu,\"bad\":%llu,\"tagged\":%llu,\"ring_dropped\":%llu,"
	       "\"seconds\":%.6f,\"pps\":%.0f,\"mbit_s\":%.1f,",
	       rx->name, (unsigned long long)rx->unique, (unsigned long long)(r->sent - rx->unique),
	       (unsigned long long)rx->duplicates, (unsigned long long)rx->reordered,
	       (unsigned long long)rx->bad, (unsigned long long)rx->tagged,
	       (unsigned long long)rx->ring_dropped, s, pps, pps * r->size * 8 / 1e6);
	printf("\"latency_us\":");
	hist_print(&rx->latency);
	printf("}");
}

static void print_result(struct run *r)
{
	double s = (double)(r->end_ns - r->start_ns) / 1e9;

	printf("{\"size\":%u,\"sent\":%llu,\"refused\":%llu,\"seconds\":%.6f,\"offered_pps\":%.0f,"
	       "\"cpu_s\":%.2f,\"rx\":[",
	       r->size, (unsigned long long)r->sent, (unsigned long long)r->refused, s,
	       (double)r->sent / s, r->cpu_s);
	for (unsigned i = 0; i < r->n_rx; i++) {
		print_receiver(r, &r->rx[i]);
		if (i + 1 < r->n_rx)
			printf(",");
	}
	printf("]}\n");
}

/* ---- options ---- */

static const char usage[] =
	"usage: flowgen -i [NETNS:]IFNAME [-o [NETNS:]IFNAME]... [options]\n"
	"  -i IF    send here             -o IF    receive here (repeat; the first owns the stations)\n"
	"  -s LEN   frame bytes, no FCS   -r PPS   frames a second, 0 = as fast as possible\n"
	"  -t SEC   duration              -n N     frames at most\n"
	"  -S N     source addresses      -D N     destination addresses\n"
	"  -R       pick them at random   -T KIND  send to station, broadcast or unknown\n"
	"  -v VID   802.1Q tag            -b N     frames a system call, 1 to 256\n"
	"  -x       the other direction   -f ID    flow number: what receivers look for; the seed of -R\n"
	"  -P       do not announce the destination stations first\n"
	"  -c CPU   pin the sender        -C CPU   pin the receiver\n";

static bool parse_target(struct run *r, const char *word)
{
	static const char *const names[] = { "station", "broadcast", "unknown" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(word, names[i])) {
			r->target = (enum target)i;
			return true;
		}
	}
	return false;
}

static bool parse_option(struct run *r, int c, const char *v)
{
	switch (c) {
	case 'i':
		r->tx_name = v;
		return true;
	case 'o':
		r->rx_name[r->n_rx] = v;
		return ++r->n_rx < RX_MAX;
	case 's':
		r->size = (unsigned)atoi(v);
		return true;
	case 'r':
		r->rate = atof(v);
		return true;
	case 't':
		r->seconds = atof(v);
		return true;
	case 'n':
		r->count = strtoull(v, NULL, 0);
		return true;
	case 'S':
		r->n_src = (uint32_t)atol(v);
		return true;
	case 'D':
		r->n_dst = (uint32_t)atol(v);
		return true;
	case 'R':
		r->random = true;
		return true;
	case 'T':
		return parse_target(r, v);
	case 'v':
		r->vid = (unsigned)atoi(v);
		return true;
	case 'b':
		r->burst = (unsigned)atoi(v);
		return true;
	case 'x':
		r->reverse = true;
		return true;
	case 'f':
		r->flow = (unsigned)atoi(v);
		return true;
	case 'P':
		r->no_prime = true;
		return true;
	case 'c':
		r->tx_cpu = atoi(v);
		return true;
	case 'C':
		r->rx_cpu = atoi(v);
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	/* clang-format off */
	static struct run r = { .size = 60, .burst = 32, .flow = 1, .n_src = 1, .n_dst = 1,
				.seconds = 1, .tx_cpu = -1, .rx_cpu = -1 };
	/* clang-format on */
	bool ok = true;
	pthread_t thread;
	int c;

	while (ok && (c = getopt(argc, argv, "i:o:s:r:t:n:S:D:RT:v:b:xf:Pc:C:")) != -1)
		ok = parse_option(&r, c, optarg);
	if (!ok || optind < argc || !r.tx_name || r.size < 60 || r.size > FRAME_MAX ||
	    r.burst < 1 || r.burst > SLOTS || !r.n_src || !r.n_dst || r.vid > 4094) {
		fputs(usage, stderr);
		return 2;
	}
	build_frames(&r);
	r.tx_fd = open_sender(r.tx_name);
	if (r.n_rx && !r.no_prime && r.target == TO_STATION)
		prime(&r);
	for (unsigned i = 0; i < r.n_rx; i++)
		open_receiver(&r, i);
	r.sending = true;
	if (r.n_rx && (errno = pthread_create(&thread, NULL, receive_flow, &r)))
		die("pthread_create");
	send_flow(&r);
	r.sending = false;
	if (r.n_rx && (errno = pthread_join(thread, NULL)))
		die("pthread_join");
	print_result(&r);
}
