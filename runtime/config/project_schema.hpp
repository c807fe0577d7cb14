// The table of a project's keys, for the configuration and the API alike.
#pragma once

#include "messages/records.hpp"
#include "runtime/config/schema.hpp"

#include <string>
#include <vector>

namespace greenroom {

const std::vector<key<project_record>>& project_keys();

/// A whole project; `prefix` stands before the paths in errors. Throws
/// key_error.
project_record read_project(const nlohmann::json& fields,
                            const std::string& prefix);

} // namespace greenroom
