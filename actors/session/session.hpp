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
//   checkpoints.cpp       work that another node could go on with
//   restoring.cpp         how it goes on with that work itself
//   leaving.cpp           how it goes to another node
//   execs.cpp             the runner, and how commands start and end
//   input.cpp             what commands are fed, and connections to their ports
//   output.cpp            what commands print
//   replies.cpp           what clients get to see of execs
//   recall.cpp            execs that are not in memory any more
//   noted_execs.cpp       execs that another node has had
//   journal.cpp           what is asked of the journal writer, and its answers
//   watchers.cpp          who hears of events
//   ports.cpp             the ports that commands listen on
//
// It reads and writes no file: its journal writer does (journal/writers.hpp),
// and answers in the order in which it was asked. Only then is anything
// announced, and an answer that promises what has been published waits until
// that is written.
//
// Owner: the session supervisor. Every session of the store that is live has
// one; one that is over gets one when somebody asks, and it goes when idle.
#pragma once

#include "actors/base/context.hpp"
#include "actors/base/restore_turns.hpp"
#include "actors/session/event_window.hpp"
#include "actors/session/journal/keeper.hpp"
#include "actors/session/machine/machine.hpp"
#include "actors/session/pending_requests.hpp"
#include "messages/moving.hpp"
#include "messages/relay.hpp"

#include <caf/exit_reason.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
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
  caller by = {}; // of one that is new: who asked for it
  // Of one that is revived: its journal, and what was found there. There may be
  // a timeline, execs and a runner already.
  journal::channel_ptr channel;
  std::shared_ptr<journal::opened> found;
  std::vector<std::string> noted; // what the store has of its execs, as JSON
  std::string give_up;  // not empty: end it as failed, for this reason
  bool leaving = false; // its project is on its way to another node
  std::shared_ptr<restore_turns> turns; // of the node
};

/// How long the actor of a session that is over stays without being asked.
inline constexpr std::chrono::seconds idle_time{60};
/// A list of execs that asks for all gets as many as fit.
inline constexpr std::size_t max_exec_page = 4 * 1024 * 1024;

/// How long a request is worth an answer: about as long as clients wait. One
/// that makes or ends a session is waited for longer (actor_timeout).
inline constexpr std::chrono::seconds ask_timeout{30};
/// What a node says that may have lost the session, of what it has not begun.
extern const refusal not_begun;
/// How often requests are looked at that have not been answered.
inline constexpr std::chrono::seconds check_period{30};

/// After which what could not be stored or written is tried again.
inline constexpr std::chrono::seconds retry_pause{1};

/// A session whole, for other nodes too.
using relayed_session_actor = full_session_actor::extend<
  // A watcher of another node has taken what it was sent.
  caf::reacts_to<taken_events>>;

class session_actor_state {
public:
  using pointer = relayed_session_actor::stateful_pointer<session_actor_state>;
  static inline const char* name = "session";

  relayed_session_actor::behavior_type start(pointer self, context_ptr context,
                                             session_args birth);

  /// The actor ends because of an exception: all who wait are told.
  void crashed() {
    pending_.refuse_all(make_error(caf::exit_reason::unknown));
    savers_.clear();
    packers_.clear();
  }

private:
  /// An exec that is not over, or whose end is not announced yet.
  struct live_exec {
    std::uint64_t records = 0;   // the log has at least these
    std::uint64_t announced = 0; // of them
    std::optional<exec_outcome> end;
    std::array<std::uint64_t, output_streams> printed{};
    bool truncated = false;
    bool reading = false;  // the journal writer is at it
    bool finished = false; // all that it has printed is announced
  };

  /// One that has everything so far, or will be told that it lacks something.
  struct live_watcher {
    caf::actor handle;
    std::optional<event_window> window; // one that says what it has taken
  };

  /// Who wants it to go to another node: hears of it, also where the actor ends
  /// before it can.
  class packer {
  public:
    explicit packer(caf::typed_response_promise<session_rest> asked)
      : promise_(std::move(asked)) {}
    packer(const packer&) = delete;
    packer& operator=(const packer&) = delete;
    ~packer();

    void answer(const session_rest& how);

  private:
    caf::typed_response_promise<session_rest> promise_;
    bool answered_ = false;
  };
  using packer_list = std::vector<std::shared_ptr<packer>>;

  /// Waits until what was published before it is written, or it may begin.
  struct held_answer {
    std::uint64_t after = 0; // so many appends
    session::any_effect what;
  };

  // session.cpp
  relayed_session_actor::behavior_type make_behavior();
  void feed(session::any_event what);
  void advance();
  void begin(journal::opened& found, std::string give_up,
             const std::vector<std::string>& noted = {});
  void leave(const caf::error& why);
  void tick(unix_ms now);
  void check_soon();
  void check_requests();
  void check();

  // requests.cpp
  caf::result<session_record> take(start_session);
  caf::result<session_view> take(const extend_session& x);
  caf::result<checkin_reply> take(checkin_session& x);
  caf::result<terminate_reply> take(const terminate_session& x);
  caf::result<done> take(rescue_pushed& x);
  caf::result<done> take(const drop_kept&);
  caf::result<done> drop_kept_elsewhere();
  caf::result<exec_view> take(start_exec& x);
  caf::result<exec_view> take(start_fed_exec& x);
  caf::result<exec_view> begin_exec(start_exec& x, shared_text input);
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
  session::ticket ask(pending::request what,
                      std::chrono::milliseconds timeout = ask_timeout);
  void refuse(session::ticket who, const refusal& why);
  void touch();

  // effects.cpp
  void perform(const session::effects& todo);
  void perform(const session::any_effect& what);
  struct performer;
  void hold(const session::any_effect& what);
  void once_owned(const session::any_effect& what, std::function<void()> then);
  void arm(unix_ms at);
  void answer_session(session::ticket who);
  void answer_terminated(session::ticket who);
  void answer_noted(session::ticket who);

  // changes.cpp
  void persist(const session::effect::persist& change);
  void write(const session_record& next, bool refusable);
  void not_stored(const session_record& next, bool refusable,
                  const caf::error& e);
  void fenced_off(const caf::error& why);
  void publish_stored();

  // endings.cpp
  void make_checkout();
  void install_checkout();
  void save_checkin();
  void save_rescue();
  void win_room_for_end();
  void rescue_failed();
  void note_unpushed(const std::string& note);
  void remove_checkout();
  void queue_review();
  void ask_for_review(const project_actor& project);
  void review_refused(const refusal& why);
  void answer_checkin(session::ticket who);
  void deliver_checkin(session::ticket who, checkin_reply reply);

  // git.cpp
  void answer_transfer(session::ticket who);
  void answer_token(session::ticket who);
  void end_transfers();
  void forget_edge(const caf::actor_addr& edge);
  void answer_question(session::ticket who);
  void poll_branch();
  void look_soon();
  void look_after_exec();

  // checkpoints.cpp
  void note_work(event_kind kind);
  void checkpoint_within(std::chrono::milliseconds pause);
  void save_checkpoint(const checkpoint_due& x);
  void drop_checkpoint();

  // restoring.cpp
  void await_turn(bool urgent);
  void look_at_turn();
  void pause_restore(std::chrono::milliseconds pause);
  void limit_wait(session::ticket who);
  void end_wait_in(std::chrono::milliseconds limit, session::ticket who);
  void arm_waits();
  void end_waits();
  void wait_over_of(session::ticket who);
  void restore_checkout();
  void tell_moved();
  void tell_restored(const restored_checkout& from);

  // leaving.cpp
  session_rest rest() const;
  caf::result<session_rest> take(const pack_session& x);
  void unpack();
  void save_work(std::function<void(std::string problem)> then);
  void pack_on();
  void packed(const session_rest& how);

  // execs.cpp
  void run_setup(const session::effect::run_setup& what);
  void keep_exec(const session::effect::keep_exec& what);
  std::function<bool()> spawner_of(const std::string& exec_id) const;
  void unkept(const std::string& exec_id, refusal why);
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
  bool admits(session::ticket who, const std::string& exec_id,
              const caller& by);
  exec_loads::whose whose() const;
  void report_load();

  // input.cpp
  void pass_signal(const session::effect::pass_signal& what);
  void pass_input(const session::effect::pass_input& what);
  void pass_resize(const session::effect::pass_resize& what);
  void on_written(const input_written& news);
  void answer_input(session::ticket who);
  void on_connected(const port_connected& news);

  // output.cpp
  void pump_output(const std::string& exec_id);
  void pump_all();

  // replies.cpp
  void answer_exec(const session::effect::answer_exec& what);
  void list_page(session::ticket who, const list_execs& request);
  nlohmann::ordered_json json_of(const exec_record& exec) const;
  std::vector<archived_exec> execs_in_memory() const;

  // recall.cpp
  void with_exec(const std::string& exec_id, session::ticket who,
                 std::function<void()> then);
  void archive(const std::string& exec_id);

  // noted_execs.cpp
  void note(const timeline_entry& entry);
  void forget_note(const std::string& exec_id);
  void send_note(note_exec what);
  void take_noted(const std::vector<std::string>& noted);
  void tell_missed();

  // journal.cpp
  bool post(journal::any_request what);
  void read_journal();
  void take_over(journal::opened& found);
  void operator()(journal::opened& x);
  void operator()(journal::appended& x);
  void operator()(const journal::not_appended& x);
  void operator()(journal::intent_kept& x);
  void operator()(const journal::sent_marked& x);
  void operator()(journal::output_announced& x);
  void operator()(journal::settled& x);
  void operator()(const journal::output_added& x);
  void operator()(journal::exec_recalled& x);
  void operator()(journal::page_listed& x);
  void operator()(const journal::room_made& x);
  void publish(std::vector<timeline_entry> entries);
  void publish(const session::effect::publish& what);
  void publish_exec(event_kind kind, const std::string& exec_id);
  timeline_entry exec_event(event_kind kind,
                            const nlohmann::ordered_json& exec) const;
  void announce(const std::vector<timeline_entry>& entries);
  void count(event_kind kind);
  void release_answers();
  void retry_soon();
  void try_again();

  // watchers.cpp
  void broadcast(const std::vector<timeline_entry>& entries);
  void broadcast(event_batch batch);
  watch_reply watch(const watch_session& request);
  void unwatch(const caf::actor_addr& watcher);
  void taken(const taken_events& x);
  session_view view();

  // ports.cpp
  std::string preview_url_of(const session_record& record) const;
  void on_ports(std::vector<listening_port> now);

  session_actor handle() const {
    return full_session_actor{self_};
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
  journal::channel_ptr journal_;

  session::state machine_;
  std::list<session::any_event> inbox_; // to be applied, one after the other
  bool advancing_ = false;

  pending_requests pending_;
  bool check_armed_ = false;

  std::unordered_map<std::string, live_exec> live_;
  std::vector<listening_port> ports_;        // as the runner says
  std::vector<listening_port> closed_ports_; // oldest first
  std::unordered_map<std::string, journal::exec_place> places_; // of execs in
                                                                // memory
  std::size_t archived_ = 0; // execs that are in the timeline only
  // Who asked for one of those, which is being looked for.
  std::unordered_map<
    std::string, std::vector<std::pair<session::ticket, std::function<void()>>>>
    recalls_;
  // Execs of which the journal writer is told that the runner is told. True:
  // it is to be told at once to kill them.
  std::unordered_map<std::string, bool> marking_;
  exec_loads::load reported_;
  bool admitted_ = false; // another one since then

  std::vector<git_edge_actor> edges_; // whose transfers go on
  bool look_armed_ = false;
  std::chrono::steady_clock::time_point last_look_{};
  std::uint32_t review_tries_ = 0;
  bool review_waiting_ = false;   // to be asked for again at the next try
  bool checkout_waiting_ = false; // likewise
  bool install_waiting_ = false;  // likewise
  std::optional<exec_spec> setup_waiting_; // likewise
  // When the next checkpoint is due, and how often that was decided.
  std::optional<std::chrono::steady_clock::time_point> checkpoint_at_;
  std::uint64_t checkpoint_turn_ = 0;
  bool saving_checkpoint_ = false;
  std::chrono::milliseconds checkpoint_took_{0};

  std::shared_ptr<restore_turns> turns_;
  std::unique_ptr<restore_turns::place> turn_; // in line, or that has come
  bool turn_taken_ = false;                    // the machine knows of it
  std::optional<std::chrono::steady_clock::time_point> restore_again_at_;
  // Until when requests wait for the checkout.
  std::map<session::ticket, std::chrono::steady_clock::time_point>
    checkout_waits_;
  static constexpr auto no_wait = std::chrono::steady_clock::time_point::max();
  // When the waits of requests are over, answered ones too.
  std::multimap<std::chrono::steady_clock::time_point, session::ticket> waits_;
  std::chrono::steady_clock::time_point next_wait_ = no_wait; // has a timer
  bool arriving_ = false; // watchers are to hear that it is restored
  std::optional<restored_checkout> restored_; // until it is in its place

  std::vector<exec_record> missed_; // that ran on a node which is lost
  std::size_t notes_ = 0;           // on their way to the store

  // Who wants it to go to another node, until it can. For the first of these
  // its work is still being saved while it goes on.
  packer_list savers_;
  packer_list packers_;
  bool packing_ = false;        // the last checkpoint is being saved
  std::uint64_t pack_turn_ = 0; // what was saved before is not the last one

  event_id last_; // of the events that are announced
  std::uint64_t appends_asked_ = 0;
  std::uint64_t appends_done_ = 0;
  std::list<held_answer> held_answers_;
  bool stuck_ = false; // the disk takes no events
  bool retrying_ = false;
  // Execs whose ends could not be read yet.
  struct unsettled {
    std::string reason; // why they were looked for
    int tries = 0;
    bool waits = false; // for the next one
  };
  std::map<std::string, unsettled> unsettled_;
  std::vector<session_event> change_events_; // of the change being stored
  std::function<void()> pending_change_; // writes what the store did not take
  std::string rescue_problem_;           // why the last try failed
  bool won_room_ = false;                // by win_room_for_end
  bool ended_published_ = false;
  std::vector<live_watcher> live_watchers_;
  shared_text view_; // empty: to be encoded anew
  unix_ms last_asked_ = 0;
};

relayed_session_actor::behavior_type
session_body(session_actor_state::pointer self, context_ptr context,
             session_args birth);

} // namespace greenroom
