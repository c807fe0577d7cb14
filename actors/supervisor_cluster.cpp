// Sessions that come from other nodes with their project, and go there.
#include "actors/supervisor_parts.hpp"

#include "actors/runner_link/link.hpp"
#include "messages/errors.hpp"

#include <caf/actor_cast.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::supervisor {

// The store has given the project's live sessions to this node with it.
void adopt(pointer self, const project_record& project) {
  self->state.projects[project.id] = project;
  look_for_stranded_in(self, project.id, now_ms());
}

// Whoever owns them now has their records: these actors only go, and what they
// started goes with them. Nor may one come whose epoch is over.
void release(pointer self, const std::string& project_id) {
  auto& state = self->state;
  state.projects.erase(project_id);
  state.packed.erase(project_id);
  for (auto& [id, entry] : state.children) {
    if (entry.project_id != project_id)
      continue;
    spdlog::warn("session {} is another node's now, it ends here", id);
    if (entry.handle)
      self->send_exit(entry.handle, caf::exit_reason::user_shutdown);
    entry.reviving = true; // if it comes back: once this actor is gone
    if (state.context->runners != nullptr)
      state.context->runners->stop(id, runner_user_actor{});
  }
  stop_reviving(self, project_id,
                make_error(errc::unavailable,
                           "the session is another node's now, try again"));
}

// -- a project that is to go --------------------------------------------------

namespace {

constexpr const char* being_revived = "it is being brought back";

// Gathers what the sessions of a project say of themselves.
struct gathering {
  caf::typed_response_promise<project_sessions> promise;
  project_sessions found;
  std::size_t left = 1; // one for who asks them all
  bool only_waiting = false;

  void add(const std::string& id, const session_rest& rest) {
    if (rest.is_live && (!only_waiting || !rest.waits_for.empty()))
      found.sessions.push_back({id, rest.running_execs, rest.waits_for});
  }
  void done() {
    if (--left > 0)
      return;
    std::ranges::sort(found.sessions, {}, &moving_session::id);
    promise.deliver(std::move(found));
  }
};

template <class Message>
caf::result<project_sessions>
ask_all(pointer self, const std::string& project_id, const Message& message,
        std::chrono::milliseconds timeout, bool only_waiting) {
  auto all = std::make_shared<gathering>();
  all->promise = self->make_response_promise<project_sessions>();
  all->only_waiting = only_waiting;
  for (auto& [id, entry] : self->state.children) {
    if (entry.project_id != project_id)
      continue;
    if (!entry.handle) {
      all->add(id, {true, 0, being_revived});
      continue;
    }
    ++all->left;
    self
      ->request(caf::actor_cast<full_session_actor>(entry.handle), timeout,
                message)
      .then(
        [all, id = id](const session_rest& rest) {
          all->add(id, rest);
          all->done();
        },
        [all, id = id](const caf::error& e) {
          all->add(id,
                   {true, 0, "it does not answer: " + to_refusal(e).message});
          all->done();
        });
  }
  auto promise = all->promise;
  all->done();
  return promise;
}

} // namespace

caf::result<project_sessions> look_at(pointer self,
                                      const std::string& project_id) {
  return ask_all(self, project_id, look_at_session{}, look_up_timeout, false);
}

caf::result<project_sessions> pack(pointer self, const pack_project& what) {
  self->state.packed[what.project_id] = what;
  return ask_all(self, what.project_id, pack_session{what.at_once, what.reason},
                 git_timeout, true);
}

void unpack(pointer self, const std::string& project_id) {
  if (self->state.packed.erase(project_id) == 0)
    return;
  for (auto& [id, entry] : self->state.children)
    if (entry.handle && entry.project_id == project_id)
      self->send(caf::actor_cast<full_session_actor>(entry.handle),
                 unpack_session{});
}

// What one has that is being revived runs too.
void stop_runners(pointer self) {
  auto& state = self->state;
  if (state.context->runners == nullptr)
    return;
  for (auto& [id, entry] : state.children)
    state.context->runners->stop(
      id, entry.handle ? caf::actor_cast<runner_user_actor>(entry.handle)
                       : runner_user_actor{});
}

} // namespace greenroom::supervisor
