// Names of keys, for records that have only their ids.
#pragma once

#include "http/edge/exchange.hpp"
#include "messages/time.hpp"
#include "runtime/auth/api_keys.hpp"

#include <string>

namespace greenroom::http::handlers {

/// Of the keys that there were when the request of `ex` came.
inline auto key_names(const exchange& ex) {
  return [keys = ex.keys](const std::string& id) {
    const auto* key = keys == nullptr ? nullptr : keys->find_id(id, now_ms());
    return key == nullptr ? std::string{} : key->name;
  };
}

} // namespace greenroom::http::handlers
