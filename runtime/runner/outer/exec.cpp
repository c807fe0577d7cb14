#include "runtime/runner/outer/exec.hpp"

#include "runtime/base/pipe.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/runner/outer/refusal.hpp"
#include "runtime/runner/protocol/fd_passing.hpp"
#include "runtime/runner/protocol/first_input.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <system_error>
#include <tuple>
#include <utility>

namespace greenroom::runner {

namespace {

// How long to wait before an exit record that could not be written is tried
// again.
constexpr std::chrono::seconds save_again{1};

// More supervisors than one that die before they have started a command are
// chance; more than these are somebody's doing.
constexpr int most_times_given = 8;

// How long a process may take to end that has been sent KILL: the kernel ends
// none that waits for a disk.
constexpr std::chrono::seconds uninterruptible_wait{60};

// What a supervisor has to say in one turn of the loop. One that says more, as
// only somebody who has taken its socket would, is heard on in the next: other
// commands have their turn between.
constexpr int most_reports_of_turn = 32;

// Why a signal has ended a command. The node says by whose request.
constexpr const char* signaled_by_request = "the signal was sent by a request";
constexpr const char* signaled_inside =
  "the signal came from inside the session or from the kernel";

pipe_ends make_open_pipe() {
  auto result = make_pipe();
  // So that a command of another user than ours can open /dev/stdout; who else
  // could has the pipe already.
  ::fchmod(result.reader.get(), 0666);
  return result;
}

std::pair<unique_fd, unique_fd> make_socket_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   ends)
      != 0)
    throw_errno("cannot make a socket pair");
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

// In one go, and not by a rename, which would cost as much as the rest: a
// reader takes what is cut for no record yet.
void write_exit_record(int dir, const std::string& text) {
  unique_fd file{::openat(dir, exit_file,
                          O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                          0600)};
  if (!file)
    throw_errno("cannot create the exit record");
  auto size = ::write(file.get(), text.data(), text.size());
  if (size < 0)
    throw_errno("cannot write the exit record");
  if (static_cast<std::size_t>(size) != text.size())
    throw std::system_error(ENOSPC, std::generic_category(),
                            "cannot write the exit record");
}

} // namespace

supervised_exec::supervised_exec(event_loop& loop, exec_observer& observer,
                                 std::string id, unique_fd dir,
                                 command_spec spec, millis kill_grace)
  : loop_(loop), observer_(observer), id_(std::move(id)), dir_(std::move(dir)),
    spec_(std::move(spec)), kill_grace_(kill_grace) {}

supervised_exec::~supervised_exec() {
  close_all();
  if (supervisor_)
    loop_.unwatch(supervisor_.get());
}

void supervised_exec::start(sandbox_handle& inner) {
  if (spec_.first_input) {
    auto text = take_first_input(dir_.get());
    if (!text)
      throw std::runtime_error("what the command was to be fed is gone");
    feeder_.emplace(std::move(text));
  }
  auto ends = open_ends();
  log_.emplace(dir_.get(), spec_.max_output);
  inner_ = &inner;
  out_of_memory_kills_ = inner.out_of_memory_kills();
  give(ends);
}

// All is ready before the command can run.
supervised_exec::command_ends supervised_exec::open_ends() {
  pipe_ends in;
  pipe_ends out;
  pipe_ends err;
  unique_fd control;
  std::tie(supervisor_, control) = make_socket_pair();
  const supervisor_order begin{supervisor_order::kind::begin};
  ::send(supervisor_.get(), &begin, sizeof begin, MSG_NOSIGNAL);
  if (has_tty()) {
    spec_.env.try_emplace("TERM", "xterm-256color");
  } else {
    out = make_open_pipe();
    err = make_open_pipe();
    if (spec_.stdin_open || spec_.first_input)
      in = make_open_pipe();
  }
  // So the kernel tells which process it is.
  int on = 1;
  ::setsockopt(supervisor_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  loop_.watch(supervisor_.get(), [this] { hear_supervisor(); });
  if (!has_tty()) {
    out_.end = std::move(out.reader);
    err_.end = std::move(err.reader);
    watch_output(out_);
    watch_output(err_);
    // Only for our end; the command's is as commands expect it.
    if (in.writer)
      ::fcntl(in.writer.get(), F_SETFL, O_NONBLOCK);
    input_ = std::move(in.writer);
  }
  return {std::move(control), std::move(in.reader), std::move(out.writer),
          std::move(err.writer)};
}

void supervised_exec::give(const command_ends& ends) {
  ++times_given_;
  inner_->give(
    spec_, {ends.control.get(), ends.in.get(), ends.out.get(), ends.err.get()});
  started_by_ = steady::now() + start_timeout;
  given_in_ = inner_->life();
}

// Where the inner half has ended another one would be made, for which nothing
// else of this process may wait.
bool supervised_exec::may_give_again() const noexcept {
  return !may_have_run_ && !forced_ && lost_reason_.empty()
         && times_given_ < most_times_given && inner_->life() == given_in_;
}

// The supervisor that took the command was killed before it had done anything
// for it. Another one waits, or will.
void supervised_exec::give_again() {
  may_have_run_ = true;
  drop(out_);
  drop(err_);
  input_.reset(); // not watched yet
  try {
    give(open_ends());
  } catch (const std::exception& problem) {
    if (supervisor_)
      loop_.unwatch(supervisor_.get());
    supervisor_.reset();
    refuse(std::string{"the command could not be started: "} + problem.what());
  }
}

// -- what the supervisor says
// -----------------------------------------------------

void supervised_exec::hear_supervisor() {
  for (int i = 0; supervisor_ && i < most_reports_of_turn; ++i) {
    supervisor_report report;
    auto got = receive_with_fds(
      supervisor_.get(), {reinterpret_cast<char*>(&report), sizeof report},
      MSG_DONTWAIT);
    if (got.size < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    // Said once, before what it has reported: it has left an order unread.
    if (got.size < 0 && errno == ECONNRESET) {
      may_have_run_ = ordered_;
      continue;
    }
    if (got.size == sizeof report) {
      supervisor_pid_ = got.sender;
      obey(report, got.fds.empty() ? unique_fd{} : std::move(got.fds[0]));
      continue;
    }
    supervisor_gone();
  }
}

// That it goes before its command has ended is not to be: then somebody has
// killed it. One that only waited is replaced without a word.
void supervised_exec::supervisor_gone() {
  loop_.unwatch(supervisor_.get());
  supervisor_.reset();
  kill_at_.reset();
  gone_by_.reset();
  const auto why = lost_reason_.empty()
                     ? "the process that looked after the command was killed"
                     : lost_reason_;
  if (phase_ == phase::starting && may_give_again()) {
    give_again();
  } else if (phase_ == phase::starting) {
    refuse("the command could not be started: " + why);
  } else if (phase_ == phase::running) {
    if (!forced_)
      outcome_.reason = why;
    end(forced_.value_or(exit_status::lost), forced_ ? SIGKILL : 0);
  }
}

void supervised_exec::obey(const supervisor_report& report, unique_fd master) {
  // What is left ends as soon as the kernel can end it. Whoever waits for a
  // disk takes longer, and is no reason to end anything else soon. Said once
  // for an order, so that nobody puts it off by saying it again.
  if (report.what == supervisor_report::kind::killing) {
    if (std::exchange(kill_ordered_, false))
      gone_by_ = steady::now() + uninterruptible_wait;
    return;
  }
  if (report.what == supervisor_report::kind::starting) {
    may_have_run_ = ordered_ = true;
    return;
  }
  // Whatever was refused here can run on for a moment there.
  if (phase_
      != (report.what == supervisor_report::kind::ended ? phase::running
                                                        : phase::starting))
    return;
  started_by_.reset();
  switch (report.what) {
    case supervisor_report::kind::started:
      if (has_tty() && !master) {
        refuse("no descriptor is left for the command's terminal");
        kill_all();
        break;
      }
      phase_ = phase::running;
      if (has_tty() && !watch_terminal(std::move(master))) {
        refuse("no room is left to watch the command's terminal");
        kill_all();
        break;
      }
      started_at_ = now_ms();
      if (spec_.timeout > 0)
        timeout_at_ = steady::now() + std::chrono::milliseconds{spec_.timeout};
      observer_.on_started(*this);
      begin_feeding();
      break;
    case supervisor_report::kind::failed:
      refuse(why_not_started(report.step, report.value, spec_));
      break;
    case supervisor_report::kind::connected:
    case supervisor_report::kind::starting: // above
    case supervisor_report::kind::killing:  // above
      break;
    case supervisor_report::kind::ended:
      end(forced_.value_or(WIFEXITED(report.value) ? exit_status::exited
                                                   : exit_status::signaled),
          report.value);
      break;
  }
}

bool supervised_exec::watch_terminal(unique_fd master) {
  out_ = {output_stream::tty, std::move(master)};
  try {
    watch_output(out_);
    return true;
  } catch (const std::system_error&) {
    out_.end.reset();
    return false;
  }
}

void supervised_exec::refuse(std::string reason) {
  phase_ = phase::refused;
  started_by_.reset();
  hang_up_at_.reset();
  kill_at_.reset();
  log_.reset();
  close_all();
  observer_.on_refused(*this, std::move(reason));
}

void supervised_exec::end(exit_status status, int wait_status) {
  read_rest(out_);
  read_rest(err_);
  drop_input();
  // The kernel has hung it up when the command ended.
  if (has_tty())
    drop(out_);
  auto now = now_ms();
  log_->finish(now);
  outcome_.status = status;
  outcome_.exit_code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 0;
  outcome_.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
  if (auto why = why_ended(); !why.empty())
    outcome_.reason = std::move(why);
  outcome_.ended_at = now;
  outcome_.stdout_bytes =
    log_->printed(output_stream::out) + log_->printed(output_stream::tty);
  outcome_.stderr_bytes = log_->printed(output_stream::err);
  outcome_.truncated = log_->truncated();
  outcome_.records = log_->records();
  log_.reset();
  phase_ = phase::ended;
  answer_for_input();
  timeout_at_.reset();
  hang_up_at_.reset();
  save();
  observer_.on_exited(*this);
}

// Empty where it ended by itself. Bash and its like hide the signal that killed
// their child in an exit code of their own.
std::string supervised_exec::why_ended() const {
  if (forced_)
    return forced_why_;
  auto failed = outcome_.signal != 0 || outcome_.exit_code != 0
                || outcome_.status == exit_status::lost;
  if (failed && inner_->out_of_memory_kills() > out_of_memory_kills_)
    return inner_->why_out_of_memory();
  if (outcome_.status != exit_status::signaled)
    return {};
  // The kernel does not tell whose signal it was.
  return signals_sent_.contains(outcome_.signal) ? signaled_by_request
                                                 : signaled_inside;
}

void supervised_exec::save() {
  try {
    write_exit_record(dir_.get(), to_json(outcome_));
    unsaved_ = false;
  } catch (const std::system_error& error) {
    // Where the directory is removed, nobody will ever ask.
    unsaved_ = error.code() != std::errc::no_such_file_or_directory;
    if (unsaved_ && !save_at_)
      std::fprintf(stderr, "exec %s: %s\n", id_.c_str(), error.what());
  }
  save_at_.reset();
  if (unsaved_)
    save_at_ = steady::now() + save_again;
  else
    dir_.reset();
}

// -- what the node is told ----------------------------------------------------

std::optional<std::uint64_t> supervised_exec::growth() const noexcept {
  if (phase_ != phase::running || records() == told_)
    return std::nullopt;
  return records();
}

void supervised_exec::growth_told() noexcept {
  told_ = records();
}

} // namespace greenroom::runner
