// Lets the commands of a session ping.
#pragma once

namespace greenroom::runner {

/// In a network namespace, whose owner is the user namespace `users`, echo
/// requests may be sent without a raw socket by the session's group. Best
/// effort: where the kernel has no such setting nothing else is worse for it.
void allow_ping(int network, int users) noexcept;

} // namespace greenroom::runner
