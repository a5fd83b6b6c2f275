/* SPDX-License-Identifier: Apache-2.0 */
/* Steps through rules with a stack of its own; what is not known to apply counts as what does the
 * least harm to the verdict "it is dropped". Format: libnftables-json(5). */
#include "daemon/doctor_firewall.h"

#include <stdio.h>

enum { DEPTH_MAX = 16, STEPS_MAX = 20000 };

enum applies { NO, MAYBE, YES };
enum verdict { GOES_ON, ACCEPTED, DROPPED, RETURNS, JUMPS, GOES_TO, UNKNOWN };

/* Where in a chain. */
struct frame {
    const char *chain;
    size_t next; /* index in the list of all objects */
};

struct walk {
    const json_t *objects;
    const char *family, *table;
    uint16_t port;
};

static enum verdict follow(const struct walk *walk, const char *base);
static const json_t *next_rule(const struct walk *walk, struct frame *frame);
static enum verdict judge(const struct walk *walk, const json_t *rule, const char **ret_target);
static enum applies match(const struct walk *walk, const json_t *match);
static enum applies match_value(const json_t *right, json_int_t value);
static enum applies match_word(const json_t *right, const char *const *words, size_t count);
static enum applies match_one(const json_t *right, json_int_t value);
static const char *text_of(const json_t *object, const char *name);
static enum applies negated(enum applies applies);

bool wrn_firewall_drops(const json_t *ruleset, uint16_t port, struct wrn_firewall_drop *ret_drop) {
    const json_t *objects = json_object_get(ruleset, "nftables");
    for (size_t i = 0; i < json_array_size(objects); i++) {
        const json_t *chain = json_object_get(json_array_get(objects, i), "chain");
        const char *family = text_of(chain, "family");
        bool is_ip = strcmp(family, "inet") == 0 || strcmp(family, "ip") == 0;
        if (!is_ip || strcmp(text_of(chain, "hook"), "input") != 0 ||
            strcmp(text_of(chain, "type"), "filter") != 0) {
            continue;
        }
        struct walk walk = {
            .objects = objects, .family = family, .table = text_of(chain, "table"), .port = port};
        enum verdict verdict = follow(&walk, text_of(chain, "name"));
        bool by_policy = verdict == GOES_ON && strcmp(text_of(chain, "policy"), "drop") == 0;
        if (verdict != DROPPED && !by_policy) {
            continue;
        }
        *ret_drop = (struct wrn_firewall_drop){.by_policy = by_policy};
        (void)snprintf(ret_drop->family, sizeof ret_drop->family, "%s", family);
        (void)snprintf(ret_drop->table, sizeof ret_drop->table, "%s", walk.table);
        (void)snprintf(ret_drop->chain, sizeof ret_drop->chain, "%s", text_of(chain, "name"));
        return true;
    }
    return false;
}

/* ACCEPTED, DROPPED, UNKNOWN, or GOES_ON: no rule has decided. */
static enum verdict follow(const struct walk *walk, const char *base) {
    struct frame stack[DEPTH_MAX] = {{.chain = base}};
    size_t depth = 1;
    for (size_t step = 0; depth > 0; step++) {
        const json_t *rule = next_rule(walk, &stack[depth - 1]);
        const char *target = NULL;
        enum verdict verdict = rule == NULL ? RETURNS : judge(walk, rule, &target);
        if (step >= STEPS_MAX) {
            return UNKNOWN;
        }
        switch (verdict) {
        case GOES_ON:
            break;
        case ACCEPTED:
        case DROPPED:
        case UNKNOWN:
            return verdict;
        case RETURNS:
            depth--;
            break;
        case JUMPS:
            if (depth == DEPTH_MAX) {
                return UNKNOWN;
            }
            stack[depth++] = (struct frame){.chain = target};
            break;
        case GOES_TO:
            stack[depth - 1] = (struct frame){.chain = target};
            break;
        }
    }
    return GOES_ON;
}

static const json_t *next_rule(const struct walk *walk, struct frame *frame) {
    while (frame->next < json_array_size(walk->objects)) {
        const json_t *rule = json_object_get(json_array_get(walk->objects, frame->next++), "rule");
        if (rule != NULL && strcmp(text_of(rule, "family"), walk->family) == 0 &&
            strcmp(text_of(rule, "table"), walk->table) == 0 &&
            strcmp(text_of(rule, "chain"), frame->chain) == 0) {
            return rule;
        }
    }
    return NULL;
}

static enum verdict judge(const struct walk *walk, const json_t *rule, const char **ret_target) {
    const json_t *list = json_object_get(rule, "expr");
    enum applies applies = YES;
    for (size_t i = 0; i < json_array_size(list) && applies != NO; i++) {
        const json_t *part = json_array_get(list, i), *inner;
        enum verdict verdict = GOES_ON;
        if ((inner = json_object_get(part, "match")) != NULL) {
            enum applies one = match(walk, inner);
            applies = one < applies ? one : applies;
        } else if (json_object_get(part, "accept") != NULL) {
            verdict = ACCEPTED;
        } else if (json_object_get(part, "drop") != NULL ||
                   json_object_get(part, "reject") != NULL) {
            verdict = DROPPED;
        } else if (json_object_get(part, "return") != NULL) {
            verdict = RETURNS;
        } else if ((inner = json_object_get(part, "jump")) != NULL) {
            verdict = JUMPS;
        } else if ((inner = json_object_get(part, "goto")) != NULL) {
            verdict = GOES_TO;
        } else if (json_object_get(part, "counter") == NULL &&
                   json_object_get(part, "log") == NULL && json_object_get(part, "limit") == NULL) {
            applies = MAYBE; /* maps, sets, what iptables translates, what comes one day */
        }
        *ret_target = text_of(inner, "target");
        if (verdict == GOES_ON) {
            continue;
        }
        if (applies == YES) {
            return verdict;
        }
        return applies == MAYBE && verdict != DROPPED ? UNKNOWN : GOES_ON;
    }
    return GOES_ON;
}

/* Does the datagram match? It is UDP, comes from elsewhere, and begins something new. */
static enum applies match(const struct walk *walk, const json_t *match) {
    static const char *const udp[] = {"udp", "17"}, *const states[] = {"new", "untracked"};
    static const char *const loopback[] = {"lo"};
    const json_t *left = json_object_get(match, "left"), *right = json_object_get(match, "right");
    const json_t *payload = json_object_get(left, "payload"), *meta = json_object_get(left, "meta");
    const json_t *ct = json_object_get(left, "ct");
    const char *protocol = text_of(payload, "protocol"), *field = text_of(payload, "field");
    const char *key = meta != NULL ? text_of(meta, "key") : text_of(ct, "key");
    enum applies applies = MAYBE;
    if (strcmp(field, "dport") == 0) {
        bool is_udp = strcmp(protocol, "udp") == 0 || strcmp(protocol, "th") == 0;
        applies = is_udp ? match_value(right, walk->port) : NO;
        if (!is_udp) {
            return NO;
        }
    } else if (strcmp(protocol, "tcp") == 0 || strncmp(protocol, "icmp", 4) == 0) {
        return NO;
    } else if (strcmp(key, "l4proto") == 0 || strcmp(field, "protocol") == 0 ||
               strcmp(field, "nexthdr") == 0) {
        applies = match_word(right, udp, WRN_COUNT(udp));
    } else if (ct != NULL && strcmp(key, "state") == 0) {
        applies = match_word(right, states, WRN_COUNT(states));
    } else if (strcmp(key, "iifname") == 0 || strcmp(key, "iif") == 0) {
        applies = match_word(right, loopback, WRN_COUNT(loopback)) == YES ? NO : MAYBE;
        if (applies == NO && strcmp(text_of(match, "op"), "!=") == 0) {
            return YES;
        }
        return applies;
    }
    return strcmp(text_of(match, "op"), "!=") == 0 ? negated(applies) : applies;
}

static enum applies negated(enum applies applies) {
    return applies == YES ? NO : applies == NO ? YES : MAYBE;
}

/* A number, a range, a set of these; sets with a name are not looked into. */
static enum applies match_value(const json_t *right, json_int_t value) {
    const json_t *set = json_object_get(right, "set");
    const json_t *list = set != NULL ? set : right;
    if (!json_is_array(list)) {
        return match_one(right, value);
    }
    enum applies applies = NO;
    for (size_t i = 0; i < json_array_size(list); i++) {
        enum applies one = match_one(json_array_get(list, i), value);
        applies = one > applies ? one : applies;
    }
    return applies;
}

static enum applies match_one(const json_t *right, json_int_t value) {
    const json_t *range = json_object_get(right, "range");
    if (json_is_integer(right)) {
        return json_integer_value(right) == value ? YES : NO;
    }
    if (json_array_size(range) == 2) {
        return json_integer_value(json_array_get(range, 0)) <= value &&
                       value <= json_integer_value(json_array_get(range, 1))
                   ? YES
                   : NO;
    }
    return MAYBE;
}

/* One word, or a list of them. */
static enum applies match_word(const json_t *right, const char *const *words, size_t count) {
    const json_t *set = json_object_get(right, "set");
    const json_t *list = set != NULL ? set : right;
    size_t size = json_is_array(list) ? json_array_size(list) : 1;
    for (size_t i = 0; i < size; i++) {
        const json_t *one = json_is_array(list) ? json_array_get(list, i) : list;
        char number[24] = "";
        if (json_is_integer(one)) {
            (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(one));
        } else if (!json_is_string(one) || json_string_value(one)[0] == '@') {
            return MAYBE;
        }
        for (size_t k = 0; k < count; k++) {
            if (strcmp(json_is_string(one) ? json_string_value(one) : number, words[k]) == 0) {
                return YES;
            }
        }
    }
    return NO;
}

/* "" if there is none. */
static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}
