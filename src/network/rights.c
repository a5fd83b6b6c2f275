/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the elements of reduced tags. Addresses, routes and counts are read by the compiler of the
 * packet policy, so that they mean the same everywhere. */
#include "network/rights.h"

#include "base/bytes.h"
#include "overlay/record.h"

enum {
    SETS_DEPTH_MAX = 8,
    ALLOW_MAX = 2048,       /* bytes of an element that is made for the policy's compiler */
    POLICY_NUMBERS = 65536, /* from here on its ports are no numbers */
};

/* Elements of sets within sets, one after the other. */
struct walk {
    struct wrn_sexp_cursor sets[SETS_DEPTH_MAX];
    size_t depth;
    struct wrn_sexp single;
    bool has_single, is_too_deep;
};

/* What one grant has said so far. */
struct compiling {
    struct wrn_rights *rights;
    enum wrn_rights_fault fault; /* the first; one that is too large takes its place */
};

static const struct wrn_sexp everything = {{(const uint8_t *)"(1:*)", 5}};

static struct walk walk_of(struct wrn_sexp sexp);
static bool next_of(struct walk *walk, struct wrn_sexp *ret_sexp);
static bool enter_set(struct wrn_sexp sexp, struct wrn_sexp_cursor *ret_elements);
static bool is_everything(struct wrn_sexp sexp);
static void blame(struct compiling *compiling, enum wrn_rights_fault fault);
static void compile_grant(struct compiling *compiling, const struct wrn_rights_grant *grant,
                          bool *ret_is_member);
static void compile_element(struct compiling *compiling, struct wrn_sexp element);
static bool take_flag(struct wrn_rights *rights, struct wrn_sexp element);
static void allow_all(struct wrn_rights *rights);
static void compile_ranges(struct compiling *compiling, struct wrn_sexp_cursor rest, bool is_route);
static void add_range(struct compiling *compiling, const struct wrn_policy_rule *rule,
                      bool is_route);
static void compile_names(struct compiling *compiling, struct wrn_sexp_cursor rest);
static void add_name(struct compiling *compiling, wrn_span text, bool is_prefix);
static bool is_beginning(wrn_span text);
static void compile_uses(struct compiling *compiling, struct wrn_sexp_cursor rest);
static void compile_frames(struct compiling *compiling, struct wrn_sexp_cursor rest);
static void compile_macs(struct compiling *compiling, struct wrn_sexp_cursor rest);
static void add_macs(struct compiling *compiling, wrn_span bytes, bool is_prefix);
static void add_uses(struct compiling *compiling, uint32_t low, uint32_t high);
static enum wrn_policy_fault compile_allow(const char *head, struct wrn_sexp last,
                                           struct wrn_policy_rules *ret_rules);
static bool has_both(const struct wrn_rights_range *range, uint8_t family, const uint64_t low[2],
                     const uint64_t high[2]);
static void number_of(const struct wrn_ip *ip, uint64_t ret_number[2]);
static bool is_before(const uint64_t a[2], const uint64_t b[2]);

const char *wrn_rights_fault_text(enum wrn_rights_fault fault) {
    static const char *const texts[WRN_RIGHTS_FAULTS] = {
        [WRN_RIGHTS_OK] = "nothing is wrong",
        [WRN_RIGHTS_BAD_ADDRESS] = "an (address ...) is not understood",
        [WRN_RIGHTS_BAD_NAME] = "a (name ...) is not understood",
        [WRN_RIGHTS_BAD_ROUTE] = "a (route ...) is not understood",
        [WRN_RIGHTS_BAD_USES] = "an (invite ...) is not understood",
        [WRN_RIGHTS_BAD_ALLOW] = "an (allow ...) is not understood",
        [WRN_RIGHTS_BAD_FRAME] = "a (frame ...) is not understood",
        [WRN_RIGHTS_BAD_MAC] = "a (mac ...) is not understood",
        [WRN_RIGHTS_MANY_ADDRESSES] = "it has more than 4 ranges of addresses",
        [WRN_RIGHTS_MANY_NAMES] = "it has more than 4 names and beginnings of names",
        [WRN_RIGHTS_MANY_ROUTES] = "it has more than 4 ranges of routes",
        [WRN_RIGHTS_MANY_RULES] = "it makes more than 32 packet rules",
        [WRN_RIGHTS_MANY_FRAMES] = "it has more than 8 ranges of ethertypes",
        [WRN_RIGHTS_MANY_MACS] = "it has more than 8 MAC addresses and beginnings of them",
        [WRN_RIGHTS_MANY_GRANTS] = "more than 8 ways lead from the owner to the subject",
        [WRN_RIGHTS_TOO_DEEP] = "it has more than 8 sets within one another",
    };
    return texts[fault];
}

uint8_t wrn_rights_topics(struct wrn_sexp element) {
    static const struct {
        const char *name;
        uint8_t topic;
    } topics[] = {
        {"address", WRN_RIGHTS_ADDRESSES}, {"name", WRN_RIGHTS_NAMES},
        {"allow", WRN_RIGHTS_PACKETS},     {"frame", WRN_RIGHTS_FRAMES},
        {"mac", WRN_RIGHTS_MACS},          {"relay", WRN_RIGHTS_RELAYING},
    };
    const uint8_t all = WRN_RIGHTS_TOPICS;
    struct walk walk = walk_of(element);
    struct wrn_sexp choice;
    uint8_t found = 0;
    while (next_of(&walk, &choice)) {
        struct wrn_sexp_cursor rest;
        struct wrn_sexp head;
        if (is_everything(choice) || !wrn_sexp_enter(choice, &rest)) {
            continue;
        }
        if (wrn_sexp_take_any(&rest, &head) && wrn_sexp_is_list(head)) {
            found |= all; /* a set of names, say: nobody issues that */
        }
        for (size_t i = 0; i < WRN_COUNT(topics); i++) {
            found |= wrn_sexp_is_named(choice, topics[i].name) ? topics[i].topic : 0;
        }
    }
    return walk.is_too_deep ? all : found;
}

bool wrn_rights_is_counted(struct wrn_sexp element) {
    struct wrn_rights rights = {.flags = 0};
    struct compiling compiling = {.rights = &rights};
    struct walk walk = walk_of(element);
    struct wrn_sexp choice;
    bool has_all = false;
    while (next_of(&walk, &choice)) {
        struct wrn_sexp_cursor rest;
        has_all = has_all || is_everything(choice);
        if (wrn_sexp_enter_named(choice, "invite", &rest)) {
            compile_uses(&compiling, rest);
        }
    }
    return !has_all && (rights.flags & WRN_RIGHT_INVITE) != 0 && rights.uses_high != UINT32_MAX;
}

enum wrn_rights_fault wrn_rights_compile(const struct wrn_rights_grant *grants, size_t count,
                                         struct wrn_rights *ret_rights) {
    struct compiling compiling = {.rights = ret_rights};
    struct wrn_sexp elements[WRN_RIGHTS_GRANTS_MAX] = {{{NULL, 0}}};
    memset(ret_rights, 0, sizeof *ret_rights);
    if (count > WRN_RIGHTS_GRANTS_MAX) {
        return WRN_RIGHTS_MANY_GRANTS;
    }
    for (size_t i = 0; i < count; i++) {
        bool is_member = false;
        compile_grant(&compiling, &grants[i], &is_member);
        bool is_silent = (grants[i].topics & WRN_RIGHTS_PACKETS) == 0;
        elements[i] = is_member && is_silent ? everything : grants[i].element;
        ret_rights->member_grants |= (uint16_t)(is_member ? 1U << i : 0);
    }
    ret_rights->grant_count = (uint8_t)count;
    enum wrn_policy_fault fault = wrn_policy_compile(elements, count, &ret_rights->rules, NULL);
    if (fault != WRN_POLICY_FAULT_OK) {
        blame(&compiling,
              fault == WRN_POLICY_FAULT_TOO_MANY ? WRN_RIGHTS_MANY_RULES : WRN_RIGHTS_BAD_ALLOW);
    }
    if (compiling.fault >= WRN_RIGHTS_MANY_ADDRESSES) {
        memset(ret_rights, 0, sizeof *ret_rights);
    }
    return compiling.fault;
}

void wrn_rights_of_owner(struct wrn_rights *ret_rights) {
    memset(ret_rights, 0, sizeof *ret_rights);
    allow_all(ret_rights);
    ret_rights->flags |= WRN_RIGHT_OWNER;
    ret_rights->until_s = ret_rights->changes_s = WRN_RECORD_TIME_MAX_S;
    enum wrn_policy_fault fault = wrn_policy_compile(&everything, 1, &ret_rights->rules, NULL);
    WRN_ASSERT(fault == WRN_POLICY_FAULT_OK && ret_rights->rules.is_everything);
    ret_rights->rules.rules[0].element = WRN_POLICY_NO_ELEMENT;
}

bool wrn_rights_has_address(const struct wrn_rights *rights, const struct wrn_ip *ip) {
    uint64_t number[2];
    number_of(ip, number);
    bool has = rights->any_address;
    for (size_t i = 0; i < rights->address_count; i++) {
        has = has || has_both(&rights->addresses[i], ip->family, number, number);
    }
    return has;
}

bool wrn_rights_has_route(const struct wrn_rights *rights, const struct wrn_prefix *prefix) {
    struct wrn_ip last = prefix->ip;
    uint64_t low[2], high[2];
    size_t size_bits = prefix->ip.family == WRN_FAMILY_IPV4 ? 32 : 128;
    for (size_t bit = prefix->length_bits; bit < size_bits; bit++) {
        last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    }
    number_of(&prefix->ip, low);
    number_of(&last, high);
    bool has = rights->any_route;
    for (size_t i = 0; i < rights->route_count; i++) {
        has = has || has_both(&rights->routes[i], prefix->ip.family, low, high);
    }
    return has;
}

bool wrn_rights_has_name(const struct wrn_rights *rights, wrn_span label) {
    bool has = rights->any_name;
    for (size_t i = 0; i < rights->name_count; i++) {
        const struct wrn_rights_name *name = &rights->names[i];
        size_t size = strlen(name->text);
        has = has || (size <= label.size && (name->is_prefix || size == label.size) &&
                      memcmp(name->text, label.data, size) == 0);
    }
    return has && wrn_label_is_good(label);
}

bool wrn_rights_has_use(const struct wrn_rights *rights, uint32_t k) {
    return (rights->flags & WRN_RIGHT_INVITE) != 0 && k >= rights->uses_low &&
           k <= rights->uses_high;
}

bool wrn_rights_may_relay(const struct wrn_rights *rights) {
    bool may = rights->any_relay || (rights->flags & WRN_RIGHT_RELAY) != 0;
    return may && (rights->flags & WRN_RIGHT_MEMBER) != 0;
}

/* ---- Sets */

static struct walk walk_of(struct wrn_sexp sexp) {
    struct walk walk = {.depth = 0};
    if (enter_set(sexp, &walk.sets[0])) {
        walk.depth = 1;
    } else {
        walk.single = sexp;
        walk.has_single = sexp.bytes.size > 0;
    }
    return walk;
}

static bool next_of(struct walk *walk, struct wrn_sexp *ret_sexp) {
    if (walk->has_single) {
        walk->has_single = false;
        *ret_sexp = walk->single;
        return true;
    }
    while (walk->depth > 0) {
        struct wrn_sexp_cursor inner;
        if (!wrn_sexp_take_any(&walk->sets[walk->depth - 1], ret_sexp)) {
            walk->depth--;
        } else if (!enter_set(*ret_sexp, &inner)) {
            return true;
        } else if (walk->depth == SETS_DEPTH_MAX) {
            walk->is_too_deep = true;
        } else {
            walk->sets[walk->depth++] = inner;
        }
    }
    return false;
}

static bool enter_set(struct wrn_sexp sexp, struct wrn_sexp_cursor *ret_elements) {
    return wrn_sexp_enter_named(sexp, "*", ret_elements) && wrn_sexp_take_word(ret_elements, "set");
}

/* (*), and the empty list, which permits every list. */
static bool is_everything(struct wrn_sexp sexp) {
    struct wrn_sexp_cursor rest;
    return wrn_sexp_enter(sexp, &rest) &&
           (wrn_sexp_at_end(&rest) || (wrn_sexp_take_word(&rest, "*") && wrn_sexp_at_end(&rest)));
}

static void blame(struct compiling *compiling, enum wrn_rights_fault fault) {
    bool is_worse =
        compiling->fault == WRN_RIGHTS_OK ||
        (compiling->fault < WRN_RIGHTS_MANY_ADDRESSES && fault >= WRN_RIGHTS_MANY_ADDRESSES);
    compiling->fault = is_worse ? fault : compiling->fault;
}

/* ---- Elements */

static void compile_grant(struct compiling *compiling, const struct wrn_rights_grant *grant,
                          bool *ret_is_member) {
    struct wrn_rights *rights = compiling->rights;
    struct walk walk = walk_of(grant->element);
    struct wrn_sexp element;
    while (next_of(&walk, &element)) {
        struct wrn_sexp_cursor rest;
        *ret_is_member = *ret_is_member || is_everything(element) ||
                         (wrn_sexp_enter_named(element, "member", &rest) && wrn_sexp_at_end(&rest));
        if (!grant->may_not_invite || !wrn_sexp_is_named(element, "invite")) {
            compile_element(compiling, element);
        }
    }
    if (walk.is_too_deep) {
        blame(compiling, WRN_RIGHTS_TOO_DEEP);
    }
    if (*ret_is_member) {
        rights->any_address |= (grant->topics & WRN_RIGHTS_ADDRESSES) == 0;
        rights->any_name |= (grant->topics & WRN_RIGHTS_NAMES) == 0;
        rights->any_relay |= (grant->topics & WRN_RIGHTS_RELAYING) == 0;
        rights->frames.any_type |= (grant->topics & WRN_RIGHTS_FRAMES) == 0;
        rights->frames.any_mac |= (grant->topics & WRN_RIGHTS_MACS) == 0;
    }
}

static void compile_element(struct compiling *compiling, struct wrn_sexp element) {
    struct wrn_sexp_cursor rest;
    if (is_everything(element)) {
        allow_all(compiling->rights);
    } else if (take_flag(compiling->rights, element)) {
        return;
    } else if (wrn_sexp_enter_named(element, "address", &rest)) {
        compile_ranges(compiling, rest, false);
    } else if (wrn_sexp_enter_named(element, "route", &rest)) {
        compile_ranges(compiling, rest, true);
    } else if (wrn_sexp_enter_named(element, "name", &rest)) {
        compile_names(compiling, rest);
    } else if (wrn_sexp_enter_named(element, "invite", &rest)) {
        compile_uses(compiling, rest);
    } else if (wrn_sexp_enter_named(element, "frame", &rest)) {
        compile_frames(compiling, rest);
    } else if (wrn_sexp_enter_named(element, "mac", &rest)) {
        compile_macs(compiling, rest);
    } /* else an (allow ...), or what a later version understands */
}

static bool take_flag(struct wrn_rights *rights, struct wrn_sexp element) {
    static const struct {
        const char *name;
        uint8_t flag;
    } flags[] = {
        {"member", WRN_RIGHT_MEMBER},
        {"relay", WRN_RIGHT_RELAY},
        {"gateway", WRN_RIGHT_GATEWAY},
        {"admin", WRN_RIGHT_ADMIN},
    };
    struct wrn_sexp_cursor rest;
    for (size_t i = 0; i < WRN_COUNT(flags); i++) {
        if (wrn_sexp_enter_named(element, flags[i].name, &rest)) {
            /* With more in it, it is less than the right that is asked for. */
            rights->flags |= wrn_sexp_at_end(&rest) ? flags[i].flag : 0;
            return true;
        }
    }
    return false;
}

static void allow_all(struct wrn_rights *rights) {
    rights->flags |=
        WRN_RIGHT_MEMBER | WRN_RIGHT_RELAY | WRN_RIGHT_GATEWAY | WRN_RIGHT_INVITE | WRN_RIGHT_ADMIN;
    rights->any_address = rights->any_name = rights->any_route = rights->any_relay = true;
    rights->frames.any_type = rights->frames.any_mac = true;
    rights->uses_low = 1;
    rights->uses_high = UINT32_MAX;
}

static void compile_ranges(struct compiling *compiling, struct wrn_sexp_cursor rest,
                           bool is_route) {
    struct wrn_policy_rules rules;
    struct wrn_sexp where = {{NULL, 0}};
    bool *any = is_route ? &compiling->rights->any_route : &compiling->rights->any_address;
    enum wrn_rights_fault bad = is_route ? WRN_RIGHTS_BAD_ROUTE : WRN_RIGHTS_BAD_ADDRESS;
    enum wrn_rights_fault many = is_route ? WRN_RIGHTS_MANY_ROUTES : WRN_RIGHTS_MANY_ADDRESSES;
    if (!wrn_sexp_take_any(&rest, &where)) {
        *any = true;
        return;
    }
    if (!wrn_sexp_at_end(&rest)) {
        blame(compiling, bad);
        return;
    }
    enum wrn_policy_fault fault = compile_allow("(5:allow(1:*)(1:*)", where, &rules);
    if (fault != WRN_POLICY_FAULT_OK) {
        blame(compiling, fault == WRN_POLICY_FAULT_TOO_MANY ? many : bad);
    }
    for (size_t i = 0; i < rules.count; i++) {
        if (rules.rules[i].family == WRN_FAMILY_NONE) {
            *any = true;
        } else {
            add_range(compiling, &rules.rules[i], is_route);
        }
    }
}

static void add_range(struct compiling *compiling, const struct wrn_policy_rule *rule,
                      bool is_route) {
    struct wrn_rights *rights = compiling->rights;
    struct wrn_rights_range *ranges = is_route ? rights->routes : rights->addresses;
    uint8_t *count = is_route ? &rights->route_count : &rights->address_count;
    for (size_t i = 0; i < *count; i++) {
        if (has_both(&ranges[i], rule->family, rule->low, rule->high)) {
            return;
        }
    }
    if (*count == WRN_RIGHTS_RANGES_MAX) {
        blame(compiling, is_route ? WRN_RIGHTS_MANY_ROUTES : WRN_RIGHTS_MANY_ADDRESSES);
        return;
    }
    ranges[(*count)++] = (struct wrn_rights_range){
        .low = {rule->low[0], rule->low[1]},
        .high = {rule->high[0], rule->high[1]},
        .family = rule->family,
    };
}

static void compile_names(struct compiling *compiling, struct wrn_sexp_cursor rest) {
    struct wrn_sexp label = {{NULL, 0}}, choice;
    if (!wrn_sexp_take_any(&rest, &label)) {
        compiling->rights->any_name = true;
        return;
    }
    if (!wrn_sexp_at_end(&rest)) {
        blame(compiling, WRN_RIGHTS_BAD_NAME);
        return;
    }
    struct walk walk = walk_of(label);
    while (next_of(&walk, &choice)) {
        struct wrn_sexp_cursor parts;
        wrn_span text;
        if (wrn_sexp_enter_named(choice, "*", &parts) && wrn_sexp_at_end(&parts)) {
            compiling->rights->any_name = true;
        } else if (!wrn_sexp_is_list(choice) && wrn_sexp_hint(choice).data == NULL) {
            add_name(compiling, wrn_sexp_atom(choice), false);
        } else if (wrn_sexp_enter_named(choice, "*", &parts) &&
                   wrn_sexp_take_word(&parts, "prefix") && wrn_sexp_take_atom(&parts, &text) &&
                   wrn_sexp_at_end(&parts)) {
            add_name(compiling, text, true);
        } else {
            blame(compiling, WRN_RIGHTS_BAD_NAME);
        }
    }
    if (walk.is_too_deep) {
        blame(compiling, WRN_RIGHTS_TOO_DEEP);
    }
}

static void add_name(struct compiling *compiling, wrn_span text, bool is_prefix) {
    struct wrn_rights *rights = compiling->rights;
    if (is_prefix && text.size == 0) {
        rights->any_name = true;
        return;
    }
    if (is_prefix ? !is_beginning(text) : !wrn_label_is_good(text)) {
        blame(compiling, WRN_RIGHTS_BAD_NAME);
        return;
    }
    for (size_t i = 0; i < rights->name_count; i++) {
        const struct wrn_rights_name *name = &rights->names[i];
        size_t size = strlen(name->text);
        bool is_covered = size <= text.size && memcmp(name->text, text.data, size) == 0 &&
                          (name->is_prefix || (size == text.size && !is_prefix));
        if (is_covered) {
            return;
        }
    }
    if (rights->name_count == WRN_RIGHTS_NAMES_MAX) {
        blame(compiling, WRN_RIGHTS_MANY_NAMES);
        return;
    }
    struct wrn_rights_name *name = &rights->names[rights->name_count++];
    memcpy(name->text, text.data, text.size);
    name->is_prefix = is_prefix;
}

/* Whether some good label begins so. */
static bool is_beginning(wrn_span text) {
    char label[WRN_LABEL_SIZE];
    if (text.size >= WRN_LABEL_SIZE) {
        return false;
    }
    memcpy(label, text.data, text.size);
    label[text.size] = 'a'; /* a '-' may stand before it */
    bool is_whole = text.size == WRN_LABEL_SIZE - 1;
    return wrn_label_is_good((wrn_span){(const uint8_t *)label, text.size + (is_whole ? 0 : 1)});
}

static void compile_uses(struct compiling *compiling, struct wrn_sexp_cursor rest) {
    struct wrn_policy_rules rules;
    struct wrn_sexp which = {{NULL, 0}};
    if (!wrn_sexp_take_any(&rest, &which)) {
        add_uses(compiling, 1, UINT32_MAX);
        return;
    }
    if (!wrn_sexp_at_end(&rest) ||
        compile_allow("(5:allow3:udp", which, &rules) != WRN_POLICY_FAULT_OK) {
        blame(compiling, WRN_RIGHTS_BAD_USES);
        return;
    }
    for (size_t i = 0; i < rules.count; i++) {
        const struct wrn_policy_rule *rule = &rules.rules[i];
        if (rule->port_low == 0 && rule->port_high == POLICY_NUMBERS) {
            add_uses(compiling, 1, UINT32_MAX); /* (*) */
        } else if (rule->port_high == POLICY_NUMBERS || rule->port_high == 0) {
            blame(compiling, WRN_RIGHTS_BAD_USES);
        } else {
            add_uses(compiling, rule->port_low == 0 ? 1 : rule->port_low, rule->port_high);
        }
    }
}

/* One interval is kept: what does not touch it is not given. */
static void add_uses(struct compiling *compiling, uint32_t low, uint32_t high) {
    struct wrn_rights *rights = compiling->rights;
    if ((rights->flags & WRN_RIGHT_INVITE) == 0) {
        rights->flags |= WRN_RIGHT_INVITE;
        rights->uses_low = low;
        rights->uses_high = high;
        return;
    }
    if ((uint64_t)low > (uint64_t)rights->uses_high + 1 ||
        (uint64_t)rights->uses_low > (uint64_t)high + 1) {
        blame(compiling, WRN_RIGHTS_BAD_USES);
        return;
    }
    rights->uses_low = low < rights->uses_low ? low : rights->uses_low;
    rights->uses_high = high > rights->uses_high ? high : rights->uses_high;
}

/* Ethertypes are numbers as ports are. */
static void compile_frames(struct compiling *compiling, struct wrn_sexp_cursor rest) {
    struct wrn_frame_rules *frames = &compiling->rights->frames;
    struct wrn_policy_rules rules;
    struct wrn_sexp which = {{NULL, 0}};
    if (!wrn_sexp_take_any(&rest, &which)) {
        frames->any_type = true;
        return;
    }
    if (!wrn_sexp_at_end(&rest) ||
        compile_allow("(5:allow3:udp", which, &rules) != WRN_POLICY_FAULT_OK) {
        blame(compiling, WRN_RIGHTS_BAD_FRAME);
        return;
    }
    for (size_t i = 0; i < rules.count; i++) {
        const struct wrn_policy_rule *rule = &rules.rules[i];
        if (rule->port_low == 0 && rule->port_high == POLICY_NUMBERS) {
            frames->any_type = true; /* (*) */
        } else if (rule->port_high == POLICY_NUMBERS) {
            blame(compiling, WRN_RIGHTS_BAD_FRAME);
        } else if (frames->type_count == WRN_FRAME_TYPES_MAX) {
            blame(compiling, WRN_RIGHTS_MANY_FRAMES);
        } else {
            frames->types[frames->type_count++] =
                (struct wrn_frame_types){(uint16_t)rule->port_low, (uint16_t)rule->port_high};
        }
    }
}

static void compile_macs(struct compiling *compiling, struct wrn_sexp_cursor rest) {
    struct wrn_sexp bytes = {{NULL, 0}}, choice;
    if (!wrn_sexp_take_any(&rest, &bytes)) {
        compiling->rights->frames.any_mac = true;
        return;
    }
    if (!wrn_sexp_at_end(&rest)) {
        blame(compiling, WRN_RIGHTS_BAD_MAC);
        return;
    }
    struct walk walk = walk_of(bytes);
    while (next_of(&walk, &choice)) {
        struct wrn_sexp_cursor parts;
        wrn_span beginning;
        if (wrn_sexp_enter_named(choice, "*", &parts) && wrn_sexp_at_end(&parts)) {
            compiling->rights->frames.any_mac = true;
        } else if (!wrn_sexp_is_list(choice) && wrn_sexp_hint(choice).data == NULL) {
            add_macs(compiling, wrn_sexp_atom(choice), false);
        } else if (wrn_sexp_enter_named(choice, "*", &parts) &&
                   wrn_sexp_take_word(&parts, "prefix") && wrn_sexp_take_atom(&parts, &beginning) &&
                   wrn_sexp_at_end(&parts)) {
            add_macs(compiling, beginning, true);
        } else {
            blame(compiling, WRN_RIGHTS_BAD_MAC);
        }
    }
    if (walk.is_too_deep) {
        blame(compiling, WRN_RIGHTS_TOO_DEEP);
    }
}

static void add_macs(struct compiling *compiling, wrn_span bytes, bool is_prefix) {
    struct wrn_frame_rules *frames = &compiling->rights->frames;
    if (is_prefix && bytes.size == 0) {
        frames->any_mac = true;
    } else if (is_prefix ? bytes.size > WRN_MAC_ADDRESS_SIZE : bytes.size != WRN_MAC_ADDRESS_SIZE) {
        blame(compiling, WRN_RIGHTS_BAD_MAC);
    } else if (frames->mac_count == WRN_FRAME_MACS_MAX) {
        blame(compiling, WRN_RIGHTS_MANY_MACS);
    } else {
        struct wrn_frame_macs *macs = &frames->macs[frames->mac_count++];
        memcpy(macs->bytes, bytes.data, bytes.size);
        macs->bits = (uint8_t)(8 * bytes.size);
    }
}

/* Compiles "HEAD LAST)", canonical bytes. */
static enum wrn_policy_fault compile_allow(const char *head, struct wrn_sexp last,
                                           struct wrn_policy_rules *ret_rules) {
    uint8_t bytes[ALLOW_MAX];
    struct wrn_sexp element;
    size_t size = strlen(head);
    if (last.bytes.size > sizeof bytes - size - 1) {
        memset(ret_rules, 0, sizeof *ret_rules);
        return WRN_POLICY_FAULT_TOO_MANY;
    }
    memcpy(bytes, head, size);
    memcpy(bytes + size, last.bytes.data, last.bytes.size);
    size += last.bytes.size;
    bytes[size++] = ')';
    if (wrn_sexp_check((wrn_span){bytes, size}, &element, NULL) != 0) { /* too deep */
        memset(ret_rules, 0, sizeof *ret_rules);
        return WRN_POLICY_FAULT_TOO_MANY;
    }
    return wrn_policy_compile(&element, 1, ret_rules, NULL);
}

/* ---- Addresses */

static bool has_both(const struct wrn_rights_range *range, uint8_t family, const uint64_t low[2],
                     const uint64_t high[2]) {
    return range->family == family && !is_before(low, range->low) && !is_before(range->high, high);
}

static void number_of(const struct wrn_ip *ip, uint64_t ret_number[2]) {
    bool is_ip4 = ip->family == WRN_FAMILY_IPV4;
    ret_number[0] = is_ip4 ? 0 : wrn_load_be64(ip->bytes);
    ret_number[1] = is_ip4 ? wrn_load_be32(ip->bytes) : wrn_load_be64(ip->bytes + 8);
}

static bool is_before(const uint64_t a[2], const uint64_t b[2]) {
    return a[0] != b[0] ? a[0] < b[0] : a[1] < b[1];
}
