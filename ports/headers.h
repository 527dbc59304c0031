/* SPDX-License-Identifier: MIT */
/*
 * headers: where the network and transport headers of a frame are.
 *
 * Looks through tags that are still in the bytes and through IPv6 extension headers, and reads
 * nothing beyond the length it is given. The surprising rule: "not IP", "goes on beyond what we
 * see" and "broken" are different answers, because only the last one may ever cost a frame its
 * life. Pure, no ownership.
 */
#ifndef PORTS_HEADERS_H
#define PORTS_HEADERS_H

#include <stdbool.h>
#include <stdint.h>

#include "ports/csum.h"

enum headers_found {
	HEADERS_OK,      /* all of struct headers is known */
	HEADERS_OTHER,   /* not IPv4 or IPv6; or a later fragment, which has no transport header */
	HEADERS_PARTIAL, /* beyond the bytes given, or a chain over HEADERS_CHAIN_MAX */
	HEADERS_BAD,     /* an IP header that contradicts itself */
};

#define HEADERS_CHAIN_MAX 8u /* tags, and again IPv6 extension headers */

struct headers {
	uint32_t net;       /* offset of the IP header */
	uint32_t transport; /* offset behind it and its extension headers */
	uint8_t version;    /* 4 or 6 */
	uint8_t proto;      /* of the transport header */
	bool fragment;      /* a first fragment */
};

/* Finds the headers in the @len bytes of a frame at @p, from the destination address on. */
enum headers_found headers_parse(const uint8_t *p, uint32_t len, struct headers *h);

/*
 * Goes from @h, the headers of a tunnel found in the @len bytes at @p, to those of what it carries:
 * the first IP header behind UDP, GRE or IP whose length reaches exactly to the end of the frame,
 * which has @total bytes, and whose checksum is right. What is in between, and on which port the
 * tunnel is, makes no difference. Returns HEADERS_OK with @h of the inside, or HEADERS_OTHER with
 * @h as it was.
 */
enum headers_found headers_inner(const uint8_t *p, uint32_t len, uint32_t total, struct headers *h);

/*
 * Adds to @c the pseudo-header of @proto behind the IP header at @ip, all of it but the length:
 * RFC 9293 section 3.1, RFC 8200 section 8.1.
 */
void headers_sum_pseudo(struct csum *c, const uint8_t *ip, uint8_t proto);

#endif
