/* SPDX-License-Identifier: MIT */
#include "ports/headers.h"

#include <netinet/in.h>
#include <string.h>

#include "ports/be.h"
#include "ports/frame.h"

#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_IPV6 0x86ddu
#define IPV4_MIN 20u
#define IPV6_LEN 40u
#define GRE_MIN 4u
#define UDP_LEN 8u

static enum headers_found parse_ipv4(const uint8_t *p, uint32_t len, struct headers *h)
{
	const uint8_t *ip = p + h->net;
	uint32_t ihl;

	if (h->net + IPV4_MIN > len)
		return HEADERS_PARTIAL;
	ihl = (ip[0] & 15u) * 4;
	if (ip[0] >> 4 != 4 || ihl < IPV4_MIN)
		return HEADERS_BAD;
	if (be16(ip + 6) & 0x1fff)
		return HEADERS_OTHER;
	h->version = 4;
	h->fragment = be16(ip + 6) & 0x2000;
	h->proto = ip[9];
	h->transport = h->net + ihl;
	return h->transport > len ? HEADERS_PARTIAL : HEADERS_OK;
}

static enum headers_found parse_ipv6(const uint8_t *p, uint32_t len, struct headers *h)
{
	const uint8_t *ext;

	if (h->net + IPV6_LEN > len)
		return HEADERS_PARTIAL;
	if (p[h->net] >> 4 != 6)
		return HEADERS_BAD;
	h->version = 6;
	h->proto = p[h->net + 6];
	h->transport = h->net + IPV6_LEN;
	for (unsigned i = 0; i <= HEADERS_CHAIN_MAX; i++) {
		if (h->proto != IPPROTO_HOPOPTS && h->proto != IPPROTO_ROUTING &&
		    h->proto != IPPROTO_DSTOPTS && h->proto != IPPROTO_FRAGMENT &&
		    h->proto != IPPROTO_AH)
			return HEADERS_OK;
		if (h->transport + 8 > len)
			return HEADERS_PARTIAL;
		ext = p + h->transport;
		if (h->proto == IPPROTO_FRAGMENT) {
			if (be16(ext + 2) & 0xfff8)
				return HEADERS_OTHER;
			h->fragment = true;
			h->transport += 8;
		} else if (h->proto == IPPROTO_AH) {
			h->transport += (ext[1] + 2u) * 4;
		} else {
			h->transport += (ext[1] + 1u) * 8;
		}
		h->proto = ext[0];
		if (h->transport > len)
			return HEADERS_PARTIAL;
	}
	return HEADERS_PARTIAL;
}

enum headers_found headers_parse(const uint8_t *p, uint32_t len, struct headers *h)
{
	uint32_t type;

	memset(h, 0, sizeof(*h));
	h->net = FRAME_HDR_LEN;
	for (unsigned i = 0; i <= HEADERS_CHAIN_MAX; i++) {
		if (h->net > len)
			return HEADERS_PARTIAL;
		type = be16(p + h->net - 2);
		if (type == ETHERTYPE_IPV4)
			return parse_ipv4(p, len, h);
		if (type == ETHERTYPE_IPV6)
			return parse_ipv6(p, len, h);
		if (type != TPID_8021Q && type != TPID_8021AD)
			return HEADERS_OTHER;
		h->net += FRAME_TAG_LEN;
	}
	return HEADERS_PARTIAL;
}

/* Whether an IP header that accounts for the whole rest of the frame is at @inner->net. */
static bool carried(const uint8_t *p, uint32_t len, uint32_t total, struct headers *inner)
{
	const uint8_t *ip = p + inner->net;
	struct csum c = { 0 };

	if (ip[0] >> 4 == 6)
		return inner->net + IPV6_LEN <= len &&
		       be16(ip + 4) == total - inner->net - IPV6_LEN &&
		       parse_ipv6(p, len, inner) == HEADERS_OK;
	if (ip[0] >> 4 != 4 || be16(ip + 2) != total - inner->net ||
	    parse_ipv4(p, len, inner) != HEADERS_OK)
		return false;
	csum_add(&c, ip, inner->transport - inner->net);
	return csum_fold(&c) == UINT16_MAX;
}

enum headers_found headers_inner(const uint8_t *p, uint32_t len, uint32_t total, struct headers *h)
{
	uint32_t at = h->transport;

	switch (h->proto) {
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
		break;
	case IPPROTO_GRE:
		at += GRE_MIN;
		break;
	case IPPROTO_UDP:
		at += UDP_LEN;
		break;
	default:
		return HEADERS_OTHER;
	}
	for (; at + IPV4_MIN <= len; at++) {
		struct headers inner = { .net = at };

		if (carried(p, len, total, &inner)) {
			*h = inner;
			return HEADERS_OK;
		}
	}
	return HEADERS_OTHER;
}

void headers_sum_pseudo(struct csum *c, const uint8_t *ip, uint8_t proto)
{
	if (ip[0] >> 4 == 4)
		csum_add(c, ip + 12, 8);
	else
		csum_add(c, ip + 8, 32);
	csum_add16(c, proto);
}
