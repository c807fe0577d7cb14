#include "runtime/exec/outcome.hpp"

namespace greenroom {

namespace {

exec_status status_of(exit_status status) noexcept {
  switch (status) {
    case exit_status::exited:
      return exec_status::exited;
    case exit_status::signaled:
      return exec_status::signaled;
    case exit_status::timed_out:
      return exec_status::timed_out;
    case exit_status::canceled:
      return exec_status::canceled;
    case exit_status::lost:
      break;
  }
  return exec_status::lost;
}

} // namespace

exec_outcome outcome_of(const exit_record& record) {
  exec_outcome outcome;
  outcome.status = status_of(record.status);
  outcome.exit_code = record.exit_code;
  outcome.signal = record.signal;
  outcome.ended_at = record.ended_at;
  outcome.stdout_bytes = record.stdout_bytes;
  outcome.stderr_bytes = record.stderr_bytes;
  outcome.truncated = record.truncated;
  outcome.reason = record.reason;
  return outcome;
}

} // namespace greenroom
