/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed-size integers in bytes of either order, at any alignment. Checks no bounds. */
#pragma once
#include "base/base.h"

/* Little-endian and big-endian loads and stores; 'p' need not be aligned. */
static inline uint16_t wrn_load_be16(const uint8_t *p) {
    return (uint16_t)((uint16_t)p[0] << 8 | p[1]);
}
static inline uint32_t wrn_load_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t wrn_load_be64(const uint8_t *p) {
    return (uint64_t)wrn_load_be32(p) << 32 | wrn_load_be32(p + 4);
}
static inline uint32_t wrn_load_le32(const uint8_t *p) {
    return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}
static inline uint64_t wrn_load_le64(const uint8_t *p) {
    return (uint64_t)wrn_load_le32(p + 4) << 32 | wrn_load_le32(p);
}
static inline void wrn_store_be16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void wrn_store_be32(uint8_t *p, uint32_t v) {
    wrn_store_be16(p, (uint16_t)(v >> 16));
    wrn_store_be16(p + 2, (uint16_t)v);
}
static inline void wrn_store_be64(uint8_t *p, uint64_t v) {
    wrn_store_be32(p, (uint32_t)(v >> 32));
    wrn_store_be32(p + 4, (uint32_t)v);
}
static inline void wrn_store_le32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}
static inline void wrn_store_le64(uint8_t *p, uint64_t v) {
    wrn_store_le32(p, (uint32_t)v);
    wrn_store_le32(p + 4, (uint32_t)(v >> 32));
}

/* Returns 'v' rounded up to a multiple of 'unit', a power of two. */
static inline size_t wrn_align_up(size_t v, size_t unit) {
    return (v + unit - 1) & ~(unit - 1);
}
