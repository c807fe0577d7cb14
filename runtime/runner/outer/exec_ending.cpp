// What ends a command and its processes: a request, a time-out, the session.
#include "runtime/runner/outer/exec.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <utility>

namespace greenroom::runner {

namespace {

// Between two HUPs to a terminal's command that is to end.
constexpr std::chrono::milliseconds hang_up_again{200};

// How long a supervisor may take at least to kill a command, on a machine that
// is busy.
constexpr std::chrono::seconds kill_timeout{1};

// "1.5 s"
std::string seconds(millis time) {
  auto result = std::to_string(time / 1000);
  if (auto rest = time % 1000; rest != 0) {
    auto digits = std::to_string(1000 + rest).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    result += '.' + digits;
  }
  return result + " s";
}

void keep_earliest(std::optional<steady::time_point>& result,
                   const std::optional<steady::time_point>& other) {
  if (other && (!result || *other < *result))
    result = other;
}

} // namespace

void supervised_exec::order(const supervisor_order& what) {
  // A supervisor that cannot be told is dead, and its end of file on the way.
  ordered_ = true;
  if (supervisor_)
    ::send(supervisor_.get(), &what, sizeof what, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void supervised_exec::kill_all() {
  order({supervisor_order::kind::kill_all});
  kill_ordered_ = true;
  gone_by_ = steady::now()
             + std::max(kill_grace_, std::chrono::milliseconds{kill_timeout});
}

void supervised_exec::lost_reason(std::string reason) {
  lost_reason_ = std::move(reason);
}

void supervised_exec::signal(int number) {
  if (!active())
    return;
  signals_sent_.insert(number);
  order({supervisor_order::kind::signal_group, number});
}

void supervised_exec::cancel(std::string reason) {
  if (active())
    finish_by_force(exit_status::canceled, std::move(reason));
}

// Interactive shells ignore TERM; one whose terminal is hung up ends at once.
// Not always by the first HUP: bash notes one that comes just before it waits
// for input, and waits.
void supervised_exec::hang_up() {
  if (!has_tty())
    return;
  order({supervisor_order::kind::signal_group, SIGHUP});
  hang_up_at_ = steady::now() + hang_up_again;
}

void supervised_exec::finish_by_force(exit_status status, std::string reason) {
  if (forced_)
    return;
  forced_ = status;
  forced_why_ = std::move(reason);
  timeout_at_.reset();
  hang_up();
  order({supervisor_order::kind::signal_group, SIGTERM});
  kill_at_ = steady::now() + kill_grace_;
}

void supervised_exec::stop(const std::string& reason) {
  if (active() && !forced_) {
    forced_ = exit_status::canceled;
    forced_why_ = reason;
  }
  timeout_at_.reset();
  hang_up();
  order({supervisor_order::kind::signal_all, SIGTERM});
  if (supervisor_ && !kill_at_ && !gone_by_)
    kill_at_ = steady::now() + kill_grace_;
}

std::optional<steady::time_point> supervised_exec::deadline() const {
  auto result = timeout_at_;
  for (const auto& other :
       {started_by_, hang_up_at_, kill_at_, gone_by_, save_at_, drain_at_})
    keep_earliest(result, other);
  return result;
}

void supervised_exec::on_deadline(steady::time_point now) {
  auto due = [now](std::optional<steady::time_point>& when) {
    if (!when || now < *when)
      return false;
    when.reset();
    return true;
  };
  if (due(timeout_at_))
    finish_by_force(exit_status::timed_out,
                    "the command ran longer than its timeout of "
                      + seconds(spec_.timeout));
  if (due(hang_up_at_))
    hang_up();
  if (due(kill_at_))
    kill_all();
  if (due(started_by_)) {
    hear_supervisor(); // lest it was only we who were slow
    // Where that one has died, the next has its own time.
    if (phase_ == phase::starting && !started_by_) {
      refuse("the command could not be started within "
             + std::to_string(start_timeout.count()) + " s");
      observer_.on_unresponsive(*this);
    }
  }
  if (due(gone_by_)) {
    hear_supervisor();
    if (supervisor_)
      observer_.on_unresponsive(*this);
  }
  if (due(drain_at_))
    drain_on();
  if (due(save_at_))
    save();
}

} // namespace greenroom::runner
