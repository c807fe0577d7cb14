#include "actors/session/machine/machine.hpp"

#include "actors/session/machine/transitions.hpp"

#include <algorithm>
#include <array>

namespace greenroom::session {

namespace {

// Requests that wait for a change to be stored; what has been asked of others
// comes to few more.
constexpr std::size_t max_deferred = 256;

constexpr millis minute = 60 * 1000;
constexpr millis hour = 60 * minute;
// When users are told that their session is about to end.
constexpr std::array<millis, 3> warnings{24 * hour, hour, 5 * minute};

// The warning that comes after those up to `warned`: 0 if there is none.
millis warning_after(millis warned) noexcept {
  for (auto warning : warnings)
    if (warned == 0 || warning < warned)
      return warning;
  return 0;
}

exec_spec setup_of(const state& s) {
  exec_spec spec;
  spec.exec_id = setup_exec;
  spec.command = s.setup;
  return spec;
}

} // namespace

void machine::persist(session_record next,
                      std::vector<effect::life_event> events, ticket who,
                      effects then) {
  next.version = s.record.version + 1;
  s.changing = stored_change{next, who, std::move(then)};
  add(effect::persist{std::move(next), std::move(events), who != 0});
}

refusal machine::failure() const {
  if (!s.failure.message.empty())
    return s.failure;
  return {errc::conflict, "the session failed: " + s.record.status_reason};
}

// Whoever asks later is told the same as those who waited.
void machine::answer_starter(ticket who) {
  if (s.record.status == session_status::failed)
    refuse(who, failure());
  else
    add(effect::answer_session{who});
}

void machine::operator()(const event::begin&) {
  switch (s.record.status) {
    case session_status::creating:
      add(effect::begin_checkout{});
      return;
    case session_status::active:
      if (s.installing)
        begin_install();
      add(effect::arm{next_deadline(s.record)});
      if (!s.setup.empty())
        add(effect::run_setup{setup_of(s)});
      start_waiting();
      return;
    case session_status::checking_in:
      // Cut off in the middle: every step can be taken again.
      s.why = ending::checkin;
      s.at = step::stopping;
      s.urgent = s.restore != restoring::no;
      if (s.installing)
        begin_install();
      stop_runner();
      return;
    default:
      return;
  }
}

void machine::operator()(const event::start_asked& x) {
  if (s.record.status != session_status::creating)
    answer_starter(x.who);
  else if (s.why == ending::terminate)
    refuse(x.who, terminated_early);
  else
    s.starters.push_back(x.who);
}

void machine::operator()(const event::checkout_made&) {
  if (s.installing)
    return add(effect::finish_checkout{});
  if (s.record.status != session_status::creating)
    return unexpected();
  if (s.why != ending::none)
    return end_unmade();
  auto next = s.record;
  next.status = session_status::active;
  event_fields fields;
  add_caller(fields, s.creator);
  s.installing = true;
  effects then{effect::finish_checkout{}, effect::arm{next_deadline(next)}};
  if (!s.setup.empty()) {
    fields.emplace(setup_field, setup_exec);
    then.push_back(effect::run_setup{setup_of(s)});
  }
  persist(std::move(next), {{event_kind::session_created, std::move(fields)}},
          0, std::move(then));
}

void machine::operator()(const event::checkout_installed& x) {
  if (!std::exchange(s.installing, false))
    return unexpected();
  end_restoring();
  start_waiting();
  for (auto& early : std::exchange(s.early_transfers, {}))
    (*this)(event::transfer_asked{early.who, early.token_hash});
  take_up_early();
  if (std::exchange(s.stopped_early, false))
    (*this)(event::session_quiet{x.now});
}

// Nobody has done anything in it, so nothing is lost.
void machine::operator()(const event::checkout_install_failed& x) {
  if (!std::exchange(s.installing, false))
    return unexpected();
  if (s.restore != restoring::no && s.why != ending::none && !needs_checkout())
    return end_without_checkout(x.now);
  end_restoring();
  refuse_early(x.why);
  for (auto who : std::exchange(s.askers, {}))
    refuse(who, x.why);
  s.stopped_early = false;
  s.failure = x.why;
  start_ending(ending::fail);
}

void machine::operator()(const event::checkout_failed& x) {
  if (s.installing)
    return (*this)(event::checkout_install_failed{x.why, x.now});
  if (s.record.status != session_status::creating)
    return unexpected();
  if (s.why != ending::none)
    return end_unmade();
  s.failure = x.why;
  auto next = s.record;
  next.status = session_status::failed;
  next.status_reason = x.why.message;
  next.ended_at = x.now;
  persist(std::move(next), {{event_kind::session_ended, {}}}, 0,
          {effect::over{}, effect::discard_checkout{}});
}

// An ending that was asked for meanwhile has waited for this.
void machine::end_unmade() {
  if (s.at == step::idle)
    start_ending(s.why);
}

void machine::operator()(const event::extend_asked& x) {
  if (!accepts_work())
    return refuse_inactive(x.who);
  auto next = s.record;
  next.expires_at =
    std::min(x.now + x.expires_in, s.record.created_at + s.bounds.max_lifetime);
  next.warned = first_warning(next.expires_at - x.now);
  effects then{effect::answer_session{x.who}, effect::arm{next_deadline(next)}};
  event_fields fields;
  add_caller(fields, x.by);
  persist(std::move(next), {{event_kind::session_extended, std::move(fields)}},
          x.who, std::move(then));
}

void machine::operator()(const event::tick& x) {
  auto& record = s.record;
  if (!accepts_work())
    return;
  if (x.now >= record.expires_at) {
    s.author = {record.created_by, record.created_by, record.author};
    s.message.clear();
    s.skip_review = s.auto_merge = false;
    start_ending(ending::expire);
    return;
  }
  auto remaining = record.expires_at - x.now;
  auto due = first_warning(remaining);
  if (due == 0 || (record.warned != 0 && due >= record.warned))
    return add(effect::arm{next_deadline(record)});
  auto next = record;
  next.warned = due;
  effects then{effect::arm{next_deadline(next)}};
  persist(std::move(next),
          {{event_kind::session_expiring,
            {{"reason", "expires_at is near"},
             {"remaining_seconds", std::int64_t{remaining / 1000}},
             {"hint", "POST …/extend {\"expires_in\": \"24h\"} gives it more "
                      "time"}}}},
          0, std::move(then));
}

void machine::operator()(const event::stored&) {
  if (!s.changing)
    return unexpected();
  auto change = *std::exchange(s.changing, std::nullopt);
  s.record = std::move(change.next);
  add(effect::publish_stored{});
  for (auto& what : change.then)
    if (std::holds_alternative<effect::stop_runner>(what))
      stop_runner();
    else
      add(std::move(what));
  if (s.record.status != session_status::creating)
    for (auto who : std::exchange(s.starters, {}))
      answer_starter(who);
  if (!is_live(s.record.status))
    answer_askers();
  else if (s.record.status == session_status::active)
    return_to_active(s.failure);
}

void machine::operator()(const event::store_refused& x) {
  if (!s.changing)
    return unexpected();
  auto change = *std::exchange(s.changing, std::nullopt);
  // Only a check-in changes more than the record before it is stored.
  if (s.why == ending::checkin && is_live(s.record.status))
    return_to_active(x.why);
  else
    refuse(change.who, x.why);
}

// -- what the actor calls -----------------------------------------------------

namespace {

using touching =
  std::variant<event::begin, event::checkout_made, event::checkout_failed,
               event::checkout_installed, event::checkout_install_failed,
               event::restore_failed, event::extend_asked, event::checkin_asked,
               event::checkin_saved, event::checkin_failed,
               event::review_queued, event::review_refused,
               event::terminate_asked, event::give_up, event::session_quiet,
               event::rescue_saved, event::rescue_failed, event::rescue_pushed,
               event::tick, event::rotate_asked>;

template <class T, class Variant>
constexpr bool is_one_of = false;
template <class T, class... Ts>
constexpr bool
  is_one_of<T, std::variant<Ts...>> = (std::is_same_v<T, Ts> || ...);

// Events that may change the stored record.
bool touches_record(const any_event& what) noexcept {
  return std::visit(
    [](const auto& x) {
      return is_one_of<std::decay_t<decltype(x)>, touching>;
    },
    what);
}

// Who asked for it; 0: nobody.
ticket asker(const any_event& what) noexcept {
  return std::visit(
    [](const auto& x) -> ticket {
      if constexpr (requires { x.who; })
        return x.who;
      else
        return 0;
    },
    what);
}

// What came meanwhile goes first, in its order.
void defer(machine& m, const any_event& what) {
  if (m.s.deferred.size() >= max_deferred && asker(what) != 0)
    m.refuse(asker(what), {errc::overloaded,
                           "too many requests wait for this session's state "
                           "to be stored, try again"});
  else
    m.s.deferred.push_back(what);
}

} // namespace

effects apply(state& s, const any_event& what) {
  machine m{s, {}};
  auto installing = s.installing;
  if (busy(s) && touches_record(what))
    defer(m, what);
  else
    std::visit(m, what);
  while (!busy(s) && !s.deferred.empty()) {
    auto next = std::move(s.deferred.front());
    s.deferred.pop_front();
    std::visit(m, next);
  }
  if (installing && !s.installing)
    m.wake_early();
  return std::move(m.result);
}

millis first_warning(millis remaining) noexcept {
  millis result = 0;
  for (auto warning : warnings)
    if (warning >= remaining)
      result = warning;
  return result;
}

namespace {

// The compiler's own words: "… [with T = greenroom::session::event::tick; …"
template <class T>
std::string_view name_of_type() {
  std::string_view text{__PRETTY_FUNCTION__};
  auto end = text.find_first_of(";]", text.find("T = "));
  auto begin = text.rfind(':', end) + 1;
  return text.substr(begin, end - begin);
}

} // namespace

std::string_view name_of(const any_event& what) noexcept {
  return std::visit(
    [](const auto& x) { return name_of_type<std::decay_t<decltype(x)>>(); },
    what);
}

unix_ms next_deadline(const session_record& record) noexcept {
  if (record.status != session_status::active)
    return 0;
  auto warning = warning_after(record.warned);
  return warning == 0 ? record.expires_at : record.expires_at - warning;
}

} // namespace greenroom::session
