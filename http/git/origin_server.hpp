// `origin` of git inside of sessions: git's own protocol, as `git daemon` has
// it, on one socket for each session (runtime/git/session/origin.hpp).
//
// A fetch is `git upload-pack` on a view of the mirror, which is brought up to
// date first. A push may move the session's branch and nothing else; it reaches
// the upstream before it is answered. git-lfs asks for contents, and brings
// them, by verbs of our own (runtime/git/inside/lfs_agent.hpp).
//
// Owned by git's listener. A thread for each conversation: they wait for the
// upstream. Bounds: max_origin_talks at a time, max_origin_per_session of them
// for one session; more are told to try again.
#pragma once

#include "http/edge/actor_system.hpp"
#include "http/git/origin_peer.hpp"
#include "http/git/refusal_limit.hpp"
#include "messages/directory.hpp"
#include "messages/errors.hpp"
#include "messages/operations.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/git/session/git_service.hpp"

#include <spdlog/logger.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace greenroom {
class key_ring;
}

namespace greenroom::http::git_http {

inline constexpr std::size_t max_origin_talks = 64;
inline constexpr std::size_t max_origin_per_session = 8;

/// How long one of them may take.
inline constexpr std::chrono::minutes origin_talk_timeout{10};

struct origin_parts {
  http::actor_system& system;
  directory_actor directory;
  const key_ring& keys;
  std::shared_ptr<git_service> git;
  std::shared_ptr<spdlog::logger> log;
  std::uint64_t max_push = 0;
  operations_actor audit; // null: nobody keeps one
  std::string node;       // whose it is
};

class origin_server {
public:
  explicit origin_server(origin_parts parts);
  origin_server(const origin_server&) = delete;
  origin_server& operator=(const origin_server&) = delete;
  ~origin_server();

  void start();

  /// Ends all conversations and waits for them.
  void stop();

private:
  struct talk_slot;
  void visit(const std::string& session_id, unique_fd socket);
  bool begin(const std::string& session_id, int socket);
  void talk(const std::string& session_id, int socket);
  transfer_grant admit(const std::string& session_id);
  bool may_show(const project_record& project, const std::string& repo);
  std::filesystem::path shown(const transfer_grant& who,
                              const std::string& path);
  std::optional<std::string> list_all(const project_record& project,
                                      const command& program,
                                      const std::string& request);
  void serve_old_fetch(const transfer_grant& who, const std::string& protocol,
                       const std::string& path, int socket);
  void run_upload(const command& program, const transfer_grant& who);
  void serve_fetch(const transfer_grant& who, const std::string& path,
                   const std::string& protocol, int socket);
  void serve_push(const transfer_grant& who, const std::string& path,
                  const origin_peer& with);
  void announce_push(const transfer_grant& who, const std::string& old_commit,
                     const std::string& commit);
  void add_to_audit(audit_entry entry, std::optional<errc> fault);
  void serve_contents(const transfer_grant& who, const std::string& what,
                      const origin_peer& to);
  void take_contents(const transfer_grant& who, const std::string& what,
                     const origin_peer& from);

  origin_parts parts_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::map<int, std::string> talks_; // sockets, and whose they are
  refusal_limit audited_refusals_;
  bool stopping_ = false;
};

} // namespace greenroom::http::git_http
