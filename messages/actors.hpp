// Every actor's interface: read this to know who is in the house.
//
// A handler that answers may answer with caf::error instead; the error is a
// refusal of messages/errors.hpp. All requests carry a finite time-out.
#pragma once

#include "messages/requests.hpp"

#include <caf/actor.hpp>
#include <caf/typed_actor.hpp>

#include <cstdint>

namespace greenroom {

/// Blocking work on files: replays and timeline pages. A small pool of threads.
using log_reader_actor =
  caf::typed_actor<caf::replies_to<read_session_events>::with<event_batch>,
                   caf::replies_to<read_session_timeline>::with<timeline_page>>;

/// Blocking work on git repositories. A small pool of threads, first come first
/// served; refuses with overloaded when its queue is full.
using git_actor =
  caf::typed_actor<caf::replies_to<resolve_branch>::with<resolved_branch>,
                   caf::replies_to<make_checkout>::with<done>,
                   caf::replies_to<install_checkout>::with<done>,
                   caf::replies_to<save_checkin>::with<saved_checkin>,
                   caf::replies_to<save_rescue>::with<saved_rescue>,
                   caf::replies_to<remove_checkout>::with<done>,
                   caf::replies_to<remove_session_files>::with<done>,
                   caf::replies_to<ask_checkout>::with<git_answer>,
                   caf::replies_to<poll_branch>::with<checkout_tip>,
                   caf::replies_to<find_target>::with<found_target>,
                   caf::replies_to<merge_review>::with<merge_result>,
                   caf::replies_to<diff_commits>::with<git_answer>,
                   caf::replies_to<make_review_checkout>::with<done>>;

/// The one writer of the store. What lies in its mailbox becomes one
/// transaction; each answer comes after that transaction is on disk.
using store_writer_actor =
  caf::typed_actor<caf::replies_to<insert_session>::with<done>,
                   caf::replies_to<update_session>::with<done>,
                   caf::replies_to<take_session>::with<session_record>,
                   caf::replies_to<take_live_sessions>::with<session_rows>,
                   caf::replies_to<put_project>::with<done>,
                   caf::replies_to<drop_project>::with<done>,
                   caf::replies_to<put_key>::with<done>,
                   caf::replies_to<drop_key>::with<done>,
                   caf::replies_to<put_review>::with<done>,
                   caf::replies_to<begin_request>::with<begun_request>,
                   caf::replies_to<finish_request>::with<done>,
                   caf::replies_to<drop_ended>::with<dropped_sessions>>;

/// What the store writer also hears, from itself.
using store_writer_core =
  store_writer_actor::extend<caf::reacts_to<write_batch>>;

/// Reads of the store that no actor has in memory.
using store_reader_actor =
  caf::typed_actor<caf::replies_to<load_session>::with<session_record>,
                   caf::replies_to<query_sessions>::with<session_rows>,
                   caf::replies_to<live_sessions>::with<session_rows>,
                   caf::replies_to<load_review>::with<review_record>,
                   caf::replies_to<query_reviews>::with<review_page>>;

/// One SSE stream: a cursor into a session's events, one write in flight. While
/// it is registered as hot with its session it is sent each batch.
using watcher_actor = caf::typed_actor<caf::reacts_to<event_batch>>;

/// Registers a watcher that has everything up to `after`; with `at_end` it
/// wants only what comes from now on, and `after` is ignored.
struct watch_session {
  watcher_actor watcher;
  std::uint64_t after = 0;
  bool at_end = false;
};
GREENROOM_INSPECT(watch_session, x.watcher, x.after, x.at_end)

/// Takes a watcher off the list; it may register again later. A watcher that
/// dies is taken off by itself.
struct unwatch_session {
  watcher_actor watcher;
};
GREENROOM_INSPECT(unwatch_session, x.watcher)

/// Git over HTTP: hears which transfers have to end.
using git_edge_actor = caf::typed_actor<caf::reacts_to<token_dead>>;

/// A transfer by git shows a session its token. Answered where that is right;
/// `edge` is told when the token dies.
struct open_transfer {
  std::string token_hash; // SHA-256, 64 hex digits
  git_edge_actor edge;
};
GREENROOM_INSPECT(open_transfer, x.token_hash, x.edge)

struct transfer_grant {
  session_record session;
  project_record project;
};
GREENROOM_INSPECT(transfer_grant, x.session, x.project)

/// Whoever has commands run by a runner hears from it by these.
using runner_user_actor =
  caf::typed_actor<caf::reacts_to<runner_up>, caf::reacts_to<runner_down>,
                   caf::reacts_to<exec_started>, caf::reacts_to<exec_refused>,
                   caf::reacts_to<exec_grown>, caf::reacts_to<exec_ended>,
                   caf::reacts_to<input_written>>;

/// One session: the only writer of its state, the sequencer of its events.
using session_actor = caf::typed_actor<
  // Its life.
  caf::replies_to<start_session>::with<session_record>,
  caf::replies_to<get_session>::with<session_view>,
  caf::replies_to<extend_session>::with<session_view>,
  caf::replies_to<checkin_session>::with<checkin_reply>,
  caf::replies_to<terminate_session>::with<terminate_reply>,
  caf::reacts_to<clock_tick>, caf::reacts_to<project_changed>,
  caf::reacts_to<crash_session>,
  // Commands in it.
  caf::replies_to<start_exec>::with<exec_view>,
  caf::replies_to<get_exec>::with<exec_view>,
  caf::replies_to<list_execs>::with<exec_page>,
  caf::replies_to<cancel_exec>::with<exec_view>,
  caf::replies_to<write_input>::with<done>,
  caf::replies_to<resize_exec>::with<done>,
  caf::replies_to<signal_exec>::with<exec_view>,
  // Git in it.
  caf::replies_to<rotate_token>::with<session_token>,
  caf::replies_to<open_transfer>::with<transfer_grant>,
  caf::reacts_to<branch_pushed>, caf::replies_to<ask_git>::with<git_answer>,
  // Its events.
  caf::replies_to<watch_session>::with<watch_reply>,
  caf::reacts_to<unwatch_session>,
  caf::replies_to<read_events>::with<event_batch>,
  caf::replies_to<read_timeline>::with<timeline_page>,
  // What its runner says.
  caf::reacts_to<runner_up>, caf::reacts_to<runner_down>,
  caf::reacts_to<exec_started>, caf::reacts_to<exec_refused>,
  caf::reacts_to<exec_grown>, caf::reacts_to<exec_ended>,
  caf::reacts_to<input_written>>;

/// What a session also hears, from itself.
using session_core =
  session_actor::extend<caf::reacts_to<wait_over>,
                        caf::reacts_to<continue_output>,
                        caf::reacts_to<retry_later>, caf::reacts_to<check_idle>,
                        caf::reacts_to<look_at_branch>>;

/// Spawns and monitors sessions; revives a crashed one with back-off and a
/// limit; owns the one clock of all sessions' deadlines.
using session_supervisor_actor =
  caf::typed_actor<caf::replies_to<launch_session>::with<session_actor>,
                   caf::replies_to<find_session>::with<session_actor>,
                   caf::replies_to<reconcile>::with<reconciled>,
                   caf::replies_to<get_loads>::with<session_loads>,
                   caf::reacts_to<session_load>, caf::reacts_to<arm_deadline>,
                   caf::reacts_to<project_changed>>;

/// What a supervisor also hears, from itself.
using session_supervisor_core =
  session_supervisor_actor::extend<caf::reacts_to<clock_tick>,
                                   caf::reacts_to<revive_session>>;

/// One project: admits sessions, has reviews run, merges one at a time.
using project_actor =
  caf::typed_actor<caf::replies_to<create_session>::with<created_session>,
                   caf::replies_to<list_sessions>::with<session_page>,
                   caf::replies_to<queue_review>::with<review_record>,
                   caf::replies_to<list_reviews>::with<review_page>,
                   caf::replies_to<get_review>::with<review_record>,
                   caf::replies_to<decide_review>::with<review_record>,
                   caf::replies_to<get_review_diff>::with<git_answer>,
                   caf::reacts_to<review_ran>, caf::reacts_to<project_changed>>;

/// Id to handle, for projects and sessions; keeps the projects.
using directory_actor =
  caf::typed_actor<caf::replies_to<find_project>::with<project_actor>,
                   caf::replies_to<find_session>::with<session_actor>,
                   caf::replies_to<list_projects>::with<project_list>,
                   caf::replies_to<get_project>::with<project_record>,
                   caf::replies_to<create_project>::with<project_record>,
                   caf::replies_to<change_project>::with<project_record>,
                   caf::replies_to<delete_project>::with<done>>;

/// Names a part that the node cannot do without.
struct monitor_component {
  caf::actor part;
};
GREENROOM_INSPECT(monitor_component, x.part)

/// Ends the process, loudly, when a vital part has died.
using node_root_actor = caf::typed_actor<caf::reacts_to<monitor_component>>;

/// What the HTTP side hears unasked, one per HTTP thread.
using edge_actor = caf::typed_actor<caf::reacts_to<key_revoked>>;

/// Tells the key registry about an edge.
struct join_edge {
  edge_actor edge;
};
GREENROOM_INSPECT(join_edge, x.edge)

/// API keys: durable in the store, published as a snapshot that HTTP threads
/// read without a message.
using key_registry_actor =
  caf::typed_actor<caf::replies_to<create_key>::with<key_created>,
                   caf::replies_to<list_keys>::with<key_list>,
                   caf::replies_to<revoke_key>::with<done>,
                   caf::reacts_to<join_edge>>;

} // namespace greenroom
