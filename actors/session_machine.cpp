#include "actors/session_machine.hpp"

#include <algorithm>
#include <array>

namespace greenroom::session {

namespace {

constexpr millis minute = 60 * 1000;
constexpr millis hour = 60 * minute;
// When users are told that their session is about to end.
constexpr std::array<millis, 3> warnings{24 * hour, hour, 5 * minute};

const refusal not_active{errc::bad_request, "session is not active"};

bool accepts_work(const state& s) noexcept {
  return s.record.status == session_status::active && s.why == ending::none;
}

effect refuse(ticket who, refusal why) {
  return out::answer_refused{who, std::move(why)};
}

// The warning that comes after those up to `warned`: 0 if there is none.
millis warning_after(millis warned) noexcept {
  for (auto warning : warnings)
    if (warned == 0 || warning < warned)
      return warning;
  return 0;
}

struct machine {
  state& s;
  effects result;

  void add(effect what) {
    result.push_back(std::move(what));
  }

  void persist(session_record next, std::vector<out::life_event> events,
               ticket who, effects then) {
    next.version = s.record.version + 1;
    s.persisting = true;
    add(out::persist{std::move(next), std::move(events), who, std::move(then)});
  }

  // -- execs ------------------------------------------------------------------

  void finish(exec_record& exec, exec_outcome outcome) {
    exec.status = outcome.status;
    exec.outcome = std::move(outcome);
    add(out::publish_exec{event_kind::exec_exited, exec.spec.exec_id});
  }

  void drop_waiting(exec_status status, unix_ms now,
                    const std::string& reason) {
    for (auto& id : s.waiting) {
      exec_outcome outcome;
      outcome.status = status;
      outcome.ended_at = now;
      outcome.reason = reason;
      finish(s.execs.at(id), std::move(outcome));
    }
    s.waiting.clear();
  }

  void start_waiting() {
    if (!accepts_work(s))
      return;
    while (s.running < s.bounds.max_concurrent && !s.waiting.empty()) {
      ++s.running;
      add(out::spawn_exec{s.waiting.front()});
      s.waiting.pop_front();
    }
  }

  // -- endings ----------------------------------------------------------------

  void start_ending(ending why, ticket who) {
    s.why = why;
    s.asked = who;
    s.rescue_refs.clear();
    s.commit.clear();
    s.at = step::stopping;
    add(out::stop_runner{});
  }

  void abandon_ending() {
    s.why = ending::none;
    s.at = step::idle;
    s.asked = 0;
  }

  void finish_ending(unix_ms now, std::string reason, bool work_is_safe) {
    auto next = s.record;
    next.ended_at = now;
    next.status_reason = std::move(reason);
    std::vector<out::life_event> events;
    effects then;
    switch (s.why) {
      case ending::checkin:
        next.status = session_status::ended;
        events.push_back({event_kind::checkin_finished,
                          {{"result", "done"}, {"commit", s.commit}}});
        then.push_back(out::answer_checkin{s.asked});
        break;
      case ending::expire:
        next.status = session_status::expired;
        break;
      case ending::terminate:
        next.status = session_status::terminated;
        then.push_back(out::answer_terminated{s.asked});
        break;
      case ending::fail:
      case ending::none:
        next.status = session_status::failed;
        break;
    }
    string_map fields;
    if (!s.commit.empty())
      fields.emplace("commit", s.commit);
    events.push_back({event_kind::session_ended, std::move(fields)});
    then.push_back(out::over{});
    // Work that could not be saved elsewhere stays where it is.
    if (work_is_safe)
      then.push_back(out::remove_checkout{});
    // An ending that is on its way is stored whatever it takes, so nobody is
    // named as the one to refuse.
    persist(std::move(next), std::move(events), 0, std::move(then));
  }

  std::string reason_of_ending() const {
    switch (s.why) {
      case ending::checkin:
        return "checked in";
      case ending::expire:
        return "expired";
      case ending::terminate:
        return "terminated by an administrator";
      case ending::fail:
      case ending::none:
        break;
    }
    return s.fail_reason;
  }

  // -- inputs: the session's life ---------------------------------------------

  void operator()(const in::begin&) {
    switch (s.record.status) {
      case session_status::creating:
        add(out::make_checkout{});
        return;
      case session_status::active:
        add(out::arm{next_deadline(s.record)});
        start_waiting();
        return;
      case session_status::checking_in:
        // Cut off in the middle: every step can be taken again.
        s.why = ending::checkin;
        s.at = step::stopping;
        add(out::stop_runner{});
        return;
      default:
        return;
    }
  }

  void operator()(const in::start_asked& x) {
    if (s.record.status == session_status::creating)
      s.starters.push_back(x.who);
    else
      add(out::answer_session{x.who});
  }

  void operator()(const in::checkout_made&) {
    if (s.record.status != session_status::creating)
      return;
    if (s.why != ending::none)
      return start_ending(s.why, s.asked);
    auto next = s.record;
    next.status = session_status::active;
    effects then;
    for (auto who : s.starters)
      then.push_back(out::answer_session{who});
    s.starters.clear();
    then.push_back(out::arm{next_deadline(next)});
    persist(std::move(next), {{event_kind::session_created, {}}}, 0,
            std::move(then));
  }

  void operator()(const in::checkout_failed& x) {
    if (s.record.status != session_status::creating)
      return;
    if (s.why != ending::none)
      return start_ending(s.why, s.asked);
    auto next = s.record;
    next.status = session_status::failed;
    next.status_reason = x.why.message;
    next.ended_at = x.now;
    effects then;
    for (auto who : s.starters)
      then.push_back(refuse(who, x.why));
    s.starters.clear();
    then.push_back(out::over{});
    then.push_back(out::remove_checkout{});
    persist(std::move(next), {{event_kind::session_ended, {}}}, 0,
            std::move(then));
  }

  void operator()(const in::extend_asked& x) {
    if (!accepts_work(s))
      return add(refuse(x.who, not_active));
    auto next = s.record;
    next.expires_at = std::min(x.now + x.expires_in,
                               s.record.created_at + s.bounds.max_lifetime);
    next.warned = first_warning(next.expires_at - x.now);
    effects then{out::answer_session{x.who}, out::arm{next_deadline(next)}};
    persist(std::move(next), {{event_kind::session_extended, {}}}, x.who,
            std::move(then));
  }

  void operator()(const in::checkin_asked& x) {
    if (!accepts_work(s))
      return add(refuse(x.who, not_active));
    s.author = x.by;
    s.message = x.message;
    s.why = ending::checkin; // refuses new work while it is being stored
    s.asked = x.who;
    auto next = s.record;
    next.status = session_status::checking_in;
    persist(std::move(next),
            {{event_kind::checkin_started,
              {{"by", x.by.key_id},
               {"by_name", x.by.key_name},
               {"message", x.message}}}},
            x.who, {out::stop_runner{}});
    s.at = step::stopping;
  }

  void operator()(const in::checkin_saved& x) {
    if (s.at != step::checking_in)
      return;
    s.commit = x.commit;
    finish_ending(x.now, reason_of_ending(), true);
  }

  void operator()(const in::checkin_failed& x) {
    if (s.at != step::checking_in)
      return;
    if (s.why == ending::expire) {
      // Time is up all the same: keep the work as a rescue.
      s.at = step::rescuing;
      add(out::save_rescue{});
      return;
    }
    auto next = s.record;
    next.status = session_status::active;
    effects then;
    if (s.asked != 0)
      then.push_back(refuse(s.asked, x.why));
    then.push_back(out::arm{next_deadline(next)});
    abandon_ending();
    persist(std::move(next),
            {{event_kind::checkin_finished,
              {{"result", "failed"}, {"reason", x.why.message}}}},
            0, std::move(then));
  }

  void operator()(const in::terminate_asked& x) {
    if (!is_live(s.record.status)
        || s.record.status == session_status::checking_in
        || (s.why != ending::none && s.why != ending::terminate))
      return add(refuse(x.who, not_active));
    if (s.why == ending::terminate)
      return add(refuse(
        x.who, {errc::conflict, "the session is being terminated already"}));
    for (auto who : s.starters)
      add(refuse(who, {errc::conflict,
                       "the session was terminated before it was ready"}));
    s.starters.clear();
    if (s.record.status == session_status::creating) {
      // What the git worker is making must be whole before it is taken away.
      s.why = ending::terminate;
      s.asked = x.who;
      return;
    }
    start_ending(ending::terminate, x.who);
  }

  void operator()(const in::give_up& x) {
    if (!is_live(s.record.status))
      return;
    s.fail_reason = x.reason;
    start_ending(ending::fail, 0);
  }

  void operator()(const in::runner_stopped& x) {
    if (s.at != step::stopping)
      return;
    drop_waiting(exec_status::canceled, x.now, "the session ended");
    if (s.why == ending::checkin
        || (s.why == ending::expire && s.record.expiry == on_expire::checkin)) {
      s.at = step::checking_in;
      add(out::save_checkin{});
    } else {
      s.at = step::rescuing;
      add(out::save_rescue{});
    }
  }

  void operator()(const in::rescue_saved& x) {
    if (s.at != step::rescuing)
      return;
    s.rescue_refs = x.refs;
    finish_ending(x.now, reason_of_ending(), true);
  }

  void operator()(const in::rescue_failed& x) {
    if (s.at != step::rescuing)
      return;
    finish_ending(x.now, reason_of_ending() + "; " + x.reason, false);
  }

  void operator()(const in::tick& x) {
    auto& record = s.record;
    if (!accepts_work(s))
      return;
    if (x.now >= record.expires_at) {
      s.author = {record.created_by, record.created_by};
      start_ending(ending::expire, 0);
      return;
    }
    auto remaining = record.expires_at - x.now;
    auto due = first_warning(remaining);
    if (due == 0 || (record.warned != 0 && due >= record.warned))
      return add(out::arm{next_deadline(record)});
    auto next = record;
    next.warned = due;
    effects then{out::arm{next_deadline(next)}};
    persist(std::move(next),
            {{event_kind::session_expiring,
              {{"reason", "expires_at is near"},
               {"remaining_seconds", std::to_string(remaining / 1000)},
               {"hint", "POST …/extend {\"expires_in\": \"24h\"} gives it more "
                        "time"}}}},
            0, std::move(then));
  }

  void operator()(const in::stored& x) {
    s.persisting = false;
    s.record = x.record;
  }

  void operator()(const in::store_refused&) {
    s.persisting = false;
    // Only a check-in changes more than the record before it is stored.
    if (s.why == ending::checkin && s.record.status == session_status::active) {
      abandon_ending();
      start_waiting();
    }
  }

  // -- inputs: execs ----------------------------------------------------------

  void operator()(const in::exec_asked& x) {
    if (auto found = s.execs.find(x.spec.exec_id); found != s.execs.end()) {
      // The same name with the same body is the same exec, also after the end.
      if (found->second.spec == x.spec)
        add(out::answer_exec_later{x.who, x.spec.exec_id});
      else
        add(refuse(x.who, {errc::exec_exists,
                           "exec_id \"" + x.spec.exec_id
                             + "\" names another exec of this session; choose "
                               "another exec_id or leave it out"}));
      return;
    }
    if (!accepts_work(s))
      return add(refuse(x.who, not_active));
    auto at_once = s.running < s.bounds.max_concurrent && s.waiting.empty();
    if (!at_once && s.waiting.size() >= s.bounds.max_queued)
      return add(refuse(x.who, {errc::overloaded,
                                "too many execs are waiting in this session; "
                                "try again when some have ended"}));
    exec_record exec;
    exec.spec = x.spec;
    exec.created_at = x.now;
    s.execs.emplace(x.spec.exec_id, std::move(exec));
    s.order.push_back(x.spec.exec_id);
    s.waiting.push_back(x.spec.exec_id);
    add(out::publish_exec{event_kind::exec_queued, x.spec.exec_id});
    start_waiting();
    add(out::answer_exec_later{x.who, x.spec.exec_id});
  }

  void operator()(const in::exec_started& x) {
    auto found = s.execs.find(x.exec_id);
    if (found == s.execs.end() || found->second.status != exec_status::queued)
      return;
    found->second.status = exec_status::running;
    found->second.started_at = x.time;
    add(out::publish_exec{event_kind::exec_started, x.exec_id});
  }

  void operator()(const in::exec_ended& x) {
    auto found = s.execs.find(x.exec_id);
    if (found == s.execs.end() || is_over(found->second.status))
      return;
    if (s.running > 0)
      --s.running;
    finish(found->second, x.outcome);
    start_waiting();
  }

  void operator()(const in::cancel_asked& x) {
    auto found = s.execs.find(x.exec_id);
    if (found == s.execs.end())
      return add(refuse(x.who, {errc::not_found, "exec not found"}));
    auto& exec = found->second;
    if (!is_over(exec.status)) {
      auto place = std::ranges::find(s.waiting, x.exec_id);
      if (place != s.waiting.end()) {
        s.waiting.erase(place);
        exec_outcome outcome;
        outcome.status = exec_status::canceled;
        outcome.ended_at = x.now;
        finish(exec, std::move(outcome));
      } else {
        add(out::kill_exec{x.exec_id});
      }
    }
    add(out::answer_exec_ended{x.who, x.exec_id});
  }
};

} // namespace

bool touches_record(const input& what) noexcept {
  return !std::holds_alternative<in::stored>(what)
         && !std::holds_alternative<in::store_refused>(what)
         && !std::holds_alternative<in::start_asked>(what)
         && !std::holds_alternative<in::exec_asked>(what)
         && !std::holds_alternative<in::exec_started>(what)
         && !std::holds_alternative<in::exec_ended>(what)
         && !std::holds_alternative<in::cancel_asked>(what);
}

effects apply(state& s, const input& what) {
  machine m{s, {}};
  std::visit(m, what);
  return std::move(m.result);
}

millis first_warning(millis remaining) noexcept {
  millis result = 0;
  for (auto warning : warnings)
    if (warning >= remaining)
      result = warning;
  return result;
}

unix_ms next_deadline(const session_record& record) noexcept {
  if (record.status != session_status::active)
    return 0;
  auto warning = warning_after(record.warned);
  return warning == 0 ? record.expires_at : record.expires_at - warning;
}

} // namespace greenroom::session
