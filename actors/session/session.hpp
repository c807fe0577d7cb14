// A session's actor: the only writer of its state, the sequencer of its
// events.
//
// What to do is decided by the machine (actors/session/machine/machine.hpp);
// this actor performs it: it stores changes, keeps the timeline, talks to the
// runner and answers those who asked. Split by concern:
//
//   session.cpp           the behaviour; from message to machine and back
//   requests.cpp          what is asked of it
//   pending_requests.hpp  requests that are not answered yet
//   effects.cpp           performs what the machine decides
//   changes.cpp           changes of the record, into the store
//   endings.cpp           check-in, rescue, review: what they ask of others
//   git.cpp               tokens, transfers, and where the branch stands
//   execs.cpp             the runner, and how commands start and end
//   input.cpp             what commands are fed, and connections to their ports
//   output.cpp            what commands print
//   replies.cpp           what clients get to see of execs
//   journal.cpp           timeline and watchers
//   ports.cpp             the ports that commands listen on
//   revival.cpp           from store and timeline to a state that is whole
//
// Owner: the session supervisor. Every session of the store that is live has
// one; one that is over gets one when somebody asks, and it goes when idle.
#pragma once

#include "actors/base/context.hpp"
#include "actors/session/machine/machine.hpp"
#include "actors/session/machine/recover.hpp"
#include "actors/session/pending_requests.hpp"
#include "runtime/timeline/event_encoding.hpp"
#include "runtime/timeline/exec_index.hpp"
#include "runtime/timeline/output_event_splitter.hpp"
#include "runtime/timeline/timeline.hpp"

#include <caf/exit_reason.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace greenroom {

/// What an actor needs to become a session.
struct session_args {
  session_record record;
  project_record project;
  session_supervisor_actor supervisor;
  bool revived = false; // there may be a timeline, execs and a runner already
  std::string give_up;  // not empty: end it as failed, for this reason
};

/// How long the actor of a session that is over stays without being asked.
inline constexpr std::chrono::seconds idle_time{60};
/// Output that goes inline into the answer of an exec, per stream.
inline constexpr std::size_t max_inline_output = 1024 * 1024;
/// A list of execs that asks for all gets as many as fit.
inline constexpr std::size_t max_exec_page = 4 * 1024 * 1024;

/// How long a request is worth an answer: about as long as clients wait. One
/// that makes or ends a session is waited for longer (actor_timeout).
inline constexpr std::chrono::seconds ask_timeout{30};
/// How often requests are looked at that have not been answered.
inline constexpr std::chrono::seconds check_period{30};

class session_actor_state {
public:
  using pointer = session_core::stateful_pointer<session_actor_state>;
  static inline const char* name = "session";

  session_core::behavior_type start(pointer self, context_ptr context,
                                    session_args birth);

  /// The actor ends because of an exception: all who wait are told.
  void crashed() {
    pending_.refuse_all(make_error(caf::exit_reason::unknown));
  }

private:
  /// An exec that is not over, or whose last output is not announced yet.
  struct live_exec {
    explicit live_exec(output_event_splitter position)
      : cutter(std::move(position)) {}
    output_event_splitter cutter;
    std::uint64_t records = 0; // the log has at least these
    std::optional<exec_outcome> end;
    std::array<std::uint64_t, output_streams> printed{};
    bool truncated = false;
    bool going_on = false; // a continue_output is on its way
  };

  /// Where an exec at hand stands in the timeline.
  struct exec_place {
    std::uint64_t queued = 0; // seqs; 0: not yet
    std::uint64_t exited = 0;
    bool archived = false;
  };

  // session.cpp
  session_core::behavior_type make_behavior();
  void feed(session::any_event what);
  void advance();
  void leave(const caf::error& why);
  void check_soon();
  void check_requests();
  void check();

  // requests.cpp
  caf::result<session_record> take(start_session);
  caf::result<session_view> take(const extend_session& x);
  caf::result<checkin_reply> take(checkin_session& x);
  caf::result<terminate_reply> take(const terminate_session& x);
  caf::result<exec_view> take(start_exec& x);
  caf::result<exec_view> take(const get_exec& x);
  caf::result<exec_page> take(const list_execs& x);
  caf::result<exec_view> take(const cancel_exec& x);
  caf::result<done> take(write_input& x);
  caf::result<done> take(const resize_exec& x);
  caf::result<exec_view> take(const signal_exec& x);
  caf::result<port_connection> take(const connect_port& x);
  caf::result<session_token> take(const rotate_token&);
  caf::result<transfer_grant> take(const open_transfer& x);
  caf::result<git_answer> take(ask_git& x);
  caf::result<event_batch> take(read_events& x);
  caf::result<timeline_page> take(read_timeline& x);
  void take(const continue_output& x);
  session::ticket ask(pending::request what,
                      std::chrono::milliseconds timeout = ask_timeout);
  void refuse(session::ticket who, const refusal& why);
  void touch();

  // effects.cpp
  void perform(const session::effects& todo);
  struct performer;
  void arm(unix_ms at);
  void answer_session(session::ticket who);
  void answer_terminated(session::ticket who);

  // changes.cpp
  void persist(const session::effect::persist& change);
  void write(const session_record& next, bool refusable);
  void not_stored(const session_record& next, bool refusable,
                  const caf::error& e);
  void publish_stored();
  std::vector<timeline_entry>
  life_events(const session::effect::persist& change);

  // endings.cpp
  void make_checkout();
  void install_checkout();
  void save_checkin();
  void save_rescue();
  void remove_checkout();
  void queue_review();
  void ask_for_review(const project_actor& project);
  void review_refused(const refusal& why);
  void answer_checkin(session::ticket who);

  // git.cpp
  void answer_transfer(session::ticket who);
  void answer_token(session::ticket who);
  void end_transfers();
  void forget_edge(const caf::actor_addr& edge);
  void answer_question(session::ticket who);
  void poll_branch();
  void look_soon();
  void look_after_exec();

  // execs.cpp
  std::filesystem::path exec_dir(const std::string& exec_id) const;
  void keep_exec(const session::effect::keep_exec& what);
  bool write_intent(const exec_spec& request);
  void start_runner();
  void find_runner();
  void stop_runner();
  void spawn_exec(const std::string& exec_id);
  void kill_exec(const std::string& exec_id);
  void settle_exec(const std::string& exec_id, const std::string& reason);
  void finish_output(const session::effect::finish_output& what);
  void on_runner_up(const runner_up& up);
  void on_runner_down(const runner_down& down);
  void on_grown(const exec_grown& news);
  void report_load();

  // input.cpp
  void pass_signal(const session::effect::pass_signal& what);
  void pass_input(const session::effect::pass_input& what);
  void pass_resize(const session::effect::pass_resize& what);
  void on_written(const input_written& news);
  void answer_input(session::ticket who);
  void on_connected(const port_connected& news);

  // output.cpp
  void go_on_soon(const std::string& exec_id, live_exec& exec);
  void pump_output(const std::string& exec_id);
  void read_once(event_data& data, const live_exec& exec,
                 const std::vector<output_record>& records);
  bool announce_piece(const std::string& exec_id, live_exec& exec);

  // replies.cpp
  void answer_exec(const session::effect::answer_exec& what);
  caf::result<exec_page> page_of_execs(const list_execs& request);
  nlohmann::ordered_json json_of(const exec_record& exec) const;
  std::optional<caf::error> recall(const std::string& exec_id);
  exec_record load_exec(const archived_exec& place) const;
  void archive(const std::string& exec_id);
  std::vector<archived_exec> all_execs() const;

  // journal.cpp
  void publish(std::vector<timeline_entry> entries);
  void publish(const session::effect::publish& what);
  void announced(const std::vector<timeline_entry>& entries);
  std::vector<timeline_entry>
  exec_event(event_kind kind, const nlohmann::ordered_json& exec) const;
  void publish_exec(event_kind kind, const std::string& exec_id);
  bool publish_queued(const session::effect::keep_exec& what);
  bool append(std::vector<timeline_entry>& entries);
  void broadcast(event_data& data, const std::vector<timeline_entry>& entries,
                 std::uint64_t after);
  watch_reply watch(const watch_session& request);
  void unwatch(const caf::actor_addr& watcher);
  session_view view();
  void try_backlog();

  // ports.cpp
  std::string preview_url_of(const session_record& record) const;
  void on_ports(std::vector<listening_port> now);
  void recover_port(const timeline_entry& entry);
  void remember_closed(const listening_port& port);

  // revival.cpp
  void revive();
  void recover_events();
  session::past read_past();
  void read_entry(session::past& result, const timeline_entry& entry);
  void forget_surplus(session::past& result);
  void read_files(session::past& result);
  void resume_output(const session::past& what);

  session_actor handle() const {
    return session_core{self_};
  }
  const session_record& record() const noexcept {
    return machine_.record;
  }
  const std::string& id() const noexcept {
    return machine_.record.id;
  }

  pointer self_ = nullptr;
  context_ptr context_;
  project_record project_;
  session_supervisor_actor supervisor_;
  std::filesystem::path dir_;

  session::state machine_;
  std::deque<session::any_event> inbox_; // to be applied, one after the other
  bool advancing_ = false;

  pending_requests pending_;
  bool check_armed_ = false;

  std::unordered_map<std::string, live_exec> live_;
  std::vector<listening_port> ports_;        // as the runner says
  std::vector<listening_port> closed_ports_; // oldest first
  std::optional<exec_index> archive_;
  std::unordered_map<std::string, exec_place> places_; // of execs at hand
  std::uint32_t reported_load_ = 0;

  std::vector<git_edge_actor> edges_; // whose transfers go on
  bool look_armed_ = false;
  std::chrono::steady_clock::time_point last_look_{};
  std::uint32_t review_tries_ = 0;
  bool review_waiting_ = false;   // to be asked for again at the next try
  bool checkout_waiting_ = false; // likewise
  bool install_waiting_ = false;  // likewise

  std::optional<timeline_writer> timeline_;
  std::vector<timeline_entry> backlog_; // the disk did not take them yet
  bool retrying_ = false;
  std::vector<timeline_entry> change_events_; // of the change being stored
  std::function<void()> pending_change_; // writes what the store did not take
  bool ended_published_ = false;
  std::vector<caf::actor>
    live_watchers_;  // watchers that have everything so far
  shared_text view_; // empty: to be encoded anew
  unix_ms last_asked_ = 0;
};

session_core::behavior_type session_body(session_actor_state::pointer self,
                                         context_ptr context,
                                         session_args birth);

} // namespace greenroom
