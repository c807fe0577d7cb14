// The commands of a session: which are admitted, when they start, which are
// kept at hand.
#include "actors/session/machine/transitions.hpp"

#include <algorithm>

namespace greenroom::session {

namespace {

const refusal has_ended{errc::conflict, "the exec has ended"};
// Requests that name an exec which is being written down.
constexpr std::size_t max_held_back = 256;

// Bytes of commands, arguments and environments in memory: of execs that wait,
// and of those that are over.
constexpr std::uint64_t max_text = std::uint64_t{64} << 20;

} // namespace

std::uint64_t text_of(const exec_spec& spec) {
  std::uint64_t result = spec.command.size();
  for (const auto& argument : spec.argv)
    result += argument.size();
  for (const auto& [name, value] : spec.env)
    result += name.size() + value.size();
  return result;
}

namespace {

// Whether a request asks for the exec that is there. Of its terminal it has the
// size that was set last, which need not be the one it was asked for with.
bool is_same(const exec_spec& kept, const exec_spec& asked) {
  auto known = kept;
  if (kept.first_input == unknown_input) {
    known.first_input = asked.first_input;
    known.input_ends = asked.input_ends;
  }
  if (kept.rows > 0 && asked.rows > 0) {
    known.rows = asked.rows;
    known.cols = asked.cols;
  }
  return known == asked;
}

} // namespace

void machine::finish(exec_record& exec, exec_outcome outcome) {
  exec.status = outcome.status;
  exec.outcome = std::move(outcome);
  if (auto fed = s.inputs.extract(exec.spec.exec_id))
    for (auto& early : fed.mapped().early)
      refuse(early.who, has_ended);
  add(effect::publish_exec{event_kind::exec_exited, exec.spec.exec_id});
}

void machine::drop_waiting(exec_status status, unix_ms now,
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

// How many more may run.
std::uint32_t machine::places() const {
  auto taken = s.running;
  for (const auto& [name, kept] : s.keeping)
    taken += kept.placed ? 1u : 0u;
  return s.bounds.max_concurrent - std::min(taken, s.bounds.max_concurrent);
}

void machine::start_waiting() {
  if (!accepts_work() || s.installing)
    return;
  while (places() > 0 && !s.waiting.empty()) {
    auto id = std::move(s.waiting.front());
    s.waiting.pop_front();
    spawn(id);
  }
}

// What a command is fed at first lies on disk once that is written down.
std::uint64_t machine::text_in_line() const {
  std::uint64_t sum = 0;
  for (const auto& waiting : s.waiting)
    sum += text_of(s.execs.at(waiting).spec);
  for (const auto& [name, kept] : s.keeping)
    sum += text_of(kept.exec.spec) + kept.input;
  return sum;
}

// Those that ended first go first: a long-lived one stays at hand while it
// lives.
void machine::forget_surplus() {
  std::uint64_t text = 0;
  for (const auto& id : s.finalized)
    text += text_of(s.execs.at(id).spec);
  while (s.finalized.size() > s.bounds.max_finished
         || (text > max_text && s.finalized.size() > 1)) {
    text -= text_of(s.execs.at(s.finalized.front()).spec);
    auto id = std::move(s.finalized.front());
    s.finalized.pop_front();
    s.execs.erase(id);
    std::erase(s.order, id);
    add(effect::archive_exec{std::move(id)});
  }
}

// The exec, if it is not over; else who asked is told so.
exec_record* machine::unfinished(ticket who, const std::string& exec_id) {
  auto found = s.execs.find(exec_id);
  if (found == s.execs.end())
    refuse(who, {errc::not_found, "exec not found"});
  else if (is_over(found->second.status))
    refuse(who, has_ended);
  else
    return &found->second;
  return nullptr;
}

// The project's setup, which nobody asks for again, is put off instead, as long
// as it can have its turn.
void machine::refuse_exec(ticket who, const exec_spec& spec,
                          const refusal& why) {
  if (who != 0 || spec.exec_id != setup_exec || !is_live(s.record.status))
    return refuse(who, why);
  s.setup_waits = true;
  add(effect::run_setup{spec, true});
}

// True where it has to wait until the exec that it names is written down.
bool machine::held_back(const any_event& what, ticket who,
                        const std::string& exec_id) {
  auto found = s.keeping.find(exec_id);
  if (found == s.keeping.end())
    return false;
  auto& later = found->second.later;
  if (later.size() < max_held_back)
    later.push_back(what);
  else
    refuse(who, {errc::overloaded,
                 "too many requests wait for this exec to be written down, try "
                 "again"});
  return true;
}

// True for what a runner says of an exec before it is known that the exec is
// written down: it was told of it right after.
bool machine::comes_before_kept(const any_event& what,
                                const std::string& exec_id) {
  auto found = s.keeping.find(exec_id);
  if (found == s.keeping.end())
    return false;
  found->second.later.push_back(what);
  return true;
}

// -- events -------------------------------------------------------------------

void machine::operator()(const event::exec_asked& x) {
  auto& id = x.spec.exec_id;
  if (x.who == 0 && id == setup_exec)
    s.setup_waits = false;
  if (held_back(x, x.who, id))
    return;
  waiter asker{x.who, x.until_end, x.until_end};
  if (auto found = s.execs.find(id); found != s.execs.end()) {
    // The same name with the same body is the same exec, also after the end.
    if (is_same(found->second.spec, x.spec))
      wait_for(asker, id);
    else
      refuse(x.who, {errc::exec_exists,
                     "exec_id \"" + id
                       + "\" names another exec of this session; choose "
                         "another exec_id or leave it out"});
    return;
  }
  if (!accepts_work())
    return refuse_exec(x.who, x.spec, why_inactive());
  if (comes_early(x))
    return;
  const auto free = places();
  auto before = s.waiting.size();
  for (const auto& [name, kept] : s.keeping)
    before += kept.placed ? 0u : 1u;
  if (before >= std::size_t{free} + s.bounds.max_queued)
    return refuse_exec(x.who, x.spec,
                       {errc::overloaded,
                        "too many execs are waiting in this session; try "
                        "again when some have ended"});
  if (before + s.keeping.size() > 0
      && text_of(x.spec) + x.input.size() + text_in_line() > max_text)
    return refuse_exec(x.who, x.spec,
                       {errc::overloaded,
                        "the execs that wait in this session have too long "
                        "commands; try again when some have ended"});
  exec_record exec;
  exec.spec = x.spec;
  exec.created_at = x.now;
  exec.by = x.by;
  const auto placed =
    before < free && s.runner == runner_state::up && !s.installing;
  add(effect::keep_exec{exec, x.input, before < free ? 0 : before - free + 1,
                        placed});
  s.keeping.emplace(
    id, new_exec{std::move(exec), x.input.size(), asker, {}, placed});
}

void machine::operator()(const event::exec_kept& x) {
  auto kept = s.keeping.extract(x.exec_id);
  if (!kept)
    return unexpected();
  auto& [exec, input, asker, later, placed, lost] = kept.mapped();
  s.execs.emplace(x.exec_id, std::move(exec));
  s.order.push_back(x.exec_id);
  if (x.sent)
    note_sent(x.exec_id, x.now);
  else
    s.waiting.push_back(x.exec_id);
  start_waiting();
  evict_waiting(x.now);
  wait_for(asker, x.exec_id);
  for (auto& what : later)
    std::visit(*this, what);
  if (x.sent && lost)
    settle_lost(x.exec_id);
  report_quiet(x.now);
}

// Nothing came of it: as if it had never been asked for.
void machine::operator()(const event::exec_unkept& x) {
  auto unkept = s.keeping.extract(x.exec_id);
  if (!unkept)
    return unexpected();
  auto& [exec, input, asker, later, placed, lost] = unkept.mapped();
  refuse_exec(asker.who, exec.spec, x.why);
  start_waiting(); // its place is free again
  for (auto& what : later)
    std::visit(*this, what);
  report_quiet(x.now);
}

void machine::operator()(const event::exec_recalled& x) {
  auto& id = x.exec.spec.exec_id;
  if (!s.execs.emplace(id, x.exec).second)
    return;
  s.finalized.push_back(id);
  forget_surplus();
}

void machine::operator()(const event::exec_noted& x) {
  auto& id = x.exec.spec.exec_id;
  if (!s.execs.emplace(id, x.exec).second)
    return;
  s.order.push_back(id);
  if (x.announce)
    return add(effect::publish_exec{event_kind::exec_exited, id});
  s.finalized.push_back(id);
  forget_surplus();
}

void machine::operator()(const event::cancel_asked& x) {
  if (held_back(x))
    return;
  auto found = s.execs.find(x.exec_id);
  if (found == s.execs.end())
    return refuse(x.who, {errc::not_found, "exec not found"});
  auto& exec = found->second;
  if (!is_over(exec.status)) {
    auto place = std::ranges::find(s.waiting, x.exec_id);
    if (place != s.waiting.end()) {
      s.waiting.erase(place);
      exec_outcome outcome;
      outcome.status = exec_status::canceled;
      outcome.ended_at = x.now;
      outcome.reason = canceled_early(x.by);
      finish(exec, std::move(outcome));
    } else {
      kill(x.exec_id, x.by, x.now);
    }
  }
  wait_for({x.who, true}, x.exec_id);
}

} // namespace greenroom::session
