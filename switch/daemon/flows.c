/* SPDX-License-Identifier: MIT */
#include "switch/daemon/flows.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "fdb/mac.h"
#include "ports/log.h"
#include "switch/daemon/worker.h"
#include "switch/flow.h"

#define SEEN 1024u       /* frames remembered, by hash */
#define PATIENCE_MS 20   /* to wait for a moment without frames, */
#define PATIENCE 64      /* and how often to look for one, whatever the clock says */
#define SETTLE_LOOKS 500 /* at a flow's first moment; a nanosecond or two each */
#define WAIT_MS 100      /* to look again at a frame that was not for the kernel */
#define MAC_BITS 13
#define END UINT16_MAX
#define COLLECT_MAX_MS 1000u
#define COLLECT_MIN_MS 50u
#define IDLE_MAX 2 /* collections without a frame: then it ends */

struct flow {
	struct bridge_flow way;
	uint64_t packets, bytes; /* counted so far */
	uint64_t ended_ms;
	uint16_t next[2]; /* links with addresses of the same hash: after that of src, of dst, */
	uint16_t last[2]; /* and before; END = none */
	uint16_t at;      /* in the list of those in use */
	bool listed;      /* by its addresses: until it ends because of one */
	uint8_t idle;
	bool used;
};

/* A frame that was here lately. */
struct seen {
	uint32_t tag;   /* of its key */
	bool again;     /* there was one, since a flow of them last began */
	uint8_t tries;  /* moments that were looked at since */
	uint64_t since; /* when that was */
	uint64_t wait;  /* it is not for the kernel: until when not to look at it */
};

struct flows {
	struct worker *worker;
	struct fastpath *fastpath;
	bool asked; /* for the fast path */
	bool paused;
	uint64_t next, collected;
	unsigned n_used;
	uint16_t used[FASTPATH_FLOWS]; /* numbers of the flows in use */
	uint16_t held[PORT_MAX];       /* how many of them come in by each port */
	struct flow flow[FASTPATH_FLOWS];
	uint64_t secret;                /* of the hash of addresses, odd */
	uint16_t chain[1u << MAC_BITS]; /* the first link, 2 * number (+ 1: dst), or END */
	struct seen seen[SEEN];
};

_Static_assert(2 * FASTPATH_FLOWS <= END, "links fit");

struct flows *flows_new(struct worker *w)
{
	struct flows *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->worker = w;
	f->next = UINT64_MAX;
	f->collected = UINT64_MAX;
	memset(f->chain, 0xff, sizeof(f->chain));
	if (getrandom(&f->secret, sizeof(f->secret), 0) != sizeof(f->secret)) {
		free(f);
		return NULL;
	}
	f->secret |= 1;
	return f;
}

void flows_free(struct flows *f)
{
	if (f)
		fastpath_free(f->fastpath);
	free(f);
}

struct fastpath *flows_fastpath(struct flows *f)
{
	struct error err;

	if (!f->asked) {
		f->fastpath = fastpath_new(&err);
		if (!f->fastpath)
			log_info("no fast path: %s", err.text);
	}
	f->asked = true;
	return f->fastpath;
}

/* Where the chain of @mac begins. */
static uint16_t *chain_of(struct flows *f, uint64_t mac)
{
	return &f->chain[mac * f->secret >> (64 - MAC_BITS)];
}

static void link_in(struct flows *f, unsigned n, unsigned side, uint64_t mac)
{
	uint16_t *first = chain_of(f, mac), link = (uint16_t)(2 * n + side);

	f->flow[n].next[side] = *first;
	f->flow[n].last[side] = END;
	if (*first != END)
		f->flow[*first / 2].last[*first % 2] = link;
	*first = link;
}

static void link_out(struct flows *f, unsigned n, unsigned side, uint64_t mac)
{
	uint16_t next = f->flow[n].next[side], last = f->flow[n].last[side];

	if (next != END)
		f->flow[next / 2].last[next % 2] = last;
	*(last == END ? chain_of(f, mac) : &f->flow[last / 2].next[last % 2]) = next;
}

/* Has flow @n found by its addresses, or no longer. */
static void list(struct flows *f, unsigned n, bool listed)
{
	struct flow *flow = &f->flow[n];

	if (flow->listed == listed)
		return;
	flow->listed = listed;
	(listed ? link_in : link_out)(f, n, 0, flow->way.src);
	(listed ? link_in : link_out)(f, n, 1, flow->way.dst);
}

void flows_look(const struct flows *f, const struct port *port, const struct batch *in,
		struct flow_hint *hint)
{
	const struct frame *frame = &in->frame[0];

	hint->any = port->ops->fast && in->n && !(frame->data[0] & 1) && !f->paused;
	if (!hint->any)
		return;
	memcpy(hint->addresses, frame->data, sizeof(hint->addresses));
	hint->tag = frame->kept;
	hint->in = frame->port;
}

/* What is remembered of frames with @key, which may be nothing yet. */
static struct seen *recall(struct flows *f, const struct fastpath_key *key)
{
	uint64_t mix = (key->addresses ^ key->rest * 31 ^ key->in) * 0x9e3779b97f4a7c15u;
	struct seen *s = &f->seen[mix >> 32 & (SEEN - 1)];

	if (s->tag != (uint32_t)mix)
		*s = (struct seen){ .tag = (uint32_t)mix };
	return s;
}

/* Brings what the kernel forwarded of flow @n to the bridge. */
static void collect_one(struct flows *f, unsigned n, uint64_t now)
{
	const struct fastpath_flow *place = fastpath_at(f->fastpath, n);
	struct flow *flow = &f->flow[n];
	uint64_t packets = __atomic_load_n(&place->packets, __ATOMIC_ACQUIRE), bytes;

	if (packets == flow->packets)
		return;
	bytes = __atomic_load_n(&place->bytes, __ATOMIC_RELAXED);
	bridge_flow_count(f->worker->bridge, &flow->way, packets - flow->packets,
			  bytes - flow->bytes, now, f->worker->out);
	flow->packets = packets;
	flow->bytes = bytes;
	flow->idle = 0;
}

static void drop(struct flows *f, unsigned n, uint64_t now)
{
	struct flow *flow = &f->flow[n];
	uint16_t last = f->used[--f->n_used];

	fastpath_end(fastpath_at(f->fastpath, n));
	collect_one(f, n, now);
	list(f, n, false);
	f->used[flow->at] = last;
	f->flow[last].at = flow->at;
	f->held[flow->way.in]--;
	flow->used = false;
	flow->ended_ms = now;
}

/* Finds the place of the flow with @key, or one for it; NULL when there is none. */
static struct fastpath_flow *find_place(struct flows *f, const struct fastpath_key *key,
					uint64_t now)
{
	struct fastpath_flow *set = fastpath_set(f->fastpath, key), *free_one = NULL;

	for (unsigned i = 0; i < FASTPATH_WAYS; i++) {
		const struct flow *flow = &f->flow[fastpath_index(f->fastpath, &set[i])];

		if (flow->used && set[i].key.addresses == key->addresses &&
		    set[i].key.rest == key->rest && set[i].key.in == key->in)
			return &set[i];
		/* nobody in the kernel may still be reading what was here */
		if (!flow->used && (!flow->ended_ms || now - flow->ended_ms >= COLLECT_MIN_MS))
			free_one = &set[i];
	}
	return free_one;
}

/*
 * The flow with @key has no place: takes one, which is free soon, from a port that has more flows
 * than its own. So no guest can keep the others' from beginning.
 */
static void make_room(struct flows *f, const struct fastpath_key *key, uint64_t now)
{
	unsigned first = fastpath_index(f->fastpath, fastpath_set(f->fastpath, key)), most = first;

	for (unsigned n = first; n < first + FASTPATH_WAYS; n++) {
		if (!f->flow[n].used)
			return; /* it is free soon */
		if (f->held[f->flow[n].way.in] > f->held[f->flow[most].way.in])
			most = n;
	}
	if (f->held[f->flow[most].way.in] > f->held[key->in] + 1u)
		drop(f, most, now);
}

/* Returns what @port has for the kernel, after asking it to get ready. */
static const struct port_fast *fast_of(struct port *port)
{
	if (port->ops->fast)
		port->ops->fast(port);
	return &port->fast;
}

/* Describes @way to the kernel. Returns false when its ports are not both the kernel's to reach. */
static bool describe(const struct flows *f, const struct bridge_flow *way,
		     struct fastpath_flow *how)
{
	struct worker_port *const *ports = f->worker->port;
	const struct port_fast *in, *out;

	if (!ports[way->out]->port->ops->fast)
		return false;
	in = fast_of(ports[way->in]->port);
	out = fast_of(ports[way->out]->port);
	if (!in->attached || !out->attached || in->netns != out->netns)
		return false;
	how->out = (uint32_t)out->ifindex;
	how->max_len = way->max_len;
	how->flags = way->pop ? FASTPATH_POP : way->push.tpid ? FASTPATH_PUSH : 0;
	if (out->peer && out->peer == way->dst) {
		how->flags |= FASTPATH_PEER;
		if (how->max_len > out->peer_max_len)
			how->max_len = out->peer_max_len;
	}
	how->tag = (uint32_t)htons(way->push.tpid) << 16 | way->push.tci;
	return true;
}

/* Begins to use place @n for @way. */
static void use(struct flows *f, unsigned n, const struct fastpath_flow *place,
		const struct bridge_flow *way, uint64_t now)
{
	struct flow *flow = &f->flow[n];

	*flow = (struct flow){
		.way = *way, .packets = place->packets, .bytes = place->bytes, .used = true
	};
	flow->at = (uint16_t)f->n_used;
	f->used[f->n_used++] = (uint16_t)n;
	f->held[way->in]++;
	if (f->next == UINT64_MAX)
		f->next = now + COLLECT_MIN_MS;
}

/* Whether frames as of @hint are for the kernel: fills in @way and @how then. */
static bool suits(const struct flows *f, const struct flow_hint *hint, uint64_t now,
		  struct bridge_flow *way, struct fastpath_flow *how)
{
	const uint8_t *a = hint->addresses;

	return bridge_flow(f->worker->bridge, hint->in, mac_load(a + MAC_LEN), mac_load(a),
			   hint->tag, now, way) &&
	       describe(f, way, how);
}

/*
 * A flow has just begun. A frame that the kernel was about to hand to @in, at that moment, shows
 * within a microsecond: looks for it. Returns whether one waits.
 */
static bool settle(const struct port *in)
{
	for (unsigned i = 0; i < SETTLE_LOOKS; i++)
		if (in->ops->waiting(in))
			return true;
	return false;
}

bool flows_offer(struct flows *f, const struct flow_hint *hint, bool more, uint64_t now)
{
	struct fastpath_flow *place, how = { 0 };
	struct bridge_flow way;
	const struct port *in;
	struct seen *seen;
	bool patient;
	unsigned n;

	if (!flows_fastpath(f))
		return false;
	how.key = fastpath_key(hint->addresses, hint->tag, hint->in);
	seen = recall(f, &how.key);
	if (now < seen->wait)
		return false;
	place = find_place(f, &how.key, now);
	if (place && f->flow[fastpath_index(f->fastpath, place)].used &&
	    fastpath_in_force(f->fastpath, place))
		return false; /* the frame came before the flow began */
	if (!seen->again) {
		seen->again = true;
		seen->since = now;
		seen->tries = 0;
		return false;
	}
	in = f->worker->port[hint->in]->port;
	seen->tries += seen->tries < PATIENCE;
	patient = seen->tries < PATIENCE || now - seen->since < PATIENCE_MS;
	if (more && patient)
		return false;
	if (!suits(f, hint, now, &way, &how)) {
		seen->wait = now + WAIT_MS;
		return false;
	}
	if (!place) {
		make_room(f, &how.key, now);
		seen->wait = now + WAIT_MS;
		return false;
	}
	if (in->ops->waiting(in) && patient)
		return false; /* it came while the batch was forwarded */
	n = fastpath_index(f->fastpath, place);
	if (f->flow[n].used) /* what was counted until now is the old way's */
		collect_one(f, n, now);
	else
		use(f, n, place, &way, now);
	f->flow[n].way = way;
	list(f, n, true);
	fastpath_begin(f->fastpath, place, &how);
	seen->again = false;
	return settle(in);
}

/* Finds a flow from or to @mac. Returns its number or END. */
static unsigned find_address(struct flows *f, uint64_t mac)
{
	uint16_t link = *chain_of(f, mac);

	while (link != END) {
		const struct flow *flow = &f->flow[link / 2];

		if ((link % 2 ? flow->way.dst : flow->way.src) == mac)
			return link / 2;
		link = flow->next[link % 2];
	}
	return END;
}

/* Ends the flows from or to @mac, each at no more than beginning it did cost. */
static void forget(struct flows *f, uint64_t mac)
{
	for (unsigned n; (n = find_address(f, mac)) != END;) {
		fastpath_end(fastpath_at(f->fastpath, n));
		list(f, n, false);
	}
}

void flows_event(struct flows *f, const struct event *event)
{
	switch (event->kind) {
	case EVENT_FDB_ADDED: /* nothing was known of it */
		break;
	case EVENT_FDB_CHANGED:
	case EVENT_FDB_DELETED:
		forget(f, event->fdb.mac);
		break;
	case EVENT_FDB_FLUSHED:
	case EVENT_PORT:
	case EVENT_PORT_DELETED:
	case EVENT_VLAN_ADDED:
	case EVENT_VLAN_DELETED:
	case EVENT_BRIDGE:
		flows_renew(f);
		break;
	}
}

void flows_renew(struct flows *f)
{
	if (f->fastpath)
		fastpath_renew(f->fastpath);
}

void flows_pause(struct flows *f, bool paused)
{
	f->paused = paused;
	flows_renew(f);
}

void flows_collect(struct flows *f, uint64_t now)
{
	if (now == f->collected)
		return;
	for (unsigned i = 0; i < f->n_used; i++)
		collect_one(f, f->used[i], now);
	f->collected = now;
}

void flows_turn(struct flows *f, uint64_t now)
{
	uint64_t ageing = bridge_get(f->worker->bridge, BRIDGE_AGEING_TIME) / 16, wait;

	if (now < f->next)
		return;
	flows_collect(f, now);
	for (unsigned i = 0; i < f->n_used;) {
		struct flow *flow = &f->flow[f->used[i]];

		if (flow->idle++ < IDLE_MAX) {
			i++;
			continue;
		}
		drop(f, f->used[i], now);
	}
	wait = ageing < COLLECT_MIN_MS   ? COLLECT_MIN_MS
	       : ageing > COLLECT_MAX_MS ? COLLECT_MAX_MS
					 : ageing;
	f->next = f->n_used ? now + wait : UINT64_MAX;
}

uint64_t flows_next(const struct flows *f)
{
	return f->next;
}
