// Error boundaries for threads and event loops: an exception costs the
// operation that threw it, never the thread.
#pragma once

#include <exception>
#include <utility>

namespace greenroom {

/// Calls `task`. False: it threw, and `report(const char* why)` was called.
template <class Task, class Report>
bool run_guarded(Task&& task, Report&& report) noexcept {
  try {
    std::forward<Task>(task)();
    return true;
  } catch (const std::exception& e) {
    report(e.what());
  } catch (...) {
    report("an exception of an unknown type");
  }
  return false;
}

/// Calls `run`, which runs an event loop, until it returns: after a handler
/// that threw, which `report(const char* why)` hears of, the loop goes on.
template <class Run, class Report>
void run_guarded_loop(Run&& run, Report&& report) noexcept {
  while (!run_guarded(run, report))
    continue;
}

} // namespace greenroom
