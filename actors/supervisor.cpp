#include "actors/supervisor_parts.hpp"

#include "messages/errors.hpp"

#include <caf/send.hpp>

#include <utility>

namespace greenroom {

namespace {

using supervisor::child;
using supervisor::handle_promise;
using supervisor::pointer;

constexpr std::chrono::milliseconds tick_period{250};
// Of thousands that are due at once, as after a long stop, each writes to the
// store: what they have in flight together stays small so.
constexpr int max_due_at_once = 500; // a tick

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
      promise.deliver(supervisor::no_such_session());
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
          promise.deliver(supervisor::no_such_session());
          return;
        }
        auto live = is_live(record.status);
        if (live && supervisor::is_elsewhere(self->state, record)) {
          promise.deliver(supervisor::moved_away());
          return;
        }
        auto& entry = self->state.children[record.id];
        if (entry.handle) {
          promise.deliver(entry.handle);
          return;
        }
        auto id = record.id;
        entry.project_id = record.project_id;
        wait_for_actor(entry, std::move(promise));
        if (entry.reviving)
          return; // somebody else has asked before
        if (live) {
          supervisor::revive(self, id);
          return;
        }
        session_args birth;
        birth.record = std::move(record);
        supervisor::recover_child(self, entry, std::move(birth));
      },
      [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
}

caf::result<session_actor> launch(pointer self, launch_session& request) {
  auto& state = self->state;
  if (state.packed.contains(request.project.id))
    return make_error(errc::unavailable,
                      "the project is being moved to another node, try "
                      "again in a moment");
  state.projects[request.project.id] = std::move(request.project);
  auto [place, fresh] = state.children.try_emplace(request.session.id);
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
  birth.by = std::move(request.by);
  return supervisor::spawn_child(self, entry, std::move(birth));
}

session_loads loads_of(const supervisor_state& state,
                       const get_loads& request) {
  session_loads result;
  for (auto& id : request.session_ids)
    result.running_execs.push_back(state.context->loads->running_in(id));
  return result;
}

supervisor_load total_load(pointer self) {
  supervisor_load result;
  for (auto& [id, entry] : self->state.children)
    result.actors += entry.handle ? 1 : 0;
  result.running_execs = self->state.context->loads->running();
  result.mailbox = self->mailbox().count();
  return result;
}

void arm(supervisor_state& state, const arm_deadline& request) {
  if (auto found = state.children.find(request.session_id);
      found != state.children.end())
    supervisor::set_deadline(state, request.session_id, found->second,
                             request.at);
}

void take_rules(pointer self, const project_changed& change) {
  auto& known = self->state.projects[change.project.id];
  if (known.incarnation != change.project.incarnation)
    supervisor::retire_children(self, change.project.id);
  known = change.project;
  for (auto& [id, entry] : self->state.children)
    if (entry.handle && entry.project_id == change.project.id)
      self->send(entry.handle, change);
}

void tick(pointer self, unix_ms now) {
  auto& state = self->state;
  supervisor::sweep_if_due(self, now);
  if (state.next_look != 0 && state.next_look <= now) {
    state.next_look = now + look_period;
    supervisor::look_for_stranded(self, now);
  }
  if (!state.unseen.empty() && state.look_again <= now)
    supervisor::look_again(self);
  for (int sent = 0; sent < max_due_at_once && !state.deadlines.empty()
                     && state.deadlines.begin()->first <= now;
       ++sent) {
    auto id = state.deadlines.begin()->second;
    auto& entry = state.children.at(id);
    supervisor::set_deadline(state, id, entry, 0);
    if (entry.handle)
      self->send(entry.handle, clock_tick{now});
  }
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
    [self](caf::down_msg& down) { supervisor::child_down(self, down); });
  self->delayed_send(self, tick_period, clock_tick{});
  return {
    [self](launch_session& request) { return launch(self, request); },
    [self](find_session& request) {
      auto promise = self->make_response_promise<session_actor>();
      find(self, request, promise);
      return promise;
    },
    [self](reconcile) {
      auto promise = self->make_response_promise<reconciled>();
      supervisor::reconcile_all(self, promise);
      return promise;
    },
    [self](const get_loads& x) { return loads_of(self->state, x); },
    [self](get_load) { return total_load(self); },
    [self](const arm_deadline& x) { arm(self->state, x); },
    [self](const project_changed& x) { take_rules(self, x); },
    [self](const drop_project& gone) {
      supervisor::retire_children(self, gone.project_id);
      self->state.projects.erase(gone.project_id);
    },
    [self](const adopt_project& x) { supervisor::adopt(self, x.project); },
    [self](const release_project& x) {
      supervisor::release(self, x.project_id);
      return done{};
    },
    [self](stop_all_runners) { supervisor::stop_runners(self); },
    [self](const look_at_sessions& x) {
      return supervisor::look_at(self, x.project_id);
    },
    [self](const pack_project& x) { return supervisor::pack(self, x); },
    [self](const unpack_project& x) { supervisor::unpack(self, x.project_id); },
    [self](const clock_tick& now) {
      // From itself it carries no time: the clock is read here, in one place.
      tick(self, now.now != 0 ? now.now : now_ms());
      if (now.now == 0)
        self->delayed_send(self, tick_period, clock_tick{});
    },
    [self](const revive_session& request) {
      // It may have gone with its project during the pause.
      auto found = self->state.children.find(request.session_id);
      if (found != self->state.children.end() && !found->second.handle)
        supervisor::revive(self, request.session_id);
    },
    [self](const session_recovered& x) {
      supervisor::child_recovered(self, x.session_id);
    },
  };
}

} // namespace greenroom
