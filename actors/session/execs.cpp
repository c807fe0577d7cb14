// The commands of a session: its runner, and how they start and end.
#include "actors/session/session.hpp"

#include "actors/runner_link/runners.hpp"
#include "messages/errors.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/base/failpoint.hpp"
#include "runtime/exec/spec.hpp"
#include "runtime/runner/client/runner_client.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace greenroom {

namespace event = session::event;

namespace {

// A second apart. What cannot be read for longer is lost: nothing else ends
// before it.
constexpr int max_settle_tries = 10;

// What is held until the node has its lease (effects.cpp).
bool is_spawn_of(const session::any_effect& what, const std::string& exec_id) {
  auto* spawn = std::get_if<session::effect::spawn_exec>(&what);
  return spawn != nullptr && spawn->exec_id == exec_id;
}

bool starts_runner(const session::any_effect& what) {
  return std::holds_alternative<session::effect::start_runner>(what);
}

} // namespace

// -- how they start -----------------------------------------------------------

// Nobody would ask for it again, so it is not lost by a disk that is full.
void session_actor_state::run_setup(const session::effect::run_setup& what) {
  if (!what.later)
    return feed(event::exec_asked{0, what.spec, now_ms()});
  setup_waiting_ = what.spec;
  retry_soon();
}

// The intent comes first: a revived session must know what to run.
void session_actor_state::keep_exec(const session::effect::keep_exec& what) {
  auto& spec = what.exec.spec;
  live_output progress;
  progress.queue_position = what.queue_position;
  journal::keep_intent intent{
    spec,
    resolve_command(
      spec, project_, record(),
      {context_->shell, context_->max_output, context_->home_of(id())}),
    what.input,
    exec_event(event_kind::exec_queued,
               exec_json(record().project_id, id(), what.exec, progress)),
    what.spawn ? spawner_of(spec.exec_id) : nullptr};
  if (what.spawn)
    live_.try_emplace(spec.exec_id);
  if (!post(std::move(intent)))
    unkept(spec.exec_id,
           {errc::overloaded,
            "the server has too much to write down, try again in a moment"});
}

// What the writer tells the runner by, which saves two ways to here and back.
std::function<bool()>
session_actor_state::spawner_of(const std::string& exec_id) const {
  auto line = context_->runners->line_of(id());
  if (!line)
    return nullptr;
  // Whoever stood still meanwhile may not start it any more.
  return [line = std::move(line), exec_id, gate = context_->gate] {
    return (!gate || gate->is_open()) && line(runner::spawn{exec_id});
  };
}

void session_actor_state::unkept(const std::string& exec_id, refusal why) {
  live_.erase(exec_id);
  feed(event::exec_unkept{exec_id, std::move(why), now_ms()});
}

void session_actor_state::operator()(journal::intent_kept& x) {
  if (!x.queued)
    return unkept(
      x.exec_id,
      x.problem.value_or(refusal{
        errc::unavailable,
        "the server cannot write the command down, is its disk full?"}));
  std::vector<timeline_entry> entries;
  entries.push_back(std::move(*x.queued));
  failpoint("exec.kept");
  announce(entries);
  feed(event::exec_kept{x.exec_id, now_ms(), x.sent});
  pump_output(x.exec_id); // it may have printed already
}

void session_actor_state::spawn_exec(const std::string& exec_id) {
  live_.try_emplace(exec_id);
  marking_.emplace(exec_id, false);
  post(journal::mark_sent{exec_id});
}

// Not of one that has been settled meanwhile, since the runner has gone.
void session_actor_state::operator()(const journal::sent_marked& x) {
  auto marked = marking_.extract(x.exec_id);
  if (!marked)
    return;
  if (!x.marked) {
    feed(event::start_refused{x.exec_id,
                              {errc::unavailable,
                               "the server's disk does not take that the "
                               "command is started"},
                              now_ms()});
    return;
  }
  // Whoever stood still meanwhile has marked what it may not start any more.
  if (!context_->may_acknowledge()) {
    feed(event::start_refused{x.exec_id, not_begun, now_ms()});
    return;
  }
  // Where it does not get through, runner_down follows and settles it.
  context_->runners->send(id(), runner::spawn{x.exec_id});
  if (marked.mapped())
    kill_exec(x.exec_id);
}

void session_actor_state::kill_exec(const std::string& exec_id) {
  auto held = std::erase_if(held_answers_, [&](const held_answer& x) {
    return is_spawn_of(x.what, exec_id);
  });
  if (held > 0)
    feed(event::start_refused{
      exec_id,
      {errc::conflict, "it was canceled by "
                         + to_words(machine_.runs.at(exec_id).canceler)
                         + " before it began"},
      now_ms()});
  else if (auto found = marking_.find(exec_id); found != marking_.end())
    found->second = true; // the runner does not know it yet
  else
    context_->runners->send(id(), runner::cancel{exec_id});
}

// -- the runner ---------------------------------------------------------------

void session_actor_state::start_runner() {
  context_->runners->attach(id(), mirror_name(project_), handle(), true);
}

void session_actor_state::find_runner() {
  context_->runners->attach(id(), mirror_name(project_), handle(), false);
  look_soon();
}

// What it was yet to be told of is settled once it is gone.
void session_actor_state::stop_runner() {
  marking_.clear();
  std::erase_if(held_answers_,
                [](const held_answer& x) { return starts_runner(x.what); });
  context_->runners->stop(id(), handle());
}

void session_actor_state::on_runner_up(const runner_up& up) {
  event::runner_found found;
  for (auto& running : up.execs)
    found.execs.emplace(running.exec_id, running.started_at);
  feed(std::move(found));
  for (auto& running : up.execs)
    on_grown({running.exec_id, running.records});
}

void session_actor_state::on_runner_down(const runner_down& down) {
  on_ports({});
  // Nothing has failed that is yet to begin.
  if (std::ranges::any_of(held_answers_, starts_runner, &held_answer::what))
    return;
  // It was being started when the node fell silent, and was stopped for that.
  if (machine_.starting && !machine_.stopping && !context_->may_acknowledge())
    return perform(session::effect::start_runner{});
  feed(event::runner_gone{down.reason, now_ms()});
}

void session_actor_state::settle_exec(const std::string& exec_id,
                                      const std::string& reason) {
  auto held = std::erase_if(held_answers_, [&](const held_answer& x) {
    return is_spawn_of(x.what, exec_id);
  });
  if (held > 0)
    return feed(event::start_refused{exec_id, not_begun, now_ms()});
  marking_.erase(exec_id);
  post(journal::settle{exec_id, reason, now_ms()});
}

void session_actor_state::operator()(journal::settled& x) {
  if (x.failed) {
    auto& known = unsettled_[x.exec_id];
    known.reason = std::move(x.reason);
    known.waits = ++known.tries < max_settle_tries;
    if (known.waits)
      return retry_soon();
  }
  unsettled_.erase(x.exec_id);
  feed(event::exec_exited{x.exec_id, x.records, std::move(x.outcome)});
}

void session_actor_state::on_grown(const exec_grown& news) {
  auto found = live_.find(news.exec_id);
  if (found == live_.end() || found->second.end)
    return;
  found->second.records = std::max(found->second.records, news.records);
  // Its start is announced before its output.
  if (!machine_.keeping.contains(news.exec_id))
    pump_output(news.exec_id);
}

void session_actor_state::finish_output(
  const session::effect::finish_output& what) {
  auto& exec = live_[what.exec_id];
  exec.records = std::max(exec.records, what.records);
  exec.end = what.outcome;
  pump_output(what.exec_id);
}

exec_loads::whose session_actor_state::whose() const {
  return {id(), record().project_id, record().created_by};
}

// Whether the limits of its key and project leave room for one more.
bool session_actor_state::admits(session::ticket who,
                                 const std::string& exec_id, const caller& by) {
  if (machine_.execs.contains(exec_id))
    return true; // it is asked for again
  if (!context_->may_acknowledge()) {
    refuse(who, not_begun);
    return false;
  }
  auto why = context_->loads->admit(
    whose(), by.key_id == record().created_by ? by.key_name : std::string{});
  if (!why.empty()) {
    refuse(who, {errc::quota_exceeded, std::move(why)});
    return false;
  }
  admitted_ = true;
  return true;
}

void session_actor_state::report_load() {
  const exec_loads::load load{
    machine_.running
      + static_cast<std::uint32_t>(machine_.waiting.size()
                                   + machine_.keeping.size()
                                   + machine_.early_execs.size()),
    machine_.running};
  if (!std::exchange(admitted_, false) && load == reported_)
    return;
  if (load.running != reported_.running)
    view_ = {};
  reported_ = load;
  context_->loads->set(whose(), load);
}

} // namespace greenroom
