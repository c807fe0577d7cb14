// How a session ends: each step in order, and what it leaves.
#include "actors/session/machine/transitions.hpp"

#include "messages/left_work.hpp"

#include <algorithm>

namespace greenroom::session {

namespace {

effect::life_event about(event_kind kind, const review_record& review) {
  event_fields fields{{"review_id", review.id},
                      {"status", std::string{to_string(review.status)}},
                      {"branch", review.branch},
                      {"target", review.target},
                      {"commit", review.commit},
                      {"base", review.base},
                      {"auto_merge", review.auto_merge}};
  if (kind == event_kind::review_queued)
    fields["status"] = std::string{to_string(review_status::queued)};
  else if (!review.merge_commit.empty())
    fields.emplace("merge_commit", review.merge_commit);
  return {kind, std::move(fields)};
}

// Only keys of an administrator end what another one has made.
std::string terminated_by(const caller& who, const session_record& session) {
  if (who.key_name.empty())
    return "terminated";
  auto maker = who.key_id == session.created_by;
  return "terminated by \"" + who.key_name + '"'
         + (maker ? ", the key that made it" : ", an administrator");
}

// Who it was where nobody asked, as the audit names them.
event_fields due_or_own(ending why) {
  return {
    {"by_name", std::string{why == ending::expire ? "clock" : "greenroom"}}};
}

session_status status_after(ending why) noexcept {
  switch (why) {
    case ending::checkin:
      return session_status::ended;
    case ending::expire:
      return session_status::expired;
    case ending::terminate:
      return session_status::terminated;
    case ending::fail:
    case ending::none:
      break;
  }
  return session_status::failed;
}

} // namespace

void machine::start_ending(ending why) {
  s.why = why;
  s.rescue_refs.clear();
  s.rescue_note.clear();
  s.commit.clear();
  s.review = {};
  s.at = step::stopping;
  restore_for_ending(0);
  add(effect::end_transfers{});
  stop_runner();
}

// Of a check-in that came to nothing: who asked can try again.
void machine::return_to_active(const refusal& why) {
  if (s.why != ending::checkin)
    return;
  s.why = ending::none;
  s.at = step::idle;
  s.commit.clear();
  s.review = {};
  refuse_all(s.askers, why);
  launch_unsent();
  start_waiting();
}

// What became of its review so far. What becomes of it later is for the project
// to tell; a merge without a review has been waited for.
std::vector<effect::life_event> machine::review_events() const {
  std::vector<effect::life_event> events;
  if (!s.review.id.empty())
    events.push_back(about(event_kind::review_queued, s.review));
  if (s.review.status == review_status::running && !s.review.skipped)
    events.push_back(about(event_kind::review_started, s.review));
  if (s.review.ended_at != 0)
    events.push_back(about(event_kind::review_finished, s.review));
  return events;
}

// Where there is one: also of one whose place a DELETE, or a crash, has taken.
std::optional<effect::life_event>
machine::end_of_checkin(const std::string& reason) const {
  if (s.why == ending::checkin) {
    event_fields fields{{"result", "done"}, {"commit", s.commit}};
    if (!s.review.id.empty())
      fields.emplace("review_id", s.review.id);
    return effect::life_event{event_kind::checkin_finished, std::move(fields)};
  }
  if (s.record.status == session_status::checking_in)
    return effect::life_event{event_kind::checkin_finished,
                              {{"result", "failed"}, {"reason", reason}}};
  return std::nullopt;
}

event_fields machine::cause_of_end() const {
  event_fields cause;
  if (s.why == ending::terminate)
    add_caller(cause, s.terminator);
  else if (s.why == ending::checkin)
    add_caller(cause, s.author);
  else
    cause = due_or_own(s.why);
  return cause;
}

void machine::finish_ending(unix_ms now, std::string reason,
                            bool work_is_safe) {
  auto next = s.record;
  // What the note names is nowhere else.
  if (work_is_safe && leaves_work(s.rescue_note)) {
    reason += "; a part of the work could not be saved (rescue_note says what)"
              + place_of_work(s.record.id, s.record.node);
    work_is_safe = false;
  }
  next.status = status_after(s.why);
  next.ended_at = now;
  next.status_reason = std::move(reason);
  next.commit = s.commit;
  next.review_id = s.review.id;
  next.rescue_refs = s.rescue_refs;
  next.rescue_note = s.rescue_note;
  auto events = review_events();
  if (auto end = end_of_checkin(next.status_reason))
    events.push_back(std::move(*end));
  events.push_back({event_kind::session_ended, cause_of_end()});
  effects then;
  then.push_back(effect::over{});
  // Work that could not be saved elsewhere stays where it is.
  if (work_is_safe)
    then.push_back(effect::discard_checkout{});
  // An ending that is on its way is stored whatever it takes, so nobody is
  // named as the one to refuse.
  persist(std::move(next), std::move(events), 0, std::move(then));
}

// The session is over: all who asked for that, or for another end.
void machine::answer_askers() {
  for (auto who : std::exchange(s.askers, {}))
    if (s.record.status == session_status::ended)
      add(effect::answer_checkin{who});
    else if (s.record.status == session_status::terminated)
      add(effect::answer_terminated{who});
    else
      refuse(who, failure());
  for (auto who : std::exchange(s.enders, {}))
    add(effect::answer_terminated{who});
}

void machine::fail_checkin(const refusal& why) {
  auto next = s.record;
  next.status = session_status::active;
  s.failure = why;
  effects then{effect::arm{next_deadline(next)}};
  persist(std::move(next),
          {{event_kind::checkin_finished,
            {{"result", "failed"}, {"reason", why.message}}}},
          0, std::move(then));
}

std::string machine::reason_of_ending() const {
  switch (s.why) {
    case ending::checkin:
      return "checked in";
    case ending::expire:
      return "expired";
    case ending::terminate:
      return terminated_by(s.terminator, s.record);
    case ending::fail:
    case ending::none:
      break;
  }
  return s.failure.message;
}

// For who has waited for the end as long as clients wait.
std::string machine::what_is_left() const {
  if (busy(s) && is_live(s.changing->next.status))
    return "a change of it is being stored";
  if (busy(s))
    return "that it has ended is being stored";
  switch (s.at) {
    case step::idle:
      return "its checkout is being made, which has to be whole before it is "
             "taken away";
    case step::stopping:
      if (s.stopped_early)
        return "its checkout is being put on disk, for its work is saved from "
               "there";
      if (!s.stopped)
        return "its commands are being stopped";
      return s.transfers > 0 ? "a clone or push is coming to its end"
                             : "the last output of its commands is being "
                               "written down";
    case step::checking_in:
      return "its work is being checked in";
    case step::reviewing:
      return "its work is checked in, and the review or merge is being made";
    case step::rescuing:
      break;
  }
  return "its work is being saved under rescue refs";
}

// So that it ends after a restart too: whoever has it then finds it expired.
void machine::note_wanted_end(unix_ms now) {
  auto& record = s.record;
  if (busy(s) || record.expires_at <= now || !is_live(record.status))
    return;
  auto next = record;
  next.expires_at = now;
  next.expiry = on_expire::rescue;
  persist(std::move(next), {}, 0, {});
}

// True if who asked has waited for the session's end.
bool machine::stop_waiting_for_end(ticket who, unix_ms now) {
  auto ends = s.why == ending::terminate && std::erase(s.askers, who) > 0;
  ends = ends || std::erase(s.enders, who) > 0;
  // One that waits for a change to be stored stays in line, as nobody's.
  for (auto& what : s.deferred)
    if (auto* asked = std::get_if<event::terminate_asked>(&what);
        asked != nullptr && asked->who == who) {
      asked->who = 0;
      ends = true;
    }
  if (!ends)
    return false;
  refuse(who,
         {errc::timeout,
          "the session is being ended, and goes on to its end by itself: "
            + what_is_left()
            + "; look at its status, or send DELETE once more to wait for it"});
  note_wanted_end(now);
  return true;
}

// The same for who has asked for a check-in. It goes on, for nobody knows how
// far the upstream is; one that is not begun is not begun any more.
bool machine::stop_waiting_for_checkin(ticket who) {
  auto is_its = [who](const any_event& what) {
    auto* asked = std::get_if<event::checkin_asked>(&what);
    return asked != nullptr && asked->who == who;
  };
  const auto waiting = std::ranges::find_if(s.deferred, is_its);
  if (waiting != s.deferred.end()) {
    const auto joins =
      is_same_checkin(std::get<event::checkin_asked>(*waiting));
    s.deferred.erase(waiting);
    if (!joins) {
      refuse(who, {errc::unavailable,
                   "the check-in was not begun, for a change of the session is "
                   "still being stored: nothing was done, try again"});
      return true;
    }
  } else if (s.why != ending::checkin || std::erase(s.askers, who) == 0) {
    return false;
  }
  refuse(who,
         {errc::timeout,
          "the check-in goes on by itself: " + what_is_left()
            + "; send it once more, as it was, to wait for it, or look at the "
              "session's status"});
  return true;
}

// As one that is under way, whose end is waited for then: without its
// Idempotency-Key only where nobody waits for that any more, for of two at the
// same time one succeeds.
bool machine::is_same_checkin(const event::checkin_asked& x) const {
  return s.why == ending::checkin && is_live(s.record.status)
         && (x.repeat
             || (s.askers.empty() && !x.by.key_id.empty()
                 && x.by.key_id == s.author.key_id && x.message == s.message
                 && x.skip_review == s.skip_review
                 && x.auto_merge == s.auto_merge));
}

// -- events -------------------------------------------------------------------

void machine::operator()(const event::checkin_asked& x) {
  if (x.repeat && s.record.status == session_status::ended)
    return add(effect::answer_checkin{x.who});
  if (is_same_checkin(x)) {
    s.askers.push_back(x.who);
    return;
  }
  if (!accepts_work())
    return refuse_inactive(x.who);
  if (comes_early(x))
    return;
  s.author = x.by;
  s.message = x.message;
  s.skip_review = x.skip_review;
  s.auto_merge = x.auto_merge;
  s.commit.clear();
  s.rescue_refs.clear();
  s.rescue_note.clear();
  s.review = {};
  s.why = ending::checkin; // refuses new work while it is being stored
  s.askers = {x.who};
  auto next = s.record;
  next.status = session_status::checking_in;
  // All that the check-in is to do, for one that a crash cuts short.
  event_fields fields{{"author", x.by.author},
                      {"message", x.message},
                      {"skip_review", x.skip_review},
                      {"auto_merge", x.auto_merge}};
  add_caller(fields, x.by);
  persist(std::move(next), {{event_kind::checkin_started, std::move(fields)}},
          x.who, {effect::end_transfers{}, effect::stop_runner{}});
  s.at = step::stopping;
}

void machine::operator()(const event::session_quiet& x) {
  if (s.at != step::stopping)
    return unexpected();
  if (s.installing) {
    s.stopped_early = true;
    return;
  }
  if (s.unmade && s.why == ending::checkin) {
    refuse_all(s.askers,
               {errc::unavailable,
                "the session is ended by a DELETE before its checkout "
                "was restored, its work is kept"});
    s.why = ending::terminate;
  }
  drop_waiting(exec_status::canceled, x.now,
               "the session ended: " + reason_of_ending());
  if (!s.unmade
      && (s.why == ending::checkin
          || (s.why == ending::expire
              && s.record.expiry == on_expire::checkin))) {
    s.at = step::checking_in;
    add(effect::begin_checkin{});
  } else {
    s.at = step::rescuing;
    add(effect::begin_rescue{});
  }
}

void machine::operator()(const event::checkin_saved& x) {
  if (s.at != step::checking_in)
    return unexpected();
  s.commit = x.commit;
  s.rescue_refs = x.rescued;
  s.rescue_note = x.note;
  auto wanted = !s.skip_review || s.auto_merge;
  if (!wanted || s.commit.empty())
    return finish_ending(x.now, reason_of_ending(), true);
  s.at = step::reviewing;
  add(effect::request_review{});
}

void machine::operator()(const event::checkin_failed& x) {
  if (s.at != step::checking_in)
    return unexpected();
  // It is to end all the same: keep the work as a rescue.
  if (s.why == ending::expire || s.end_wanted) {
    if (s.why == ending::checkin) {
      refuse_all(s.askers, {x.why.code, x.why.message
                                          + "; the session is ended by a "
                                            "DELETE, its work is kept"});
      s.why = ending::terminate;
    }
    s.at = step::rescuing;
    add(effect::begin_rescue{});
    return;
  }
  fail_checkin(x.why);
}

void machine::operator()(const event::review_queued& x) {
  if (s.at != step::reviewing)
    return unexpected();
  s.review = x.review;
  finish_ending(x.now, reason_of_ending(), true);
}

void machine::operator()(const event::review_refused& x) {
  if (s.at != step::reviewing)
    return unexpected();
  // The branch has been pushed: there is no way back.
  s.review.status_reason = x.why.message;
  finish_ending(x.now,
                reason_of_ending()
                  + (s.why == ending::expire ? "; checked in, but" : ", but")
                  + " not reviewed (" + x.why.message + ")",
                true);
}

void machine::operator()(const event::terminate_asked& x) {
  if (x.who == 0 && !is_live(s.record.status))
    return; // it has ended, and nobody waits to hear of it
  if (x.who == 0 && s.leaving)
    return note_wanted_end(x.now); // where it goes to
  if (x.repeat && s.record.status == session_status::terminated)
    return add(effect::answer_terminated{x.who});
  if (!is_live(s.record.status) || s.leaving)
    return refuse_inactive(x.who);
  if (s.why == ending::terminate) {
    if (x.who != 0)
      s.askers.push_back(x.who);
    else
      note_wanted_end(x.now);
    return;
  }
  // Another end is on its way. It goes on, for it keeps the work as well; but a
  // check-in that comes to nothing does not lead back any more.
  if (s.why != ending::none) {
    if (s.why == ending::checkin)
      s.terminator = x.by;
    s.end_wanted = true;
    if (x.who != 0)
      s.enders.push_back(x.who);
    restore_for_ending(x.now);
    if (x.who == 0)
      note_wanted_end(x.now);
    return;
  }
  refuse_all(s.starters, terminated_early);
  s.askers.clear();
  if (x.who != 0)
    s.askers.push_back(x.who);
  s.terminator = x.by;
  // What the git worker is making must be whole before it is taken away.
  if (s.record.status == session_status::creating)
    s.why = ending::terminate;
  else
    start_ending(ending::terminate);
  // Its client has heard that the session goes on to its end by itself.
  if (x.who == 0)
    note_wanted_end(x.now);
}

void machine::operator()(const event::give_up& x) {
  if (!is_live(s.record.status))
    return;
  s.failure = {errc::unavailable, x.reason};
  refuse_all(s.askers, s.failure);
  refuse_early(s.failure);
  end_restoring();
  s.installing = false; // then there is nothing in it
  s.stopped_early = false;
  start_ending(ending::fail);
}

void machine::operator()(const event::rescue_saved& x) {
  if (s.at != step::rescuing)
    return unexpected();
  s.rescue_refs = x.refs;
  s.rescue_note = x.note;
  finish_ending(x.now, reason_of_ending(), true);
}

void machine::operator()(const event::rescue_failed& x) {
  if (s.at != step::rescuing)
    return unexpected();
  finish_ending(x.now, reason_of_ending() + "; " + x.reason, false);
}

void machine::operator()(const event::rescue_pushed& x) {
  if (is_live(s.record.status))
    return refuse(x.who, {errc::conflict, "the session is not over"});
  if (s.record.rescue_note == x.note)
    return add(effect::answer_noted{x.who});
  auto next = s.record;
  next.rescue_note = x.note;
  persist(std::move(next), {}, x.who, {effect::answer_noted{x.who}});
}

} // namespace greenroom::session
