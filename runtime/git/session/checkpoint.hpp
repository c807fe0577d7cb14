// Checkpoints: a session's work as it was a moment ago, in the upstream, so
// that another node can go on with it.
//
// Each is one commit under refs/greenroom/checkpoints/<sid>, over the one
// before (checkpoint_commit.hpp), and has whatever a rescue would have. Files
// that git ignores are in none, nor those that nobody may read.
//
// Calls block, on git and on the upstream.
#pragma once

#include "runtime/git/mirror/mirror.hpp"
#include "runtime/git/session/git_rpc.hpp"
#include "runtime/git/session/other_work.hpp"

#include <optional>
#include <string>
#include <vector>

namespace greenroom::git {

struct checkpoint_spec {
  git::mirror mirror;
  sandboxed_git session;
  std::string branch; // of the session
  // Of what is not committed, which a rescue may keep as it is.
  author by{"Greenroom", "checkpoint@greenroom.invalid"};
};

/// Saves what the session has, beside its running commands. False where the
/// last checkpoint has all of that. Throws refused: `conflict` where another
/// node has saved one meanwhile, which stays, until it is tried again;
/// `unavailable` where a part could not be saved, after the rest was.
bool save_checkpoint(const checkpoint_spec& spec);

/// What a checkout is to be made of.
struct checkpoint {
  std::string commit;     // the checkpoint's own; its tree is the work tree's
  std::string tip;        // of the session's branch; empty: it has no commit
  long long saved_at = 0; // seconds since 1970
  other_work others;      // what else there was
};

/// Asks the upstream for a session's checkpoint; nullopt: there is none. Throws
/// as mirror::fetch does.
std::optional<checkpoint> fetch_checkpoint(const mirror& mirror,
                                           const std::string& session_id,
                                           const std::string& branch);

/// What the last checkpoint has that this node has made or fetched, by the
/// names of a rescue; empty: it knows none. The upstream is not asked.
std::vector<named_object> last_checkpoint(const mirror& mirror,
                                          const std::string& session_id);

/// Once the session's work is safe elsewhere. Nothing is asked of the upstream
/// where this node has neither made nor fetched one. Throws refused where it
/// does not do it.
void drop_checkpoint(const mirror& mirror, const std::string& session_id);

} // namespace greenroom::git
