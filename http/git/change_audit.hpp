// The audit of what comes by git: pushes, and contents of Git LFS; by a clone's
// token, or from inside of a session to its origin, which has no key.
//
// One per git listener, on its thread; entries go to the node's audit one by
// one. One that cannot be stored goes to the log. A request whose token is not
// known costs a stranger nothing, so only max_strangers of them are written in
// a second.
#pragma once

#include "http/edge/bridge.hpp"
#include "messages/operations.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace greenroom::http::git_http {

struct git_route;

class change_audit {
public:
  static constexpr unsigned max_strangers = 20;

  /// `to` null: nobody keeps an audit. `bridge` must outlive it.
  change_audit(http::bridge& bridge, std::shared_ptr<spdlog::logger> log,
               operations_actor to, std::string node,
               std::chrono::milliseconds timeout)
    : bridge_(bridge), log_(std::move(log)), to_(std::move(to)),
      node_(std::move(node)), timeout_(timeout) {}

  /// Adds the entry, with what all have.
  void add(audit_entry entry);

private:
  bool admits(const audit_entry& entry);

  http::bridge& bridge_;
  std::shared_ptr<spdlog::logger> log_;
  operations_actor to_;
  std::string node_;
  std::chrono::milliseconds timeout_;
  std::int64_t second_ = 0; // in which strangers are counted
  unsigned strangers_ = 0;
};

/// The entry for a push to this session's repository, without its result.
audit_entry audit_of_push(const git_route& route);

/// The same for contents of Git LFS.
audit_entry audit_of_upload(const git_route& route);

/// The same for what git inside of a session pushes to its origin, or uploads
/// to its Git LFS (`lfs_oid`).
audit_entry audit_from_inside(const std::string& project_id,
                              const std::string& session_id,
                              const std::string& lfs_oid = {});

/// What its result is where nothing else is known than the answer's status.
void set_result(audit_entry& entry, int status);

} // namespace greenroom::http::git_http
