#include "actors/cluster/lost_sessions.hpp"

#include "messages/errors.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace greenroom {

namespace {

constexpr std::chrono::seconds look_timeout{30};
constexpr std::chrono::minutes end_timeout{10}; // it comes back before it ends

constexpr std::chrono::seconds pause{1};

using ender_pointer = caf::event_based_actor*;

/// What is to end, and who sees to that.
struct task {
  session_finder_actor supervisor;
  lost_reader_actor reader;
  find_lost which;
  std::size_t left = 0; // questions that are not answered
  bool again = false;   // some were not to be answered now
};

using task_ptr = std::shared_ptr<task>;

void look_for_lost(ender_pointer self, const task_ptr& all);

void answered(ender_pointer self, const task_ptr& all) {
  if (--all->left > 0 || !all->again)
    return;
  self->become([self, all](clock_tick) {
    self->unbecome();
    look_for_lost(self, all);
  });
  self->delayed_send(self, pause, clock_tick{});
}

// The sessions were to end with their node, however long the store is away.
void failed(ender_pointer self, const task_ptr& all, const std::string& what,
            const caf::error& why) {
  auto refusal = to_refusal(why);
  auto again = refusal.code == errc::unavailable
               || refusal.code == errc::overloaded
               || refusal.code == errc::timeout;
  spdlog::error("{} cannot be ended{} after its node was lost: {}", what,
                again ? " yet" : "", refusal.message);
  all->again = all->again || again;
  answered(self, all);
}

void end(ender_pointer self, const task_ptr& all, const lost_session& one) {
  caller by;
  by.key_name = "on_node_loss: stop, node " + one.lost_node + " was lost";
  auto refused = [self, all, id = one.session_id](const caf::error& why) {
    failed(self, all, "session " + id, why);
  };
  ++all->left;
  self
    ->request(all->supervisor, end_timeout,
              find_session{all->which.project_id, one.session_id})
    .then(
      [self, all, by, refused,
       id = one.session_id](const session_actor& session) {
        self->request(session, end_timeout, terminate_session{by})
          .then(
            [self, all, id](const terminate_reply&) {
              spdlog::warn("session {} is ended: its node was lost", id);
              answered(self, all);
            },
            refused);
      },
      refused);
}

void look_for_lost(ender_pointer self, const task_ptr& all) {
  all->left = 1;
  all->again = false;
  self->request(all->reader, look_timeout, all->which)
    .then(
      [self, all](const lost_list& found) {
        for (const auto& one : found.sessions)
          end(self, all, one);
        answered(self, all);
      },
      [self, all](const caf::error& why) {
        failed(self, all, "project " + all->which.project_id, why);
      });
}

// The supervisor goes when the node stops, which would wait for this one.
void end_all(ender_pointer self, const task_ptr& all) {
  self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
  self->monitor(all->supervisor);
  look_for_lost(self, all);
}

} // namespace

void end_lost_sessions(caf::actor_system& system,
                       const session_finder_actor& supervisor,
                       const lost_reader_actor& reader,
                       const find_lost& which) {
  auto all = std::make_shared<task>();
  all->supervisor = supervisor;
  all->reader = reader;
  all->which = which;
  // A function with arguments: of one without CAF dereferences what is null.
  system.spawn(end_all, all);
}

} // namespace greenroom
