// What a session asks of its journal writer, and what that answers.
//
// The writer performs the requests of a session one after the other, in the
// order in which they came, and answers in that order. What a request needs is
// in it, so that the writer never looks at the session's actor.
#pragma once

#include "actors/session/machine/recover.hpp"
#include "messages/errors.hpp"
#include "messages/events.hpp"
#include "messages/ports.hpp"
#include "messages/records.hpp"
#include "messages/shared_text.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/runner/protocol/session_files.hpp"
#include "runtime/timeline/exec_index.hpp"
#include "runtime/timeline/timeline_entry.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace greenroom::journal {

// -- requests -----------------------------------------------------------------

/// Makes the session's directories and opens its timeline; of one that is
/// `revived` it reads all that is needed to go on, and first adds what the
/// timeline lacks of the outbox. The first request.
struct open {
  session_record record;
  bool revived = false;
  std::size_t max_finished = 0;      // execs that are over, in memory
  std::vector<session_event> outbox; // oldest first
  std::string preview_url;
  bool roams = false;        // between the nodes of a cluster
  bool at_any_price = false; // sets aside what cannot be opened
  bool had_files = false;    // here: where they are not there they were removed
  // With which it came to this node; 0: that is not known.
  std::uint64_t home_epoch = 0;
};

/// Gives the events their places and writes them. Those that the disk did not
/// take before go first; without events of its own it tries those once more.
struct append {
  std::vector<timeline_entry> entries; // ids are given by the writer
};

/// Writes an exec down with its first input, then its exec.queued: all or
/// nothing. Then it tells the runner by `spawn`, if set, and remembers that
/// before it does.
struct keep_intent {
  exec_spec spec;
  runner::command_spec command;
  shared_text input;
  timeline_entry queued;
  std::function<bool()> spawn; // on the writer's thread; false: not told
};

/// Remembers that the runner is told of an exec, before it is.
struct mark_sent {
  std::string exec_id;
};

/// Announces what an exec has printed, a bounded piece of it.
struct announce_output {
  std::string exec_id;
  std::uint64_t records = 0; // the log has at least these
  bool finish = false;       // and there will be no more
  bool encode = false;       // somebody watches
};

/// Finds out how an exec ended that no runner works on.
struct settle {
  std::string exec_id;
  std::string reason; // where its files do not say
  unix_ms now = 0;
};

/// Completes the JSON of an exec that is over with what it has printed.
struct add_output {
  std::uint64_t who = 0;
  std::string exec_id;
  nlohmann::ordered_json exec;
  bool terminal = false;
};

/// Remembers where the events of an exec are that is not in memory any more.
struct archive_exec {
  archived_exec exec;
};

/// Looks for an exec that is not in memory.
struct recall_exec {
  std::string exec_id;
};

/// Gives back some of the room that is kept for a full disk.
struct make_room {};

/// A page of execs, newest first.
struct list_page {
  std::uint64_t who = 0;
  std::uint32_t limit = 0; // 0: as many as fit
  std::string cursor;
  std::size_t max_bytes = 0;            // of JSON
  std::vector<archived_exec> in_memory; // their JSON is the actor's to make
};

using any_request =
  std::variant<open, append, keep_intent, mark_sent, announce_output, settle,
               add_output, archive_exec, recall_exec, list_page, make_room>;

/// True where a writer that has too much to do may refuse it. All others are
/// as few as the execs and requests that a session admits.
inline bool may_be_refused(const any_request& what) noexcept {
  return std::holds_alternative<keep_intent>(what)
         || std::holds_alternative<add_output>(what)
         || std::holds_alternative<recall_exec>(what)
         || std::holds_alternative<list_page>(what);
}

// -- results ------------------------------------------------------------------

/// Where an exec's events are.
struct exec_place {
  std::uint64_t queued = 0; // seqs; 0: not yet
  std::uint64_t exited = 0;
  bool archived = false;
};

/// An exec that is not over, and how far its output has been announced.
struct open_output {
  std::string exec_id;
  std::uint64_t records = 0;
  std::array<std::uint64_t, output_streams> printed{};
};

/// What lies on disk of a session, and what is to be done about it.
struct opened {
  std::exception_ptr problem; // null: none
  event_id last;
  bool end_published = false;
  session::past past;
  std::vector<listening_port> ports;        // as last announced
  std::vector<listening_port> closed_ports; // oldest first
  std::vector<std::pair<std::string, exec_place>> places;
  std::vector<open_output> outputs;
  std::size_t archived = 0; // execs that are in the timeline only
  bool waiting = false;     // the disk does not take what the timeline lacked
  // It came from another node; nobody was told of that, or not of the end of
  // it: that its checkout is restored.
  bool moved = false;
  bool arriving = false;
};

/// The kernel has these events, all that were waiting, with their ids.
struct appended {
  std::vector<timeline_entry> entries;
  std::size_t requests = 0; // that this answers
};

/// The disk does not take the events. The writer keeps them, in their order,
/// and takes no output and no intents before them.
struct not_appended {
  std::size_t requests = 0;
};

struct intent_kept {
  std::string exec_id;
  std::optional<timeline_entry> queued; // nothing: it could not be kept
  bool sent = false;                    // its runner was told
  std::optional<refusal> problem = {};  // why not, where it is not the disk's
};

struct sent_marked {
  std::string exec_id;
  bool marked = false;
};

struct output_announced {
  std::string exec_id;
  bool failed = false;       // to be tried again
  bool all = false;          // that was asked for
  bool finished = false;     // and it was to be the end
  std::uint64_t asked = 0;   // records
  std::uint64_t records = 0; // taken so far
  std::array<std::uint64_t, output_streams> printed{}; // by these records
  bool truncated = false;
  event_id last;                    // of the events that this made; seq 0: none
  std::optional<event_batch> batch; // where it was to be encoded
};

struct settled {
  std::string exec_id;
  std::string reason;  // as it was asked
  bool failed = false; // nobody can tell now; it is to be asked again
  std::uint64_t records = 0;
  exec_outcome outcome;
};

struct output_added {
  std::uint64_t who = 0;
  std::string exec_id;
  shared_text json; // empty: the output cannot be read
};

struct exec_recalled {
  std::string exec_id;
  std::optional<refusal> problem;
  std::optional<exec_record> exec; // nothing: there is no such exec
  archived_exec place;
};

struct page_listed {
  struct item {
    std::string exec_id;
    std::string json; // empty: it is in memory
  };
  std::uint64_t who = 0;
  std::optional<refusal> problem;
  std::vector<item> items;
  bool more = false;
};

struct room_made {
  bool made = false; // trying again makes sense
};

using any_result =
  std::variant<opened, appended, not_appended, intent_kept, sent_marked,
               output_announced, settled, output_added, exec_recalled,
               page_listed, room_made>;

} // namespace greenroom::journal
