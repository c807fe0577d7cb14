// The node's copy of a project's upstream.
//
// A bare repository under the server's data directory that no session can
// write. Its references:
//
//   refs/upstream/heads/*, refs/upstream/tags/*   what the upstream had when
//                                                 it was last asked
//   refs/upstream/HEAD                            the branch its HEAD is on
//   refs/heads/*                                  what was checked in from here
//   refs/greenroom/*                              ours: rescued work, what was
//                                                 asked for by full name
//
// Sessions borrow its objects, so nothing in it is ever pruned, and packs
// become many: pack_index.hpp has one index over them. References are written
// by libgit2 and fsynced; only fetch, push and walks through the history run
// `git`.
//
// A mirror is a cheap value; its calls block, and may run at the same time in
// several threads, apart from open_or_create: once per project and process,
// before all others.
//
// Errors: `refused` for what the user or the upstream did wrong, with a
// sentence to show; other exceptions for what the machine did. Object ids are
// 40 lower-case hex digits. Names must have passed `name_fault`.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/git/mirror/upstream_client.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::git {

enum class push_outcome {
  ok,    // the upstream has it; it may have had it before
  moved, // the upstream's branch is not where it was expected: nothing done
};

/// A reference on its way to the upstream, on the condition that what is there
/// is still what is expected.
struct leased_push {
  std::string name;     // here; empty: the one there is to go
  std::string to;       // there
  std::string expected; // the object that it has there; empty: there is none
};

struct push_results {
  std::optional<std::string> failure; // of one that was not taken, in one line
  std::set<std::string> there;        // what is so now, as it is called there
  std::set<std::string> made;         // of them those that were not so before
};

struct server_git;

class mirror {
public:
  /// Opens the mirror at `path`, which ends in `<project>.git`, or makes it:
  /// whole or not at all. Removes what a crash left: imports cut short, locks.
  /// Throws refused(bad_request) for an upstream that is not allowed. Does not
  /// speak to the upstream; `keys` are for when it does.
  static mirror open_or_create(std::filesystem::path path, std::string upstream,
                               std::shared_ptr<const credentials> keys =
                                 std::make_shared<const credentials>());

  const std::filesystem::path& path() const noexcept {
    return path_;
  }
  const std::string& upstream() const noexcept {
    return line_->url();
  }

  /// The same mirror for who may have to stop: what it fetches, or pushes to a
  /// branch, or checks before it is taken, is ended, by refused(unavailable),
  /// once `stop_fd`, which is borrowed, can be read.
  mirror until(int stop_fd) const {
    auto result = *this;
    result.stop_fd_ = stop_fd;
    return result;
  }

  /// Asks the upstream for its branches and tags, and forgets those that it
  /// has no more. An empty upstream is fine. Throws refused(unavailable): in
  /// 20 s where it does not answer, in 10 min where it does and is slow.
  void fetch() const;

  /// Asks the upstream which branch its HEAD is on, for default_branch. An
  /// upstream that does not say so leaves what is known. Throws as fetch does.
  void fetch_head() const;

  /// The branch that the upstream's HEAD is on, as far as it was asked; where
  /// it does not say so, `main`, `master`, or the only branch there is.
  std::string default_branch() const;

  /// Where the upstream's branch stands, as far as fetched.
  std::optional<std::string> resolve_branch(std::string_view name) const;

  /// The commit behind a name that ref_fault takes. Full names (refs/…) are the
  /// upstream's, but for rescue refs that are here; one that is not there may
  /// be short.
  std::optional<std::string> resolve_ref(std::string_view name) const;

  /// The commit behind an upstream's branch, else its tag, whatever their names
  /// begin with, else a commit id of 7 digits or more. As git has it,
  /// `origin/x` and `heads/x` are branch x and `tags/x` is tag x where there is
  /// none of that name, and 40 digits are an id and no name.
  std::optional<std::string> resolve_short(std::string_view name) const;

  /// Asks the upstream for one reference by its full name (refs/pull/7/head),
  /// which resolve_ref knows from then on. False if it has none. Throws as
  /// fetch does.
  bool fetch_ref(const std::string& name) const;

  /// Asks for all references beside branches, tags and ours whose full names
  /// begin so (refs/pull/), and forgets what of that was asked for before and
  /// is there no more. Throws as fetch does.
  void fetch_asked(const std::string& beginning) const;

  /// What fetch_ref and fetch_asked have found, by names below refs/ and the
  /// objects: what the upstream has beside branches and tags.
  std::map<std::string, std::string> asked_refs() const;

  /// The same of one commit, by its id in full, which need not be at a
  /// reference; false too where the upstream does not give it.
  bool fetch_commit(const std::string& id) const;

  /// The upstream's branches and tags as `heads/x` and `tags/y`, and the
  /// objects that they name.
  std::map<std::string, std::string> upstream_refs() const;

  /// The commits at all references: what a session need not send again.
  std::vector<std::string> tips() const;

  /// Those of them that the upstream has, as far as fetched.
  std::vector<std::string> upstream_tips() const;

  /// Where a full reference name leads.
  std::optional<std::string> ref(const std::string& name) const;

  /// True if both are here and `ancestor` is `commit` or came before it.
  bool is_ancestor(std::string_view ancestor, std::string_view commit) const;

  /// Those of the commits that are here and are, or came before, one of `tips`,
  /// which are here; by one walk through the history, however many they are.
  /// Throws refused(unavailable) if it takes too long, refused(overloaded)
  /// where `until` ends it.
  std::set<std::string>
  reached_from(const std::vector<std::string>& tips,
               const std::vector<std::string>& commits) const;

  /// Takes a pack from a session: read from `pack_fd` from where it stands,
  /// checked as a whole (sound objects, no `.git` or `..` in a tree, all that
  /// `tips` need is here) beside the mirror, and only then moved in. On disk
  /// when it returns; no reference is touched. Throws refused(conflict).
  /// `max_size` in bytes, 0: any.
  void import_pack(int pack_fd, const std::vector<std::string>& tips,
                   std::uint64_t max_size = 0) const;

  /// Points a reference of ours to a commit, wherever it stood.
  void set_ref(const std::string& name, const std::string& commit) const;

  /// The same, and those go that stand in its way: a/b for a, a for a/b.
  void replace_ref(const std::string& name, const std::string& commit) const;

  /// Removes a reference of ours; harmless where there is none.
  void forget_ref(const std::string& name) const;

  /// Has the upstream remove a reference. Answers as push_refs does.
  std::optional<std::string> drop_upstream_ref(const std::string& name) const;

  /// Pushes to the upstream's branch if it stands at `old` (nullopt: if it
  /// does not exist); the history of `commit` may then leave `old` out. After
  /// `ok` refs/upstream/heads/B and refs/heads/B are there too. Throws
  /// refused: `unavailable` if the upstream cannot be reached, `conflict` with
  /// git's reason if it does not want it. Gives the upstream 100 s, and time
  /// for so many `bytes`.
  push_outcome push(std::string_view branch, const std::string& commit,
                    const std::optional<std::string>& old,
                    std::uint64_t bytes = 0) const;

  /// Pushes references of ours under their own names, each where the upstream
  /// has what fetch_ref found last, or nothing where it found nothing. Answers
  /// why it could not, in one line, or nullopt. Gives the upstream so long for
  /// a few hundred.
  std::optional<std::string>
  push_refs(const std::vector<std::string>& names,
            std::chrono::seconds timeout = std::chrono::seconds{100}) const;

  /// Pushes each on its condition; what the upstream has already is taken
  /// whatever was expected. Gives the upstream so long for a few hundred.
  push_results push_leased(const std::vector<leased_push>& all,
                           std::chrono::seconds timeout) const;

  /// The upstream's references below `space` (refs/…/) now, by their full
  /// names, and the objects that they name; of a list of more bytes than
  /// `most` its beginning. Throws as fetch does.
  std::map<std::string, std::string>
  ask_upstream(const std::string& space, std::size_t most = max_list) const;

  /// The same of this mirror.
  std::map<std::string, std::string> refs_below(std::string_view space) const;

  /// The most bytes that are read of a list of references.
  static constexpr std::size_t max_list = std::size_t{64} << 20;

  /// How a failure begins that is the upstream's own word.
  static constexpr const char* upstream_refused = "the upstream refused: ";

private:
  mirror(std::filesystem::path path, std::shared_ptr<upstream_client> line)
    : path_(std::move(path)), line_(std::move(line)) {}

  bool fetch_specs(const std::vector<std::string>& specs) const;
  push_results push_some(server_git& call, std::chrono::seconds timeout) const;
  void record_head(std::string_view branch) const;
  void record_pushed(std::string_view branch, const std::string& commit) const;

  // Holds others off refs/upstream while it lives; blocks until it can, or has
  // to stop: then it holds nothing. git and libgit2 give up at once where a
  // reference is locked.
  unique_fd hold_upstream_refs() const;

  std::filesystem::path path_;
  std::shared_ptr<upstream_client> line_; // what copies share
  int stop_fd_ = -1;                      // borrowed
};

} // namespace greenroom::git
