// The store's schema, as the steps that led to it; for migrations.cpp.
#pragma once

#include <string>
#include <vector>

namespace greenroom::store {

/// Its statements.
using schema_step = std::vector<std::string>;

/// All, the oldest first: after the first n of them the schema has version n.
/// Steps that were once released are never changed, only followed by others.
const std::vector<schema_step>& schema_steps();

} // namespace greenroom::store
