// Actors that stand in for those behind the edge, and a server in front.
//
// The stand-in session keeps its events in memory and does with them what the
// real one does with its timeline. What it answers to everything else is set
// by the test.
#pragma once

#include "http/server/server.hpp"
#include "messages/errors.hpp"
#include "messages/session.hpp"
#include "messages/store.hpp"
#include "runtime/auth/api_keys.hpp"
#include "tests/support/temp_dir.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace greenroom::test {

inline constexpr std::string_view demo_session = "aaaaaaaaaaaaaaaaaaaa";
inline constexpr std::string_view admin_secret = "admin-secret-of-the-tests";

/// Adds an event to the stand-in session and tells its watchers.
struct publish {
  event_kind kind = event_kind::exec_output;
  std::string exec_id;
  std::string data = "{}"; // JSON
};
GREENROOM_INSPECT(publish, x.kind, x.exec_id, x.data)

/// Adds `count` events in one batch.
struct publish_many {
  std::uint32_t count = 0;
  std::uint32_t size = 0; // bytes of each one's data
};
GREENROOM_INSPECT(publish_many, x.count, x.size)

/// The stand-in quits, as a session that crashed.
struct quit_now {};
GREENROOM_INSPECT(quit_now)

using stand_in_session =
  session_actor::extend<caf::reacts_to<publish>, caf::reacts_to<publish_many>,
                        caf::reacts_to<quit_now>>;

/// What the stand-ins share with the test; outlives any one actor, as a
/// session's timeline outlives its actor.
struct script {
  std::mutex guard;

  // Under guard.
  std::vector<publish> events; // number i + 1
  bool over = false;
  std::map<std::string, session_actor> sessions; // by "project/session"
  std::map<std::string, project_record> projects;
  std::vector<start_exec> execs;
  std::vector<start_fed_exec> fed;
  std::vector<create_session> creates;
  std::vector<checkin_session> checkins;
  std::optional<checkin_reply> checked_in; // the answer to them
  std::vector<std::string> revoked;
  std::vector<edge_actor> edges;
  std::set<std::string> running;   // execs; "e1" is there even when it is over
  std::set<std::string> terminals; // execs that have one
  std::vector<write_input> inputs;
  std::string why_no_input = "try again";
  std::vector<resize_exec> resizes;
  std::vector<signal_exec> signals;
  std::vector<ask_git> questions;
  std::map<std::string, review_record> reviews;
  std::vector<decide_review> decisions;
  int tokens = 0; // made so far
  std::vector<listening_port> ports;
  struct kept_request {
    begin_request begun;
    finish_request finished; // status 0: not yet
  };
  std::map<std::string, kept_request> requests; // by "key/name"

  std::atomic<bool> outdated = false; // the project is on an older node
  std::atomic<bool> silent = false;   // the session answers nothing
  std::atomic<bool> deaf = false;     // nobody reads what is typed
  std::atomic<bool> crashed = false;  // what was begun was begun by another run
  std::atomic<errc> no_input{};       // why nothing typed is taken
  std::atomic<bool> full = false;     // the store keeps no answers
  std::atomic<int> reads = 0;         // of the log
  std::atomic<int> look_ups = 0;      // of a session
  std::atomic<int> watchers = 0;      // registered now
};

using script_ptr = std::shared_ptr<script>;

std::string event_text(std::uint64_t seq, const publish& event);

class fixture {
public:
  /// `adapt` may put others in the places of the stand-ins.
  explicit fixture(const std::function<void(http::options&)>& change = {},
                   const std::function<void(http::server_parts&)>& adapt = {});
  ~fixture();

  std::uint16_t port() const noexcept {
    return server->port();
  }

  /// Makes an actor for the demo session, as a start or a revival does.
  stand_in_session make_session();

  /// Adds a key; returns its secret.
  std::string add_key(std::vector<std::string> scopes,
                      std::vector<std::string> projects = {},
                      unix_ms expires_at = 0);

  /// The id of the key that was added last.
  std::string last_key_id() const {
    return keys_.back().id;
  }

  /// The exec runs no more; no event says so.
  void forget(const std::string& exec_id);

  /// The directory of an exec's log, made if need be.
  std::filesystem::path exec_dir(const std::string& exec_id) const;

  /// Runs until `done` says so; fails the test after ten seconds.
  static void wait_until(const std::function<bool()>& done);

  caf::actor_system_config config;
  std::unique_ptr<caf::actor_system> system;
  temp_dir files;
  script_ptr script = std::make_shared<test::script>();
  key_ring ring{admin_secret};
  stand_in_session session;
  std::atomic<bool> ready = true;
  std::vector<std::string> warnings; // set before the first request
  std::unique_ptr<http::server> server;

private:
  void end();

  std::vector<key_record> keys_;
};

} // namespace greenroom::test
