#include "actors/session/session.hpp"

#include "actors/base/error_boundary.hpp"
#include "actors/project/review_machine.hpp"
#include "actors/runner_link/link.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/sha256.hpp"

#include <nlohmann/json.hpp>

#include <spdlog/spdlog.h>

#include <stdexcept>

namespace greenroom {

namespace in = session::in;

namespace {

constexpr std::chrono::seconds cancel_timeout{10};

} // namespace

session_core::behavior_type session_actor_state::start(pointer self,
                                                       context_ptr context,
                                                       session_args birth) {
  self_ = self;
  context_ = std::move(context);
  project_ = std::move(birth.project);
  supervisor_ = std::move(birth.supervisor);
  machine_.record = std::move(birth.record);
  machine_.bounds = {context_->max_concurrent, context_->max_queued,
                     context_->max_lifetime};
  dir_ = context_->session_dir(id());
  pending_.count_in(context_->overdue.get());
  self_->set_down_handler([this](caf::down_msg& down) {
    unwatch(down.source);
    forget_edge(down.source);
  });
  // A session that cannot be revived fails here, which counts as a crash.
  std::filesystem::create_directories(dir_ / "exec");
  timeline_.emplace(dir_);
  archive_.emplace(dir_);
  machine_.tip = record().base_commit;
  machine_.setup = project_.setup;
  if (birth.revived) {
    try {
      revive();
    } catch (const std::exception& e) {
      // What is damaged stays so: one that is to end as failed has to end.
      if (birth.give_up.empty())
        throw;
      spdlog::error("session {}: {}", id(), e.what());
    }
  }
  if (!birth.give_up.empty())
    feed(in::give_up{birth.give_up});
  else
    feed(in::begin{});
  if (!is_live(record().status))
    check_soon();

  return {
    // -- its life
    [this](start_session) -> caf::result<session_record> {
      auto promise = self_->make_response_promise<session_record>();
      feed(in::start_asked{ask(pending::created{promise}, actor_timeout)});
      return promise;
    },
    [this](get_session) {
      touch();
      return view();
    },
    [this](const extend_session& x) -> caf::result<session_view> {
      auto promise = self_->make_response_promise<session_view>();
      feed(in::extend_asked{ask(pending::extended{promise}), x.expires_in,
                            now_ms()});
      return promise;
    },
    [this](checkin_session& x) -> caf::result<checkin_reply> {
      if (record().status == session_status::active)
        if (auto why = review::fault(project_, x.skip_review, x.auto_merge))
          return to_error(*why);
      auto promise = self_->make_response_promise<checkin_reply>();
      feed(in::checkin_asked{ask(pending::checkin{promise}, actor_timeout),
                             std::move(x.by), std::move(x.commit_message),
                             x.skip_review, x.auto_merge, x.repeat});
      return promise;
    },
    [this](const terminate_session& x) -> caf::result<terminate_reply> {
      auto promise = self_->make_response_promise<terminate_reply>();
      feed(in::terminate_asked{
        ask(pending::termination{promise}, actor_timeout), x.repeat});
      return promise;
    },
    [this](const clock_tick& x) { feed(in::tick{x.now}); },
    [this](project_changed& x) { project_ = std::move(x.project); },
    [](const crash_session&) {
      throw std::runtime_error("crash_session was sent");
    },
    // -- commands in it
    [this](start_exec& x) -> caf::result<exec_view> {
      if (!backlog_.empty())
        return make_error(errc::unavailable,
                          "the server's disk takes no more events, try again "
                          "when there is room");
      if (x.spec.exec_id.empty())
        x.spec.exec_id = make_id();
      else if (auto problem = recall(x.spec.exec_id))
        return *problem;
      auto promise = self_->make_response_promise<exec_view>();
      std::chrono::milliseconds wait{x.wait};
      auto who = ask(pending::exec{promise, x.wait > 0}, ask_timeout + wait);
      if (x.wait > 0)
        self_->delayed_send(self_, wait, wait_over{who});
      feed(in::exec_asked{who, std::move(x.spec), now_ms()});
      return promise;
    },
    [this](const get_exec& x) -> caf::result<exec_view> {
      touch();
      if (auto problem = recall(x.exec_id))
        return *problem;
      auto found = machine_.execs.find(x.exec_id);
      if (found == machine_.execs.end())
        return make_error(errc::not_found, "exec not found");
      return exec_view{shared_text{to_text(json_of(found->second))},
                       is_over(found->second.status)};
    },
    [this](const list_execs& x) -> caf::result<exec_page> {
      touch();
      try {
        return page_of_execs(x);
      } catch (...) {
        return current_error("listing execs");
      }
    },
    [this](const cancel_exec& x) -> caf::result<exec_view> {
      if (auto problem = recall(x.exec_id))
        return *problem;
      auto promise = self_->make_response_promise<exec_view>();
      auto who = ask(pending::exec{promise});
      // One that takes its time to end is answered as it is then.
      self_->delayed_send(self_, cancel_timeout, wait_over{who});
      feed(in::cancel_asked{who, x.exec_id, now_ms()});
      return promise;
    },
    [this](write_input& x) -> caf::result<done> {
      if (auto problem = recall(x.exec_id))
        return *problem;
      auto promise = self_->make_response_promise<done>();
      in::input_asked asked{0, x.exec_id, x.data.size(), x.eof};
      asked.who = ask(pending::input{promise, std::move(x.exec_id),
                                     std::move(x.data), asked.size});
      feed(std::move(asked));
      return promise;
    },
    [this](const resize_exec& x) -> caf::result<done> {
      if (auto problem = recall(x.exec_id))
        return *problem;
      auto promise = self_->make_response_promise<done>();
      auto who = ask(pending::input{promise, x.exec_id, {}, 0, true});
      feed(in::resize_asked{who, x.exec_id, x.rows, x.cols});
      return promise;
    },
    [this](const signal_exec& x) -> caf::result<exec_view> {
      if (auto problem = recall(x.exec_id))
        return *problem;
      auto promise = self_->make_response_promise<exec_view>();
      feed(in::signal_asked{ask(pending::exec{promise}), x.exec_id, x.signal});
      return promise;
    },
    // -- the ports that they listen on
    [this](const connect_port& x) -> caf::result<port_connection> {
      auto promise = self_->make_response_promise<port_connection>();
      context_->runners->connect(id(), handle(),
                                 ask(pending::connection{promise}), x.port);
      return promise;
    },
    [this](const list_ports&) { return port_list{ports_}; },
    // -- git in it
    [this](const rotate_token&) -> caf::result<session_token> {
      auto promise = self_->make_response_promise<session_token>();
      auto secret = make_secret();
      auto hash = sha256_hex(secret);
      auto who = ask(pending::token{promise, std::move(secret)});
      feed(in::rotate_asked{who, std::move(hash)});
      return promise;
    },
    [this](const greenroom::open_transfer& x) -> caf::result<transfer_grant> {
      auto promise = self_->make_response_promise<transfer_grant>();
      auto who = ask(pending::transfer{promise, x.edge});
      feed(in::transfer_asked{who, x.token_hash});
      return promise;
    },
    [this](branch_pushed& x) {
      feed(in::pushed{std::move(x.old_commit), std::move(x.new_commit),
                      x.applied});
    },
    [this](ask_git& x) -> caf::result<git_answer> {
      touch();
      if (record().status != session_status::active
          && record().status != session_status::checking_in)
        return make_error(errc::bad_request, "session is not active");
      if (git_asks_ >= max_git_asks)
        return make_error(errc::overloaded,
                          "too many questions to git are being answered in "
                          "this session, try again");
      feed(in::look{});
      return ask_about_checkout(x);
    },
    // -- its events
    [this](const watch_session& x) {
      touch();
      return watch(x);
    },
    [this](const unwatch_session& x) { unwatch(x.watcher.address()); },
    [this](read_events& x) -> caf::result<event_batch> {
      touch();
      return self_->delegate(context_->logs,
                             read_session_events{id(), std::move(x)});
    },
    [this](read_timeline& x) -> caf::result<timeline_page> {
      touch();
      return self_->delegate(context_->logs,
                             read_session_timeline{id(), std::move(x)});
    },
    // -- what its runner says
    [this](const runner_up& x) { on_runner_up(x); },
    [this](const runner_down& x) { on_runner_down(x.reason); },
    [this](const exec_started& x) { on_started(x); },
    [this](const exec_refused& x) {
      on_refused(x.exec_id, {errc::bad_request, x.reason});
    },
    [this](const exec_grown& x) { on_grown(x); },
    [this](exec_ended& x) {
      on_ended(x.exec_id, x.records, std::move(x.outcome));
    },
    [this](const input_written& x) { on_written(x); },
    [this](ports_changed& x) { ports_ = std::move(x.ports); },
    [this](const port_connected& x) { on_connected(x); },
    // -- what it says to itself
    [this](const wait_over& x) { give_up_waiting(x.ticket); },
    [this](const continue_output& x) {
      if (auto found = live_.find(x.exec_id); found != live_.end())
        found->second.going_on = false;
      pump_output(x.exec_id);
    },
    [this](const retry_later&) { try_backlog(); },
    [this](const look_at_branch&) {
      look_armed_ = false;
      feed(in::look{});
    },
    [this](const check_idle&) { check(); },
  };
}

session_core::behavior_type session_body(session_actor_state::pointer self,
                                         context_ptr context,
                                         session_args birth) {
  // Its supervisor tells by the error what is a crash and what is not.
  self->set_exception_handler([self](std::exception_ptr& what) {
    self->state.crashed();
    return error_of_crash(what);
  });
  return self->state.start(self, std::move(context), std::move(birth));
}

// -- from message to machine and back -----------------------------------------

void session_actor_state::feed(session::input what) {
  inbox_.push_back(std::move(what));
  advance();
}

// Inputs are applied one after the other, also those that come up while an
// effect is performed.
void session_actor_state::advance() {
  if (std::exchange(advancing_, true))
    return;
  while (!inbox_.empty()) {
    auto next = std::move(inbox_.front());
    inbox_.pop_front();
    perform(session::apply(machine_, next));
  }
  advancing_ = false;
  if (!machine_.installing)
    checkout_is_there();
  report_load();
}

// -- who asks -----------------------------------------------------------------

session::ticket session_actor_state::ask(pending::request what,
                                         std::chrono::milliseconds timeout) {
  touch();
  check_soon();
  return pending_.add(std::move(what),
                      pending_requests::clock::now() + timeout);
}

void session_actor_state::refuse(session::ticket who, const refusal& why) {
  pending_.refuse(who, to_error(why));
}

// Not a quiet end: the supervisor has to look who owns the session now. All who
// wait are told to ask that one.
void session_actor_state::leave(const caf::error& why) {
  pending_.refuse_all(make_error(caf::exit_reason::unknown));
  self_->quit(why);
}

void session_actor_state::touch() {
  last_asked_ = now_ms();
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
  if (!live && idle && pending_.empty())
    self_->quit();
  else if (!live || !pending_.empty())
    check_soon();
}

} // namespace greenroom
