// Which session and port a request to the preview listener is for.
//
// By name: `{port}-{sid}.{preview.domain}`; by path where there is no wildcard
// name: `/preview/{sid}/{port}/…` at the domain itself, localhost or a numeric
// address, and without a domain at the hosts of preview.public_url and
// preview.listen. Any other Host is refused, so that no page elsewhere can make
// its own name stand for a preview.
#pragma once

#include "http/base/options.hpp"
#include "http/wire/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http::proxy {

struct preview_target {
  std::string session_id;
  std::uint16_t port = 0;
  std::string host;   // as the client sent it
  std::string prefix; // of the path form, without the last slash; or empty
  std::string path;   // what the app is asked for: begins with a slash

  /// The path form without the slash behind the port: relative links would
  /// lead elsewhere, so the client is sent to the form with one.
  bool lacks_slash = false;
};

/// Throws wire::bad_message with 400, 403 or 404.
preview_target read_target(const wire::message_head& request,
                           const options& opts);

/// "http" or "https", as browsers see previews.
std::string_view preview_scheme(const options& opts) noexcept;

/// Where a port is seen: `http(s)://{port}-{sid}.{domain}[:PORT]/`, without a
/// domain `http(s)://{host}[:PORT]/preview/{sid}/{port}/`; empty where no
/// previews are served.
std::string preview_url(const options& opts, std::string_view session_id,
                        std::uint16_t port);

/// The value of a query's parameter, not decoded; nullopt: it has none.
std::optional<std::string_view> query_value(std::string_view target,
                                            std::string_view name);

/// The target without that parameter.
std::string without_query_value(std::string_view target, std::string_view name);

} // namespace greenroom::http::proxy
