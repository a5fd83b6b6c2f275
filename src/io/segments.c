/* SPDX-License-Identifier: Apache-2.0 */
/* One RTM_NEWLINK with IFLA_GSO_MAX_SEGS. */
#include "io/segments.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>

#include "io/cleanup.h"
#include "io/netlink.h"
#include "io/udp.h"
#include "wg/wg.h"

int wrn_segments_limit(struct nl_sock *queries, uint32_t index, uint32_t segments) {
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *question = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_ACK);
    if (question == NULL || nlmsg_append(question, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
        nla_put_u32(question, IFLA_GSO_MAX_SEGS, segments) < 0) {
        return -ENOMEM;
    }
    return wrn_netlink_ask(queries, question, NLMSG_ERROR, NULL);
}

uint32_t wrn_segments_of(uint32_t mtu_bytes, bool is_relayed) {
    uint32_t datagram = mtu_bytes + WRN_WG_DATA_HEADER_SIZE + WRN_WG_TAG_SIZE +
                        (is_relayed ? WRN_RELAYED_OVERHEAD : 0);
    uint32_t segments = WRN_UDP_MESSAGE_MAX / datagram;
    return segments < WRN_UDP_SEGMENTS_MAX ? segments : WRN_UDP_SEGMENTS_MAX;
}
