// A session's own clone, as the `git` program has it.
//
// What greenroom-git does inside the session's sandbox; the server itself asks
// through sandboxed_git. A checkout belongs to the session's user, who may have
// configured or broken it in any way. git works there as it does for that user:
// with their configuration, attributes, filters and ignore files. Only hooks,
// the fsmonitor, signing and prompts are off.
//
// Errors: checkout_fault where the repository is in the way; other exceptions
// for what could not be read or written. No call changes anything that a
// second call would not put right.
#pragma once

#include "runtime/base/run_command.hpp"

#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::git {

struct checkout_paths {
  std::filesystem::path checkout; // absolute
  std::filesystem::path mirror;   // absolute; where objects are borrowed from
};

/// What the session's user has to put right, in a sentence for them.
class checkout_fault : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// A rebase, merge, … is under way, which has to be ended first.
class operation_fault : public checkout_fault {
public:
  using checkout_fault::checkout_fault;
};

/// One call of git.
struct git_call {
  std::vector<std::string> args;
  std::string input{};            // what it reads from stdin
  std::vector<std::string> env{}; // beyond what every call has
  int stdout_fd = -1;             // borrowed; -1: kept in the result
  std::size_t max_output = std::size_t{64} << 20;
};

/// A repository and its work tree: the session's own, a linked work tree of
/// it, or one that lies inside.
class repo {
public:
  /// `lent` are object directories that it may read besides its own.
  repo(std::filesystem::path top, std::vector<std::filesystem::path> lent)
    : top_(std::move(top)), lent_(std::move(lent)) {}

  /// The session's own. Throws checkout_fault where it is no repository.
  static repo of(const checkout_paths& paths);

  /// One whose work tree is gone, by its git directory.
  static repo without_files(const std::filesystem::path& git_dir);

  const std::filesystem::path& top() const noexcept {
    return top_;
  }

  command_result run(const git_call& call) const;

  /// What git prints without the last line break. Throws checkout_fault
  /// "git cannot <what>: <its words>" where it fails, or prints more than
  /// git_call::max_output.
  std::string ask(const git_call& call, std::string_view what) const;

  /// The same for what need not be there: nullopt where git fails. Throws where
  /// it prints too much.
  std::optional<std::string> find(const git_call& call) const;

  /// Of the same repository with more objects to read.
  repo with(std::vector<std::filesystem::path> lent) const;

  /// The same with another work tree.
  repo at(std::filesystem::path top) const;

  struct facts {
    std::filesystem::path dir;    // its git directory; absolute, as the others
    std::filesystem::path common; // of linked work trees, the shared one
    std::filesystem::path index;
    std::optional<std::string> head; // the reference; nullopt: detached
  };

  /// Throws checkout_fault where it is no repository.
  facts look() const;

private:
  std::filesystem::path top_;
  std::vector<std::filesystem::path> lent_;
  std::vector<std::string> env_; // beyond what every repository has
};

/// Throws "git cannot <what>: <its words>".
[[noreturn]] void fail(std::string_view what, const command_result& result);

/// The lines in which git says what is wrong, without what it repeats.
std::vector<std::string> complaints(const command_result& result);

/// The parts of a text, each of which ends in `end`.
std::vector<std::string> split(std::string_view text, char end);

inline constexpr std::string_view branch_space = "refs/heads/";

/// The tree without a file in it.
inline constexpr const char* empty_tree =
  "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

} // namespace greenroom::git
