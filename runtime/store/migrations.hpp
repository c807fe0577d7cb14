// The store's tables, and how they change from one version to the next.
#pragma once

#include "runtime/store/connection.hpp"

namespace greenroom::store {

/// Brings the store up to what this program needs, one numbered step a
/// transaction. Harmless when it is up to date, and when several programs do
/// it at once. Throws std::runtime_error where the store has been used by a
/// newer program.
void migrate(connection& c);

/// The number of the last step that was taken.
int schema_version(connection& c);

} // namespace greenroom::store
