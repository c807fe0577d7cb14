// What the proxy needs of sessions: what they are, and connections into them.
//
// Used on the proxy's thread only. Tests have one of their own.
#pragma once

#include "http/base/asio.hpp"
#include "messages/records.hpp"
#include "runtime/base/fd.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>
#include <unordered_map>

namespace greenroom::http::proxy {

struct session_info {
  std::string project_id;
  std::string over; // its last status: "ended", "expired", …; empty: it is not
  std::string reason;      // why it is over, if anything is known; and when, as
  std::string ended_at;    // the API says it
  preview_rules rules;     // of its project
  std::string elsewhere;   // the node that owns it, of which nothing else is
                           // known then; empty: this one
  std::uint64_t epoch = 0; // of its project; 0: this node is alone
};

/// By project.
using project_rules = std::unordered_map<std::string, preview_rules>;

struct printed_last {
  std::string exec_id; // empty: there is none
  std::string status;  // of it: "running", "exited", …
  std::string text;
};

class session_ports {
public:
  virtual ~session_ports() = default;

  /// What was known at another epoch does not count, if one is given. Throws
  /// refused: not_found, or unavailable where nobody can say now.
  virtual asio::awaitable<session_info> look_up(std::string session_id,
                                                std::uint64_t epoch) = 0;

  /// What look_up() would say without asking anybody, until the next call;
  /// null: it has to ask.
  virtual const session_info* known(const std::string& session_id,
                                    std::uint64_t epoch) {
    static_cast<void>(session_id);
    static_cast<void>(epoch);
    return nullptr;
  }

  /// What all projects say of previews by now. Throws refused.
  virtual asio::awaitable<project_rules> rules_of_projects() = 0;

  /// A TCP connection to that port of that session's loopback. Throws refused;
  /// unavailable where nothing listens there.
  virtual asio::awaitable<unique_fd> connect(std::string session_id,
                                             std::uint16_t port) = 0;

  /// What the command printed last that listened on the port, or is likely to
  /// be about to; empty where there is none.
  virtual asio::awaitable<printed_last> last_output(std::string session_id,
                                                    std::uint16_t port) = 0;
};

} // namespace greenroom::http::proxy
