// What two readings of a node's configuration differ in, for a node that reads
// it anew while it runs. Projects and the log's level hold at once.
#pragma once

#include "runtime/config/config.hpp"

#include <string>
#include <vector>

namespace greenroom {

/// The projects of `now` that `before` has not, or not so.
std::vector<project_record> changed_projects(const config& before,
                                             const config& now);

/// The keys whose values differ and hold only once the node starts again, as
/// paths with dots.
std::vector<std::string> changes_that_wait(const config& before,
                                           const config& now);

} // namespace greenroom
