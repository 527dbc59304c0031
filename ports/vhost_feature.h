/* SPDX-License-Identifier: MIT */
/*
 * vhost_feature: the numbers of the virtio features that vhost-user ports know.
 *
 * The surprising rule: from the device's point of view GUEST_ is what it may send and HOST_ what it
 * may be sent. Used by the files of the vhost-user port, which own them as numbers only.
 */
#ifndef PORTS_VHOST_FEATURE_H
#define PORTS_VHOST_FEATURE_H

/* Bits of the virtio features; VIRTIO 1.2 sections 5.1.3 and 6. */
enum {
	VHOST_F_CSUM = 0,
	VHOST_F_GUEST_CSUM = 1,
	VHOST_F_MTU = 3,
	VHOST_F_GUEST_TSO4 = 7,
	VHOST_F_GUEST_TSO6 = 8,
	VHOST_F_GUEST_ECN = 9,
	VHOST_F_HOST_TSO4 = 11,
	VHOST_F_HOST_TSO6 = 12,
	VHOST_F_HOST_ECN = 13,
	VHOST_F_MRG_RXBUF = 15,
	VHOST_F_STATUS = 16,
	VHOST_F_MQ = 22,
	VHOST_F_ANY_LAYOUT = 27,
	VHOST_F_INDIRECT_DESC = 28,
	VHOST_F_EVENT_IDX = 29,
	VHOST_F_PROTOCOL = 30, /* vhost-user's own: SET_PROTOCOL_FEATURES exists */
	VHOST_F_VERSION_1 = 32,
	VHOST_F_RING_PACKED = 34,
	VHOST_F_GUEST_USO4 = 54,
	VHOST_F_GUEST_USO6 = 55,
	VHOST_F_HOST_USO = 56,
};

#endif
