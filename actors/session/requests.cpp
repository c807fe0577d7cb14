// What is asked of the session: each request gets a ticket and goes to the
// machine, or is answered at once.
#include "actors/session/session.hpp"

#include "actors/project/review_machine.hpp"
#include "actors/runner_link/runners.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "messages/left_work.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/sha256.hpp"

#include <nlohmann/json.hpp>

#include <optional>

namespace greenroom {

namespace event = session::event;

namespace {

constexpr std::chrono::seconds cancel_timeout{10};
constexpr std::chrono::seconds end_timeout{25};
// A little less than the edge waits (http/base/options.hpp).
constexpr std::chrono::seconds checkin_end_timeout{100};

// The project's setup, where the session is to run it and that is not written
// down yet: queued.
std::optional<exec_record> setup_to_come(const session::state& s,
                                         const std::string& exec_id) {
  if (exec_id != session::setup_exec || s.setup.empty()
      || (s.record.status != session_status::creating && !s.setup_waits
          && !s.keeping.contains(exec_id)))
    return std::nullopt;
  exec_record exec;
  exec.spec.exec_id = exec_id;
  exec.spec.command = s.setup;
  exec.created_at = s.record.created_at;
  return exec;
}

} // namespace

caf::result<session_record> session_actor_state::take(start_session) {
  auto promise = self_->make_response_promise<session_record>();
  feed(event::start_asked{ask(pending::created{promise}, actor_timeout)});
  return promise;
}

caf::result<session_view> session_actor_state::take(const extend_session& x) {
  auto promise = self_->make_response_promise<session_view>();
  feed(event::extend_asked{ask(pending::extended{promise}), x.expires_in,
                           now_ms(), x.by});
  return promise;
}

caf::result<checkin_reply> session_actor_state::take(checkin_session& x) {
  if (!context_->may_acknowledge())
    return to_error(not_begun);
  if (record().status == session_status::active)
    if (auto why = review::fault(project_, x.skip_review, x.auto_merge))
      return to_error(*why);
  auto promise = self_->make_response_promise<checkin_reply>();
  auto who = ask(pending::checkin{promise}, actor_timeout);
  // Large files may take longer than clients wait.
  end_wait_in(checkin_end_timeout, who);
  feed(event::checkin_asked{who, std::move(x.by), std::move(x.commit_message),
                            x.skip_review, x.auto_merge, x.repeat});
  return promise;
}

caf::result<terminate_reply>
session_actor_state::take(const terminate_session& x) {
  if (!context_->may_acknowledge())
    return to_error(not_begun);
  auto promise = self_->make_response_promise<terminate_reply>();
  auto who = ask(pending::termination{promise}, actor_timeout);
  // Who asks for an end hears in any case how far it is.
  end_wait_in(end_timeout, who);
  feed(event::terminate_asked{who, x.repeat, x.by, now_ms()});
  return promise;
}

caf::result<done> session_actor_state::take(rescue_pushed& x) {
  auto promise = self_->make_response_promise<done>();
  feed(event::rescue_pushed{ask(pending::noted{promise}), std::move(x.note)});
  return promise;
}

caf::result<done> session_actor_state::take(const drop_kept&) {
  touch();
  if (is_live(record().status))
    return make_error(errc::conflict,
                      "the session is live: what it has on disk is in use; "
                      "have it ended first");
  if (context_->cluster && record().node != context_->node
      && names_left_work(record()))
    return drop_kept_elsewhere();
  return self_->delegate(context_->git, greenroom::remove_checkout{id()});
}

// Another node had it when it ended; or this one, under another name. Of one
// that is there is asked at the edge, which finds it.
caf::result<done> session_actor_state::drop_kept_elsewhere() {
  auto promise = self_->make_response_promise<done>();
  auto failed = [promise](caf::error& why) mutable {
    promise.deliver(std::move(why));
  };
  self_->request(context_->git, git_timeout, measure_kept{project_, {id()}})
    .then(
      [this, promise, failed](const kept_files_list& here) mutable {
        if (here.sessions.empty())
          promise.deliver(
            make_error(errc::conflict,
                       "what is kept lies on the disk of node " + record().node
                         + ", where the session has ended and which is not "
                           "there: remove it there by hand, in sessions/"
                         + id()
                         + " of its data directory; if that disk is gone, "
                           "nothing is left to be removed"));
        else
          self_
            ->request(context_->git, git_timeout,
                      greenroom::remove_checkout{id()})
            .then([promise](done) mutable { promise.deliver(done{}); }, failed);
      },
      failed);
  return promise;
}

// -- commands -----------------------------------------------------------------

caf::result<exec_view> session_actor_state::take(start_exec& x) {
  return begin_exec(x, {});
}

caf::result<exec_view> session_actor_state::take(start_fed_exec& x) {
  start_exec plain{std::move(x.by), std::move(x.spec), x.wait};
  plain.spec.first_input = std::move(x.input_hash);
  plain.spec.input_ends = x.input_ends;
  return begin_exec(plain, std::move(x.input));
}

caf::result<exec_view> session_actor_state::begin_exec(start_exec& x,
                                                       shared_text input) {
  if (stuck_)
    return make_error(errc::unavailable,
                      "the server's disk takes no more events, try again "
                      "when there is room");
  auto named = !x.spec.exec_id.empty();
  if (!named)
    x.spec.exec_id = make_id();
  auto promise = self_->make_response_promise<exec_view>();
  std::chrono::milliseconds wait{x.wait};
  auto who = ask(pending::exec{promise, wait}, ask_timeout + wait);
  if (x.wait > 0)
    end_wait_in(wait, who);
  auto until_end = x.wait > 0;
  if (!named) {
    if (admits(who, x.spec.exec_id, x.by))
      feed(event::exec_asked{who, std::move(x.spec), now_ms(), until_end,
                             std::move(x.by), std::move(input)});
    return promise;
  }
  auto exec_id = x.spec.exec_id;
  // The wait may be over before it is found, and is not announced again.
  with_exec(exec_id, who,
            [this, who, spec = std::move(x.spec), until_end,
             end = std::chrono::steady_clock::now() + wait,
             by = std::move(x.by), input = std::move(input)]() mutable {
              auto waits = until_end && std::chrono::steady_clock::now() < end;
              if (admits(who, spec.exec_id, by))
                feed(event::exec_asked{who, std::move(spec), now_ms(), waits,
                                       std::move(by), std::move(input)});
            });
  return promise;
}

caf::result<exec_view> session_actor_state::take(const get_exec& x) {
  auto promise = self_->make_response_promise<exec_view>();
  auto who = ask(pending::exec{promise});
  with_exec(x.exec_id, who, [this, who, exec_id = x.exec_id] {
    auto deliver = [&](const exec_record& exec) {
      if (auto asked = pending_.take<pending::exec>(who))
        asked->promise.deliver(
          exec_view{shared_text{to_text(json_of(exec))}, is_over(exec.status)});
    };
    auto found = machine_.execs.find(exec_id);
    auto to_come = setup_to_come(machine_, exec_id);
    if (found != machine_.execs.end())
      deliver(found->second);
    else if (to_come)
      deliver(*to_come);
    else
      refuse(who, {errc::not_found, "exec not found"});
  });
  return promise;
}

caf::result<exec_page> session_actor_state::take(const list_execs& x) {
  auto promise = self_->make_response_promise<exec_page>();
  list_page(ask(pending::page{promise, x}), x);
  return promise;
}

caf::result<exec_view> session_actor_state::take(const cancel_exec& x) {
  auto promise = self_->make_response_promise<exec_view>();
  auto who = ask(pending::exec{promise});
  // One that takes its time to end is answered as it is then.
  end_wait_in(cancel_timeout, who);
  with_exec(x.exec_id, who, [this, who, exec_id = x.exec_id, by = x.by] {
    feed(event::cancel_asked{who, exec_id, now_ms(), by});
  });
  return promise;
}

caf::result<done> session_actor_state::take(write_input& x) {
  auto promise = self_->make_response_promise<done>();
  event::input_asked asked{0, x.exec_id, x.data.size(), x.eof};
  asked.who = ask(pending::input{promise, x.exec_id, std::move(x.data)});
  with_exec(x.exec_id, asked.who, [this, asked] { feed(asked); });
  return promise;
}

caf::result<done> session_actor_state::take(const resize_exec& x) {
  auto promise = self_->make_response_promise<done>();
  auto who = ask(pending::input{promise, x.exec_id, {}});
  with_exec(x.exec_id, who,
            [this, asked = event::resize_asked{who, x.exec_id, x.rows,
                                               x.cols}] { feed(asked); });
  return promise;
}

caf::result<exec_view> session_actor_state::take(const signal_exec& x) {
  auto promise = self_->make_response_promise<exec_view>();
  auto who = ask(pending::exec{promise});
  with_exec(x.exec_id, who,
            [this, asked = event::signal_asked{who, x.exec_id, x.signal,
                                               x.by}] { feed(asked); });
  return promise;
}

caf::result<port_connection> session_actor_state::take(const connect_port& x) {
  auto promise = self_->make_response_promise<port_connection>();
  context_->runners->connect(id(), handle(), ask(pending::connection{promise}),
                             x.port);
  return promise;
}

caf::result<session_token> session_actor_state::take(const rotate_token&) {
  auto promise = self_->make_response_promise<session_token>();
  auto secret = make_secret();
  auto hash = sha256_hex(secret);
  auto who = ask(pending::token{promise, std::move(secret)});
  feed(event::rotate_asked{who, std::move(hash)});
  return promise;
}

caf::result<transfer_grant> session_actor_state::take(const open_transfer& x) {
  auto promise = self_->make_response_promise<transfer_grant>();
  auto who = ask(pending::transfer{promise, x.edge});
  feed(event::transfer_asked{who, x.token_hash});
  return promise;
}

caf::result<git_answer> session_actor_state::take(ask_git& x) {
  auto promise = self_->make_response_promise<git_answer>();
  // As long as git is waited for: it cannot be called back.
  feed(event::question_asked{
    ask(pending::question{promise, std::move(x)}, git_timeout)});
  return promise;
}

caf::result<event_batch> session_actor_state::take(read_events& x) {
  touch();
  return self_->delegate(context_->logs,
                         read_session_events{id(), std::move(x)});
}

caf::result<timeline_page> session_actor_state::take(read_timeline& x) {
  touch();
  return self_->delegate(context_->logs,
                         read_session_timeline{id(), std::move(x)});
}

// -- tickets ------------------------------------------------------------------

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

void session_actor_state::touch() {
  last_asked_ = now_ms();
}

} // namespace greenroom
