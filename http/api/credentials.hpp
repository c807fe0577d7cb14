// What a request says of who sent it.
#pragma once

#include "http/base/request.hpp"
#include "messages/records.hpp"

#include <string_view>

namespace greenroom {
class key_ring;
class key_table;
} // namespace greenroom

namespace greenroom::http {

/// A key's secret, or the web console's login where none is sent. Views of the
/// request.
struct credentials {
  std::string_view secret;
  std::string_view login;
};

credentials credentials_of(const request& in) noexcept;

/// Throws refused forbidden where the request's key is limited to projects:
/// `what`, as in "managing keys", would reach beyond them.
void check_unlimited(const key_record& key, std::string_view what);

/// The key that they stand for at this moment; nullptr: none that is known.
/// Lives as long as `keys`, which is a table of `ring`.
const key_record* find_key(const credentials& sent, const key_ring& ring,
                           const key_table& keys);

} // namespace greenroom::http
