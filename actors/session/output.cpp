// What the commands of a session print.
#include "actors/session/session.hpp"

#include <utility>

namespace greenroom {

namespace event = session::event;

// Has announced what the log has and the timeline has not, a bounded piece at a
// time; the exec's end comes after its last byte.
void session_actor_state::pump_output(const std::string& exec_id) {
  auto found = live_.find(exec_id);
  if (found == live_.end() || stuck_)
    return;
  auto& exec = found->second;
  if (exec.reading || exec.finished
      || (exec.announced == exec.records && !exec.end))
    return;
  if (exec.records == 0) { // it has printed nothing
    exec.finished = true;
    feed(event::exec_done{exec_id, *exec.end});
    return;
  }
  exec.reading = true;
  post(journal::announce_output{exec_id, exec.records, exec.end.has_value(),
                                !live_watchers_.empty()});
}

void session_actor_state::operator()(journal::output_announced& x) {
  auto& counters = *context_->counters;
  for (auto bytes : x.printed)
    counters.output_bytes.add(bytes);
  if (x.last.seq != 0) {
    if (x.last.seq > last_.seq)
      counters.events[event_kind::exec_output].add(x.last.seq - last_.seq);
    last_ = x.last;
    if (x.batch)
      broadcast(std::move(*x.batch));
    else // they see that they lack something, and read it from the log
      broadcast(event_batch{x.last.seq, x.last.seq, false, {}, {}});
    look_soon();
  }
  auto found = live_.find(x.exec_id);
  if (found == live_.end())
    return;
  auto& exec = found->second;
  exec.reading = false;
  exec.announced = x.records;
  exec.truncated = exec.truncated || x.truncated;
  for (std::size_t i = 0; i < exec.printed.size(); ++i)
    exec.printed[i] += x.printed[i];
  if (x.failed) {
    retry_soon();
  } else if (x.all && x.finished) {
    exec.finished = true;
    feed(event::exec_done{x.exec_id, *exec.end});
  } else if (!x.all || exec.end || exec.records > x.asked) {
    pump_output(x.exec_id);
  }
}

void session_actor_state::pump_all() {
  std::vector<std::string> all;
  for (auto& [exec_id, exec] : live_)
    all.push_back(exec_id);
  for (auto& exec_id : all)
    pump_output(exec_id);
}

} // namespace greenroom
