// A session's machine in a world of chance: requests of all kinds at any time,
// answers of store, git and runner that come late, or never well, and a clock
// that jumps.
//
// The world plays the actor and all that it talks to. Beside the machine it
// keeps a model, which is plain and knows only what must hold: which requests
// are open, where each exec is, and whether an ending has begun. What the
// machine decides is checked against that after each step.
#pragma once

#include "actors/session/machine/machine.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace greenroom::session::test {

/// What must hold does not.
class broken : public std::logic_error {
public:
  using std::logic_error::logic_error;
};

class world {
public:
  /// The same seed gives the same history. `trace` prints each step.
  explicit world(std::uint64_t seed, bool trace = false);

  /// Something happens. Throws `broken`.
  void step();

  /// All that is under way comes to its end, and nothing new begins. Throws
  /// `broken` where a request is left open then.
  void settle();

  /// Ends the session, and checks that nothing is left of it.
  void finish();

private:
  enum class request : std::uint8_t {
    start,
    extend,
    checkin,
    terminate,
    exec,
    cancel,
    signal,
    input,
    resize,
    rotate,
    transfer,
    question,
  };

  /// What is under way outside, and is answered some time.
  enum class job : std::uint8_t {
    checkout,
    install,
    turn,
    pause,
    start_runner,
    find_runner,
    stop_runner,
    save_checkin,
    save_rescue,
    review,
    poll,
  };

  enum class phase : std::uint8_t { queued, spawned, started, over };

  /// An event of an exec that the timeline is yet to take.
  struct announcement {
    std::string exec_id;
    bool exited = false;
  };

  // what may happen
  void jump();
  void ask();
  void ask_exec(request what);
  void answer_job();
  void answer_store();
  void runner_is_there(bool fails);
  void runner_is_gone(const std::string& reason);
  void runner_does_something();
  void run_exec(std::string exec_id);
  void send_kept(const std::string& id);
  void answer_keeping();
  void try_setup_again();
  void announce();
  void finish_some_output();
  void take_input();
  void wait_is_over();
  void leave_or_stay();
  bool something_goes_on();

  // what the machine decides
  void add(job which);
  void feed(const any_event& what);
  void perform(const effects& list);
  void on(const effect::begin_checkout&);
  void on(const effect::finish_checkout&);
  void on(const effect::await_turn&);
  void on(const effect::end_turn&);
  void on(const effect::pause_restore&);
  void on(const effect::limit_wait& x);
  void on(const effect::start_runner&);
  void on(const effect::find_runner&);
  void on(const effect::stop_runner&);
  void on(const effect::begin_checkin&);
  void on(const effect::begin_rescue&);
  void on(const effect::request_review&);
  void on(const effect::end_transfers&) {}
  void on(const effect::discard_checkout&);
  void on(const effect::over&);
  void on(const effect::arm& x);
  void on(const effect::persist& x);
  void on(const effect::publish_stored&);
  void on(const effect::publish&) {}
  void on(const effect::publish_exec& x);
  void on(const effect::run_setup& x);
  void on(const effect::keep_exec& x);
  void on(const effect::spawn_exec& x);
  void on(const effect::kill_exec& x);
  void on(const effect::settle_exec& x);
  void on(const effect::finish_output& x);
  void on(const effect::pass_signal& x);
  void on(const effect::pass_input& x);
  void on(const effect::pass_resize& x);
  void on(const effect::archive_exec& x);
  void on(const effect::read_branch&);
  void on(const effect::answer_refused& x);
  void on(const effect::answer_session& x);
  void on(const effect::answer_exec& x);
  void on(const effect::answer_input& x);
  void on(const effect::answer_question& x);
  void on(const effect::answer_checkin& x);
  void on(const effect::answer_token& x);
  void on(const effect::answer_transfer& x);
  void on(const effect::answer_terminated& x);
  void on(const effect::answer_noted& x);

  // the model
  ticket open(request what);
  request close(ticket who);
  void expect(ticket who, std::initializer_list<request> kinds);
  void check();
  void check_execs();
  void require_quiet() const;
  void check_input(const std::string& exec_id, const exec_input& fed);
  void require(bool holds, const std::string& what) const;

  // chance
  std::uint64_t below(std::uint64_t limit);
  bool one_in(std::uint64_t n);
  std::string some_exec();

  std::mt19937_64 random_;
  std::uint64_t seed_;
  bool trace_;
  bool has_turn_ = false;    // to restore the checkout
  std::set<ticket> limited_; // who does not wait for it for ever
  bool settling_ = false;    // what is asked of others succeeds from now on
  std::uint64_t steps_ = 0;
  unix_ms now_ = 1'000'000'000'000;

  state s_;
  std::deque<any_event> inbox_;
  bool advancing_ = false;

  ticket last_ticket_ = 0;
  std::map<ticket, request> open_;
  std::set<ticket> until_end_;            // who waits for an exec's end
  std::map<ticket, std::uint64_t> sizes_; // of input that was sent
  std::map<ticket, std::string> inputs_;  // with the runner, by exec
  std::vector<job> jobs_;
  std::optional<effect::persist> change_; // on its way to the store
  session_record before_;                 // the last one that was stored
  bool published_ = true;                 // the events of that
  std::vector<std::string> keeping_;      // execs that are being written down
  std::set<std::string> to_send_;         // of them, to this runner
  std::set<std::string> sent_;            // that was done
  std::optional<exec_spec> setup_;        // to be tried again
  std::map<std::string, phase> execs_;
  bool up_ = false;                   // the runner
  std::map<std::string, bool> runs_;  // what is in it, and whether it has begun
  std::vector<std::string> draining_; // ended, with output to be announced
  std::deque<announcement> announcements_;
  std::map<std::string, exec_record> archive_; // execs that are over
  std::size_t transfers_ = 0;
  std::vector<ticket> questions_;
  unix_ms armed_ = 0;
  bool ending_ = false; // nothing may start
};

} // namespace greenroom::session::test
