// How a runner that has nothing to do ends, and comes back.
//
//   up → resting → asleep → starting → greeting → up
//          └→ up: it had something to do
//
// Its user knows nothing of that: from the moment that the runner is told to
// rest, what is sent to it is held back, for that runner or for the next one.
#include "actors/runner_link/loop.hpp"

#include "runtime/base/remove_tree.hpp"

#include <caf/send.hpp>

#include <utility>

namespace greenroom {

namespace {

// As for everything that takes no time.
constexpr std::chrono::seconds rest_time{10};

} // namespace

void runner_link::loop::on(const std::string& id, link& entry, runner::idle&) {
  auto quiet = entry.inputs.empty() && entry.connects.empty();
  if (entry.at == phase::up && !entry.stopping && quiet)
    let_rest(id, entry);
}

// What was sent before comes before this, and is something to do.
void runner_link::loop::let_rest(const std::string& id, link& entry) {
  std::lock_guard guard{entry.connection->mutex};
  entry.connection->resting = true;
  entry.at = phase::resting;
  expect_by(id, entry, rest_time);
  entry.connection->connection.send(runner::rest{});
}

void runner_link::loop::on(const std::string& id, link& entry, runner::awake&) {
  if (entry.at == phase::resting)
    go_on(id, entry);
}

// There is a runner to take what was held back.
void runner_link::loop::go_on(const std::string& id, link& entry) {
  timed_.erase(id);
  entry.at = phase::up;
  auto& to = *entry.connection;
  {
    std::lock_guard guard{to.mutex};
    to.resting = false;
    for (const auto& message : std::exchange(to.held, {}))
      to.connection.send(message);
  }
  watch_for_writing(entry.connection);
  if (entry.stopping)
    tell_stop(id, entry);
}

// It has ended as it was told, and left nothing.
void runner_link::loop::fall_asleep(const std::string& id, link& entry) {
  if (entry.stopping) {
    auto user = entry.user;
    drop(id);
    caf::anon_send(user, runner_down{});
    return;
  }
  disown(entry.connection->connection.fd());
  timed_.erase(id);
  entry.at = phase::asleep;
  entry.dormant = std::exchange(entry.connection, nullptr);
  // Else it would be taken for one that has died.
  remove_tree(dir_of(id) / runner::config_file);
  std::unique_lock guard{entry.dormant->mutex};
  entry.dormant->connection.hang_up();
  entry.dormant->process = 0;
  auto wanted = !entry.dormant->held.empty();
  guard.unlock();
  if (wanted)
    wake(id);
}

void runner_link::loop::wake(const std::string& id) {
  auto found = links_.find(id);
  if (found == links_.end() || found->second.at != phase::asleep)
    return;
  found->second.start = true;
  start_or_give_up(id, found->second);
}

void runner_link::loop::refuse_held(link& entry, const std::string& problem) {
  auto& from = entry.dormant ? entry.dormant : entry.connection;
  if (!from)
    return;
  std::unique_lock guard{from->mutex};
  auto held = std::exchange(from->held, {});
  guard.unlock();
  for (auto& message : held)
    if (auto* what = std::get_if<runner::spawn>(&message))
      caf::anon_send(entry.user,
                     exec_refused{what->exec, "the session's runner cannot be "
                                              "started: "
                                                + problem});
}

} // namespace greenroom
