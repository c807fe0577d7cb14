// bwrap brings a sandbox's loopback up, and takes it for an error where that
// has been done: slirp4netns would do it, too, and has to come after.
#pragma once

namespace greenroom::runner {

/// Returns when the loopback of this process's network is up. Throws
/// std::runtime_error where it does not come up in ten seconds.
void await_loopback();

} // namespace greenroom::runner
