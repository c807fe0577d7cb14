// The commands of a session: its runner, and how they start and end.
#include "actors/session/session.hpp"

#include "actors/runner_link/link.hpp"
#include "messages/errors.hpp"
#include "runtime/disk/fsync_queue.hpp"
#include "runtime/exec/outcome.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/exec/spec.hpp"
#include "runtime/runner/client/runner_client.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace greenroom {

namespace fs = std::filesystem;
namespace event = session::event;

std::filesystem::path
session_actor_state::exec_dir(const std::string& exec_id) const {
  return dir_ / runner::exec_dir(exec_id);
}

// -- the runner ---------------------------------------------------------------

// The intent comes first: a revived session must know what to run.
void session_actor_state::keep_exec(const session::effect::keep_exec& what) {
  auto& exec_id = what.exec.spec.exec_id;
  if (write_intent(what.exec.spec) && publish_queued(what))
    feed(event::exec_kept{exec_id, now_ms()});
  else
    feed(event::exec_unkept{
      exec_id,
      {errc::unavailable,
       "the server cannot write the command down, is its disk full?"},
      now_ms()});
}

bool session_actor_state::write_intent(const exec_spec& request) {
  auto dir = exec_dir(request.exec_id);
  try {
    // One that nobody knows was never admitted: the node died first.
    if (fs::exists(dir))
      fs::remove_all(dir);
    greenroom::keep_exec(dir, request,
                         resolve_command(request, project_, record(),
                                         {context_->shell, context_->max_output,
                                          context_->home_of(id())}));
    context_->syncer->mark_dirty(dir.parent_path());
    context_->syncer->mark_dirty(dir);
    return true;
  } catch (const std::exception& e) {
    spdlog::error("session {}: exec {} cannot be written down: {}", id(),
                  request.exec_id, e.what());
    return false;
  }
}

void session_actor_state::spawn_exec(const std::string& exec_id) {
  live_.try_emplace(exec_id, output_event_splitter{exec_id});
  try {
    mark_sent(exec_dir(exec_id));
  } catch (const std::exception& e) {
    spdlog::error("session {}: exec {}: {}", id(), exec_id, e.what());
    feed(event::start_refused{exec_id,
                              {errc::unavailable,
                               "the server's disk does not take that the "
                               "command is started"},
                              now_ms()});
    return;
  }
  // Where it does not get through, runner_down follows and settles it.
  context_->runners->send(id(), runner::spawn{exec_id});
}

void session_actor_state::kill_exec(const std::string& exec_id) {
  context_->runners->send(id(), runner::cancel{exec_id});
}

void session_actor_state::start_runner() {
  context_->runners->attach(id(), record().project_id, handle(), true);
}

void session_actor_state::find_runner() {
  context_->runners->attach(id(), record().project_id, handle(), false);
  look_soon();
}

void session_actor_state::stop_runner() {
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
  feed(event::runner_gone{down.reason, now_ms()});
}

// Its exit record says how it ended, and where there is none nobody knows.
void session_actor_state::settle_exec(const std::string& exec_id,
                                      const std::string& reason) {
  auto dir = exec_dir(exec_id);
  event::exec_exited end{exec_id, 0, {}};
  end.outcome.status = exec_status::lost;
  end.outcome.ended_at = now_ms();
  end.outcome.reason = reason;
  try {
    if (auto record = read_exit_record(dir)) {
      end.records = record->records;
      end.outcome = outcome_of(*record);
    } else {
      end.records = recover_output_log(dir);
      output_log_reader log{dir};
      end.outcome.stdout_bytes =
        log.size(output_stream::out) + log.size(output_stream::tty);
      end.outcome.stderr_bytes = log.size(output_stream::err);
    }
  } catch (const std::exception& e) {
    spdlog::error("session {}: exec {}: {}", id(), exec_id, e.what());
  }
  feed(std::move(end));
}

void session_actor_state::on_grown(const exec_grown& news) {
  auto found = live_.find(news.exec_id);
  if (found == live_.end() || found->second.end)
    return;
  auto& exec = found->second;
  exec.records = std::max(exec.records, news.records);
  // Behind what is in the mailbox already: a turn takes all of that together.
  go_on_soon(news.exec_id, exec);
}

void session_actor_state::finish_output(
  const session::effect::finish_output& what) {
  auto& exec =
    live_.try_emplace(what.exec_id, output_event_splitter{what.exec_id})
      .first->second;
  exec.records = std::max(exec.records, what.records);
  exec.end = what.outcome;
  if (!exec.going_on)
    pump_output(what.exec_id);
}

void session_actor_state::report_load() {
  std::uint32_t running = machine_.running;
  if (running == reported_load_)
    return;
  reported_load_ = running;
  view_ = {};
  self_->send(supervisor_, session_load{id(), running});
}

} // namespace greenroom
