// Sessions that come from other nodes with their project, and go there.
#include "actors/supervisor_parts.hpp"

#include "actors/runner_link/runners.hpp"
#include "messages/errors.hpp"

#include <caf/actor_cast.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <limits>
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
  stop_reviving(self, project_id, moved_away());
}

bool is_elsewhere(const supervisor_state& state, const session_record& record) {
  return state.context->cluster && record.node != state.context->node;
}

caf::error moved_away() {
  return make_error(errc::unavailable,
                    "the session is another node's now, try again");
}

// -- a project that is to go --------------------------------------------------

namespace {

constexpr const char* being_revived = "it is being brought back";

// Of a project's sessions: each has work of git for its project's one line.
constexpr std::size_t most_packed_at_once = 16;

// Gathers what the sessions of a project say of themselves.
struct gathering {
  caf::typed_response_promise<project_sessions> promise;
  project_sessions found;
  std::string project_id;
  std::deque<std::string> to_ask; // sessions
  std::size_t asked = 0;          // of whom no answer is there yet
  std::size_t most_at_once = 0;
  bool packs = false; // and gathers those that are not ready

  void add(const std::string& id, const session_rest& rest) {
    if (rest.is_live && (!packs || !rest.waits_for.empty()))
      found.sessions.push_back({id, rest.running_execs, rest.waits_for});
  }
  void done() {
    std::ranges::sort(found.sessions, {}, &moving_session::id);
    promise.deliver(std::move(found));
  }
};

using gathering_ptr = std::shared_ptr<gathering>;

template <class Message>
void ask_more(pointer self, const gathering_ptr& all, const Message& message,
              std::chrono::milliseconds timeout);

template <class Message>
void ask_one(pointer self, const gathering_ptr& all, const std::string& id,
             const session_actor& handle, const Message& message,
             std::chrono::milliseconds timeout) {
  ++all->asked;
  auto answered = [=](const session_rest& rest) {
    --all->asked;
    all->add(id, rest);
    ask_more(self, all, message, timeout);
  };
  self->request(caf::actor_cast<full_session_actor>(handle), timeout, message)
    .then(answered, [answered](const caf::error& e) {
      answered({true, 0, "it does not answer: " + to_refusal(e).message});
    });
}

template <class Message>
void ask_more(pointer self, const gathering_ptr& all, const Message& message,
              std::chrono::milliseconds timeout) {
  auto& state = self->state;
  // What has been told to stay must not be packed behind that.
  if (all->packs && !state.packed.contains(all->project_id)
      && !all->to_ask.empty()) {
    all->add(all->to_ask.front(), {true, 0, "its project is to stay"});
    all->to_ask.clear();
  }
  while (all->asked < all->most_at_once && !all->to_ask.empty()) {
    auto id = std::move(all->to_ask.front());
    all->to_ask.pop_front();
    auto found = state.children.find(id);
    if (found == state.children.end())
      continue; // it has ended meanwhile
    if (found->second.handle)
      ask_one(self, all, id, found->second.handle, message, timeout);
    else
      all->add(id, {true, 0, being_revived});
  }
  if (all->asked == 0)
    all->done();
}

template <class Message>
caf::result<project_sessions> ask_all(pointer self, const gathering_ptr& all,
                                      const Message& message,
                                      std::chrono::milliseconds timeout) {
  auto promise = self->make_response_promise<project_sessions>();
  all->promise = promise;
  for (auto& [id, entry] : self->state.children)
    if (entry.project_id == all->project_id)
      all->to_ask.push_back(id);
  ask_more(self, all, message, timeout);
  return promise;
}

} // namespace

caf::result<project_sessions> look_at(pointer self,
                                      const std::string& project_id) {
  auto all = std::make_shared<gathering>();
  all->project_id = project_id;
  all->most_at_once = std::numeric_limits<std::size_t>::max();
  return ask_all(self, all, look_at_session{}, look_up_timeout);
}

// The node may own it for a moment before it hears of that. One that it gave
// away in that moment it would never let go of, and what had come for it to
// pack would stand in the way when the project is this node's again.
caf::result<project_sessions> pack(pointer self, const pack_project& what) {
  if (!self->state.projects.contains(what.project_id))
    return make_error(errc::unavailable, "the node has not taken it up yet");
  self->state.packed[what.project_id] = what;
  auto all = std::make_shared<gathering>();
  all->project_id = what.project_id;
  all->most_at_once = most_packed_at_once;
  all->packs = true;
  return ask_all(self, all, pack_session{what.at_once, what.reason},
                 git_timeout);
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
