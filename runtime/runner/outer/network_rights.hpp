// What the commands of a session may do in the network of their own that a
// plain user may not elsewhere.
#pragma once

namespace greenroom::runner {

/// In a network namespace, whose owner is the user namespace `users`, echo
/// requests may be sent without a raw socket by the session's group, and every
/// port may be listened on, those below 1024 too: nobody else is in it. Best
/// effort: where the kernel has no such setting nothing else is worse for it.
void grant_network_rights(int network, int users) noexcept;

} // namespace greenroom::runner
