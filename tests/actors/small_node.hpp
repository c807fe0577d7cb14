// The actors of a node without its HTTP side: real store, git, runners and
// files in a directory of the test's own.
#pragma once

#include "actors/base/context.hpp"
#include "actors/runner_link/link.hpp"
#include "actors/session/journal/writers.hpp"
#include "messages/errors.hpp"
#include "runtime/disk/fsync_queue.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::test {

class small_node {
public:
  /// With a project `demo` whose upstream has the branches main and topic, its
  /// rules as `change` leaves them. One that is `clustered` keeps checkpoints,
  /// and knows that others may have had its sessions.
  explicit small_node(std::function<void(project_record&)> change = {},
                      bool clustered = false);
  ~small_node();

  /// Stops the actors and starts new ones on the same directory, as a restart
  /// of the program does. Runners live on.
  void restart(const std::function<void()>& meanwhile = {});

  /// Asks and waits. A refusal fails the test, naming it.
  template <class Reply, class Handle, class Request>
  Reply ask(const Handle& whom, Request request) {
    caf::scoped_actor self{*system_};
    std::optional<Reply> result;
    self->request(whom, timeout, std::move(request))
      .receive([&](Reply& reply) { result = std::move(reply); },
               [&](const caf::error& e) { fail(e); });
    return std::move(*result);
  }

  /// Asks, waits, and answers with why not; fails the test if it was done.
  template <class Reply, class Handle, class Request>
  refusal refused_by(const Handle& whom, Request request) {
    caf::scoped_actor self{*system_};
    std::optional<refusal> result;
    self->request(whom, timeout, std::move(request))
      .receive([&](Reply&) {},
               [&](const caf::error& e) { result = to_refusal(e); });
    if (!result)
      fail_undone();
    return *result;
  }

  session_record create(create_session request);
  session_actor find(const session_record& session);

  caf::actor_system& system() {
    return *system_;
  }
  const project_actor& project() const {
    return project_;
  }
  const session_supervisor_actor& supervisor() const {
    return supervisor_;
  }
  const directory_actor& directory() const {
    return context_->directory;
  }
  const project_record& rules() const {
    return rules_;
  }
  const context_ptr& context() const {
    return context_;
  }
  const runner_link& runners() const {
    return *runners_;
  }
  /// Open; shut, it is as if the node had not renewed its lease.
  lease_gate& gate() {
    return *gate_;
  }
  /// How long a journal writer has had to do with what it does.
  std::chrono::milliseconds journal_lag() const {
    return journals_->lag();
  }
  /// How long something has been written that is not on disk yet.
  std::chrono::milliseconds sync_lag() const {
    return syncer_->look().lag;
  }
  std::filesystem::path upstream() const {
    return dir_.path() / "upstream.git";
  }
  std::string git(const std::vector<std::string>& args) const;

private:
  [[noreturn]] static void fail(const caf::error& e);
  [[noreturn]] static void fail_undone();
  void start();
  void stop();

  temp_dir dir_;
  bool clustered_;
  std::vector<std::string> sessions_; // to be cleaned up after
  std::unique_ptr<caf::actor_system_config> settings_;
  std::unique_ptr<fsync_queue> syncer_;
  std::unique_ptr<journal::writers> journals_;
  std::unique_ptr<runner_link> runners_;
  std::unique_ptr<caf::actor_system> system_;
  std::shared_ptr<lease_gate> gate_ = std::make_shared<lease_gate>();
  context_ptr context_;
  project_record rules_;
  session_supervisor_actor supervisor_;
  project_actor project_;
  std::vector<caf::actor> parts_;
};

} // namespace greenroom::test
