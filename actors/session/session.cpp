#include "actors/session/session.hpp"

#include "actors/base/error_boundary.hpp"
#include "messages/errors.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <exception>
#include <stdexcept>
#include <system_error>

namespace greenroom {

namespace event = session::event;

namespace {

// How long a deadline waits for the node's lease.
constexpr millis tick_again = 1'000;

// Bits: each actor that has the session raises its epoch.
constexpr int tickets_of_an_epoch = 32;

// What the machine lacks for a moment is no fault of the command's.
bool is_shortage(const std::string& reason) {
  for (auto lacking : {EAGAIN, EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT})
    if (reason.ends_with(std::generic_category().message(lacking)))
      return true;
  return false;
}

} // namespace

relayed_session_actor::behavior_type
session_actor_state::start(pointer self, context_ptr context,
                           session_args birth) {
  self_ = self;
  context_ = std::move(context);
  project_ = std::move(birth.project);
  supervisor_ = std::move(birth.supervisor);
  machine_ = session::first_state(
    std::move(birth.record),
    {context_->max_concurrent, context_->max_queued, context_->max_lifetime},
    project_.setup);
  machine_.creator = std::move(birth.by);
  machine_.leaving = birth.leaving;
  machine_.roams = context_->cluster != nullptr;
  turns_ = std::move(birth.turns);
  pending_.count_in(context_->overdue.get());
  pending_.begin_after(record().epoch << tickets_of_an_epoch);
  self_->set_down_handler([this](caf::down_msg& down) {
    unwatch(down.source);
    forget_edge(down.source);
  });
  journal_ =
    birth.channel ? std::move(birth.channel) : context_->journals->open(id());
  journal_->on_results([me = caf::weak_actor_ptr{self_->ctrl()}] {
    if (auto there = me.lock())
      caf::anon_send(caf::actor_cast<full_session_actor>(there),
                     journal_ready{});
  });
  if (birth.found)
    begin(*birth.found, birth.give_up, birth.noted);
  else
    post(journal::open{record(), false, machine_.bounds.max_finished});
  if (!is_live(record().status))
    check_soon();

  return make_behavior();
}

// A session whose files cannot be opened fails here, which counts as a crash.
void session_actor_state::begin(journal::opened& found, std::string give_up,
                                const std::vector<std::string>& noted) {
  if (give_up.empty() && found.past.removed)
    give_up = "somebody has removed its directory on node " + context_->node
              + "; what was not in the upstream went with it";
  try {
    if (found.problem)
      std::rethrow_exception(found.problem);
    take_over(found);
    if (found.moved)
      tell_moved();
    take_noted(noted);
  } catch (const std::exception& e) {
    // What is damaged stays so: one that is to end as failed has to end.
    if (give_up.empty())
      throw;
    spdlog::error("session {}: {}", id(), e.what());
  }
  if (give_up.empty())
    feed(event::begin{});
  else
    feed(event::give_up{give_up});
}

relayed_session_actor::behavior_type session_actor_state::make_behavior() {
  return {
    // -- its life
    [this](start_session x) { return take(x); },
    [this](get_session) {
      touch();
      return view();
    },
    [this](const extend_session& x) { return take(x); },
    [this](checkin_session& x) { return take(x); },
    [this](const terminate_session& x) { return take(x); },
    [this](const clock_tick& x) { tick(x.now); },
    [this](project_changed& x) { project_ = std::move(x.project); },
    [this](rescue_pushed& x) { return take(x); },
    [this](const drop_kept& x) { return take(x); },
    [](const crash_session&) {
      throw std::runtime_error("crash_session was sent");
    },
    // -- commands in it
    [this](start_exec& x) { return take(x); },
    [this](start_fed_exec& x) { return take(x); },
    [this](const get_exec& x) { return take(x); },
    [this](const list_execs& x) { return take(x); },
    [this](const cancel_exec& x) { return take(x); },
    [this](write_input& x) { return take(x); },
    [this](const resize_exec& x) { return take(x); },
    [this](const signal_exec& x) { return take(x); },
    // -- the ports that they listen on
    [this](const connect_port& x) { return take(x); },
    [this](const list_ports&) {
      return port_list{ports_, closed_ports_};
    },
    // -- git in it
    [this](const rotate_token& x) { return take(x); },
    [this](const open_transfer& x) { return take(x); },
    [this](const open_origin&) -> caf::result<transfer_grant> {
      if (record().status != session_status::active
          || machine_.why != session::ending::none)
        return make_error(errc::conflict, "the session is being ended");
      return transfer_grant{record(), project_};
    },
    [this](branch_pushed& x) {
      feed(event::pushed{std::move(x.old_commit), std::move(x.new_commit),
                         x.applied, std::move(x.by)});
    },
    [this](ask_git& x) { return take(x); },
    // -- its events
    [this](const watch_session& x) {
      touch();
      return watch(x);
    },
    [this](const unwatch_session& x) { unwatch(x.watcher.address()); },
    [this](const taken_events& x) { taken(x); },
    [this](read_events& x) { return take(x); },
    [this](read_timeline& x) { return take(x); },
    // -- what its runner says
    [this](const runner_up& x) { on_runner_up(x); },
    [this](const runner_down& x) { on_runner_down(x); },
    [this](const exec_started& x) {
      feed(event::exec_running{x.exec_id, x.time});
    },
    [this](const exec_refused& x) {
      feed(event::start_refused{
        x.exec_id,
        {is_shortage(x.reason) ? errc::overloaded : errc::bad_request,
         x.reason},
        now_ms()});
    },
    [this](const exec_grown& x) { on_grown(x); },
    [this](exec_ended& x) {
      feed(event::exec_exited{x.exec_id, x.records, std::move(x.outcome)});
    },
    [this](const input_written& x) { on_written(x); },
    [this](ports_changed& x) { on_ports(std::move(x.ports)); },
    [this](const port_connected& x) { on_connected(x); },
    // -- what it says to itself
    [this](const wait_over&) { end_waits(); },
    [this](const journal_ready&) { read_journal(); },
    [this](const retry_later&) { try_again(); },
    [this](const look_at_branch&) {
      look_armed_ = false;
      feed(event::look{});
    },
    [this](const check_idle&) { check(); },
    [this](const checkpoint_due& x) { save_checkpoint(x); },
    // -- what its supervisor says
    [this](const look_at_session&) { return rest(); },
    [this](const pack_session& x) { return take(x); },
    [this](const unpack_session&) { unpack(); },
  };
}

relayed_session_actor::behavior_type
session_body(session_actor_state::pointer self, context_ptr context,
             session_args birth) {
  // Its supervisor tells by the error what is a crash and what is not.
  self->set_exception_handler([self](std::exception_ptr& what) {
    self->state.crashed();
    return error_of_crash(what);
  });
  return self->state.start(self, std::move(context), std::move(birth));
}

// -- from message to machine and back -----------------------------------------

void session_actor_state::feed(session::any_event what) {
  inbox_.push_back(std::move(what));
  advance();
}

// Nothing expires while another node may have it.
void session_actor_state::tick(unix_ms now) {
  if (context_->may_acknowledge())
    feed(event::tick{now});
  else
    arm(now + tick_again);
}

// Inputs are applied one after the other, also those that come up while an
// effect is performed.
void session_actor_state::advance() {
  if (std::exchange(advancing_, true))
    return;
  while (!inbox_.empty()) {
    auto next = std::move(inbox_.front());
    inbox_.pop_front();
    auto known = machine_.unexpected;
    perform(session::apply(machine_, next));
    if (machine_.unexpected != known)
      spdlog::warn("session {} ({}): {} was not expected ({} such so far)",
                   id(), to_string(record().status), session::name_of(next),
                   machine_.unexpected);
  }
  advancing_ = false;
  report_load();
  pack_on();
}

// -- its end ------------------------------------------------------------------

// Not a quiet end: the supervisor has to look who owns the session now. All who
// wait are told to ask that one.
void session_actor_state::leave(const caf::error& why) {
  crashed();
  self_->quit(why);
}

void session_actor_state::check_soon() {
  if (!std::exchange(check_armed_, true))
    self_->delayed_send(self_, check_period, check_idle{});
}

// A request that stays without an answer is a bug, and is not to go unseen.
void session_actor_state::check_requests() {
  // A command may take its time to read what it is sent.
  auto may_wait = [this](const pending::request& what) {
    auto* input = std::get_if<pending::input>(&what);
    if (input == nullptr)
      return false;
    auto exec = machine_.execs.find(input->exec_id);
    return exec != machine_.execs.end() && !is_over(exec->second.status);
  };
  auto now = pending_requests::clock::now();
  for (auto& what : pending_.newly_overdue(now, may_wait))
    spdlog::error("session {} ({}): a request has no answer: {}", id(),
                  to_string(record().status), what);
}

// Goes when the session is over and nobody asks.
void session_actor_state::check() {
  check_armed_ = false;
  check_requests();
  auto live = is_live(record().status);
  auto idle =
    now_ms() - last_asked_ >= idle_time / std::chrono::milliseconds{1};
  auto written = appends_done_ == appends_asked_ && !stuck_;
  if (!live && idle && pending_.empty() && written)
    self_->quit();
  else if (!live || !pending_.empty())
    check_soon();
}

} // namespace greenroom
