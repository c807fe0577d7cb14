// How the checkout of a session that another node had is made again from the
// session's checkpoint: in its turn, at once where somebody needs it. Until
// then the session lives without one, and the checkpoint is all its work.
#include "actors/session/machine/transitions.hpp"

#include <algorithm>

namespace greenroom::session {

namespace {

// Requests of one kind that may wait for the checkout.
constexpr std::size_t max_early = 64;
// Bytes of the commands among them.
constexpr std::uint64_t max_early_text = std::uint64_t{16} << 20;

// From one try to the next, doubled each time; shorter where somebody waits.
constexpr millis first_pause = 1000;
constexpr millis longest_pause = 60 * 1000;
constexpr millis longest_if_needed = 2000;

const refusal too_many{errc::overloaded,
                       "too many requests wait for this session's checkout to "
                       "be restored, try again"};

millis pause_after(std::uint32_t tries, bool needed) noexcept {
  auto shift = std::min<std::uint32_t>(tries - 1, 6);
  return std::min(first_pause << shift,
                  needed ? longest_if_needed : longest_pause);
}

} // namespace

refusal machine::not_restored() const {
  auto text = std::string{
    "the session goes on on this node, and its checkout is not restored yet"};
  if (!s.restore_problem.empty())
    text += " (" + s.restore_problem + ')';
  return {errc::unavailable, text + ": nothing was done, try again"};
}

// The checkout is made, or there is a turn to wait for.
void machine::begin_install() {
  if (s.restore == restoring::no)
    add(effect::begin_checkout{});
  else
    line_up();
}

void machine::line_up() {
  s.restore = restoring::waiting;
  if (may_restore())
    add(effect::await_turn{s.urgent});
}

// Somebody needs the checkout: it is the next to be made, if it is not yet.
void machine::hurry() {
  if (std::exchange(s.urgent, true))
    return;
  if (s.restore == restoring::waiting || s.restore == restoring::pausing)
    line_up();
}

// True where the request has to wait for the checkout.
bool machine::comes_early(const event::exec_asked& x) {
  if (s.restore == restoring::no || x.who == 0)
    return false;
  auto text = text_of(x.spec);
  for (const auto& one : s.early_execs)
    text += text_of(one.spec);
  if (s.early_execs.size() == max_early
      || (text > max_early_text && !s.early_execs.empty())) {
    refuse(x.who, too_many);
  } else {
    s.early_execs.push_back(x);
    wait_for_checkout(x.who);
  }
  return true;
}

bool machine::comes_early(const event::checkin_asked& x) {
  if (s.restore == restoring::no)
    return false;
  if (s.early_checkins.size() == max_early) {
    refuse(x.who, too_many);
  } else {
    s.early_checkins.push_back(x);
    wait_for_checkout(x.who);
  }
  return true;
}

void machine::wait_for_checkout(ticket who) {
  if (s.restore == restoring::no)
    return; // being put on disk, which is soon done
  add(effect::limit_wait{who});
  hurry();
}

// True if it was waiting. It is answered by the caller.
bool machine::take_early(ticket who) {
  auto is_its = [who](const auto& x) { return x.who == who; };
  if (std::erase(s.early_questions, who) > 0) {
    --s.questions;
    return true;
  }
  return std::erase_if(s.early_transfers, is_its) > 0
         || std::erase_if(s.early_execs, is_its) > 0
         || std::erase_if(s.early_checkins, is_its) > 0;
}

void machine::refuse_early(const refusal& why) {
  s.questions -= s.early_questions.size();
  refuse_all(s.early_questions, why);
  for (auto& x : std::exchange(s.early_transfers, {}))
    refuse(x.who, why);
  for (auto& x : std::exchange(s.early_execs, {}))
    refuse(x.who, why);
  for (auto& x : std::exchange(s.early_checkins, {}))
    refuse(x.who, why);
}

// There will be no other try: it is whole, or given up.
void machine::end_restoring() {
  if (std::exchange(s.restore, restoring::no) == restoring::no)
    return;
  s.urgent = false;
  s.restore_problem.clear();
  add(effect::end_turn{});
}

// What waited for the checkout goes on in its order.
void machine::take_up_early() {
  for (auto& x : std::exchange(s.early_execs, {}))
    (*this)(x);
  for (auto& x : std::exchange(s.early_checkins, {}))
    s.deferred.emplace_back(std::move(x));
}

// The session ends, and its work is in its checkpoint: no checkout is needed
// for that.
void machine::end_without_checkout(unix_ms now) {
  end_restoring();
  s.installing = false;
  s.unmade = true;
  refuse_early({errc::unavailable, "the session is being ended"});
  if (std::exchange(s.stopped_early, false))
    (*this)(event::session_quiet{now});
}

// Only a check-in is made in the checkout, and it is waited for as long as
// nobody has asked for the session's end.
bool machine::needs_checkout() const noexcept {
  auto is_checkin =
    s.why == ending::checkin
    || (s.why == ending::expire && s.record.expiry == on_expire::checkin);
  return is_checkin && !s.end_wanted;
}

void machine::restore_for_ending(unix_ms now) {
  if (s.restore == restoring::no)
    return;
  if (needs_checkout())
    hurry();
  else if (s.restore != restoring::making)
    end_without_checkout(now);
}

// -- events -------------------------------------------------------------------

void machine::operator()(const event::turn_came&) {
  if (s.restore != restoring::waiting || !may_restore())
    return add(effect::end_turn{});
  s.restore = restoring::making;
  add(effect::begin_checkout{});
}

void machine::operator()(const event::restore_failed& x) {
  if (s.restore != restoring::making)
    return unexpected();
  ++s.restore_tries;
  s.restore_problem = x.why.message;
  s.restore = restoring::pausing;
  add(effect::end_turn{});
  if (s.why != ending::none)
    restore_for_ending(x.now);
  if (s.restore == restoring::no)
    return;
  if (!may_restore()) {
    s.restore = restoring::waiting; // for whether it stays
    return refuse_early(on_its_way);
  }
  auto needed = is_needed(s) || s.why != ending::none;
  s.urgent = s.urgent && s.why != ending::none;
  add(effect::pause_restore{pause_after(s.restore_tries, needed)});
}

void machine::operator()(const event::pause_over&) {
  if (s.restore != restoring::pausing)
    return; // somebody needed it sooner
  s.urgent = s.urgent || is_needed(s);
  line_up();
}

void machine::operator()(const event::checkout_wait_over& x) {
  if (s.restore != restoring::no && take_early(x.who))
    refuse(x.who, not_restored());
}

} // namespace greenroom::session
