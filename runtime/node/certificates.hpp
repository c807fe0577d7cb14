// Certificates that the configuration names: whether they can be read, belong
// together and still hold.
#pragma once

#include "runtime/node/preflight.hpp"

namespace greenroom {

/// Adds one check for each file or pair that is named; none where none is.
void examine_certificates(std::vector<host_check>& to, const config& settings);

} // namespace greenroom
