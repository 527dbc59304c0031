/* SPDX-License-Identifier: MIT */
/*
 * The filter leaves what it found in the frame's control block, a few words that travel with it
 * (skb->cb), and lets the socket refuse the frame; the program at the ingress finds it there. A
 * number drawn at start tells its words from what others leave. In the kernel, packet sockets come
 * right before that ingress (__netif_receive_skb_core).
 */
#include "ports/fastpath.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports/bpf.h"

#define FIRST 4096u /* bytes in front of the flows: the generation */
#define TABLE_SIZE (FIRST + FASTPATH_FLOWS * sizeof(struct fastpath_flow))
#define SET_BITS 13
#define WAY_SHIFT 7 /* bytes of a set */
#define ACCEPT (-1) /* the whole frame, for the socket */
#define NEXT (-1)   /* TCX_NEXT: go on as if we were not there */
#define DROP 2      /* TCX_DROP */

/* Words of the control block. */
#define CB(i) offsetof(struct __sk_buff, cb[i])
enum { CB_MARK, CB_OUT, CB_FLAGS, CB_TAG };

#define FIELD(name) offsetof(struct fastpath_flow, name)

_Static_assert(sizeof(struct fastpath_flow) == 64, "a cache line");
_Static_assert(FASTPATH_SETS == 1u << SET_BITS, "so many bits of the hash");
_Static_assert(FASTPATH_WAYS * sizeof(struct fastpath_flow) == 1u << WAY_SHIFT, "a set");

struct fastpath {
	int map;
	int ingress;     /* the program, the same for all interfaces */
	uint32_t mark;   /* what our filters leave */
	uint64_t mul[3]; /* keys of the hash, odd */
	uint8_t *table;  /* TABLE_SIZE bytes, shared with the kernel */
};

/* R1 = hash of a key whose parts are in R7, R8, and @in: multiply and add, the upper bits. */
static void code_hash(struct bpf_code *c, const struct fastpath *fp, uint16_t in)
{
	bpf_mov_imm64(c, R1, fp->mul[0]);
	bpf_alu(c, BPF_MUL, R1, R7);
	bpf_mov_imm64(c, R2, fp->mul[1]);
	bpf_alu(c, BPF_MUL, R2, R8);
	bpf_alu(c, BPF_ADD, R1, R2);
	bpf_mov_imm64(c, R2, fp->mul[2] * in);
	bpf_alu(c, BPF_ADD, R1, R2);
	bpf_alu_imm(c, BPF_RSH, R1, 64 - SET_BITS);
}

/* Goes to @other unless the flow at R2 has the key in R7, R8 and @in. */
static void code_compare(struct bpf_code *c, uint16_t in, unsigned other)
{
	bpf_load(c, BPF_DW, R4, R2, FIELD(key.addresses));
	bpf_jump(c, BPF_JNE, R4, R7, other);
	bpf_load(c, BPF_DW, R4, R2, FIELD(key.rest));
	bpf_jump(c, BPF_JNE, R4, R8, other);
	bpf_load(c, BPF_W, R4, R2, FIELD(key.in));
	bpf_jump_imm(c, BPF_JNE, R4, in, other);
}

/* R7, R8 = the key of the frame at hand, R6 its context. */
static void code_key(struct bpf_code *c, unsigned miss)
{
	enum { UNTAGGED = 4 };

	bpf_mov(c, R1, R6);
	bpf_mov_imm(c, R2, 0);
	bpf_mov(c, R3, R10);
	bpf_alu_imm(c, BPF_ADD, R3, -16);
	bpf_mov_imm(c, R4, 12);
	bpf_call(c, BPF_FUNC_skb_load_bytes);
	bpf_jump_imm(c, BPF_JNE, R0, 0, miss);
	bpf_load(c, BPF_DW, R7, R10, (size_t)-16);
	bpf_load(c, BPF_W, R8, R10, (size_t)-8);
	bpf_load(c, BPF_W, R1, R6, offsetof(struct __sk_buff, vlan_present));
	bpf_jump_imm(c, BPF_JEQ, R1, 0, UNTAGGED);
	bpf_load(c, BPF_W, R1, R6, offsetof(struct __sk_buff, vlan_proto));
	bpf_load(c, BPF_W, R2, R6, offsetof(struct __sk_buff, vlan_tci));
	bpf_alu_imm(c, BPF_LSH, R1, 16);
	bpf_alu(c, BPF_OR, R1, R2);
	bpf_alu_imm(c, BPF_LSH, R1, 32);
	bpf_alu(c, BPF_OR, R8, R1);
	bpf_label(c, UNTAGGED);
}

/*
 * The filter of the socket of port @in. What is read of a flow counts only if its generation is the
 * table's before and after.
 */
static void code_filter(struct bpf_code *c, const struct fastpath *fp, uint16_t in)
{
	enum { MISS, SECOND, FOUND, FITS };

	bpf_mov(c, R6, R1);
	code_key(c, MISS);
	code_hash(c, fp, in);
	bpf_alu_imm(c, BPF_LSH, R1, WAY_SHIFT);
	bpf_mov_map(c, R2, fp->map);
	bpf_load(c, BPF_DW, R3, R2, 0);
	bpf_alu(c, BPF_ADD, R2, R1);
	bpf_alu_imm(c, BPF_ADD, R2, FIRST);
	code_compare(c, in, SECOND);
	bpf_goto(c, FOUND);
	bpf_label(c, SECOND);
	bpf_alu_imm(c, BPF_ADD, R2, sizeof(struct fastpath_flow));
	code_compare(c, in, MISS);
	bpf_label(c, FOUND);
	bpf_load(c, BPF_DW, R4, R2, FIELD(generation));
	bpf_jump(c, BPF_JNE, R4, R3, MISS);
	bpf_load(c, BPF_W, R9, R2, FIELD(out));
	bpf_load(c, BPF_W, R8, R2, FIELD(flags));
	bpf_load(c, BPF_W, R7, R2, FIELD(tag));
	bpf_load(c, BPF_W, R5, R2, FIELD(max_len));
	bpf_load(c, BPF_DW, R4, R2, FIELD(generation));
	bpf_jump(c, BPF_JNE, R4, R3, MISS);
	bpf_load(c, BPF_W, R4, R6, offsetof(struct __sk_buff, len));
	bpf_load(c, BPF_W, R3, R6, offsetof(struct __sk_buff, gso_size));
	bpf_jump_imm(c, BPF_JNE, R3, 0, FITS);
	bpf_jump(c, BPF_JGT, R4, R5, MISS);
	bpf_label(c, FITS);
	bpf_count(c, R2, FIELD(bytes), R4);
	bpf_mov_imm(c, R4, 1);
	bpf_count(c, R2, FIELD(packets), R4);
	bpf_mov_imm(c, R1, (int32_t)fp->mark);
	bpf_store(c, BPF_W, R6, CB(CB_MARK), R1);
	bpf_store(c, BPF_W, R6, CB(CB_OUT), R9);
	bpf_store(c, BPF_W, R6, CB(CB_FLAGS), R8);
	bpf_store(c, BPF_W, R6, CB(CB_TAG), R7);
	bpf_mov_imm(c, R0, 0);
	bpf_exit(c);
	bpf_label(c, MISS);
	bpf_mov_imm(c, R0, ACCEPT);
	bpf_exit(c);
	bpf_finish(c);
}

/* The program at the ingress. */
static void code_ingress(struct bpf_code *c, const struct fastpath *fp)
{
	enum { OTHER, GO, PUSH, POP, PEER, FAILED };

	bpf_load(c, BPF_W, R2, R1, CB(CB_MARK));
	bpf_jump_imm(c, BPF_JNE, R2, (int32_t)fp->mark, OTHER);
	bpf_mov(c, R6, R1);
	bpf_mov_imm(c, R2, 0);
	bpf_store(c, BPF_W, R6, CB(CB_MARK), R2);
	bpf_load(c, BPF_W, R7, R6, CB(CB_OUT));
	bpf_load(c, BPF_W, R8, R6, CB(CB_FLAGS));
	bpf_load(c, BPF_W, R3, R6, CB(CB_TAG));
	bpf_jump_imm(c, BPF_JSET, R8, FASTPATH_PUSH, PUSH);
	bpf_jump_imm(c, BPF_JSET, R8, FASTPATH_POP, POP);
	bpf_goto(c, GO);
	bpf_label(c, POP);
	bpf_mov(c, R1, R6);
	bpf_call(c, BPF_FUNC_skb_vlan_pop);
	bpf_jump_imm(c, BPF_JNE, R0, 0, FAILED);
	bpf_goto(c, GO);
	bpf_label(c, PUSH);
	bpf_mov(c, R1, R6);
	bpf_mov(c, R2, R3);
	bpf_alu_imm(c, BPF_RSH, R2, 16);
	bpf_alu_imm(c, BPF_AND, R3, 0xffff);
	bpf_call(c, BPF_FUNC_skb_vlan_push);
	bpf_jump_imm(c, BPF_JNE, R0, 0, FAILED);
	bpf_label(c, GO);
	bpf_jump_imm(c, BPF_JSET, R8, FASTPATH_PEER, PEER);
	bpf_mov(c, R1, R7);
	bpf_mov_imm(c, R2, 0);
	bpf_call(c, BPF_FUNC_redirect);
	bpf_exit(c);
	bpf_label(
		c,
		PEER); /* the frame is for that interface, whatever it was for the one it came by */
	bpf_mov(c, R1, R6);
	bpf_mov_imm(c, R2, PACKET_HOST);
	bpf_call(c, BPF_FUNC_skb_change_type);
	bpf_mov(c, R1, R7);
	bpf_mov_imm(c, R2, 0);
	bpf_call(c, BPF_FUNC_redirect_peer);
	bpf_exit(c);
	bpf_label(c, FAILED);
	bpf_mov_imm(c, R0, DROP);
	bpf_exit(c);
	bpf_label(c, OTHER);
	bpf_mov_imm(c, R0, NEXT);
	bpf_exit(c);
	bpf_finish(c);
}

static uint64_t *generation(const struct fastpath *fp)
{
	return (uint64_t *)(void *)fp->table;
}

static int draw_secrets(struct fastpath *fp)
{
	if (getrandom(fp->mul, sizeof(fp->mul), 0) != sizeof(fp->mul) ||
	    getrandom(&fp->mark, sizeof(fp->mark), 0) != sizeof(fp->mark))
		return -EIO;
	for (unsigned i = 0; i < 3; i++)
		fp->mul[i] |= 1;
	fp->mark = (fp->mark & INT32_MAX) | 1;
	return 0;
}

/* Returns 0 or -errno. */
static int open_all(struct fastpath *fp)
{
	struct bpf_code c = { 0 };
	int ret = draw_secrets(fp);

	if (ret)
		return ret;
	fp->map = bpf_array(TABLE_SIZE);
	if (fp->map < 0)
		return fp->map;
	fp->table = mmap(NULL, TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fp->map, 0);
	if (fp->table == MAP_FAILED) {
		fp->table = NULL;
		return -errno;
	}
	*generation(fp) = 1;
	code_ingress(&c, fp);
	fp->ingress = bpf_program(BPF_PROG_TYPE_SCHED_CLS, &c);
	return fp->ingress < 0 ? fp->ingress : 0;
}

struct fastpath *fastpath_new(struct error *err)
{
	struct fastpath *fp = calloc(1, sizeof(*fp));
	int ret;

	if (!fp) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	fp->map = fp->ingress = -1;
	ret = open_all(fp);
	if (!ret)
		return fp;
	fastpath_free(fp);
	if (ret == -EPERM)
		error_set(err, ret,
			  "no permission to load programs into the kernel, which needs "
			  "CAP_BPF and CAP_NET_ADMIN outside of user namespaces");
	else
		error_set(err, ret, "the kernel does not take its programs: %s", strerror(-ret));
	return NULL;
}

void fastpath_free(struct fastpath *fp)
{
	if (!fp)
		return;
	if (fp->table)
		munmap(fp->table, TABLE_SIZE);
	if (fp->ingress >= 0)
		close(fp->ingress);
	if (fp->map >= 0)
		close(fp->map);
	free(fp);
}

int fastpath_attach(const struct fastpath *fp, int ns, int sock, int ifindex, uint16_t number)
{
	struct bpf_code c = { 0 };
	int filter, link, ret = 0;

	link = bpf_ingress(ns, fp->ingress, ifindex);
	if (link < 0)
		return link;
	code_filter(&c, fp, number);
	filter = bpf_program(BPF_PROG_TYPE_SOCKET_FILTER, &c);
	if (filter < 0)
		ret = filter;
	else if (setsockopt(sock, SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof(filter)))
		ret = -errno;
	if (filter >= 0)
		close(filter); /* the socket has it */
	if (!ret)
		return link;
	close(link);
	return ret;
}

void fastpath_detach(int sock)
{
	int unused = 0;

	setsockopt(sock, SOL_SOCKET, SO_DETACH_BPF, &unused, sizeof(unused));
}

struct fastpath_key fastpath_key(const uint8_t *addresses, struct vtag tag, uint16_t in)
{
	struct fastpath_key key = { .in = in };
	uint32_t source;

	memcpy(&key.addresses, addresses, sizeof(key.addresses));
	memcpy(&source, addresses + sizeof(key.addresses), sizeof(source));
	key.rest = source;
	if (tag.tpid)
		key.rest |= (uint64_t)htons(tag.tpid) << 48 | (uint64_t)tag.tci << 32;
	return key;
}

struct fastpath_flow *fastpath_set(const struct fastpath *fp, const struct fastpath_key *key)
{
	uint64_t hash = key->addresses * fp->mul[0] + key->rest * fp->mul[1] + key->in * fp->mul[2];

	return fastpath_at(fp, (unsigned)(hash >> (64 - SET_BITS)) * FASTPATH_WAYS);
}

struct fastpath_flow *fastpath_at(const struct fastpath *fp, unsigned index)
{
	return (struct fastpath_flow *)(void *)(fp->table + FIRST) + index;
}

unsigned fastpath_index(const struct fastpath *fp, const struct fastpath_flow *flow)
{
	return (unsigned)(flow - fastpath_at(fp, 0));
}

bool fastpath_in_force(const struct fastpath *fp, const struct fastpath_flow *flow)
{
	return flow->generation == *generation(fp);
}

void fastpath_begin(const struct fastpath *fp, struct fastpath_flow *flow,
		    const struct fastpath_flow *how)
{
	__atomic_store_n(&flow->generation, 0, __ATOMIC_SEQ_CST);
	flow->key = how->key;
	flow->out = how->out;
	flow->max_len = how->max_len;
	flow->flags = how->flags;
	flow->tag = how->tag;
	__atomic_store_n(&flow->generation, *generation(fp), __ATOMIC_SEQ_CST);
}

void fastpath_end(struct fastpath_flow *flow)
{
	__atomic_store_n(&flow->generation, 0, __ATOMIC_SEQ_CST);
}

void fastpath_renew(const struct fastpath *fp)
{
	__atomic_store_n(generation(fp), *generation(fp) + 1, __ATOMIC_SEQ_CST);
}
