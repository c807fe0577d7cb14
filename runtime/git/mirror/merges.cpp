#include "runtime/git/mirror/merges.hpp"

#include "messages/errors.hpp"
#include "runtime/base/failpoint.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/git/common/merge_tree.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/handles.hpp"
#include "runtime/git/mirror/objects.hpp"
#include "runtime/git/mirror/question_limits.hpp"
#include "runtime/git/mirror/signatures.hpp"
#include "runtime/git/mirror/stoppable_git.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace greenroom::git {

namespace {

// How far back the commit is looked for by which a target got another.
constexpr int max_steps = 10'000;

git_oid known_commit(git_repository* repo, const std::string& hex) {
  auto id = to_oid(hex);
  if (type_of(repo, id) != GIT_OBJECT_COMMIT)
    throw refused{errc::not_found, "commit " + hex + " is not known here"};
  return id;
}

// False also where the two have nothing in common.
bool contains(git_repository* repo, const git_oid& tip, const git_oid& commit) {
  git_oid shared;
  auto code = git_merge_base(&shared, repo, &tip, &commit);
  if (code == GIT_ENOTFOUND)
    return false;
  check(code, "cannot compare two commits");
  return git_oid_equal(&shared, &commit) != 0;
}

// The first on the line of first parents to `tip` that has `commit`.
std::string point_of_merge(git_repository* repo, git_oid tip,
                           const git_oid& commit) {
  for (int i = 0; i < max_steps && git_oid_equal(&tip, &commit) == 0; ++i) {
    commit_handle at;
    check(git_commit_lookup(receive(at), repo, &tip), "cannot read a commit");
    const auto* before = git_commit_parent_id(at.get(), 0);
    if (before == nullptr || !contains(repo, *before, commit))
      break;
    tip = *before;
  }
  return to_hex(tip);
}

std::string commit_merge(git_repository* repo, const std::string& merged,
                         const git_oid& target, const git_oid& commit,
                         const merge_spec& spec) {
  auto tree_id = to_oid(merged);
  tree_handle tree;
  check(git_tree_lookup(receive(tree), repo, &tree_id),
        "cannot read a merged tree");
  std::array<commit_handle, 2> parents;
  check(git_commit_lookup(receive(parents[0]), repo, &target),
        "cannot read the target's commit");
  check(git_commit_lookup(receive(parents[1]), repo, &commit),
        "cannot read the commit to merge");
  std::array<const git_commit*, 2> raw{parents[0].get(), parents[1].get()};
  auto signature = sign(spec.by);
  git_oid id;
  check(git_commit_create(&id, repo, nullptr, signature.get(), signature.get(),
                          nullptr, spec.message.c_str(), tree.get(), raw.size(),
                          raw.data()),
        "cannot write a merge commit");
  return to_hex(id);
}

// What merges in the mirror may take: git's own memory, and what of a list of
// files is held in the node's.
constexpr std::chrono::seconds merge_timeout{100};
constexpr std::uint64_t max_memory = std::uint64_t{512} << 20;
constexpr std::size_t max_listing = std::size_t{64} << 20;

// Less than whoever asks for a diff waits.
constexpr std::chrono::seconds diff_timeout{25};
// How much of one is shown.
constexpr std::size_t max_diff = std::size_t{4} << 20;
// Which git knows, whether a repository has it or not.
constexpr const char* empty_tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

bool is_out_of_memory(const command_result& result) {
  return !result.ok()
         && (result.err.find("ut of memory") != std::string::npos
             || result.err.find("Cannot allocate memory") != std::string::npos);
}

// Throws refused where git needed more than that.
void check_bounds(const command_result& result) {
  constexpr const char* instead = "; merge the target in the session";
  if (result.truncated)
    throw refused{errc::conflict,
                  "the two commits have too many files to be merged here: "
                  "their names take more than "
                    + std::to_string(max_listing >> 20) + " MiB" + instead};
  if (is_out_of_memory(result))
    throw refused{errc::conflict,
                  "a file that both commits have changed is too large to be "
                  "merged here: that takes more than "
                    + std::to_string(max_memory >> 20) + " MiB of memory"
                    + instead};
}

repository_git in_mirror(const mirror& mirror) {
  return {[path = mirror.path()](const repository_git::call& call) {
    server_git what{path, call.args};
    if (!call.work_tree.empty()) {
      what.cwd = call.work_tree;
      what.env = {"GIT_WORK_TREE=" + call.work_tree.string()};
    }
    unique_fd input;
    if (!call.input.empty()) {
      input = memfd(call.input);
      what.stdin_fd = input.get();
    }
    what.timeout = merge_timeout;
    what.max_memory = max_memory;
    what.max_output = call.max_output != 0 ? call.max_output : max_listing;
    auto result = run(what);
    if (call.max_output == 0)
      check_bounds(result);
    return result;
  }};
}

// What the parts of one diff may take together.
struct diff_bounds {
  std::chrono::steady_clock::time_point until;
  int stop_fd = -1;
};

command_result run_within(const diff_bounds& bounds, server_git& call) {
  call.timeout = std::chrono::ceil<std::chrono::milliseconds>(
    bounds.until - std::chrono::steady_clock::now());
  call.max_memory = max_memory;
  auto result = run_until(call, bounds.stop_fd);
  if (!result)
    give_way();
  return std::move(*result);
}

// What a session has made may have no end: files in ten directories in ten
// directories, and so on. So git compares them, in a process that has one.
command_result compare_files(const mirror& mirror, const std::string& from,
                             const std::string& to, const char* renames,
                             const diff_bounds& bounds) {
  server_git call{mirror.path(),
                  {"-c", "core.bigFileThreshold=8m", "diff", "--no-ext-diff",
                   "--no-textconv", "--no-color", "--unified=3",
                   "--submodule=short", renames, from, to, "--"}};
  call.max_output = max_diff;
  call.end_when_full = true;
  return run_within(bounds, call);
}

// At a line's end.
std::string cut(std::string text) {
  text.resize(text.find_last_of('\n') + 1);
  return text + "\n(cut here: the diff is longer than 4 MiB)\n";
}

void check_compared(const command_result& result) {
  if (result.ok())
    return;
  constexpr const char* too_many =
    "the two commits have too many files, too large ones or too long a "
    "history to be compared here: that takes more than ";
  if (result.timed_out)
    throw refused{errc::timeout,
                  too_many + std::to_string(diff_timeout.count()) + " seconds"};
  if (is_out_of_memory(result))
    throw refused{errc::conflict, too_many + std::to_string(max_memory >> 20)
                                    + " MiB of memory"};
  throw std::runtime_error("cannot compare two commits: " + reason(result));
}

// A history that a session has made may be of any length: so this, too, is for
// a process that has an end. nullopt: they have nothing in common.
std::optional<std::string> shared_commit(const mirror& mirror,
                                         const std::string& from,
                                         const std::string& to,
                                         const diff_bounds& bounds) {
  server_git call{mirror.path(), {"merge-base", from, to}};
  auto result = run_within(bounds, call);
  if (result.exit_code == 1 && result.out.empty())
    return std::nullopt;
  check_compared(result);
  return result.out.substr(0, result.out.find('\n'));
}

merge_result move_target(const merge_spec& spec, const std::string& to) {
  std::optional<std::string> old;
  if (!spec.base.empty())
    old = spec.base;
  failpoint("merge.made");
  if (spec.mirror.push(spec.target, to, old) == push_outcome::moved)
    return {merge_end::stale, {}, {}};
  failpoint("merge.pushed");
  return {merge_end::merged, to, {}};
}

} // namespace

merge_result merge(const merge_spec& spec) {
  spec.mirror.fetch();
  auto tip = spec.mirror.resolve_branch(spec.target);
  auto repo = open_mirror(spec.mirror.path());
  auto commit = known_commit(repo.get(), spec.commit);
  if (!tip)
    return spec.base.empty() ? move_target(spec, spec.commit)
                             : merge_result{merge_end::stale, {}, {}};
  auto target = to_oid(*tip);
  if (contains(repo.get(), target, commit))
    return {merge_end::merged, point_of_merge(repo.get(), target, commit), {}};
  if (*tip != spec.base)
    return {merge_end::stale, {}, {}};
  auto made = prepare_merge(spec);
  return made.end == merge_end::merged ? move_target(spec, made.commit) : made;
}

merge_result prepare_merge(const merge_spec& spec) {
  if (spec.base.empty())
    return {merge_end::merged, spec.commit, {}};
  auto repo = open_mirror(spec.mirror.path());
  auto target = known_commit(repo.get(), spec.base);
  auto commit = known_commit(repo.get(), spec.commit);
  auto trial = try_merge(in_mirror(spec.mirror), spec.base, spec.commit);
  if (trial.kind == merge_kind::up_to_date)
    return {merge_end::merged, spec.base, {}};
  if (trial.kind == merge_kind::fast_forward)
    return {merge_end::merged, spec.commit, {}};
  if (trial.kind == merge_kind::unrelated)
    throw refused{errc::conflict, "the commit has no history in common with "
                                  "branch \""
                                    + spec.target + '"'};
  if (!trial.reason.empty())
    throw refused{errc::conflict, trial.reason};
  if (!trial.conflicts.empty())
    return {merge_end::conflict, {}, std::move(trial.conflicts)};
  return {merge_end::merged,
          commit_merge(repo.get(), trial.tree, target, commit, spec),
          {}};
}

std::string diff_commits(const mirror& mirror, const std::string& from,
                         const std::string& to, int stop_fd) {
  const diff_bounds bounds{std::chrono::steady_clock::now() + diff_timeout,
                           stop_fd};
  auto repo = open_mirror(mirror.path());
  known_commit(repo.get(), to);
  auto begin = from.empty() ? std::string{empty_tree} : from;
  if (!from.empty()) {
    known_commit(repo.get(), from);
    begin = shared_commit(mirror, from, to, bounds).value_or(from);
  }
  auto result = compare_files(mirror, begin, to, "--find-renames", bounds);
  if (is_out_of_memory(result)) // what may have been renamed is read whole
    result = compare_files(mirror, begin, to, "--find-renames=100%", bounds);
  if (result.truncated)
    return cut(std::move(result.out));
  check_compared(result);
  return std::move(result.out);
}

} // namespace greenroom::git
