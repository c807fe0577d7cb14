// System calls that a test has wait or fail: what a stalled or broken disk, or
// a lack of descriptors, does.
//
// Code under test asks right before the call:
//
//   if (auto error = injected_fault("fdatasync"))
//     ... as if fdatasync had failed with that errno
//
// A test sets faults in its own process by `inject_fault`. In a node they are
// lines `CALL MILLISECONDS ERRNO` of the file that the environment variable
// GREENROOM_FAULTS names; it is read at each call, so that a test can change
// it while the node runs. Without either a call costs one comparison.
// Thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace greenroom {

struct fault {
  std::chrono::milliseconds delay{0};
  int error = 0; // an errno; 0: the call is only late
};

/// Waits as long as the fault of that name says, then returns its errno.
/// 0: no fault.
int injected_fault(std::string_view call);

/// From now on, for this process; what waits already waits on.
void inject_fault(const std::string& call, fault what);

/// What waits goes on at once. So a test can have a call wait for longer than
/// the slowest machine takes for what it looks at meanwhile.
void clear_faults();

} // namespace greenroom
