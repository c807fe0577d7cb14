// Whether a request may see a preview.
//
// An API key that may read the session opens any of its ports, a link's cookie
// those of access `token`, but not for a page of another session's preview, and
// public ones need neither. A link is good as long as the key that made it.
// What a connection was opened with is kept as a grant, so that it ends when
// that would let it in no more.
#pragma once

#include "http/proxy/preview_settings.hpp"
#include "http/proxy/session_ports.hpp"
#include "http/proxy/target.hpp"
#include "http/wire/message.hpp"
#include "messages/time.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom {
class key_ring;
}

namespace greenroom::http::proxy {

/// What may let a request in: that it was public, too, is not kept.
struct preview_grant {
  std::string key_secret;           // empty: it showed none that does
  std::optional<preview_link> link; // nullopt: the same
  bool preflight = false;           // it asks only what may be asked
};

/// How what may let a request in stands by now.
struct grant_standing {
  bool key_opens = false;
  bool link_is_valid = false;
  preview_access access = preview_access::key; // of the port
  bool preflights = false;                     // the project lets them in
};

/// Whether a connection may go on. What a key has opened ends with the key; the
/// rest goes on where its opener would be let in again.
bool still_lets_in(const preview_grant& grant,
                   const grant_standing& now) noexcept;

struct access_decision {
  enum class kind : std::uint8_t {
    granted,
    linked, // the token of a link is right: it becomes a cookie
    denied,
  };
  kind what = kind::denied;
  preview_grant grant;
  std::string token; // of `linked`
  // What of the request is ours, whatever is decided.
  bool authorization_is_ours = false;
  bool api_key_is_ours = false;
  std::vector<std::string> own_protocols; // subprotocols with a key of ours
};

class access_rules {
public:
  access_rules(const key_ring& keys, preview_settings& settings)
    : keys_(keys), settings_(settings) {}

  access_decision decide(const wire::message_head& request,
                         const preview_target& target,
                         const session_info& session, std::string_view scheme,
                         unix_ms now) const;

  /// The same of a request that was let in, as all stands now.
  bool still_lets_in(const preview_grant& grant, const preview_target& target,
                     const session_info& session, unix_ms now) const;

  /// Whether that may change with what the project says.
  bool depends_on_project(const preview_grant& grant,
                          const preview_target& target) const;

private:
  preview_access access_to(const preview_target& target,
                           const session_info& session) const;
  bool is_valid(const preview_link& link, const std::string& session_id,
                unix_ms now) const;
  bool opens(std::string_view secret, const std::string& project_id,
             unix_ms now, bool& ours) const;
  bool is_ours(std::string_view secret, unix_ms now) const;
  void find_keys(const wire::message_head& request,
                 const std::string& project_id, unix_ms now,
                 access_decision& to) const;

  const key_ring& keys_;
  preview_settings& settings_;
};

} // namespace greenroom::http::proxy
