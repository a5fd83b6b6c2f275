/* SPDX-License-Identifier: Apache-2.0 */
/* Grace periods (RCU): readers say when they look at shared tables, which costs them no waiting and
 * no shared cache line; whoever takes something out of the tables waits until nobody can be looking
 * at it any more. Thin layer over liburcu that ThreadSanitizer understands. */
#pragma once
#include "base/base.h"

/* To be called once by each reading thread, before the others and when it ends. */
void wrn_rcu_join(void);
void wrn_rcu_leave(void);

/* Encloses reading. Does not block; may not be nested with wrn_rcu_wait. */
void wrn_rcu_enter(void);
void wrn_rcu_exit(void);

/* Waits until all reading that was under way has ended. For threads that are not reading. */
void wrn_rcu_wait(void);
