#include "actors/supervisor.hpp"

#include "actors/session/session.hpp"
#include "messages/errors.hpp"

#include <caf/actor_cast.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <memory>

namespace greenroom {

namespace {

using pointer = session_supervisor_full::stateful_pointer<supervisor_state>;
using child = supervisor_state::child;
using handle_promise = supervisor_state::handle_promise;

constexpr std::chrono::milliseconds tick_period{250};
constexpr std::chrono::milliseconds resource_pause{250};
// Of thousands that are due at once, as after a long stop, each writes to the
// store: what they have in flight together stays small so.
constexpr int max_due_at_once = 500; // a tick

caf::error no_such_session() {
  return make_error(errc::not_found, "session not found");
}

// -- a node that starts -------------------------------------------------------

void begun(pointer self, const std::string& id) {
  auto& state = self->state;
  if (state.not_begun.erase(id) == 0)
    return;
  if (state.not_begun.empty())
    spdlog::info("all live sessions are back");
  if (state.report)
    state.report(state.not_begun.size());
}

void revive_more(pointer self);

// A session answers once it has read its timeline and begun. One that crashes
// meanwhile comes here again with its next actor.
void await_begin(pointer self, const std::string& id,
                 const session_actor& handle) {
  ++self->state.reviving;
  self->request(handle, actor_timeout, get_session{})
    .then(
      [self, id](const session_view&) {
        --self->state.reviving;
        begun(self, id);
        revive_more(self);
      },
      [self, id, handle](const caf::error& e) {
        --self->state.reviving;
        if (e == caf::sec::request_timeout)
          await_begin(self, id, handle);
        else
          revive_more(self);
      });
}

session_actor spawn_child(pointer self, child& entry, session_args birth) {
  auto id = birth.record.id;
  entry.project_id = birth.record.project_id;
  if (auto found = self->state.projects.find(entry.project_id);
      found != self->state.projects.end())
    birth.project = found->second;
  birth.supervisor =
    caf::actor_cast<session_supervisor_actor>(session_supervisor_full{self});
  auto core = self->spawn(session_body, self->state.context, std::move(birth));
  self->monitor(core);
  self->state.ids[core.address()] = id;
  entry.handle = caf::actor_cast<session_actor>(core);
  entry.reviving = false;
  for (auto& promise : entry.waiting)
    promise.deliver(entry.handle);
  entry.waiting.clear();
  if (self->state.not_begun.contains(id))
    await_begin(self, id, entry.handle);
  return entry.handle;
}

// A few at a time: each reads its whole timeline.
void revive_more(pointer self) {
  auto& state = self->state;
  while (state.reviving < max_reviving && !state.to_revive.empty()) {
    session_args birth;
    birth.record = std::move(state.to_revive.front());
    birth.revived = true;
    state.to_revive.pop_front();
    auto found = state.children.find(birth.record.id);
    if (found != state.children.end() && !found->second.handle)
      spawn_child(self, found->second, std::move(birth));
  }
}

void set_deadline(supervisor_state& state, const std::string& id, child& entry,
                  unix_ms at) {
  if (entry.deadline != 0)
    state.deadlines.erase({entry.deadline, id});
  entry.deadline = at;
  if (at != 0)
    state.deadlines.emplace(at, id);
}

void forget(pointer self, const std::string& id, const caf::error& why) {
  auto& state = self->state;
  begun(self, id);
  auto found = state.children.find(id);
  if (found == state.children.end())
    return;
  set_deadline(state, id, found->second, 0);
  for (auto& promise : found->second.waiting)
    promise.deliver(why);
  state.children.erase(found);
}

// Takes the session in the store and gives it a new actor. Where the store
// does not answer it is asked again: an outage must not end a session.
void revive(pointer self, const std::string& id) {
  self->state.children[id].reviving = true;
  auto retry = [self, id](const caf::error& e) {
    spdlog::error("session {} cannot be revived yet: {}", id,
                  to_refusal(e).message);
    self->delayed_send(self, std::chrono::seconds{1}, revive_session{id});
  };
  self->request(self->state.context->store, store_timeout, take_session{id})
    .then(
      [self, id](session_record& record) {
        auto found = self->state.children.find(id);
        if (found == self->state.children.end())
          return;
        session_args birth;
        birth.record = std::move(record);
        birth.revived = true;
        auto crashes = found->second.crashes.size();
        if (crashes > crash_limit) {
          begun(self, id); // the node does not wait for what may never end
          birth.give_up = "the session's actor crashed "
                          + std::to_string(crashes) + " times within a minute";
        }
        spawn_child(self, found->second, std::move(birth));
        spdlog::info("session {} revived after crash {}", id, crashes);
      },
      [self, id, retry](caf::error& e) {
        if (to_refusal(e).code == errc::not_found)
          forget(self, id, e);
        else
          retry(e);
      });
}

void child_down(pointer self, const caf::down_msg& down) {
  auto known = self->state.ids.find(down.source);
  if (known == self->state.ids.end())
    return;
  auto id = std::move(known->second);
  self->state.ids.erase(known);
  auto found = self->state.children.find(id);
  if (found == self->state.children.end())
    return;
  auto& entry = found->second;
  if (!entry.handle || entry.handle.address() != down.source)
    return; // another one has taken its place
  entry.handle = session_actor{};
  entry.running_execs = 0;
  entry.reviving = true; // nobody else is to do it during the pause
  if (!down.reason || down.reason == caf::exit_reason::normal
      || down.reason == caf::exit_reason::user_shutdown) {
    // Over and idle, or the node stops. Who asked in between asks the store.
    auto waiting = std::move(entry.waiting);
    forget(self, id, no_such_session());
    for (auto& promise : waiting)
      promise.deliver(make_error(errc::unavailable,
                                 "the session was put to rest, try again"));
    return;
  }
  // What the machine lacks for a while is no fault of the session.
  if (to_refusal(down.reason).code == errc::overloaded) {
    spdlog::error("session {} waits: {}", id, to_refusal(down.reason).message);
    self->delayed_send(self, resource_pause, revive_session{id});
    return;
  }
  auto now = now_ms();
  entry.crashes.push_back(now);
  while (now - entry.crashes.front() > crash_window)
    entry.crashes.pop_front();
  auto shift = std::min<std::size_t>(entry.crashes.size() - 1, 6);
  auto pause = std::chrono::milliseconds{first_pause << shift};
  spdlog::error("session {} crashed ({} times within a minute), reviving it "
                "in {} ms: {}",
                id, entry.crashes.size(), pause.count(),
                to_refusal(down.reason).message);
  self->delayed_send(self, pause, revive_session{id});
}

void wait_for_actor(child& entry, handle_promise promise) {
  if (entry.waiting.size() < max_waiting)
    entry.waiting.push_back(std::move(promise));
  else
    promise.deliver(make_error(errc::overloaded,
                               "too many requests wait for this session to "
                               "come back, try again"));
}

void find(pointer self, const find_session& request, handle_promise promise) {
  auto& children = self->state.children;
  if (auto found = children.find(request.session_id); found != children.end()) {
    auto& entry = found->second;
    if (!request.project_id.empty() && entry.project_id != request.project_id)
      promise.deliver(no_such_session());
    else if (entry.handle)
      promise.deliver(entry.handle);
    else
      wait_for_actor(entry, std::move(promise));
    return;
  }
  // Not awake: it is over, or nobody's. One that is over answers from its log.
  self
    ->request(self->state.context->reader, look_up_timeout,
              load_session{request.session_id})
    .then(
      [self, request, promise](session_record& record) mutable {
        if (!request.project_id.empty()
            && record.project_id != request.project_id) {
          promise.deliver(no_such_session());
          return;
        }
        auto& entry = self->state.children[record.id];
        if (entry.handle) {
          promise.deliver(entry.handle);
          return;
        }
        auto id = record.id;
        auto live = is_live(record.status);
        entry.project_id = record.project_id;
        wait_for_actor(entry, std::move(promise));
        if (live) {
          if (!entry.reviving) // else somebody else has asked before
            revive(self, id);
          return;
        }
        session_args birth;
        birth.record = std::move(record);
        birth.revived = true;
        spawn_child(self, entry, std::move(birth));
      },
      [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
}

// What was stored a moment ago may still be on its way to us.
void look_for_stranded(pointer self, unix_ms now) {
  auto adopt = [self, now](session_rows& rows) {
    auto& state = self->state;
    for (auto& row : rows.sessions) {
      if (row.node != state.context->node || row.created_at > now - look_period
          || state.children.contains(row.id))
        continue;
      spdlog::warn("session {} has no actor, giving it one", row.id);
      state.children[row.id].project_id = row.project_id;
      revive(self, row.id);
    }
  };
  for (auto& [id, rules] : self->state.projects)
    self
      ->request(self->state.context->reader, look_up_timeout, live_sessions{id})
      .then(adopt, [](const caf::error& e) {
        spdlog::warn("live sessions cannot be looked at: {}",
                     to_refusal(e).message);
      });
}

void start_sweep(pointer self);

void tick(pointer self, unix_ms now) {
  auto& state = self->state;
  if (state.next_sweep != 0 && state.next_sweep <= now) {
    state.next_sweep = now + sweep_period;
    start_sweep(self);
  }
  if (state.next_look != 0 && state.next_look <= now) {
    state.next_look = now + look_period;
    look_for_stranded(self, now);
  }
  for (int sent = 0; sent < max_due_at_once && !state.deadlines.empty()
                     && state.deadlines.begin()->first <= now;
       ++sent) {
    auto id = state.deadlines.begin()->second;
    auto& entry = state.children.at(id);
    set_deadline(state, id, entry, 0);
    if (entry.handle)
      self->send(entry.handle, clock_tick{now});
  }
}

// Sessions that are over but whose end a crash cut short: their work is saved
// once more, which does no harm, and their checkout goes.
void sweep(pointer self, std::shared_ptr<std::vector<std::string>> left) {
  if (left->empty()) {
    self->state.sweeping = false;
    return;
  }
  auto id = std::move(left->back());
  left->pop_back();
  auto next = [self, left] { sweep(self, left); };
  auto skip = [id, next](const caf::error& e) {
    spdlog::warn("session {}: its checkout stays: {}", id,
                 to_refusal(e).message);
    next();
  };
  auto remove = [self, id, next, skip](const saved_rescue&) {
    self->request(self->state.context->git, git_timeout, remove_checkout{id})
      .then([next](done) { next(); }, skip);
  };
  // Reviews have theirs at the same place.
  auto is_review = [self, id, next, skip, remove](const caf::error& e) {
    if (to_refusal(e).code != errc::not_found) {
      skip(e);
      return;
    }
    self
      ->request(self->state.context->reader, look_up_timeout,
                load_review{{}, id})
      .then(
        [next, remove](const review_record& review) {
          if (review.ended_at == 0)
            next(); // it is being run anew
          else
            remove(saved_rescue{});
        },
        skip);
  };
  self->request(self->state.context->reader, look_up_timeout, load_session{id})
    .then(
      [self, next, skip, remove](session_record& record) {
        auto project = self->state.projects.find(record.project_id);
        if (is_live(record.status) || project == self->state.projects.end()) {
          next();
          return;
        }
        self
          ->request(self->state.context->git, git_timeout,
                    save_rescue{project->second, std::move(record)})
          .then(remove, skip);
      },
      is_review);
}

void start_sweep(pointer self) {
  namespace fs = std::filesystem;
  if (std::exchange(self->state.sweeping, true))
    return;
  auto left = std::make_shared<std::vector<std::string>>();
  std::error_code none;
  for (auto& entry :
       fs::directory_iterator{self->state.context->data_dir / "sessions", none})
    if (auto id = entry.path().filename().string();
        !self->state.children.contains(id))
      for (auto name : {"checkout", "checkout.removed", "checkout.partial",
                        "home", "tmp", "runner.json"})
        if (fs::exists(fs::symlink_status(entry.path() / name, none))) {
          left->push_back(std::move(id));
          break;
        }
  sweep(self, std::move(left));
}

void reconcile_all(pointer self,
                   caf::typed_response_promise<reconciled> promise) {
  self
    ->request(self->state.context->store, std::chrono::minutes{2},
              take_live_sessions{})
    .then(
      [self, promise](session_rows& rows) mutable {
        auto& state = self->state;
        auto count = static_cast<std::uint32_t>(rows.sessions.size());
        for (auto& record : rows.sessions) {
          auto& entry = state.children[record.id];
          if (entry.handle || std::exchange(entry.reviving, true))
            continue;
          entry.project_id = record.project_id;
          state.not_begun.insert(record.id);
          state.to_revive.push_back(std::move(record));
        }
        if (state.report)
          state.report(state.not_begun.size());
        revive_more(self);
        promise.deliver(reconciled{count});
        state.next_look = now_ms() + look_period;
        state.next_sweep = now_ms() + sweep_period;
        start_sweep(self);
      },
      [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
}

} // namespace

supervisor_state::~supervisor_state() {
  for (auto& [id, entry] : children)
    if (entry.handle)
      caf::anon_send_exit(entry.handle, caf::exit_reason::user_shutdown);
}

session_supervisor_full::behavior_type
session_supervisor(pointer self, context_ptr context,
                   std::vector<project_record> projects,
                   revival_report report) {
  self->state.context = std::move(context);
  self->state.report = std::move(report);
  for (auto& project : projects)
    self->state.projects[project.id] = std::move(project);
  self->set_down_handler(
    [self](caf::down_msg& down) { child_down(self, down); });
  self->delayed_send(self, tick_period, clock_tick{});
  return {
    [self](launch_session& request) -> caf::result<session_actor> {
      self->state.projects[request.project.id] = std::move(request.project);
      auto [place, fresh] =
        self->state.children.try_emplace(request.session.id);
      auto& entry = place->second;
      if (!fresh) {
        // Somebody found it in the store and asked for it before us.
        if (entry.handle)
          return entry.handle;
        entry.waiting.push_back(self->make_response_promise<session_actor>());
        return entry.waiting.back();
      }
      session_args birth;
      birth.record = std::move(request.session);
      return spawn_child(self, entry, std::move(birth));
    },
    [self](find_session& request) -> caf::result<session_actor> {
      auto promise = self->make_response_promise<session_actor>();
      find(self, request, promise);
      return promise;
    },
    [self](reconcile) -> caf::result<reconciled> {
      auto promise = self->make_response_promise<reconciled>();
      reconcile_all(self, promise);
      return promise;
    },
    [self](const get_loads& request) {
      session_loads result;
      for (auto& id : request.session_ids) {
        auto found = self->state.children.find(id);
        result.running_execs.push_back(found == self->state.children.end()
                                         ? 0
                                         : found->second.running_execs);
      }
      return result;
    },
    [self](const session_load& load) {
      if (auto found = self->state.children.find(load.session_id);
          found != self->state.children.end())
        found->second.running_execs = load.running_execs;
    },
    [self](const arm_deadline& request) {
      if (auto found = self->state.children.find(request.session_id);
          found != self->state.children.end())
        set_deadline(self->state, request.session_id, found->second,
                     request.at);
    },
    [self](const project_changed& change) {
      self->state.projects[change.project.id] = change.project;
      for (auto& [id, entry] : self->state.children)
        if (entry.handle && entry.project_id == change.project.id)
          self->send(entry.handle, change);
    },
    [self](const drop_project& gone) {
      self->state.projects.erase(gone.project_id);
    },
    [self](const clock_tick& now) {
      // From itself it carries no time: the clock is read here, in one place.
      tick(self, now.now != 0 ? now.now : now_ms());
      if (now.now == 0)
        self->delayed_send(self, tick_period, clock_tick{});
    },
    [self](const revive_session& request) { revive(self, request.session_id); },
  };
}

} // namespace greenroom
