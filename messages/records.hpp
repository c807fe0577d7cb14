// The things Greenroom keeps: projects, keys, sessions, execs and reviews.
//
// A record is the whole truth about one thing at one moment. It travels in
// messages and lies in the store; JSON for clients is made from it in one
// place, runtime/views.
#pragma once

#include "messages/time.hpp"

#include <caf/meta/type_name.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom {

using string_map = std::map<std::string, std::string>;

// -- projects -----------------------------------------------------------------

struct review_rules {
  std::string command; // empty: a person decides
  millis timeout = 30 * 60 * 1000;
  bool required = false;
  friend bool operator==(const review_rules&, const review_rules&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, review_rules& x) {
  return f(caf::meta::type_name("review_rules"), x.command, x.timeout,
           x.required);
}

/// Who may see a port's preview.
enum class preview_access : std::uint8_t {
  token,       // a link's cookie, or an API key
  key,         // an API key only
  public_view, // anybody
};

/// "token", "key", "public".
std::string_view to_string(preview_access access) noexcept;
bool parse(std::string_view text, preview_access& out) noexcept;

struct preview_rules {
  preview_access access = preview_access::token; // of ports that say nothing
  bool rewrite_origin = false; // apps see their own address as Origin
  bool preflights = false;     // CORS preflights reach apps without access
  friend bool operator==(const preview_rules&, const preview_rules&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, preview_rules& x) {
  return f(caf::meta::type_name("preview_rules"), x.access, x.rewrite_origin,
           x.preflights);
}

/// What becomes of a project whose node is lost.
enum class node_loss : std::uint8_t {
  replace, // another node goes on with it
  wait,    // it stays that node's, and comes back with it
  stop,    // another node ends its sessions, and keeps their work
};

/// Which nodes may have a project.
struct placement_rules {
  node_loss on_loss = node_loss::replace;
  millis delay = 0;  // from the end of the lost node's lease until then
  string_map labels; // that a node has to have
  friend bool operator==(const placement_rules&,
                         const placement_rules&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, placement_rules& x) {
  return f(caf::meta::type_name("placement_rules"), x.on_loss, x.delay,
           x.labels);
}

/// Among protected branches it stands for the default branch, whichever that
/// is. No branch has this name.
inline constexpr const char* default_branch_mark = "HEAD";

/// One upstream repository and the rules for sessions on it.
struct project_record {
  std::string id;
  std::string repo;           // path or URL; may hold no credentials
  std::string default_branch; // empty: the one that the upstream's HEAD is on
  std::vector<std::string> protected_branches; // or default_branch_mark
  std::uint32_t max_active_sessions = 1;
  string_map env;
  std::string setup; // empty: none
  review_rules review;
  preview_rules preview;
  bool stopped = false; // admits no new sessions
  // How often the id has been given up before: by deletion, or for another
  // repo. Nothing of an earlier incarnation is this one's.
  std::uint32_t incarnation = 0;
  // Does not travel between nodes, of which an older one would misread the
  // rest: whoever goes by it has it from the store.
  placement_rules placement;
  friend bool operator==(const project_record&,
                         const project_record&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, project_record& x) {
  return f(caf::meta::type_name("project_record"), x.id, x.repo,
           x.default_branch, x.protected_branches, x.max_active_sessions, x.env,
           x.setup, x.review, x.preview, x.stopped, x.incarnation);
}

/// What the project's mirror is called: another one in each incarnation.
std::string mirror_name(const project_record& project);

/// True if the branch moves by merges only. `default_branch` is the upstream's
/// where the project does not say which.
bool is_protected(const project_record& project, std::string_view branch,
                  std::string_view default_branch);

// -- keys ---------------------------------------------------------------------

/// An API key without its secret, of which only the SHA-256 is kept.
struct key_record {
  std::string id;
  std::string name;
  std::string author; // `Name <mail>` of its commits; empty: made from the name
  std::string secret_hash; // 64 lower-case hex digits
  std::vector<std::string> scopes;
  std::vector<std::string> projects; // empty: all of them
  unix_ms created_at = 0;
  unix_ms expires_at = 0; // 0: never
  friend bool operator==(const key_record&, const key_record&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, key_record& x) {
  return f(caf::meta::type_name("key_record"), x.id, x.name, x.author,
           x.secret_hash, x.scopes, x.projects, x.created_at, x.expires_at);
}

/// Who asks: what handlers below the edge need to know of a key.
struct caller {
  std::string key_id = {};
  std::string key_name = {};
  std::string author = {};     // `Name <mail>`, or empty
  std::string request_id = {}; // of the request; empty: nobody made one
  friend bool operator==(const caller&, const caller&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, caller& x) {
  return f(caf::meta::type_name("caller"), x.key_id, x.key_name, x.author,
           x.request_id);
}

/// `"NAME" (request ID)`, for sentences; `a request` where neither is known.
std::string to_words(const caller& by);

/// `key "NAME" (ID)`, for sentences; `key "ID"` where that is its name, or none
/// is known.
std::string key_in_words(const std::string& id, const std::string& name);

// -- sessions -----------------------------------------------------------------

/// The life of a session:
///
///   creating → active ⇄ checking_in → ended
///                ├────→ expired
///   creating ────┼────→ terminated
///   creating ────┴────→ failed
enum class session_status : std::uint8_t {
  creating,
  active,
  checking_in,
  ended,
  expired,
  terminated,
  failed,
};

std::string_view to_string(session_status status) noexcept;
bool parse(std::string_view text, session_status& out) noexcept;

/// True while a session holds its branch and its slot.
constexpr bool is_live(session_status status) noexcept {
  return status <= session_status::checking_in;
}

/// What happens to the work when a session's time is over.
enum class on_expire : std::uint8_t { rescue, checkin };

std::string_view to_string(on_expire what) noexcept;
bool parse(std::string_view text, on_expire& out) noexcept;

/// A reference that keeps what a session wrote beside its branch.
struct rescue_ref {
  std::string ref;    // refs/greenroom/rescue/<session>/…
  std::string commit; // 40 hex digits; of an annotated tag, the tag object's
  std::string holds;  // what it is, in words for the user
  friend bool operator==(const rescue_ref&, const rescue_ref&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, rescue_ref& x) {
  return f(caf::meta::type_name("rescue_ref"), x.ref, x.commit, x.holds);
}

struct session_record {
  std::string id;
  std::string project_id;
  std::string node; // pod_name: the node that hosts it
  session_status status = session_status::creating;
  std::string status_reason;
  std::string branch;
  bool new_branch = false; // the branch is made by this session
  std::string base_commit; // where the branch stood at creation, 40 hex digits
  std::string created_by;  // key id
  std::string author;      // `Name <mail>` of its commits; empty: of the key id
  unix_ms created_at = 0;
  unix_ms expires_at = 0;
  unix_ms ended_at = 0; // 0: has not ended
  std::string feature_slug;
  on_expire expiry = on_expire::rescue;
  string_map labels;
  std::uint16_t preview_port = 8080;
  std::string token_hash; // SHA-256 of the clone token, 64 hex digits
  std::string commit;     // what the check-in made of the branch, or empty
  std::string review_id;  // of the review that the check-in queued, or empty
  std::vector<rescue_ref> rescue_refs; // of its end: what no branch has
  std::string rescue_note;   // what the user should know of them besides
  std::uint64_t epoch = 0;   // grows each time an actor takes the session
  std::uint64_t version = 0; // grows with each stored change
  millis warned = 0; // the smallest expiry warning given so far, 0: none yet
  friend bool operator==(const session_record&,
                         const session_record&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, session_record& x) {
  return f(caf::meta::type_name("session_record"), x.id, x.project_id, x.node,
           x.status, x.status_reason, x.branch, x.new_branch, x.base_commit,
           x.created_by, x.author, x.created_at, x.expires_at, x.ended_at,
           x.feature_slug, x.expiry, x.labels, x.preview_port, x.token_hash,
           x.commit, x.review_id, x.rescue_refs, x.rescue_note, x.epoch,
           x.version, x.warned);
}

// -- execs --------------------------------------------------------------------

/// queued → running → exited | signaled | timed_out | canceled | lost
enum class exec_status : std::uint8_t {
  queued,
  running,
  exited,
  signaled,
  timed_out,
  canceled,
  lost,
};

std::string_view to_string(exec_status status) noexcept;
bool parse(std::string_view text, exec_status& out) noexcept;

constexpr bool is_over(exec_status status) noexcept {
  return status > exec_status::running;
}

/// Stands for the first input of an exec of which only a part of what was asked
/// is known, as where an older release has written it down.
inline constexpr std::string_view unknown_input = "?";

/// What a client asked to run. Exactly one of `command` and `argv` is set.
struct exec_spec {
  std::string exec_id;
  std::string command;
  std::vector<std::string> argv;
  std::string cwd; // relative to the checkout, empty: its top
  string_map env;
  millis timeout = 0;      // 0: none
  bool stdin_open = false; // clients can write to its standard input
  std::uint16_t rows = 0;  // of its terminal; 0: it has none
  std::uint16_t cols = 0;
  // What its standard input gets first, by SHA-256 (64 lower-case hex digits;
  // empty: nothing), and whether it ends behind that. They do not travel
  // between nodes, of which an older one would misread the rest: where there
  // is a first input start_fed_exec has them.
  std::string first_input;
  bool input_ends = false;
  friend bool operator==(const exec_spec&, const exec_spec&) = default;
};

/// Bytes of the command, its arguments and its environment.
std::size_t text_size(const exec_spec& spec) noexcept;

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, exec_spec& x) {
  return f(caf::meta::type_name("exec_spec"), x.exec_id, x.command, x.argv,
           x.cwd, x.env, x.timeout, x.stdin_open, x.rows, x.cols);
}

/// How an exec ended, as its exit record says. Nothing here is ever guessed:
/// an exec without an exit record is `lost`.
struct exec_outcome {
  exec_status status = exec_status::lost;
  std::int32_t exit_code = 0; // valid for `exited`
  std::int32_t signal = 0;    // valid for `signaled`; else what ended it, or 0
  unix_ms ended_at = 0;
  std::uint64_t stdout_bytes = 0; // as printed, kept or not
  std::uint64_t stderr_bytes = 0;
  bool truncated = false; // the log holds less than was printed
  std::string reason;     // why it never ran or was lost, empty otherwise
  friend bool operator==(const exec_outcome&, const exec_outcome&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, exec_outcome& x) {
  return f(caf::meta::type_name("exec_outcome"), x.status, x.exit_code,
           x.signal, x.ended_at, x.stdout_bytes, x.stderr_bytes, x.truncated,
           x.reason);
}

struct exec_record {
  exec_spec spec;
  exec_status status = exec_status::queued;
  unix_ms created_at = 0;
  unix_ms started_at = 0; // 0: not yet
  exec_outcome outcome;   // valid once is_over(status)
  caller by = {};         // who asked for it; empty: the session itself
  friend bool operator==(const exec_record&, const exec_record&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, exec_record& x) {
  return f(caf::meta::type_name("exec_record"), x.spec, x.status, x.created_at,
           x.started_at, x.outcome, x.by);
}

// -- reviews ------------------------------------------------------------------

/// queued → running → approved → merged | conflict | stale | failed
///    └────────┴────→ rejected, failed
/// `approved` is the end where nobody asked for a merge.
enum class review_status : std::uint8_t {
  queued,
  running,
  approved,
  rejected,
  merged,
  conflict,
  stale,
  failed,
};

std::string_view to_string(review_status status) noexcept;
bool parse(std::string_view text, review_status& out) noexcept;

/// One check-in that is to be judged: what is reviewed is pinned by commits,
/// whatever happens to the branches meanwhile.
struct review_record {
  std::string id;
  std::string project_id;
  std::string session_id;
  std::string branch;
  std::string target; // the branch that it is to be merged into
  std::string commit; // 40 hex digits, as are base and merge_commit
  std::string base;   // where the target stood when the review was queued
  review_status status = review_status::queued;
  std::string status_reason;
  bool auto_merge = false;
  bool skipped = false;           // merge without a review
  std::string created_by;         // key id
  std::string decided_by;         // key id; empty: by the review command
  std::string by_name;            // of who decided, or else who created it:
  std::string by_author;          // the merge is theirs, see caller
  std::string comment;            // of who decided
  std::string merge_commit;       // once merged
  std::vector<std::string> files; // in conflict
  std::int32_t exit_code = -1;    // of the review command, -1: none
  std::uint32_t attempt = 1;      // grows when a moved target is merged anew
  unix_ms created_at = 0;
  unix_ms ended_at = 0; // 0: not over
  friend bool operator==(const review_record&, const review_record&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, review_record& x) {
  return f(caf::meta::type_name("review_record"), x.id, x.project_id,
           x.session_id, x.branch, x.target, x.commit, x.base, x.status,
           x.status_reason, x.auto_merge, x.skipped, x.created_by, x.decided_by,
           x.by_name, x.by_author, x.comment, x.merge_commit, x.files,
           x.exit_code, x.attempt, x.created_at, x.ended_at);
}

} // namespace greenroom
