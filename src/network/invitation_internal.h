/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of invitations share. For them alone. */
#pragma once
#include "network/invitation.h"

/* Verifies all that wrn_invitation_read promises, of fields that were read; fills in the network's
 * id. Costs a verification for the descriptor and each certificate. */
WRN_NODISCARD enum wrn_invitation_fault wrn_invitation_verify(struct wrn_invitation *invitation);
