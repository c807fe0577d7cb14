// The table of all configuration keys, in the order of the file.
#pragma once

#include "runtime/config/config.hpp"
#include "runtime/config/schema.hpp"

#include <vector>

namespace greenroom {

const std::vector<key<config>>& config_keys();

} // namespace greenroom
