// One exec, as the shim sees it:
//
//   starting → running → ended → gone
//          └─→ refused ────────→ gone
//
// It owns what the command prints to and reads from (pipes, or the master of
// its terminal), the output log and the exit record, and the link to the
// supervisor that holds the processes. It ends when the command's first process
// does; what is in the pipes then is logged, what comes later is read and
// dropped, slowly, so that background processes can print on. It is gone when
// no process of it is left.
//
// A supervisor is within reach of what it looks after, which has its user and
// can stop it or take its descriptors. So none is relied on for an end: one
// that has not done in time what it was told is reported to the observer as
// stuck.
//
// Deadlines are on the monotonic clock and kept by the shim's loop, which asks
// for the next one and calls back when it is due.
#pragma once

#include "messages/time.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/runner/inner/exec_supervisor.hpp"
#include "runtime/runner/outer/event_loop.hpp"
#include "runtime/runner/outer/input_feeder.hpp"
#include "runtime/runner/outer/sandbox_handle.hpp"
#include "runtime/runner/protocol/exit_record.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace greenroom::runner {

class supervised_exec;

class exec_observer {
public:
  virtual void on_started(const supervised_exec& exec) = 0;
  virtual void on_refused(const supervised_exec& exec, std::string reason) = 0;
  virtual void on_exited(const supervised_exec& exec) = 0;

  /// Its first input is written, or never will be: somebody who has asked for
  /// input() meanwhile is to ask again.
  virtual void on_fed(const supervised_exec& exec) = 0;

  /// Its supervisor does not do its work: only the end of the whole inner half
  /// helps.
  virtual void on_unresponsive(const supervised_exec& exec) = 0;

protected:
  ~exec_observer() = default;
};

class supervised_exec {
public:
  /// `dir` is the exec's own directory. Nothing runs before start().
  supervised_exec(event_loop& loop, exec_observer& observer, std::string id,
                  unique_fd dir, command_spec spec, millis kill_grace);

  supervised_exec(const supervised_exec&) = delete;
  supervised_exec& operator=(const supervised_exec&) = delete;

  ~supervised_exec();

  /// Hands the command in; whether it runs is told to the observer later.
  /// Throws std::runtime_error, whose text is a sentence for the user.
  void start(sandbox_handle& inner);

  const std::string& id() const noexcept {
    return id_;
  }

  /// True from start() to the end of the first process.
  bool active() const noexcept {
    return phase_ == phase::starting || phase_ == phase::running;
  }

  /// 0 until it has started.
  unix_ms started_at() const noexcept {
    return started_at_;
  }

  /// How it ended; valid from on_exited on.
  const exit_record& outcome() const noexcept {
    return outcome_;
  }

  /// True while the exit record could not be written.
  bool unsaved() const noexcept {
    return unsaved_;
  }

  /// True when no process of it is left.
  bool empty() const noexcept {
    return !supervisor_;
  }

  /// The process that all of it is below, as this process numbers it; 0: not
  /// known yet, or gone.
  pid_t top_process() const noexcept {
    return supervisor_ ? supervisor_pid_ : 0;
  }

  /// True when nothing is left to do either.
  bool gone() const noexcept {
    return empty() && !out_.end && !err_.end && !unsaved_;
  }

  /// Records in the log so far.
  std::uint64_t records() const noexcept {
    return log_ ? log_->records() : 0;
  }

  /// records(), if the node has not been told of them.
  std::optional<std::uint64_t> growth() const noexcept;

  /// To be called when the node knows of records().
  void growth_told() noexcept;

  void signal(int number);
  void cancel(std::string reason);

  /// The writing end of the command's input; none, and a sentence for the user
  /// in `why_not`, where there is none.
  int input(std::string& why_not) const;

  /// True while its first input is being written, before which nothing else
  /// may be: on_fed() says when that is over.
  bool keeps_input() noexcept;

  /// Ends the command's input as far as this process is concerned, behind the
  /// first.
  void close_input();

  /// Why it is lost, should its supervisor's end come before its own.
  void lost_reason(std::string reason);

  /// TERM to all that is left, background processes too; later KILL. What runs
  /// at a terminal is hung up first.
  void stop(const std::string& reason);

  std::optional<steady::time_point> deadline() const;
  void on_deadline(steady::time_point now);

private:
  enum class phase { starting, running, refused, ended };

  /// How long a supervisor may take to start a command, on a machine that is
  /// busy.
  static constexpr std::chrono::seconds start_timeout{10};

  struct pipe {
    output_stream stream;
    unique_fd end; // ours
  };

  /// What the command's side gets of its pipes, and its supervisor of the link.
  struct command_ends {
    unique_fd control;
    unique_fd in;
    unique_fd out;
    unique_fd err;
  };

  bool has_tty() const noexcept {
    return spec_.rows > 0;
  }

  command_ends open_ends();
  void give(const command_ends& ends);
  bool may_give_again() const noexcept;
  void give_again();

  void begin_feeding();
  void feed();
  void cannot_feed();
  void end_feeding();
  void answer_for_input();
  void drop_input();
  void hear_supervisor();
  void supervisor_gone();
  void obey(const supervisor_report& report, unique_fd master);
  void watch_output(pipe& from);
  bool watch_terminal(unique_fd master);
  void close_all();
  void drop(pipe& from);
  void read_some(pipe& from);
  void read_rest(pipe& from);
  void drain_on();
  void refuse(std::string reason);
  void end(exit_status status, int wait_status);
  void save();
  void finish_by_force(exit_status status, std::string reason);
  void hang_up();
  std::string why_ended() const;
  void order(const supervisor_order& what);
  void kill_all();

  event_loop& loop_;
  exec_observer& observer_;
  std::string id_;
  unique_fd dir_;
  command_spec spec_;
  std::chrono::milliseconds kill_grace_;
  phase phase_ = phase::starting;
  unix_ms started_at_ = 0;
  unique_fd supervisor_;
  bool may_have_run_ = true;   // the command; else it is known not to have
  bool ordered_ = false;       // its supervisor was told more than to begin
  bool kill_ordered_ = false;  // and not said to be obeyed yet
  int times_given_ = 0;        // to supervisors
  std::uint64_t given_in_ = 0; // the inner half's life then
  pid_t supervisor_pid_ = 0;
  unique_fd input_;                    // of a command without a terminal
  std::optional<input_feeder> feeder_; // until its first input is written
  bool input_asked_ = false;           // by somebody who waits for that
  pipe out_{output_stream::out, {}};   // or the terminal's master
  pipe err_{output_stream::err, {}};
  std::optional<output_log_writer> log_; // until the end
  std::uint64_t told_ = 0;               // records that the node knows of
  std::optional<exit_status> forced_;    // timed_out or canceled
  std::string forced_why_;
  sandbox_handle* inner_ = nullptr;       // from start() on
  std::uint64_t out_of_memory_kills_ = 0; // in the session before it began
  std::set<int> signals_sent_;            // by requests
  exit_record outcome_;
  bool unsaved_ = false;
  // Why its supervisor was killed, where that was meant.
  std::string lost_reason_;
  std::optional<steady::time_point> started_by_; // or its supervisor is stuck
  std::optional<steady::time_point> timeout_at_;
  std::optional<steady::time_point> hang_up_at_; // again
  std::optional<steady::time_point> kill_at_;
  std::optional<steady::time_point> gone_by_; // or its supervisor is stuck
  std::optional<steady::time_point> save_at_;
  std::optional<steady::time_point> drain_at_;
};

} // namespace greenroom::runner
