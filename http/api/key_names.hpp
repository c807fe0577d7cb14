// Names of keys, for records that have only their ids.
#pragma once

#include "http/edge/exchange.hpp"
#include "messages/time.hpp"
#include "runtime/auth/api_keys.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace greenroom::http::handlers {

/// Of the keys that there were when the request of `ex` came.
inline auto key_names(const exchange& ex) {
  return [keys = ex.keys](const std::string& id) {
    const auto* key = keys == nullptr ? nullptr : keys->find_id(id, now_ms());
    return key == nullptr ? std::string{} : key->name;
  };
}

/// Adds `created_by_name` to what the key `key_id` has made, where it is known.
inline void put_creator_name(const exchange& ex, const std::string& key_id,
                             nlohmann::ordered_json& to) {
  if (auto name = key_names(ex)(key_id); !name.empty())
    to["created_by_name"] = name;
}

} // namespace greenroom::http::handlers
