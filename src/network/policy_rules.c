/* SPDX-License-Identifier: Apache-2.0 */
/* Makes rules of the `allow` elements of a tag, and asks them. What the elements mean is what the
 * algebra of tags says (docs/certificates.md); nothing is permitted that they do not permit. */
#include "network/policy_internal.h"

#include "base/bytes.h"

enum {
    SETS_DEPTH_MAX = 8,
    TRIES_MAX = 4096, /* combinations of what stands in sets; certificates are others' */
    ADDRESS_SIZE_MAX = 16,
    NUMBER_MAX = 1 << 20, /* where numbers without a bound are cut off: more than any port */
};

/* The elements of sets within sets, one after the other; or one expression that is no set. */
struct choices {
    struct wrn_sexp single;
    bool has_single;
    size_t depth;
    struct wrn_sexp_cursor sets[SETS_DEPTH_MAX];
    bool is_too_deep;
};

/* An interval of protocols or ports; empty if 'low' is above 'high'. */
struct interval {
    int64_t low, high;
};

struct addresses {
    uint8_t family; /* NONE: any */
    bool is_empty;
    uint8_t low[ADDRESS_SIZE_MAX], high[ADDRESS_SIZE_MAX];
};

struct compiler {
    struct wrn_policy_rules *rules;
    uint32_t tries;
    uint16_t element;
};

/* The positions of one element; an empty expression where nothing is said. */
struct positions {
    struct wrn_sexp protocol, port, destination;
};

/* One end of a range. */
struct limit {
    bool is_there, is_strict;
    wrn_span value;
};

static struct choices choices_of(struct wrn_sexp sexp);
static bool next_choice(struct choices *choices, struct wrn_sexp *ret_sexp);
static bool enter_set(struct wrn_sexp sexp, struct wrn_sexp_cursor *ret_elements);
static bool is_any(struct wrn_sexp sexp);
static enum wrn_policy_fault compile_top(struct compiler *compiler, struct wrn_sexp element);
static enum wrn_policy_fault compile_element(struct compiler *compiler, struct wrn_sexp element);
static enum wrn_policy_fault is_named_allow(struct wrn_sexp head, bool *ret_is);
static enum wrn_policy_fault compile_positions(struct compiler *compiler,
                                               const struct positions *positions);
static enum wrn_policy_fault compile_ports(struct compiler *compiler,
                                           const struct positions *positions,
                                           struct interval protocols);
static enum wrn_policy_fault compile_destinations(struct compiler *compiler,
                                                  const struct positions *positions,
                                                  struct wrn_policy_rule rule);
static enum wrn_policy_fault compile_addresses(struct compiler *compiler, struct wrn_sexp sexp,
                                               struct wrn_policy_rule rule);
static enum wrn_policy_fault add(struct compiler *compiler, const struct wrn_policy_rule *rule);
static bool covers(const struct wrn_policy_rule *wide, const struct wrn_policy_rule *narrow);
static enum wrn_policy_fault read_protocol(struct wrn_sexp sexp, struct interval *ret_protocols);
static bool read_port(struct wrn_sexp sexp, struct interval *ret_ports);
static bool read_numbers(struct wrn_sexp sexp, int64_t max, struct interval *ret_numbers);
static bool read_addresses(struct wrn_sexp sexp, size_t size, struct addresses *addresses);
static bool read_range(struct wrn_sexp sexp, const char *ordering, struct limit *ret_low,
                       struct limit *ret_high);
static bool read_number(wrn_span text, int64_t *ret_number);
static void start_at(const struct limit *limit, size_t size, struct addresses *addresses);
static void end_at(const struct limit *limit, size_t size, struct addresses *addresses);
static bool step_up(uint8_t *bytes, size_t size);
static bool step_down(uint8_t *bytes, size_t size);
static bool is_before(const uint64_t a[2], const uint64_t b[2]);

enum wrn_policy_fault wrn_policy_compile(const struct wrn_sexp *elements, size_t count,
                                         struct wrn_policy_rules *ret_rules, size_t *ret_element) {
    struct compiler compiler = {.rules = ret_rules};
    enum wrn_policy_fault first = WRN_POLICY_FAULT_OK;
    memset(ret_rules, 0, sizeof *ret_rules);
    for (size_t i = 0; i < count && first != WRN_POLICY_FAULT_TOO_MANY; i++) {
        compiler.element = (uint16_t)(i < WRN_POLICY_NO_ELEMENT ? i : WRN_POLICY_NO_ELEMENT - 1);
        enum wrn_policy_fault fault = compile_top(&compiler, elements[i]);
        if (fault != WRN_POLICY_FAULT_OK &&
            (first == WRN_POLICY_FAULT_OK || fault == WRN_POLICY_FAULT_TOO_MANY)) {
            first = fault;
            if (ret_element != NULL) {
                *ret_element = i;
            }
        }
    }
    if (first == WRN_POLICY_FAULT_TOO_MANY) {
        memset(ret_rules, 0, sizeof *ret_rules);
    }
    static const struct wrn_policy_rule everything = {
        .protocol_high = WRN_POLICY_PROTOCOL_MAX,
        .port_high = WRN_POLICY_PORT_NONE,
    };
    ret_rules->is_everything = ret_rules->count > 0 && covers(&ret_rules->rules[0], &everything);
    return first;
}

bool wrn_policy_rules_equal(const struct wrn_policy_rules *a, const struct wrn_policy_rules *b) {
    bool is_equal = a->count == b->count;
    for (size_t i = 0; is_equal && i < a->count; i++) {
        is_equal = a->rules[i].element == b->rules[i].element &&
                   covers(&a->rules[i], &b->rules[i]) && covers(&b->rules[i], &a->rules[i]);
    }
    return is_equal;
}

const struct wrn_policy_rule *wrn_policy_match(const struct wrn_policy_rules *rules,
                                               const struct wrn_policy_packet *packet,
                                               enum wrn_policy_refusal *ret_why) {
    enum wrn_policy_refusal why = WRN_POLICY_NO_PROTOCOL;
    for (size_t i = 0; i < rules->count; i++) {
        const struct wrn_policy_rule *rule = &rules->rules[i];
        if (packet->protocol < rule->protocol_low || packet->protocol > rule->protocol_high) {
            continue;
        }
        if (packet->port < rule->port_low || packet->port > rule->port_high) {
            why = why == WRN_POLICY_NO_PROTOCOL ? WRN_POLICY_NO_PORT : why;
            continue;
        }
        if (rule->family != WRN_FAMILY_NONE &&
            (rule->family != packet->family || is_before(packet->destination, rule->low) ||
             is_before(rule->high, packet->destination))) {
            why = WRN_POLICY_NO_DESTINATION;
            continue;
        }
        return rule;
    }
    *ret_why = why;
    return NULL;
}

/* ---- Sets */

static struct choices choices_of(struct wrn_sexp sexp) {
    struct choices choices = {.depth = 0};
    if (enter_set(sexp, &choices.sets[0])) {
        choices.depth = 1;
    } else {
        choices.single = sexp;
        choices.has_single = true;
    }
    return choices;
}

static bool next_choice(struct choices *choices, struct wrn_sexp *ret_sexp) {
    if (choices->has_single) {
        choices->has_single = false;
        *ret_sexp = choices->single;
        return true;
    }
    while (choices->depth > 0) {
        struct wrn_sexp sexp;
        if (!wrn_sexp_take_any(&choices->sets[choices->depth - 1], &sexp)) {
            choices->depth--;
            continue;
        }
        struct wrn_sexp_cursor inner;
        if (!enter_set(sexp, &inner)) {
            *ret_sexp = sexp;
            return true;
        }
        if (choices->depth == SETS_DEPTH_MAX) {
            choices->is_too_deep = true;
        } else {
            choices->sets[choices->depth++] = inner;
        }
    }
    return false;
}

static bool enter_set(struct wrn_sexp sexp, struct wrn_sexp_cursor *ret_elements) {
    return wrn_sexp_enter_named(sexp, "*", ret_elements) && wrn_sexp_take_word(ret_elements, "set");
}

/* (*), or what is not there at the end of a list. */
static bool is_any(struct wrn_sexp sexp) {
    struct wrn_sexp_cursor rest;
    return sexp.bytes.size == 0 ||
           (wrn_sexp_enter_named(sexp, "*", &rest) && wrn_sexp_at_end(&rest));
}

/* ---- Elements, position by position */

static enum wrn_policy_fault compile_top(struct compiler *compiler, struct wrn_sexp element) {
    struct choices choices = choices_of(element);
    struct wrn_sexp choice;
    enum wrn_policy_fault first = WRN_POLICY_FAULT_OK;
    while (next_choice(&choices, &choice)) {
        enum wrn_policy_fault fault = compile_element(compiler, choice);
        if (fault == WRN_POLICY_FAULT_TOO_MANY) {
            return fault;
        }
        first = first == WRN_POLICY_FAULT_OK ? fault : first;
    }
    return first == WRN_POLICY_FAULT_OK && choices.is_too_deep ? WRN_POLICY_FAULT_BAD_NAME : first;
}

static enum wrn_policy_fault compile_element(struct compiler *compiler, struct wrn_sexp element) {
    struct positions positions = {.protocol = {{NULL, 0}}};
    struct wrn_sexp_cursor rest;
    struct wrn_sexp head;
    if (element.bytes.size == 0) {
        return WRN_POLICY_FAULT_BAD_NAME;
    }
    if (is_any(element)) {
        return compile_positions(compiler, &positions);
    }
    if (wrn_sexp_enter_named(element, "*", &rest)) {
        return WRN_POLICY_FAULT_OK; /* a prefix or a range: atoms, none of which is a request */
    }
    if (!wrn_sexp_enter(element, &rest)) {
        return WRN_POLICY_FAULT_OK; /* an atom, which is no request either */
    }
    bool is_allow = true; /* an empty list permits every list */
    if (wrn_sexp_take_any(&rest, &head)) {
        enum wrn_policy_fault fault = is_named_allow(head, &is_allow);
        if (fault != WRN_POLICY_FAULT_OK) {
            return fault;
        }
    }
    if (!is_allow) {
        return WRN_POLICY_FAULT_OK;
    }
    (void)(wrn_sexp_take_any(&rest, &positions.protocol) &&
           wrn_sexp_take_any(&rest, &positions.port) &&
           wrn_sexp_take_any(&rest, &positions.destination));
    if (!wrn_sexp_at_end(&rest)) {
        return WRN_POLICY_FAULT_TOO_LONG;
    }
    return compile_positions(compiler, &positions);
}

static enum wrn_policy_fault is_named_allow(struct wrn_sexp head, bool *ret_is) {
    struct choices choices = choices_of(head);
    struct wrn_sexp choice;
    *ret_is = false;
    while (next_choice(&choices, &choice)) {
        *ret_is = *ret_is || is_any(choice) || wrn_sexp_is_word(choice, "allow");
        if (wrn_sexp_is_list(choice) && !is_any(choice)) {
            return WRN_POLICY_FAULT_BAD_NAME; /* a prefix, say, of which "allow" may be one */
        }
    }
    return choices.is_too_deep ? WRN_POLICY_FAULT_BAD_NAME : WRN_POLICY_FAULT_OK;
}

static enum wrn_policy_fault compile_positions(struct compiler *compiler,
                                               const struct positions *positions) {
    struct choices choices = choices_of(positions->protocol);
    struct wrn_sexp choice;
    enum wrn_policy_fault first = WRN_POLICY_FAULT_OK;
    while (next_choice(&choices, &choice)) {
        struct interval protocols;
        enum wrn_policy_fault fault = read_protocol(choice, &protocols);
        if (fault == WRN_POLICY_FAULT_OK) {
            fault = compile_ports(compiler, positions, protocols);
        }
        if (fault == WRN_POLICY_FAULT_TOO_MANY) {
            return fault;
        }
        first = first == WRN_POLICY_FAULT_OK ? fault : first;
    }
    return first == WRN_POLICY_FAULT_OK && choices.is_too_deep ? WRN_POLICY_FAULT_BAD_PROTOCOL
                                                               : first;
}

static enum wrn_policy_fault compile_ports(struct compiler *compiler,
                                           const struct positions *positions,
                                           struct interval protocols) {
    struct choices choices = choices_of(positions->port);
    struct wrn_sexp choice;
    enum wrn_policy_fault first = WRN_POLICY_FAULT_OK;
    while (next_choice(&choices, &choice)) {
        struct interval ports;
        enum wrn_policy_fault fault = WRN_POLICY_FAULT_BAD_PORT;
        if (++compiler->tries > TRIES_MAX) {
            return WRN_POLICY_FAULT_TOO_MANY;
        }
        if (read_port(choice, &ports)) {
            bool is_empty = ports.low > ports.high || protocols.low > protocols.high;
            struct wrn_policy_rule rule = {.element = compiler->element};
            if (!is_empty) {
                rule.protocol_low = (uint16_t)protocols.low;
                rule.protocol_high = (uint16_t)protocols.high;
                rule.port_low = (uint32_t)ports.low;
                rule.port_high = (uint32_t)ports.high;
            }
            fault =
                is_empty ? WRN_POLICY_FAULT_OK : compile_destinations(compiler, positions, rule);
        }
        if (fault == WRN_POLICY_FAULT_TOO_MANY) {
            return fault;
        }
        first = first == WRN_POLICY_FAULT_OK ? fault : first;
    }
    return first == WRN_POLICY_FAULT_OK && choices.is_too_deep ? WRN_POLICY_FAULT_BAD_PORT : first;
}

static enum wrn_policy_fault compile_destinations(struct compiler *compiler,
                                                  const struct positions *positions,
                                                  struct wrn_policy_rule rule) {
    struct choices choices = choices_of(positions->destination);
    struct wrn_sexp choice;
    enum wrn_policy_fault first = WRN_POLICY_FAULT_OK;
    while (next_choice(&choices, &choice)) {
        enum wrn_policy_fault fault = compile_addresses(compiler, choice, rule);
        if (fault == WRN_POLICY_FAULT_TOO_MANY) {
            return fault;
        }
        first = first == WRN_POLICY_FAULT_OK ? fault : first;
    }
    return first == WRN_POLICY_FAULT_OK && choices.is_too_deep ? WRN_POLICY_FAULT_BAD_DESTINATION
                                                               : first;
}

static enum wrn_policy_fault compile_addresses(struct compiler *compiler, struct wrn_sexp sexp,
                                               struct wrn_policy_rule rule) {
    struct wrn_sexp_cursor rest;
    struct wrn_sexp bytes = {{NULL, 0}}, choice;
    bool is_empty_list = wrn_sexp_enter(sexp, &rest) && wrn_sexp_at_end(&rest);
    if (is_any(sexp) || is_empty_list) {
        return add(compiler, &rule);
    }
    bool is_ip4 = wrn_sexp_enter_named(sexp, "ip4", &rest);
    if (!is_ip4 && !wrn_sexp_enter_named(sexp, "ip6", &rest)) {
        return WRN_POLICY_FAULT_BAD_DESTINATION;
    }
    (void)wrn_sexp_take_any(&rest, &bytes);
    if (!wrn_sexp_at_end(&rest)) {
        return WRN_POLICY_FAULT_TOO_LONG;
    }
    enum wrn_policy_fault first = WRN_POLICY_FAULT_OK;
    rule.family = is_ip4 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
    struct choices choices = choices_of(bytes);
    while (next_choice(&choices, &choice)) {
        struct addresses addresses = {.is_empty = false};
        enum wrn_policy_fault fault = WRN_POLICY_FAULT_BAD_DESTINATION;
        if (read_addresses(choice, is_ip4 ? 4 : 16, &addresses)) {
            wrn_policy_address(addresses.low, rule.family, rule.low);
            wrn_policy_address(addresses.high, rule.family, rule.high);
            bool is_empty = addresses.is_empty || is_before(rule.high, rule.low);
            fault = is_empty ? WRN_POLICY_FAULT_OK : add(compiler, &rule);
        }
        if (++compiler->tries > TRIES_MAX || fault == WRN_POLICY_FAULT_TOO_MANY) {
            return WRN_POLICY_FAULT_TOO_MANY;
        }
        first = first == WRN_POLICY_FAULT_OK ? fault : first;
    }
    return first == WRN_POLICY_FAULT_OK && choices.is_too_deep ? WRN_POLICY_FAULT_BAD_DESTINATION
                                                               : first;
}

/* Puts a rule at the end, unless another one covers it, and takes out those that it covers. */
static enum wrn_policy_fault add(struct compiler *compiler, const struct wrn_policy_rule *rule) {
    struct wrn_policy_rules *rules = compiler->rules;
    uint16_t kept = 0;
    if (++compiler->tries > TRIES_MAX) {
        return WRN_POLICY_FAULT_TOO_MANY;
    }
    for (size_t i = 0; i < rules->count; i++) {
        if (covers(&rules->rules[i], rule)) {
            return WRN_POLICY_FAULT_OK;
        }
    }
    for (size_t i = 0; i < rules->count; i++) {
        if (!covers(rule, &rules->rules[i])) {
            rules->rules[kept++] = rules->rules[i];
        }
    }
    rules->count = kept;
    if (kept == WRN_POLICY_RULES_MAX) {
        return WRN_POLICY_FAULT_TOO_MANY;
    }
    rules->rules[rules->count++] = *rule;
    return WRN_POLICY_FAULT_OK;
}

static bool covers(const struct wrn_policy_rule *wide, const struct wrn_policy_rule *narrow) {
    return wide->protocol_low <= narrow->protocol_low &&
           wide->protocol_high >= narrow->protocol_high && wide->port_low <= narrow->port_low &&
           wide->port_high >= narrow->port_high &&
           (wide->family == WRN_FAMILY_NONE ||
            (wide->family == narrow->family && !is_before(narrow->low, wide->low) &&
             !is_before(wide->high, narrow->high)));
}

/* ---- What may stand at a position */

static enum wrn_policy_fault read_protocol(struct wrn_sexp sexp, struct interval *ret_protocols) {
    static const struct {
        const char *name;
        int64_t protocol;
    } names[] = {{"tcp", WRN_POLICY_TCP}, {"udp", WRN_POLICY_UDP}, {"icmp", WRN_POLICY_ICMP}};
    if (is_any(sexp)) {
        *ret_protocols = (struct interval){0, WRN_POLICY_PROTOCOL_MAX};
        return WRN_POLICY_FAULT_OK;
    }
    for (size_t i = 0; i < WRN_COUNT(names); i++) {
        if (wrn_sexp_is_word(sexp, names[i].name)) {
            *ret_protocols = (struct interval){names[i].protocol, names[i].protocol};
            return WRN_POLICY_FAULT_OK;
        }
    }
    if (!read_numbers(sexp, UINT8_MAX, ret_protocols)) {
        return WRN_POLICY_FAULT_BAD_PROTOCOL;
    }
    int64_t n = ret_protocols->low;
    bool has_name = n == 1 || n == 6 || n == 17 || n == 58;
    return has_name && !wrn_sexp_is_list(sexp) ? WRN_POLICY_FAULT_WRITE_NAME : WRN_POLICY_FAULT_OK;
}

static bool read_port(struct wrn_sexp sexp, struct interval *ret_ports) {
    if (is_any(sexp)) {
        *ret_ports = (struct interval){0, WRN_POLICY_PORT_NONE};
        return true;
    }
    if (wrn_sexp_is_word(sexp, "none")) {
        *ret_ports = (struct interval){WRN_POLICY_PORT_NONE, WRN_POLICY_PORT_NONE};
        return true;
    }
    return read_numbers(sexp, UINT16_MAX, ret_ports);
}

/* One number, as requests have it (no zero at its beginning, nor a sign), or a range of them. */
static bool read_numbers(struct wrn_sexp sexp, int64_t max, struct interval *ret_numbers) {
    struct limit low, high;
    int64_t number;
    if (!wrn_sexp_is_list(sexp)) {
        wrn_span text = wrn_sexp_atom(sexp);
        bool is_plain = text.size > 0 && text.data[0] >= '0' && text.data[0] <= '9' &&
                        (text.data[0] != '0' || text.size == 1);
        if (wrn_sexp_hint(sexp).data != NULL || !is_plain || !read_number(text, &number) ||
            number > max) {
            return false;
        }
        *ret_numbers = (struct interval){number, number};
        return true;
    }
    *ret_numbers = (struct interval){0, max};
    if (!read_range(sexp, "numeric", &low, &high)) {
        return false;
    }
    if (low.is_there) {
        if (!read_number(low.value, &number)) {
            return false;
        }
        number += low.is_strict;
        ret_numbers->low = number > 0 ? number : 0;
    }
    if (high.is_there) {
        if (!read_number(high.value, &number)) {
            return false;
        }
        number -= high.is_strict;
        ret_numbers->high = number < max ? number : max;
    }
    return true;
}

/* One address, a prefix of bytes, or a range in the order of strings, of which those count that
 * have 'size' bytes. */
static bool read_addresses(struct wrn_sexp sexp, size_t size, struct addresses *addresses) {
    struct wrn_sexp_cursor rest;
    struct limit low, high;
    wrn_span bytes = {NULL, 0};
    memset(addresses->high, 0xff, size);
    if (is_any(sexp)) {
        return true;
    }
    if (!wrn_sexp_is_list(sexp)) {
        bytes = wrn_sexp_atom(sexp);
        if (wrn_sexp_hint(sexp).data != NULL || bytes.size != size) {
            return false;
        }
    } else if (wrn_sexp_enter_named(sexp, "*", &rest) && wrn_sexp_take_word(&rest, "prefix")) {
        if (!wrn_sexp_take_atom(&rest, &bytes) || !wrn_sexp_at_end(&rest) || bytes.size > size) {
            return false;
        }
    } else {
        if (!read_range(sexp, "alpha", &low, &high)) {
            return false;
        }
        start_at(&low, size, addresses);
        end_at(&high, size, addresses);
        return true;
    }
    if (bytes.size > 0) {
        memcpy(addresses->low, bytes.data, bytes.size);
        memcpy(addresses->high, bytes.data, bytes.size);
    }
    return true;
}

/* (* range ORDERING LIMIT*), a limit with or without parentheses of its own. */
static bool read_range(struct wrn_sexp sexp, const char *ordering, struct limit *ret_low,
                       struct limit *ret_high) {
    struct wrn_sexp_cursor rest;
    *ret_low = *ret_high = (struct limit){.is_there = false};
    if (!wrn_sexp_enter_named(sexp, "*", &rest) || !wrn_sexp_take_word(&rest, "range") ||
        !wrn_sexp_take_word(&rest, ordering)) {
        return false;
    }
    while (!wrn_sexp_at_end(&rest)) {
        struct wrn_sexp_cursor inner;
        struct limit limit = {.is_there = true};
        bool is_inside = wrn_sexp_take_list(&rest, &inner);
        struct wrn_sexp_cursor *at = is_inside ? &inner : &rest;
        bool is_low = wrn_sexp_take_word(at, "ge");
        if (!is_low && !wrn_sexp_take_word(at, "le")) {
            is_low = wrn_sexp_take_word(at, "g");
            limit.is_strict = true;
            if (!is_low && !wrn_sexp_take_word(at, "l")) {
                return false;
            }
        }
        struct limit *to = is_low ? ret_low : ret_high;
        if (to->is_there || !wrn_sexp_take_atom(at, &limit.value) ||
            (is_inside && !wrn_sexp_at_end(at))) {
            return false;
        }
        *to = limit;
    }
    return true;
}

/* An integer with an optional sign, of any length; far beyond all ports it stands still. */
static bool read_number(wrn_span text, int64_t *ret_number) {
    size_t at = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+');
    int64_t number = 0;
    if (at == text.size) {
        return false;
    }
    for (size_t i = at; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (text.data[i] - '0');
        number = number < NUMBER_MAX ? number : NUMBER_MAX;
    }
    *ret_number = text.data[0] == '-' ? -number : number;
    return true;
}

/* The first string of 'size' bytes that is not below the limit. A string that another begins with
 * is below it. */
static void start_at(const struct limit *limit, size_t size, struct addresses *addresses) {
    if (!limit->is_there) {
        return;
    }
    size_t taken = limit->value.size < size ? limit->value.size : size;
    if (taken > 0) {
        memcpy(addresses->low, limit->value.data, taken);
    }
    bool is_above = limit->value.size > size || (limit->value.size == size && limit->is_strict);
    if (is_above && !step_up(addresses->low, size)) {
        addresses->is_empty = true;
    }
}

/* The last one that is not above the limit. */
static void end_at(const struct limit *limit, size_t size, struct addresses *addresses) {
    if (!limit->is_there) {
        return;
    }
    size_t taken = limit->value.size < size ? limit->value.size : size;
    memset(addresses->high, 0, size);
    if (taken > 0) {
        memcpy(addresses->high, limit->value.data, taken);
    }
    bool is_below = limit->value.size < size || (limit->value.size == size && limit->is_strict);
    if (is_below && !step_down(addresses->high, size)) {
        addresses->is_empty = true;
    }
}

/* Adds or takes one; false where that leaves the bytes. */
static bool step_up(uint8_t *bytes, size_t size) {
    for (size_t i = size; i > 0; i--) {
        if (++bytes[i - 1] != 0) {
            return true;
        }
    }
    return false;
}

static bool step_down(uint8_t *bytes, size_t size) {
    for (size_t i = size; i > 0; i--) {
        if (bytes[i - 1]-- != 0) {
            return true;
        }
    }
    return false;
}

static bool is_before(const uint64_t a[2], const uint64_t b[2]) {
    return a[0] != b[0] ? a[0] < b[0] : a[1] < b[1];
}
