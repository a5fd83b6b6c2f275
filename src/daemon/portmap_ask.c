/* SPDX-License-Identifier: Apache-2.0 */
/* PCP by hand (no library of Debian's has it), NAT-PMP by libnatpmp, UPnP by miniupnpc. Each way is
 * tried only if those before had no answer, so that a router has one mapping of ours. */
#define _GNU_SOURCE
#include "daemon/portmap_ask.h"

#include <arpa/inet.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>
#include <natpmp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "io/cleanup.h"

enum {
    LIFETIME_S = 7200, /* recommended by RFC 6886, section 3.3, and as good as any for the others */
    FIRST_WAIT_MS = 250,
    TRIES = 3, /* waits double: 1.75 s in all for who does not answer */
    DISCOVER_MS = 2000,
    UPNP_PORT_TRIES = 5, /* others of the LAN may have the port */
    UPNP_TTL = 2,
    PCP_VERSION = 2,
    PCP_MAP = 1,
    PCP_ANSWER = 0x80,
    PCP_BAD_VERSION = 1,
    PROTOCOL_UDP = 17,
    IN_USE = 718,         /* ConflictInMappingEntry */
    ONLY_PERMANENT = 725, /* OnlyPermanentLeasesSupported */
    PORT_TEXT = 8,
};

/* What came of one way. */
enum outcome { GIVEN, REFUSED, NO_ANSWER };

static enum outcome ask_pcp(const struct wrn_portmap_mapping *before, const uint8_t *nonce,
                            struct wrn_portmap_mapping *mapping);
static int open_to_router(const struct wrn_endpoint *router, struct wrn_ip *ret_client);
static enum outcome ask_natpmp(struct wrn_portmap_mapping *mapping);
static int wait_for_natpmp(natpmp_t *router, natpmpresp_t *ret_answer);
static enum outcome ask_upnp(const struct wrn_portmap_mapping *before,
                             struct wrn_portmap_mapping *mapping);
static bool find_upnp(const struct wrn_portmap_mapping *before, struct UPNPUrls *urls,
                      struct IGDdatas *data, char *lan, int lan_size);
static enum outcome map_upnp(const struct UPNPUrls *urls, const struct IGDdatas *data,
                             const char *lan, struct wrn_portmap_mapping *mapping);
static bool find_router(struct wrn_endpoint *ret_router);
static void release_pcp(const struct wrn_portmap_mapping *mapping);
static void release_natpmp(const struct wrn_portmap_mapping *mapping);
static void release_upnp(const struct wrn_portmap_mapping *mapping);
static void WRN_PRINTF(2, 3) add_text(struct wrn_portmap_mapping *mapping, const char *format, ...);

void wrn_portmap_ask(uint16_t port, const struct wrn_portmap_mapping *before,
                     const uint8_t nonce[WRN_PORTMAP_NONCE_SIZE],
                     struct wrn_portmap_mapping *ret_mapping) {
    struct wrn_portmap_mapping *mapping = ret_mapping;
    enum outcome outcome = NO_ANSWER;
    *mapping = (struct wrn_portmap_mapping){.port = port};
    bool has_router = find_router(&mapping->router);
    if (has_router) {
        outcome = ask_pcp(before, nonce, mapping);
        outcome = outcome == GIVEN ? GIVEN : ask_natpmp(mapping);
        outcome = outcome == GIVEN ? GIVEN : ask_upnp(before, mapping);
    }
    if (!has_router) {
        add_text(mapping, "this host has no default route for IPv4: there is no router to be asked "
                          "for a port");
        return;
    }
    if (outcome != GIVEN) {
        mapping->way = WRN_PORTMAP_NONE;
        add_text(mapping,
                 "switch PCP, NAT-PMP or UPnP on in the router, or forward UDP port %u to "
                 "this host there by hand",
                 (unsigned)port);
        return;
    }
    char external[WRN_ENDPOINT_TEXT_SIZE];
    (void)wrn_endpoint_print(&mapping->external, external);
    mapping->text[0] = '\0';
    add_text(mapping, "%s: the router has mapped %s to port %u of this host, for %u s",
             wrn_portmap_way_name(mapping->way), external, (unsigned)port,
             (unsigned)mapping->lifetime_s);
}

void wrn_portmap_release(const struct wrn_portmap_mapping *mapping) {
    switch (mapping->way) {
    case WRN_PORTMAP_NONE:
        break;
    case WRN_PORTMAP_PCP:
        release_pcp(mapping);
        break;
    case WRN_PORTMAP_NATPMP:
        release_natpmp(mapping);
        break;
    case WRN_PORTMAP_UPNP:
        release_upnp(mapping);
        break;
    }
}

const char *wrn_portmap_way_name(enum wrn_portmap_way way) {
    static const char *const names[] = {"none", "PCP", "NAT-PMP", "UPnP"};
    return names[way];
}

/* ---- PCP ---- */

void wrn_portmap_pcp_write(uint8_t ret_request[WRN_PORTMAP_PCP_SIZE], const struct wrn_ip *client,
                           const uint8_t nonce[WRN_PORTMAP_NONCE_SIZE], uint16_t port,
                           const struct wrn_endpoint *suggested, uint32_t lifetime_s) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    uint8_t *at = ret_request;
    memset(at, 0, WRN_PORTMAP_PCP_SIZE);
    at[0] = PCP_VERSION;
    at[1] = PCP_MAP;
    wrn_store_be32(at + 4, lifetime_s);
    memcpy(at + 8, mapped, sizeof mapped);
    memcpy(at + 20, client->bytes, 4);
    memcpy(at + 24, nonce, WRN_PORTMAP_NONCE_SIZE);
    at[36] = PROTOCOL_UDP;
    wrn_store_be16(at + 40, port);
    wrn_store_be16(at + 42, suggested->port);
    memcpy(at + 44, mapped, sizeof mapped); /* also of 0.0.0.0: any IPv4 address */
    memcpy(at + 56, suggested->ip.bytes, 4);
}

int wrn_portmap_pcp_read(wrn_span answer, const uint8_t nonce[WRN_PORTMAP_NONCE_SIZE],
                         uint16_t port, struct wrn_portmap_mapping *mapping) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const uint8_t *at = answer.data;
    if (answer.size < 4 || (at[1] & PCP_ANSWER) == 0) {
        return WRN_ERR_MALFORMED;
    }
    if (at[0] != PCP_VERSION) {
        return PCP_BAD_VERSION; /* a router that knows NAT-PMP alone says so in its own format */
    }
    if (answer.size < 24 || at[1] != (PCP_ANSWER | PCP_MAP)) {
        return WRN_ERR_MALFORMED;
    }
    if (at[3] != 0 && answer.size < WRN_PORTMAP_PCP_SIZE) {
        return at[3];
    }
    if (answer.size < WRN_PORTMAP_PCP_SIZE || at[36] != PROTOCOL_UDP ||
        memcmp(at + 24, nonce, WRN_PORTMAP_NONCE_SIZE) != 0 || wrn_load_be16(at + 40) != port) {
        return WRN_ERR_MALFORMED;
    }
    if (at[3] != 0) {
        return at[3];
    }
    mapping->external = (struct wrn_endpoint){.port = wrn_load_be16(at + 42)};
    if (mapping->external.port == 0 || memcmp(at + 44, mapped, sizeof mapped) != 0) {
        return WRN_ERR_MALFORMED;
    }
    mapping->external.ip.family = WRN_FAMILY_IPV4;
    memcpy(mapping->external.ip.bytes, at + 56, 4);
    mapping->lifetime_s = wrn_load_be32(at + 4);
    return 0;
}

static enum outcome ask_pcp(const struct wrn_portmap_mapping *before, const uint8_t *nonce,
                            struct wrn_portmap_mapping *mapping) {
    uint8_t request[WRN_PORTMAP_PCP_SIZE], answer[1100]; /* RFC 6887, section 7: the largest */
    struct wrn_ip client;
    bool is_renewal = before != NULL && before->way == WRN_PORTMAP_PCP;
    struct wrn_endpoint suggested =
        is_renewal ? before->external : (struct wrn_endpoint){.port = mapping->port};
    memcpy(mapping->nonce, is_renewal ? before->nonce : nonce, WRN_PORTMAP_NONCE_SIZE);
    WRN_CLEANUP(wrn_close_fd) int fd = open_to_router(&mapping->router, &client);
    if (fd < 0) {
        add_text(mapping, "PCP: %s; ", strerror(-fd));
        return NO_ANSWER;
    }
    wrn_portmap_pcp_write(request, &client, mapping->nonce, mapping->port, &suggested, LIFETIME_S);
    for (int i = 0; i < TRIES; i++) {
        struct pollfd wanted = {.fd = fd, .events = POLLIN};
        if (send(fd, request, sizeof request, MSG_NOSIGNAL) < 0 ||
            poll(&wanted, 1, FIRST_WAIT_MS << i) <= 0) {
            continue;
        }
        ssize_t size = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
        if (size < 0) {
            break; /* nobody listens there */
        }
        int result = wrn_portmap_pcp_read((wrn_span){answer, (size_t)size}, mapping->nonce,
                                          mapping->port, mapping);
        if (result == 0) {
            mapping->way = WRN_PORTMAP_PCP;
            return GIVEN;
        }
        if (result > 0) {
            add_text(mapping, "PCP: the router refuses (%d); ", result);
            return REFUSED;
        }
    }
    add_text(mapping, "PCP: no answer; ");
    return NO_ANSWER;
}

/* The kernel delivers only the router's datagrams, and says which address of ours it sees. */
static int open_to_router(const struct wrn_endpoint *router, struct wrn_ip *ret_client) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(router->port)}, own;
    socklen_t size = sizeof own;
    memcpy(&to.sin_addr, router->ip.bytes, 4);
    WRN_CLEANUP(wrn_close_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) < 0 ||
        getsockname(fd, (struct sockaddr *)&own, &size) < 0) {
        return -errno;
    }
    *ret_client = (struct wrn_ip){.family = WRN_FAMILY_IPV4};
    memcpy(ret_client->bytes, &own.sin_addr, 4);
    return wrn_take_fd(&fd);
}

static void release_pcp(const struct wrn_portmap_mapping *mapping) {
    uint8_t request[WRN_PORTMAP_PCP_SIZE];
    struct wrn_ip client;
    WRN_CLEANUP(wrn_close_fd) int fd = open_to_router(&mapping->router, &client);
    if (fd >= 0) { /* what is lost ends with its lifetime */
        struct wrn_endpoint any = {0};
        wrn_portmap_pcp_write(request, &client, mapping->nonce, mapping->port, &any, 0);
        (void)send(fd, request, sizeof request, MSG_NOSIGNAL);
    }
}

/* ---- NAT-PMP ---- */

static bool find_router(struct wrn_endpoint *ret_router) {
    natpmp_t router;
    if (initnatpmp(&router, 0, 0) != 0) {
        return false;
    }
    *ret_router = (struct wrn_endpoint){.ip.family = WRN_FAMILY_IPV4, .port = NATPMP_PORT};
    memcpy(ret_router->ip.bytes, &router.gateway, 4);
    (void)closenatpmp(&router);
    return router.gateway != 0;
}

static enum outcome ask_natpmp(struct wrn_portmap_mapping *mapping) {
    natpmp_t router;
    natpmpresp_t address, port;
    in_addr_t gateway;
    memcpy(&gateway, mapping->router.ip.bytes, 4);
    if (initnatpmp(&router, 1, gateway) != 0) {
        return NO_ANSWER;
    }
    int result = sendpublicaddressrequest(&router);
    result = result < 0 ? result : wait_for_natpmp(&router, &address);
    if (result == 0) {
        result = sendnewportmappingrequest(&router, NATPMP_PROTOCOL_UDP, mapping->port,
                                           mapping->port, LIFETIME_S);
        result = result < 0 ? result : wait_for_natpmp(&router, &port);
    }
    (void)closenatpmp(&router);
    if (result == NATPMP_TRYAGAIN || result == NATPMP_ERR_NOGATEWAYSUPPORT) {
        add_text(mapping, "NAT-PMP: no answer; ");
        return NO_ANSWER;
    }
    if (result != 0 || address.type != NATPMP_RESPTYPE_PUBLICADDRESS ||
        port.type != NATPMP_RESPTYPE_UDPPORTMAPPING ||
        port.pnu.newportmapping.privateport != mapping->port ||
        port.pnu.newportmapping.mappedpublicport == 0 ||
        address.pnu.publicaddress.addr.s_addr == 0) {
        add_text(mapping, "NAT-PMP: the router refuses (%d); ", result);
        return REFUSED;
    }
    mapping->way = WRN_PORTMAP_NATPMP;
    mapping->external = (struct wrn_endpoint){.ip.family = WRN_FAMILY_IPV4,
                                              .port = port.pnu.newportmapping.mappedpublicport};
    memcpy(mapping->external.ip.bytes, &address.pnu.publicaddress.addr, 4);
    mapping->lifetime_s = port.pnu.newportmapping.lifetime;
    return GIVEN;
}

/* The library repeats the request; it would do so for a minute. */
static int wait_for_natpmp(natpmp_t *router, natpmpresp_t *ret_answer) {
    int result = NATPMP_TRYAGAIN;
    for (int i = 0; i < TRIES && result == NATPMP_TRYAGAIN; i++) {
        struct timeval left;
        struct pollfd wanted = {.fd = router->s, .events = POLLIN};
        if (getnatpmprequesttimeout(router, &left) != 0) {
            break;
        }
        int64_t ms = (int64_t)left.tv_sec * 1000 + left.tv_usec / 1000;
        (void)poll(&wanted, 1, ms > 0 ? (int)ms + 1 : 0);
        result = readnatpmpresponseorretry(router, ret_answer);
    }
    return result;
}

static void release_natpmp(const struct wrn_portmap_mapping *mapping) {
    natpmp_t router;
    in_addr_t gateway;
    memcpy(&gateway, mapping->router.ip.bytes, 4);
    if (initnatpmp(&router, 1, gateway) == 0) {
        (void)sendnewportmappingrequest(&router, NATPMP_PROTOCOL_UDP, mapping->port, 0, 0);
        (void)closenatpmp(&router);
    }
}

/* ---- UPnP ---- */

static enum outcome ask_upnp(const struct wrn_portmap_mapping *before,
                             struct wrn_portmap_mapping *mapping) {
    struct UPNPUrls urls = {0};
    struct IGDdatas data = {0};
    char lan[INET6_ADDRSTRLEN] = "", external[INET6_ADDRSTRLEN] = "";
    enum outcome outcome = NO_ANSWER;
    if (!find_upnp(before, &urls, &data, lan, sizeof lan)) {
        add_text(mapping, "UPnP: no router answers; ");
        return NO_ANSWER;
    }
    struct in_addr address = {0};
    int error = UPNP_GetExternalIPAddress(urls.controlURL, data.first.servicetype, external);
    if (error != UPNPCOMMAND_SUCCESS || inet_pton(AF_INET, external, &address) != 1 ||
        address.s_addr == 0) {
        add_text(mapping, "UPnP: the router does not know its outer address; ");
        outcome = REFUSED;
    } else {
        outcome = map_upnp(&urls, &data, lan, mapping);
    }
    if (outcome == GIVEN) {
        mapping->way = WRN_PORTMAP_UPNP;
        mapping->external.ip = (struct wrn_ip){.family = WRN_FAMILY_IPV4};
        memcpy(mapping->external.ip.bytes, &address, 4);
        (void)snprintf(mapping->url, sizeof mapping->url, "%s",
                       urls.rootdescURL != NULL ? urls.rootdescURL : "");
    }
    FreeUPNPUrls(&urls);
    return outcome;
}

/* Where it was before, or else by asking all. */
static bool find_upnp(const struct wrn_portmap_mapping *before, struct UPNPUrls *urls,
                      struct IGDdatas *data, char *lan, int lan_size) {
    int error = 0;
    if (before != NULL && before->way == WRN_PORTMAP_UPNP && before->url[0] != '\0' &&
        UPNP_GetIGDFromUrl(before->url, urls, data, lan, lan_size) == 1) {
        return true;
    }
    struct UPNPDev *devices =
        upnpDiscover(DISCOVER_MS, NULL, NULL, UPNP_LOCAL_PORT_ANY, 0, UPNP_TTL, &error);
    int found = UPNP_GetValidIGD(devices, urls, data, lan, lan_size);
    freeUPNPDevlist(devices);
    if (found != 0 && found != 1) { /* another device, or one that is not connected */
        FreeUPNPUrls(urls);
    }
    return found == 1;
}

static enum outcome map_upnp(const struct UPNPUrls *urls, const struct IGDdatas *data,
                             const char *lan, struct wrn_portmap_mapping *mapping) {
    char inner[PORT_TEXT], outer[PORT_TEXT], lifetime[PORT_TEXT];
    uint32_t lifetime_s = LIFETIME_S;
    int error = IN_USE;
    uint16_t port = mapping->port;
    (void)snprintf(inner, sizeof inner, "%u", (unsigned)port);
    for (int i = 0; i < UPNP_PORT_TRIES && error != UPNPCOMMAND_SUCCESS; i++) {
        (void)snprintf(outer, sizeof outer, "%u", (unsigned)port);
        (void)snprintf(lifetime, sizeof lifetime, "%u", (unsigned)lifetime_s);
        error = UPNP_AddPortMapping(urls->controlURL, data->first.servicetype, outer, inner, lan,
                                    "warren", "UDP", NULL, lifetime);
        if (error == ONLY_PERMANENT && lifetime_s != 0) {
            lifetime_s = 0;
        } else if (error == IN_USE) {
            port = (uint16_t)(port < UINT16_MAX ? port + 1 : 1024);
        } else if (error != UPNPCOMMAND_SUCCESS) {
            break;
        }
    }
    if (error != UPNPCOMMAND_SUCCESS) {
        const char *why = strupnperror(error);
        add_text(mapping, "UPnP: the router refuses (%s); ", why != NULL ? why : "unknown error");
        return REFUSED;
    }
    mapping->external.port = (uint16_t)strtoul(outer, NULL, 10);
    mapping->lifetime_s = lifetime_s;
    return GIVEN;
}

static void release_upnp(const struct wrn_portmap_mapping *mapping) {
    struct UPNPUrls urls = {0};
    struct IGDdatas data = {0};
    char lan[INET6_ADDRSTRLEN] = "", outer[PORT_TEXT];
    if (mapping->url[0] == '\0' ||
        UPNP_GetIGDFromUrl(mapping->url, &urls, &data, lan, sizeof lan) != 1) {
        return;
    }
    (void)snprintf(outer, sizeof outer, "%u", (unsigned)mapping->external.port);
    (void)UPNP_DeletePortMapping(urls.controlURL, data.first.servicetype, outer, "UDP", NULL);
    FreeUPNPUrls(&urls);
}

static void add_text(struct wrn_portmap_mapping *mapping, const char *format, ...) {
    size_t used = strlen(mapping->text);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(mapping->text + used, sizeof mapping->text - used, format, args);
    va_end(args);
}
