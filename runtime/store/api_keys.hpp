// API keys in the store: all but the secrets, and but the administrator's.
#pragma once

#include "messages/records.hpp"
#include "runtime/store/connection.hpp"

#include <string>
#include <vector>

namespace greenroom::store {

/// Adds a key or replaces the one with its id.
void put_key(connection& c, const key_record& key);

/// False where there is none.
bool delete_key(connection& c, const std::string& id);

/// All of them, oldest first.
std::vector<key_record> keys(connection& c);

} // namespace greenroom::store
