#include "runtime/git/inside/forecast.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/git/inside/looking.hpp"

#include <stdlib.h>

#include <cerrno>
#include <system_error>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::hours callers_deadline{
  1}; // the caller's own comes first

// An empty repository that reads the objects of others and keeps what is
// written for as long as it lives.
class scratch_repository {
public:
  explicit scratch_repository(const std::vector<fs::path>& stores) {
    auto name = (fs::temp_directory_path() / "greenroom-bare-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw std::system_error(errno, std::generic_category(),
                              "cannot make a temporary directory");
    dir_ = name;
    fs::create_directories(dir_ / "objects/info");
    fs::create_directory(dir_ / "refs");
    write_file_atomic(dir_ / "HEAD", "ref: refs/heads/none\n", 0600, false);
    std::string text;
    for (const auto& store : stores)
      text += store.string() + '\n';
    write_file_atomic(dir_ / "objects/info/alternates", text, 0600, false);
  }
  scratch_repository(const scratch_repository&) = delete;
  scratch_repository& operator=(const scratch_repository&) = delete;
  ~scratch_repository() {
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
  }

  command_result run(const repository_git::call& call) const {
    const auto* path = std::getenv("PATH");
    command what;
    what.argv = {"git", "-c", "safe.directory=*", "-c",
                 "core.hooksPath=/dev/null"};
    what.argv.insert(what.argv.end(), call.args.begin(), call.args.end());
    what.env = {"GIT_CONFIG_NOSYSTEM=1",
                "GIT_CONFIG_GLOBAL=/dev/null",
                "GIT_DIR=" + dir_.string(),
                "HOME=/nonexistent",
                "LC_ALL=C.UTF-8",
                "GIT_ALLOW_PROTOCOL=none",
                std::string{"PATH="}
                  + (path != nullptr ? path : "/usr/bin:/bin")};
    what.cwd = call.work_tree.empty() ? dir_ : call.work_tree;
    if (!call.work_tree.empty())
      what.env.push_back("GIT_WORK_TREE=" + call.work_tree.string());
    unique_fd input;
    if (!call.input.empty()) {
      input = memfd(call.input);
      what.stdin_fd = input.get();
    }
    what.timeout = callers_deadline;
    what.max_output =
      call.max_output != 0 ? call.max_output : std::size_t{256} << 20;
    return run_command(what);
  }

private:
  fs::path dir_;
};

} // namespace

merge_preview preview_merge(const checkout_paths& paths,
                            const std::string& branch,
                            const std::string& target) {
  merge_preview result;
  auto tip = branch_tip(paths, branch);
  if (!tip)
    return result;
  result.commit = *tip;
  auto in = repo::of(paths);
  scratch_repository scratch{
    {in.look().common / "objects", paths.mirror / "objects"}};
  result.trial = try_merge(
    {[&](const repository_git::call& call) { return scratch.run(call); }},
    target, *tip);
  return result;
}

} // namespace greenroom::git
