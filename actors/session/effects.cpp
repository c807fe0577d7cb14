// Performs what the machine decides.
#include "actors/session/kept_work.hpp"
#include "actors/session/session.hpp"

#include "messages/errors.hpp"
#include "messages/uncertain.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <list>
#include <type_traits>
#include <variant>

namespace greenroom {

namespace event = session::event;
namespace effect = session::effect;

// One line an effect. What has no line here does not compile.
struct session_actor_state::performer {
  session_actor_state& s;

  void operator()(const effect::begin_checkout&) const {
    s.make_checkout();
  }
  void operator()(const effect::finish_checkout&) const {
    s.install_checkout();
  }
  void operator()(const effect::await_turn& x) const {
    s.await_turn(x.urgent);
  }
  void operator()(const effect::end_turn&) const {
    s.turn_.reset();
  }
  void operator()(const effect::pause_restore& x) const {
    s.pause_restore(std::chrono::milliseconds{x.pause});
  }
  void operator()(const effect::limit_wait& x) const {
    s.limit_wait(x.who);
  }
  void operator()(const effect::start_runner&) const {
    s.start_runner();
  }
  void operator()(const effect::find_runner&) const {
    s.find_runner();
  }
  void operator()(const effect::stop_runner&) const {
    s.stop_runner();
  }
  void operator()(const effect::begin_checkin& x) const {
    s.once_owned(x, [&s = s] { s.save_checkin(); });
  }
  void operator()(const effect::begin_rescue& x) const {
    s.once_owned(x, [&s = s] { s.save_rescue(); });
  }
  void operator()(const effect::request_review&) const {
    s.queue_review();
  }
  void operator()(const effect::end_transfers&) const {
    s.end_transfers();
  }
  void operator()(const effect::discard_checkout&) const {
    s.remove_checkout();
  }
  void operator()(const effect::over&) const {
    s.arm(0);
    s.check_soon();
  }
  void operator()(const effect::arm& x) const {
    s.arm(x.at);
  }
  void operator()(const effect::persist& x) const {
    s.persist(x);
  }
  void operator()(const effect::publish_stored&) const {
    s.publish_stored();
  }
  void operator()(const effect::publish& x) const {
    s.publish(x);
  }
  void operator()(const effect::publish_exec& x) const {
    s.publish_exec(x.kind, x.exec_id);
  }
  void operator()(const effect::run_setup& x) const {
    s.run_setup(x);
  }
  void operator()(const effect::keep_exec& x) const {
    s.keep_exec(x);
  }
  void operator()(const effect::spawn_exec& x) const {
    s.spawn_exec(x.exec_id);
  }
  void operator()(const effect::kill_exec& x) const {
    s.kill_exec(x.exec_id);
  }
  void operator()(const effect::settle_exec& x) const {
    s.settle_exec(x.exec_id, x.reason);
  }
  void operator()(const effect::finish_output& x) const {
    s.finish_output(x);
  }
  void operator()(const effect::pass_signal& x) const {
    s.pass_signal(x);
  }
  void operator()(const effect::pass_input& x) const {
    s.pass_input(x);
  }
  void operator()(const effect::pass_resize& x) const {
    s.pass_resize(x);
  }
  void operator()(const effect::archive_exec& x) const {
    s.archive(x.exec_id);
  }
  void operator()(const effect::read_branch&) const {
    s.poll_branch();
  }
  void operator()(const effect::answer_refused& x) const {
    s.refuse(x.who, x.why);
  }
  void operator()(const effect::answer_session& x) const {
    s.answer_session(x.who);
  }
  void operator()(const effect::answer_exec& x) const {
    s.answer_exec(x);
  }
  void operator()(const effect::answer_input& x) const {
    s.answer_input(x.who);
  }
  void operator()(const effect::answer_question& x) const {
    s.answer_question(x.who);
  }
  void operator()(const effect::answer_checkin& x) const {
    s.answer_checkin(x.who);
  }
  void operator()(const effect::answer_token& x) const {
    s.answer_token(x.who);
  }
  void operator()(const effect::answer_transfer& x) const {
    s.answer_transfer(x.who);
  }
  void operator()(const effect::answer_terminated& x) const {
    s.answer_terminated(x.who);
  }
  void operator()(const effect::answer_noted& x) const {
    s.answer_noted(x.who);
  }
};

namespace {

// Answers that promise what has been published.
bool is_promise(const session::any_effect& what) {
  return std::holds_alternative<effect::answer_session>(what)
         || std::holds_alternative<effect::answer_exec>(what)
         || std::holds_alternative<effect::answer_checkin>(what)
         || std::holds_alternative<effect::answer_token>(what)
         || std::holds_alternative<effect::answer_terminated>(what)
         || std::holds_alternative<effect::answer_refused>(what);
}

using telling = std::variant<effect::answer_session, effect::answer_exec,
                             effect::answer_input, effect::answer_checkin,
                             effect::answer_token, effect::answer_transfer,
                             effect::answer_terminated, effect::answer_noted>;

// Whom it tells that something is so; 0: nobody.
session::ticket told(const session::any_effect& what) noexcept {
  return std::visit(
    [](const auto& x) -> session::ticket {
      if constexpr (std::is_constructible_v<telling, decltype(x)>)
        return x.who;
      else
        return 0;
    },
    what);
}

// Nothing starts where another node may have started the same.
bool is_start(const session::any_effect& what) {
  return std::holds_alternative<effect::start_runner>(what)
         || std::holds_alternative<effect::spawn_exec>(what);
}

// Nor does it move references in the upstream, where it would be seen.
bool moves_refs(const session::any_effect& what) {
  return std::holds_alternative<effect::begin_checkin>(what)
         || std::holds_alternative<effect::begin_rescue>(what);
}

const refusal out_of_touch{
  errc::unavailable,
  "the node that has this session has lost touch with the others, so one of "
  "them may have it by now: "
    + std::string{effect_unknown} + "; look at the session, or try again"};

} // namespace

const refusal not_begun{
  errc::unavailable,
  "the node that has this session has lost touch with the others, so one of "
  "them may have it by now: nothing was started, try again"};

// A node that stood still, or was cut off, must not promise what another one
// does not know of, and not do what that one may be doing: this waits until the
// node has its lease, or the session's actor goes.
void session_actor_state::perform(const session::any_effect& what) {
  auto who = told(what);
  auto silent = !context_->may_acknowledge();
  if (silent && (is_start(what) || moves_refs(what))) {
    hold(what);
  } else if (silent && who != 0) {
    refuse(who, out_of_touch);
    // It was let in, and an ending waits for it.
    if (std::holds_alternative<effect::answer_transfer>(what))
      feed(event::transfer_over{now_ms()});
  } else {
    std::visit(performer{*this}, what);
  }
}

void session_actor_state::hold(const session::any_effect& what) {
  held_answers_.push_back({appends_asked_, what});
  retry_soon();
}

// A node that has its lease again may have lost the session meanwhile, and not
// have heard of it yet: the store knows.
void session_actor_state::once_owned(const session::any_effect& what,
                                     std::function<void()> then) {
  if (!context_->gate)
    return then();
  self_->request(context_->reader, look_up_timeout, load_session{id()})
    .then(
      [this, what, then](const session_record& there) {
        if (there.epoch != record().epoch)
          return fenced_off(
            make_error(errc::conflict,
                       "the session has been taken over meanwhile, try again"));
        if (!context_->may_acknowledge())
          return hold(what);
        then();
      },
      [this, what](const caf::error& e) {
        spdlog::warn("session {}: whether it is still this node's is not "
                     "known: {}",
                     id(), to_refusal(e).message);
        hold(what);
      });
}

// Events are written by the journal writer; until it has them nobody is told
// what they say.
void session_actor_state::perform(const session::effects& todo) {
  for (auto& what : todo)
    if (appends_done_ < appends_asked_ && is_promise(what))
      held_answers_.push_back({appends_asked_, what});
    else
      perform(what);
}

void session_actor_state::release_answers() {
  // What cannot begin yet is held anew meanwhile.
  auto ready = std::ranges::find_if(held_answers_, [this](const auto& held) {
    return held.after > appends_done_;
  });
  std::list<held_answer> now;
  now.splice(now.begin(), held_answers_, held_answers_.begin(), ready);
  for (auto& held : now)
    perform(held.what);
}

void session_actor_state::arm(unix_ms at) {
  self_->send(supervisor_, arm_deadline{id(), at});
}

// Who asked to start gets the record, others the view.
void session_actor_state::answer_session(session::ticket who) {
  if (auto start = pending_.take<pending::created>(who))
    start->promise.deliver(record());
  else if (auto extend = pending_.take<pending::extended>(who))
    extend->promise.deliver(view());
}

// Another end than a DELETE's may have been on its way already.
void session_actor_state::answer_terminated(session::ticket who) {
  auto request = pending_.take<pending::termination>(who);
  if (!request)
    return;
  terminate_reply reply{id(), record().rescue_refs, record().rescue_note};
  if (record().status != session_status::terminated) {
    auto how = "it had begun to end before: " + record().status_reason;
    if (!record().commit.empty())
      how += ", branch \"" + record().branch + "\" is at " + record().commit;
    reply.rescue_note =
      how + (reply.rescue_note.empty() ? "" : "; " + reply.rescue_note);
  } else if (reply.rescue_note.empty()) {
    reply.rescue_note = kept_part(record());
  }
  request->promise.deliver(std::move(reply));
}

void session_actor_state::answer_noted(session::ticket who) {
  if (auto request = pending_.take<pending::noted>(who))
    request->promise.deliver(done{});
}

} // namespace greenroom
