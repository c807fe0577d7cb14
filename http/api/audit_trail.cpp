#include "http/api/audit_trail.hpp"

#include "http/edge/bridge.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/node_monitor.hpp"
#include "http/edge/thread_context.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace greenroom::http {

void audit_trail::add(audit_entry entry) {
  if (!env_.monitor.operations || !admits(entry))
    return;
  waiting_.push_back(std::move(entry));
  bound();
  flush_after(pause);
}

bool audit_trail::admits(const audit_entry& entry) {
  if (!entry.key_id.empty())
    return true;
  if (auto now = entry.time / 1000; now != second_) {
    second_ = now;
    strangers_ = 0;
  }
  if (++strangers_ <= max_strangers)
    return true;
  env_.monitor.counters->audit_skipped.add();
  return false;
}

void audit_trail::flush_after(std::chrono::milliseconds time) {
  if (sending_ || std::exchange(armed_, true))
    return;
  env_.loop.after(time, [this] {
    armed_ = false;
    flush();
  });
}

void audit_trail::flush() {
  if (sending_ || waiting_.empty())
    return;
  auto count =
    static_cast<std::ptrdiff_t>(std::min(waiting_.size(), max_batch));
  std::vector<audit_entry> batch{
    std::make_move_iterator(waiting_.begin()),
    std::make_move_iterator(waiting_.begin() + count)};
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  sending_ = true;
  env_.bridge.ask<done>(
    env_.monitor.operations, env_.options.ordinary, add_audit{batch},
    [this](const done&) {
      sending_ = false;
      if (!waiting_.empty())
        flush_after(pause);
    },
    [this, batch](const ask_error& why) {
      not_stored(batch, to_refusal(why).message);
    });
}

void audit_trail::not_stored(std::vector<audit_entry> entries,
                             const std::string& why) {
  sending_ = false;
  env_.log->warn("the audit waits to be stored: {}", why);
  waiting_.insert(waiting_.begin(), std::make_move_iterator(entries.begin()),
                  std::make_move_iterator(entries.end()));
  bound();
  flush_after(pause_after_failure);
}

void audit_trail::bound() {
  for (; waiting_.size() > max_waiting; waiting_.pop_front()) {
    auto& lost = waiting_.front();
    env_.monitor.counters->audit_lost.add();
    env_.log->error("not in the audit: {} {} project={} session={} object={} "
                    "status={} key={} address={} request={}",
                    lost.method, lost.route, lost.project_id, lost.session_id,
                    lost.object, lost.status, lost.key_id, lost.address,
                    lost.request_id);
  }
}

} // namespace greenroom::http
