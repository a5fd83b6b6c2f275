/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated world: time, and what happens in it, in order. One thread; all that happens follows
 * from the seed. Reads no clock and draws no randomness of the machine that it runs on. */
#pragma once
#include "base/clock.h"
#include "base/rand.h"
#include "sim/queue.h"

struct sim_world; /* owns the queue of events, the streams of randomness and the trace */

/* Streams of randomness do not disturb one another: a draw more in one shifts no other. */
enum sim_stream {
    SIM_STREAM_WORLD, /* what a scenario decides for all */
    SIM_STREAM_HOST,
    SIM_STREAM_LINK,
    SIM_STREAM_NAT,
    SIM_STREAM_FAULT,
    SIM_STREAM_NODE, /* what runs on a host: its keys, its protocol */
};

/* Something that will happen, embedded in its owner, zeroed but for 'happen' at first. It must not
 * move in memory, nor end, while it is set. */
struct sim_event {
    struct sim_queue_node node;
    void (*happen)(struct sim_event *event); /* may set this and other events, or free this one */
};

/* Is told what is added to the trace, to show it. 'bytes' is empty for plain records. Must change
 * nothing in the world. */
typedef void sim_watch_trace(void *ctx, wrn_mono now, const char *what, const uint64_t numbers[3],
                             wrn_span bytes);

/* Makes a world in which nothing is set to happen. The caller destroys it. */
struct sim_world *sim_world_create(uint64_t seed);

/* Frees the world; events that are still set are forgotten. NULL is fine. */
void sim_world_destroy(struct sim_world *world);

/* Returns the true time. The wall clock starts at 2030-01-01 00:00:00 UTC, the other one at 1000 s;
 * what machines believe is in sim/clock.h. */
struct wrn_now sim_now(const struct sim_world *world);

/* Sets 'event' to happen at 'due', or moves it there; WRN_MONO_NEVER takes it back. Events of one
 * moment happen in the order in which they were set. 'due' must not lie in the past. O(log n). */
void sim_at(struct sim_world *world, struct sim_event *event, wrn_mono due);

/* Tells whether 'event' is set. */
bool sim_is_set(const struct sim_event *event);

/* Returns a generator that depends on the seed and on the pair alone; the same pair gives the same
 * generator, which goes on where it was. 'index' < 2^56. Valid until the world is destroyed. */
struct wrn_rand sim_rand(struct sim_world *world, enum sim_stream stream, uint64_t index);

/* Seeds a generator of the caller's from the same pair, for those who draw often. The two do not
 * know of each other: use one of them for a pair. */
void sim_prng_init(const struct sim_world *world, enum sim_stream stream, uint64_t index,
                   struct wrn_prng *ret_prng);

/* Lets happen what is due at or before 'until', in order, until nothing is left or 'stop' was
 * called; unless it was, the time is 'until' then. 'until' must not lie in the past. Must not be
 * called by what happens. Returns how many events happened. */
uint64_t sim_run(struct sim_world *world, wrn_mono until);

/* Makes sim_run return after the event that is happening. */
void sim_stop(struct sim_world *world);

/* Returns how many events happened since the beginning. */
uint64_t sim_event_count(const struct sim_world *world);

/* Adds a word, at most 32 letters, and numbers to the trace, together with the time. */
void sim_trace(struct sim_world *world, const char *what, uint64_t a, uint64_t b, uint64_t c);

/* Adds a word, a number and bytes. */
void sim_trace_bytes(struct sim_world *world, const char *what, uint64_t a, wrn_span bytes);

/* Returns the hash of all that was added, in order: two runs did the same iff their hashes are
 * equal (but for one chance in 2^64). The same on every machine, with every compiler. */
uint64_t sim_trace_hash(const struct sim_world *world);

/* Has 'watch' told of what is added to the trace from now on; NULL: nobody. */
void sim_world_watch(struct sim_world *world, sim_watch_trace *watch, void *ctx);
