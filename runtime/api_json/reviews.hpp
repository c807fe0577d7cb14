// Reviews as JSON for clients, in openapi.json's shape; see records.hpp.
#pragma once

#include "messages/records.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <string>

namespace greenroom {

/// The name of the key that has an id; empty where there is none (any more).
using key_namer = std::function<std::string(const std::string& key_id)>;

/// With the names of the keys that made and decided it: those that `name_of`
/// knows, else the one that the review itself keeps.
nlohmann::ordered_json review_json(const review_record& review,
                                   const key_namer& name_of);

} // namespace greenroom
