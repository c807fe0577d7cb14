// The commands of a session, and what they are fed.
#include "actors/session/machine/transitions.hpp"

#include <algorithm>

namespace greenroom::session {

namespace {

const refusal has_ended{errc::conflict, "the exec has ended"};
const refusal too_much{errc::overloaded,
                       "the command does not read its standard input, and too "
                       "much waits for it; try again when it does"};
// Requests of one exec that may wait to be written, or for it to start.
constexpr std::size_t max_waiting_requests = 256;

// Bytes of commands, arguments and environments in memory: of execs that wait,
// and of those that are over.
constexpr std::uint64_t max_text = std::uint64_t{64} << 20;

std::uint64_t text_of(const exec_spec& spec) {
  std::uint64_t result = spec.command.size();
  for (const auto& argument : spec.argv)
    result += argument.size();
  for (const auto& [name, value] : spec.env)
    result += name.size() + value.size();
  return result;
}

// As a runner says it, which does not know why.
const std::string without_why = "the session ended";

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

void machine::start_waiting() {
  if (!accepts_work() || s.installing)
    return;
  while (s.running < s.bounds.max_concurrent && !s.waiting.empty()) {
    ++s.running;
    add(effect::spawn_exec{s.waiting.front()});
    s.waiting.pop_front();
  }
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

// -- inputs -------------------------------------------------------------------

void machine::operator()(const event::exec_asked& x) {
  if (auto found = s.execs.find(x.spec.exec_id); found != s.execs.end()) {
    // The same name with the same body is the same exec, also after the end.
    if (found->second.spec == x.spec)
      add(effect::answer_exec_later{x.who, x.spec.exec_id});
    else
      refuse(x.who, {errc::exec_exists,
                     "exec_id \"" + x.spec.exec_id
                       + "\" names another exec of this session; choose "
                         "another exec_id or leave it out"});
    return;
  }
  if (!accepts_work())
    return refuse_inactive(x.who);
  auto at_once = s.running < s.bounds.max_concurrent && s.waiting.empty();
  if (!at_once && s.waiting.size() >= s.bounds.max_queued)
    return refuse(x.who, {errc::overloaded,
                          "too many execs are waiting in this session; try "
                          "again when some have ended"});
  auto text = text_of(x.spec);
  for (const auto& id : s.waiting)
    text += text_of(s.execs.at(id).spec);
  if (!s.waiting.empty() && text > max_text)
    return refuse(x.who, {errc::overloaded,
                          "the execs that wait in this session have too long "
                          "commands; try again when some have ended"});
  exec_record exec;
  exec.spec = x.spec;
  exec.created_at = x.now;
  s.execs.emplace(x.spec.exec_id, std::move(exec));
  s.order.push_back(x.spec.exec_id);
  s.waiting.push_back(x.spec.exec_id);
  add(effect::keep_exec{x.who, x.spec.exec_id});
  add(effect::publish_exec{event_kind::exec_queued, x.spec.exec_id});
  start_waiting();
  add(effect::answer_exec_later{x.who, x.spec.exec_id});
}

// Nothing came of it: as if it had never been asked for.
void machine::operator()(const event::exec_unkept& x) {
  if (s.execs.erase(x.exec_id) == 0)
    return unexpected();
  std::erase(s.order, x.exec_id);
  if (std::erase(s.waiting, x.exec_id) == 0)
    --s.running;
  if (auto fed = s.inputs.extract(x.exec_id))
    for (auto& early : fed.mapped().early)
      refuse(early.who, x.why);
  refuse(x.who, x.why);
  start_waiting();
}

void machine::operator()(const event::exec_running& x) {
  auto found = s.execs.find(x.exec_id);
  if (found == s.execs.end())
    return unexpected();
  if (found->second.status != exec_status::queued)
    return; // a runner that is found again says so again
  found->second.status = exec_status::running;
  found->second.started_at = x.time;
  add(effect::publish_exec{event_kind::exec_started, x.exec_id});
  auto fed = s.inputs.find(x.exec_id);
  if (fed == s.inputs.end())
    return;
  for (auto& early : std::exchange(fed->second.early, {}))
    if (early.rows > 0)
      add(effect::pass_resize{early.who, x.exec_id, early.rows, early.cols});
    else
      add(effect::pass_input{early.who, x.exec_id, early.eof});
}

void machine::operator()(const event::exec_done& x) {
  auto found = s.execs.find(x.exec_id);
  if (found == s.execs.end() || is_over(found->second.status))
    return unexpected();
  if (s.running > 0)
    --s.running;
  auto outcome = x.outcome;
  if (outcome.reason == without_why && s.why != ending::none)
    outcome.reason += ": " + reason_of_ending();
  finish(found->second, std::move(outcome));
  start_waiting();
}

void machine::operator()(const event::exec_finalized& x) {
  auto found = s.execs.find(x.exec_id);
  if (found == s.execs.end() || !is_over(found->second.status)
      || std::ranges::find(s.finalized, x.exec_id) != s.finalized.end())
    return;
  s.finalized.push_back(x.exec_id);
  forget_surplus();
}

void machine::operator()(const event::exec_recalled& x) {
  auto& id = x.exec.spec.exec_id;
  if (!s.execs.emplace(id, x.exec).second)
    return;
  s.finalized.push_back(id);
  forget_surplus();
}

void machine::operator()(const event::cancel_asked& x) {
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
      outcome.reason = "it was canceled by a request before it began";
      finish(exec, std::move(outcome));
    } else {
      add(effect::kill_exec{x.exec_id});
    }
  }
  add(effect::answer_exec_ended{x.who, x.exec_id});
}

void machine::operator()(const event::signal_asked& x) {
  auto* exec = unfinished(x.who, x.exec_id);
  if (exec == nullptr)
    return;
  if (exec->status != exec_status::running)
    return refuse(x.who, {errc::conflict, "the exec has not started yet"});
  add(effect::pass_signal{x.exec_id, x.signal});
  add(effect::answer_exec_later{x.who, x.exec_id});
}

void machine::operator()(const event::input_asked& x) {
  auto* exec = unfinished(x.who, x.exec_id);
  if (exec == nullptr)
    return;
  auto terminal = exec->spec.rows > 0;
  if (!exec->spec.stdin_open && !terminal)
    return refuse(x.who, {errc::bad_request,
                          "the exec's standard input is closed; start it with "
                          "\"stdin\": \"open\" to write to it"});
  auto& fed = s.inputs[x.exec_id];
  if (fed.closed)
    return refuse(
      x.who, {errc::conflict, "the exec's standard input is closed already"});
  if ((fed.waiting > 0 && fed.waiting + x.size > max_waiting_input)
      || fed.requests >= max_waiting_requests)
    return refuse(x.who, too_much);
  fed.waiting += x.size;
  ++fed.requests;
  // A terminal's end of file is a key that is pressed, and no end.
  fed.closed = x.eof && !terminal;
  if (exec->status == exec_status::running)
    add(effect::pass_input{x.who, x.exec_id, x.eof});
  else
    fed.early.push_back({x.who, x.eof});
}

void machine::operator()(const event::input_done& x) {
  auto found = s.inputs.find(x.exec_id);
  if (found == s.inputs.end())
    return;
  auto& fed = found->second;
  fed.waiting -= std::min(fed.waiting, x.size);
  fed.requests -= std::min<std::size_t>(fed.requests, 1);
}

void machine::operator()(const event::resize_asked& x) {
  auto* exec = unfinished(x.who, x.exec_id);
  if (exec == nullptr)
    return;
  if (exec->spec.rows == 0)
    return refuse(x.who, {errc::bad_request,
                          "the exec has no terminal; start it with \"tty\" to "
                          "give it one"});
  if (exec->status == exec_status::running)
    return add(effect::pass_resize{x.who, x.exec_id, x.rows, x.cols});
  auto& early = s.inputs[x.exec_id].early;
  if (early.size() >= max_waiting_requests)
    return refuse(x.who, too_much);
  early.push_back({x.who, false, x.rows, x.cols});
}

} // namespace greenroom::session
