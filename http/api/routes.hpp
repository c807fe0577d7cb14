// The table of all routes. Routing, 404 and 405, the scopes that a key needs,
// and the test of the OpenAPI document all come from it.
#pragma once

#include "http/edge/exchange.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace greenroom::http {

/// Who may use a route.
enum class access : std::uint8_t {
  open,    // no key needed
  any_key, // whatever its scopes
  read_session,
  change_session,
  read_projects,
  admin,
  metrics,
};

/// The scopes of which a key needs one; empty where it needs none.
std::span<const std::string_view> scopes_for(access who) noexcept;

struct route {
  http::verb verb;
  std::string_view pattern; // `/projects/{id}/sessions`, at most 4 parameters
  access who;
  bool takes_body; // a JSON object
  void (*handle)(const exchange_ptr&);
  // For a repetition with an Idempotency-Key: the answer holds a secret, so it
  // is made again instead of being kept.
  bool never_replayed = false;
  // The parameters that its query may have, with commas between. Others are
  // refused: they are most likely misspelt.
  std::string_view query = {};
  // What it asks for lies in files and sockets of the session's node, where no
  // message brings it from: another node of a cluster passes it on.
  bool of_owner = false;
};

std::span<const route> routes() noexcept;

/// What the table says of a path.
struct routed {
  const route* found = nullptr; // null: 404, or 405 if `allow` is not empty
  std::array<std::string_view, 4> params; // not decoded
  std::string allow; // methods of the path, where it has none for `verb`
};

routed find_route(verb method, std::string_view path);

/// Checks a request in the order route, key, scope, project, query, body and
/// hands it to its handler. Whatever the handler throws is answered here.
void dispatch(const exchange_ptr& ex);

/// The rest of dispatch(), for a request that has passed all checks.
void handle_here(const exchange_ptr& ex);

} // namespace greenroom::http
