// What the commands of a session are fed: bytes, signals, a terminal's size.
#include "actors/session/machine/transitions.hpp"

#include <algorithm>

namespace greenroom::session {

namespace {

const refusal too_much{errc::overloaded,
                       "the command does not read its standard input, and too "
                       "much waits for it; try again when it does"};
// Requests of one exec that may wait to be written, or for it to start.
constexpr std::size_t max_waiting_requests = 256;

// So that who looks at the exec sees the terminal as it is.
void show_size(exec_record& exec, const event::resize_asked& x) {
  exec.spec.rows = x.rows;
  exec.spec.cols = x.cols;
}

} // namespace

// A runner that lives, but is yet to be found again, gets it when it is.
void machine::pass(any_effect what) {
  if (s.runner == runner_state::asked)
    s.held.push_back(std::move(what));
  else
    add(std::move(what));
}

void machine::pass_input(const std::string& exec_id, const sent_input& sent) {
  auto size = sent.rows > 0;
  s.passed.emplace(sent.who, passed_input{exec_id, sent.size, !size});
  if (s.runner == runner_state::absent)
    return (*this)(
      event::input_taken{sent.who, "the session's runner is gone"});
  if (size)
    pass(effect::pass_resize{sent.who, exec_id, sent.rows, sent.cols});
  else
    pass(effect::pass_input{sent.who, exec_id, sent.eof});
}

void machine::pass_early(const std::string& exec_id) {
  auto found = s.inputs.find(exec_id);
  if (found == s.inputs.end())
    return;
  for (auto& sent : std::exchange(found->second.early, {}))
    pass_input(exec_id, sent);
}

// What was on its way to a runner that is no more.
void machine::lose_input(const std::string& problem) {
  s.held.clear();
  while (!s.passed.empty())
    (*this)(event::input_taken{s.passed.begin()->first, problem});
}

// -- events -------------------------------------------------------------------

void machine::operator()(const event::signal_asked& x) {
  if (held_back(x))
    return;
  auto* exec = unfinished(x.who, x.exec_id);
  if (exec == nullptr)
    return;
  if (exec->status != exec_status::running)
    return refuse(x.who, {errc::conflict, "the exec has not started yet"});
  // Like the kernel: one that is on its way already is not sent twice.
  auto same = [&](const any_effect& other) {
    auto* signal = std::get_if<effect::pass_signal>(&other);
    return signal != nullptr && signal->exec_id == x.exec_id
           && signal->signal == x.signal;
  };
  if (std::ranges::none_of(s.held, same))
    pass(effect::pass_signal{x.exec_id, x.signal});
  auto& run = s.runs.at(x.exec_id);
  run.signal = x.signal;
  run.signaler = x.by;
  wait_for({x.who}, x.exec_id);
}

void machine::operator()(const event::input_asked& x) {
  if (held_back(x))
    return;
  auto* exec = unfinished(x.who, x.exec_id);
  if (exec == nullptr)
    return;
  auto terminal = exec->spec.rows > 0;
  if (!exec->spec.stdin_open && !terminal)
    return refuse(x.who, {errc::bad_request,
                          "the exec's standard input is closed; start it with "
                          "\"stdin\": \"open\" to write to it"});
  auto& fed = s.inputs[x.exec_id];
  if (fed.closed || exec->spec.input_ends)
    return refuse(
      x.who, {errc::conflict, "the exec's standard input is closed already"});
  if ((fed.waiting > 0 && fed.waiting + x.size > max_waiting_input)
      || fed.requests >= max_waiting_requests)
    return refuse(x.who, too_much);
  fed.waiting += x.size;
  ++fed.requests;
  // A terminal's end of file is a key that is pressed, and no end.
  fed.closed = x.eof && !terminal;
  sent_input sent{x.who, x.size, x.eof};
  if (exec->status == exec_status::running)
    pass_input(x.exec_id, sent);
  else
    fed.early.push_back(sent);
}

void machine::operator()(const event::resize_asked& x) {
  if (held_back(x))
    return;
  auto* exec = unfinished(x.who, x.exec_id);
  if (exec == nullptr)
    return;
  if (exec->spec.rows == 0)
    return refuse(x.who, {errc::bad_request,
                          "the exec has no terminal; start it with \"tty\" to "
                          "give it one"});
  sent_input sent{x.who, 0, false, x.rows, x.cols};
  if (exec->status == exec_status::running) {
    show_size(*exec, x);
    return pass_input(x.exec_id, sent);
  }
  auto& early = s.inputs[x.exec_id].early;
  if (early.size() >= max_waiting_requests)
    return refuse(x.who, too_much);
  show_size(*exec, x);
  early.push_back(sent);
}

// Of one that was given up already, the runner link may say so once more.
void machine::operator()(const event::input_taken& x) {
  auto passed = s.passed.extract(x.who);
  if (!passed)
    return;
  auto& [exec_id, size, counts] = passed.mapped();
  if (auto found = s.inputs.find(exec_id); counts && found != s.inputs.end()) {
    auto& fed = found->second;
    fed.waiting -= std::min(fed.waiting, size);
    fed.requests -= std::min<std::size_t>(fed.requests, 1);
  }
  if (x.problem.empty())
    add(effect::answer_input{x.who});
  else
    refuse(x.who, {errc::conflict, x.problem});
}

} // namespace greenroom::session
