/* SPDX-License-Identifier: MIT */
/* pcap: replay by the stamps of the file, at full speed, again and again; recording; files that are
 * wrong. */
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/hand.h"
#include "tests/unit/suite.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static char dir[] = "/tmp/uswitch-pcap-XXXXXX";
static char in_path[64], out_path[64], text[256];
static struct port *port;
static struct batch *batch;
static struct port_stats in;
static struct txq *txq;
static struct error err;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(in_path, sizeof(in_path), "%s/in", dir);
	snprintf(out_path, sizeof(out_path), "%s/out", dir);
	batch = malloc(sizeof(*batch));
	ck_assert_int_eq(batch_init(batch), 0);
	batch->stats = &in;
	txq = calloc(1, sizeof(*txq));
}

static void teardown(void)
{
	if (port)
		port->ops->close(port);
	ck_assert_int_eq(hand.fd, -1);
	ck_assert(hand.at == UINT64_MAX);
	unlink(in_path);
	unlink(out_path);
	rmdir(dir);
	batch_fini(batch);
	free(batch);
	free(txq);
}

static void put32(FILE *f, uint32_t v)
{
	fwrite(&v, sizeof(v), 1, f);
}

static FILE *file_new(uint32_t magic, uint32_t linktype)
{
	FILE *f = fopen(in_path, "w");

	put32(f, magic);
	fwrite("\2\0\4\0", 4, 1, f);
	put32(f, 0);
	put32(f, 0);
	put32(f, 262144);
	put32(f, linktype);
	return f;
}

/* Appends a frame whose byte 20 is @mark. */
static void file_add(FILE *f, uint64_t ns, uint32_t caplen, uint32_t len, uint8_t mark)
{
	static uint8_t bytes[262144];

	bytes[12] = 8;
	bytes[20] = mark;
	put32(f, (uint32_t)(ns / S));
	put32(f, (uint32_t)(ns % S));
	put32(f, caplen);
	put32(f, len);
	fwrite(bytes, caplen, 1, f);
}

static int open_port(const char *options)
{
	snprintf(text, sizeof(text), "pcap:%s,name=p%s", in_path, options);
	return hand_open(text, &port, &err);
}

/* Receives once; returns the marks of the frames as letters. */
static const char *rx(void)
{
	static char marks[BATCH_MAX + 1];

	ck_assert(batch->more || hand_ready());
	port->ops->rx(port, 0, batch);
	for (unsigned i = 0; i < batch->n; i++)
		marks[i] = (char)batch->frame[i].data[20];
	marks[batch->n] = '\0';
	return marks;
}

START_TEST(recorded_speed)
{
	FILE *f = file_new(0xa1b23c4d, 1);

	file_add(f, 5 * S, 60, 60, 'a');
	file_add(f, 5 * S, 60, 60, 'b');
	file_add(f, 5 * S + 10 * MS + 999999, 60, 60, 'c');
	file_add(f, 4 * S, 60, 60, 'd'); /* backwards: at once */
	file_add(f, 7 * S, 60, 60, 'e');
	fclose(f);
	ck_assert_int_eq(open_port(""), 0);
	ck_assert(port->link.present && port->link.carrier);
	ck_assert_uint_eq(hand.at, 0);
	ck_assert(!hand_ready());
	port->ops->timer(port, 1000);
	ck_assert_str_eq(rx(), "ab");
	ck_assert(!batch->more && !hand_ready());
	ck_assert_uint_eq(hand.at, 1010);
	port->ops->timer(port, 1009); /* early */
	ck_assert_str_eq(rx(), "");
	ck_assert_uint_eq(hand.at, 1010);
	port->ops->timer(port, 1010);
	ck_assert_str_eq(rx(), "cd");
	ck_assert_uint_eq(hand.at, 3000);
	hand.at = 0;
	port->ops->timer(port, 9000); /* late */
	ck_assert_str_eq(rx(), "e");
	ck_assert(!batch->more && !hand_ready());
	ck_assert_uint_eq(hand.at, 0);
	ck_assert(port->link.carrier);
	ck_assert_uint_eq(in.rx, 0); /* the bridge counts what it is given */
}
END_TEST

START_TEST(full_speed)
{
	FILE *f = file_new(0xa1b2c3d4, 1); /* microseconds */
	unsigned n = 0;

	for (unsigned i = 0; i < 1000; i++)
		file_add(f, (uint64_t)i * 1000 * S / 1000, 60, 60, 'x');
	fclose(f);
	ck_assert_int_eq(open_port(",speed=full"), 0);
	port->ops->timer(port, 1);
	do
		n += (unsigned)strlen(rx());
	while (batch->more);
	ck_assert_uint_eq(n, 1000);
}
END_TEST

/* Microsecond files of the other byte order, too. */
START_TEST(swapped)
{
	static const uint8_t bytes[] = {
		0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1,
	};
	static const uint8_t records[] = {
		0, 0, 0, 9,  0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 16, 1,    2,    3, 4, 5, 6,
		7, 8, 9, 0,  1, 2, 8, 0, 1, 2, 0, 0,  0, 9, 0, 0,  0x4e, 0x20, 0, 0, 0, 16,
		0, 0, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8,  9, 0, 1, 2,  8,    0,    1, 2,
	};
	FILE *f = fopen(in_path, "w");

	fwrite(bytes, sizeof(bytes), 1, f);
	fwrite(records, sizeof(records), 1, f);
	fclose(f);
	ck_assert_int_eq(open_port(""), 0);
	port->ops->timer(port, 1);
	rx();
	ck_assert_uint_eq(batch->n, 1);
	ck_assert_mem_eq(batch->frame[0].data, "\1\2\3\4\5\6\7\x8\x9\0\1\2\x8\0\1\2", 16);
	ck_assert_uint_eq(hand.at, 21);
}
END_TEST

START_TEST(pcapng)
{
	FILE *f = fopen(in_path, "w");

	put32(f, 0x0a0d0d0a), put32(f, 28), put32(f, 0x1a2b3c4d), put32(f, 1), put32(f, UINT32_MAX),
		put32(f, UINT32_MAX), put32(f, 28);
	put32(f, 1), put32(f, 20), put32(f, 1), put32(f, 0), put32(f, 20);
	put32(f, 6), put32(f, 48), put32(f, 0), put32(f, 0), put32(f, 0), put32(f, 16),
		put32(f, 16);
	fwrite("\1\2\3\4\5\6\7\x8\x9\0\1\2\x8\0\1\2", 16, 1, f);
	put32(f, 48);
	fclose(f);
	ck_assert_int_eq(open_port(""), 0);
	port->ops->timer(port, 1);
	rx();
	ck_assert_uint_eq(batch->n, 1);
	ck_assert_uint_eq(batch->frame[0].total, 16);
}
END_TEST

START_TEST(repeats)
{
	FILE *f = file_new(0xa1b23c4d, 1);

	file_add(f, 1 * S, 60, 60, 'a');
	file_add(f, 1 * S + 5 * MS, 60, 60, 'b');
	fclose(f);
	ck_assert_int_eq(open_port(",repeat=3"), 0);
	unlink(in_path); /* it stays open */
	port->ops->timer(port, 100);
	ck_assert_str_eq(rx(), "a");
	ck_assert_uint_eq(hand.at, 105);
	port->ops->timer(port, 105);
	ck_assert_str_eq(rx(), "ba");
	ck_assert_uint_eq(hand.at, 110);
	port->ops->timer(port, 110);
	ck_assert_str_eq(rx(), "ba");
	port->ops->timer(port, 115);
	ck_assert_str_eq(rx(), "b");
	ck_assert(!batch->more);
	port->ops->timer(port, 200);
	ck_assert_str_eq(rx(), "");
}
END_TEST

START_TEST(repeats_for_ever)
{
	FILE *f = file_new(0xa1b23c4d, 1);

	file_add(f, 1 * S, 60, 60, 'a');
	fclose(f);
	ck_assert_int_eq(open_port(",repeat=0,speed=full"), 0);
	port->ops->timer(port, 1);
	for (unsigned i = 0; i < 100; i++) {
		ck_assert_uint_eq(strlen(rx()), BATCH_MAX);
		ck_assert(batch->more);
	}
}
END_TEST

/* A file without frames, replayed for ever, is not a busy loop; one of bad frames only does not
 * hold up the rest. */
START_TEST(repeats_nothing)
{
	fclose(file_new(0xa1b23c4d, 1));
	ck_assert_int_eq(open_port(",repeat=0,speed=full"), 0);
	port->ops->timer(port, 1);
	ck_assert_str_eq(rx(), "");
	ck_assert(!batch->more);
}
END_TEST

START_TEST(repeats_bad)
{
	FILE *f = file_new(0xa1b23c4d, 1);

	file_add(f, 1 * S, 13, 13, 'a');
	fclose(f);
	ck_assert_int_eq(open_port(",repeat=0,speed=full"), 0);
	port->ops->timer(port, 1);
	ck_assert_str_eq(rx(), "");
	ck_assert(batch->more);
	ck_assert_uint_eq(in.drop_in[DROP_RUNT], BATCH_MAX);
}
END_TEST

START_TEST(bad_frames)
{
	FILE *f = file_new(0xa1b23c4d, 1);

	file_add(f, S, 60, 1500, 'a'); /* cut by snaplen */
	file_add(f, S, 13, 13, 'b');
	file_add(f, S, 200000, 200000, 'c');
	file_add(f, S, 60, 60, 'd');
	fclose(f);
	ck_assert_int_eq(open_port(""), 0);
	port->ops->timer(port, 1);
	ck_assert_str_eq(rx(), "d");
	ck_assert_uint_eq(in.rx, 3);
	ck_assert_uint_eq(in.drop_in[DROP_MALFORMED], 1);
	ck_assert_uint_eq(in.drop_in[DROP_RUNT], 1);
	ck_assert_uint_eq(in.drop_in[DROP_GIANT], 1);
}
END_TEST

/* The last frame of a full batch is far longer than its place in the arena (ASan watches). */
START_TEST(giant_at_the_end)
{
	FILE *f = file_new(0xa1b23c4d, 1);

	for (unsigned i = 1; i < BATCH_MAX; i++)
		file_add(f, S, 60, 60, 'x');
	file_add(f, S, 200000, 200000, 'x');
	fclose(f);
	ck_assert_int_eq(open_port(""), 0);
	port->ops->timer(port, 1);
	ck_assert_uint_eq(strlen(rx()), BATCH_MAX - 1);
	ck_assert_uint_eq(in.drop_in[DROP_GIANT], 1);
}
END_TEST

/* A file that ends inside a frame: what is whole is replayed, the port stays. */
START_TEST(cut_file)
{
	FILE *f = file_new(0xa1b23c4d, 1);

	file_add(f, S, 60, 60, 'a');
	file_add(f, S, 60, 60, 'b');
	fflush(f);
	ck_assert_int_eq(ftruncate(fileno(f), ftell(f) - 7), 0);
	fclose(f);
	ck_assert_int_eq(open_port(",repeat=5"), 0);
	port->ops->timer(port, 1);
	ck_assert_str_eq(rx(), "a");
	ck_assert(!batch->more);
	ck_assert(port->link.carrier);
}
END_TEST

START_TEST(bad_files)
{
	fclose(file_new(0xa1b23c4d, 113));
	ck_assert_int_eq(open_port(""), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "LINUX_SLL frames, only Ethernet"));
	fclose(file_new(0x12345678, 1));
	ck_assert_int_eq(open_port(""), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, in_path));
	fclose(fopen(in_path, "w"));
	ck_assert_int_eq(open_port(""), -EINVAL);
	unlink(in_path);
	ck_assert_int_eq(open_port(""), -ENOENT);
	ck_assert_int_eq(mkfifo(in_path, 0600), 0); /* must not block */
	ck_assert_int_eq(open_port(""), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "not a regular file"));
	snprintf(text, sizeof(text), "pcap:%s", dir);
	ck_assert_int_eq(hand_open(text, &port, &err), -EINVAL);
	ck_assert_int_eq(hand_open("pcap:", &port, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "out=FILE"));
	ck_assert_ptr_null(port);
	ck_assert_int_eq(hand.fd, -1);
}
END_TEST

START_TEST(bad_out)
{
	struct port *other;

	fclose(file_new(0xa1b23c4d, 1));
	snprintf(text, sizeof(text), "pcap:%s,out=%s", in_path, in_path);
	ck_assert_int_eq(hand_open(text, &port, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "at once"));
	ck_assert_int_eq(symlink(in_path, out_path), 0);
	snprintf(text, sizeof(text), "pcap:,name=p,out=%s", out_path);
	ck_assert_int_eq(hand_open(text, &port, &err), -ELOOP);
	ck_assert_int_eq(open_port(""), 0); /* and nothing happened to it */
	unlink(out_path);
	port->ops->close(port);
	snprintf(text, sizeof(text), "pcap:,name=p,out=%s", out_path);
	ck_assert_int_eq(hand_open(text, &port, &err), 0);
	ck_assert_int_eq(hand_open(text, &other, &err), -EBUSY);
}
END_TEST

/* Reads the recorded file, in whole, into @bytes; returns its length. */
static size_t recorded(uint8_t *bytes, size_t size)
{
	FILE *f = fopen(out_path, "r");
	size_t len = fread(bytes, 1, size, f);

	fclose(f);
	return len;
}

static void tx(const struct frame *f, bool tagged)
{
	txq->entry[txq->n++] = (struct txq_entry){ .frame = f, .tagged = tagged };
	port->ops->tx(port, 0, txq);
	ck_assert_uint_eq(txq->n, 0);
}

static uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

START_TEST(records)
{
	static uint8_t bytes[256], file[1024];
	struct frame f = { .data = bytes, .len = 60, .total = 60 };

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	snprintf(text, sizeof(text), "pcap:,name=p,out=%s", out_path);
	ck_assert_int_eq(hand_open(text, &port, &err), 0);
	ck_assert_uint_eq(recorded(file, sizeof(file)), 24);
	ck_assert_uint_eq(word(file), 0xa1b23c4d);
	ck_assert_uint_eq(word(file + 20), 1);
	f.tag = (struct vtag){ TPID_8021Q, 7 };
	f.vnet = (struct vnet_hdr){ .flags = VNET_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6 };
	tx(&f, true);
	ck_assert_uint_eq(recorded(file, sizeof(file)), 24 + 16 + 64);
	ck_assert_uint_gt(word(file + 24), 1600000000);
	ck_assert_uint_lt(word(file + 28), S);
	ck_assert_uint_eq(word(file + 32), 64);
	ck_assert_uint_eq(word(file + 36), 64);
	ck_assert_mem_eq(file + 40, bytes, 12);
	ck_assert_mem_eq(file + 52, "\x81\0\0\7", 4);
	ck_assert_mem_eq(file + 56, bytes + 12, 28);
	ck_assert_mem_ne(file + 56 + 28, bytes + 40, 2); /* the checksum was completed */
	ck_assert_uint_eq(txq->stats.tx, 1);
	ck_assert_uint_eq(txq->stats.tx_bytes, 64);
}
END_TEST

/* Only replaying: what is sent to the port is gone, and counted as sent. */
START_TEST(no_record)
{
	static uint8_t bytes[60];
	struct frame f = { .data = bytes, .len = 60, .total = 60 };

	fclose(file_new(0xa1b23c4d, 1));
	ck_assert_int_eq(open_port(""), 0);
	tx(&f, false);
	ck_assert_uint_eq(txq->stats.tx, 1);
}
END_TEST

/* A full disk: the frame is dropped as an error and the file stays whole. */
START_TEST(disk_full)
{
	static uint8_t bytes[1000], file[4096];
	struct rlimit limit = { 24 + 2 * 1016 + 500, RLIM_INFINITY };
	struct frame f = { .data = bytes, .len = 1000, .total = 1000 };

	signal(SIGXFSZ, SIG_IGN);
	snprintf(text, sizeof(text), "pcap:,name=p,out=%s", out_path);
	ck_assert_int_eq(hand_open(text, &port, &err), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	for (unsigned i = 0; i < 5; i++)
		tx(&f, false);
	ck_assert_uint_eq(txq->stats.tx, 2);
	ck_assert_uint_eq(txq->stats.drop_out[DROP_ERROR], 3);
	ck_assert_uint_eq(recorded(file, sizeof(file)), 24 + 2 * 1016);
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	tx(&f, false);
	ck_assert_uint_eq(recorded(file, sizeof(file)), 24 + 3 * 1016);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pcap");
	TCase *t = tcase_create("pcap");

	suite_add_tcase(s, t);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, recorded_speed);
	tcase_add_test(t, full_speed);
	tcase_add_test(t, swapped);
	tcase_add_test(t, pcapng);
	tcase_add_test(t, repeats);
	tcase_add_test(t, repeats_for_ever);
	tcase_add_test(t, repeats_nothing);
	tcase_add_test(t, repeats_bad);
	tcase_add_test(t, bad_frames);
	tcase_add_test(t, giant_at_the_end);
	tcase_add_test(t, cut_file);
	tcase_add_test(t, bad_files);
	tcase_add_test(t, bad_out);
	tcase_add_test(t, records);
	tcase_add_test(t, no_record);
	tcase_add_test(t, disk_full);
	return suite_run(s);
}
