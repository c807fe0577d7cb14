// Real repositories to try things on: an upstream, its mirror and sessions.
#pragma once

#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/config/config.hpp"
#include "runtime/git/inside/looking.hpp"
#include "runtime/git/inside/saving.hpp"
#include "runtime/git/session/checkin.hpp"
#include "runtime/git/session/checkout.hpp"
#include "runtime/sandbox/assets.hpp"
#include "runtime/sandbox/host_capabilities.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::test {

namespace fs = std::filesystem;

inline command_result try_git(const fs::path& cwd,
                              std::vector<std::string> args) {
  command what;
  what.argv = {"git"};
  what.argv.insert(what.argv.end(), args.begin(), args.end());
  what.cwd = cwd;
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin",
              "HOME=/nonexistent",
              "LC_ALL=C",
              "GIT_CONFIG_NOSYSTEM=1",
              "GIT_CONFIG_GLOBAL=/dev/null",
              "GIT_AUTHOR_NAME=Ada",
              "GIT_AUTHOR_EMAIL=ada@example.org",
              "GIT_COMMITTER_NAME=Ada",
              "GIT_COMMITTER_EMAIL=ada@example.org"};
  return run_command(what);
}

/// Runs git, which must succeed, and gives its output without the last line
/// break.
inline std::string run_git(const fs::path& cwd, std::vector<std::string> args) {
  auto result = try_git(cwd, args);
  INFO(result.err);
  REQUIRE(result.ok());
  auto text = result.out;
  if (text.ends_with('\n'))
    text.pop_back();
  return text;
}

inline void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file << text;
  REQUIRE(file.good());
}

inline std::string read(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// Runs what must be refused, and gives the refusal.
inline refusal refusal_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const refused& what) {
    return {what.code(), what.what()};
  } catch (const git::checkout_fault& what) {
    return {errc::conflict, what.what()};
  }
  FAIL("this should have been refused");
  return {};
}

/// Full names of the references that keep rescued work.
inline std::vector<std::string> names_of(const git::rescue_result& result) {
  std::vector<std::string> names;
  for (const auto& kept : result.refs)
    names.push_back(kept.ref);
  return names;
}

// The parts of greenroom-git, called in this process.

struct commit_result {
  std::string commit; // HEAD afterwards
  bool created = false;
};

inline std::string head_of(const fs::path& top) {
  auto result = try_git(top, {"rev-parse", "-q", "--verify", "HEAD"});
  return result.ok() ? result.out.substr(0, 40) : "";
}

/// As check-in does it, on the branch that is checked out.
inline commit_result commit_all(const git::checkout_paths& place,
                                const git::author& by,
                                const std::string& message) {
  auto before = head_of(place.checkout);
  auto branch = run_git(place.checkout, {"symbolic-ref", "--short", "HEAD"});
  git::save_work(place, {by, branch, message, "Rescued", {}});
  auto after = head_of(place.checkout);
  return {after, after != before};
}

struct saved_result {
  std::map<std::string, std::string> names; // to their objects
  std::optional<std::string> note;
};

/// As rescue does it.
inline saved_result save_work(const git::checkout_paths& place,
                              const git::author& by,
                              const std::string& message) {
  auto made = git::save_work(place, {by, {}, {}, message, {}}).named;
  saved_result result{{}, made.note};
  for (const auto& one : made.objects)
    result.names[one.name] = one.id;
  return result;
}

inline std::map<std::string, std::string>
saved_names(const git::checkout_paths& place, const git::author& by,
            const std::string& message) {
  return save_work(place, by, message).names;
}

/// As rescue does it; nullopt: there is nothing that is not committed.
inline std::optional<std::string> save_tree(const git::checkout_paths& place,
                                            const git::author& by,
                                            const std::string& message) {
  auto all = saved_names(place, by, message);
  auto found = all.find("tree");
  return found == all.end() ? std::nullopt : std::optional{found->second};
}

/// Runs a hidden test case of this program in a process that dies at a
/// failpoint. `env` tells it what to do.
inline void die_at(const std::string& failpoint, const std::string& test_case,
                   std::vector<std::string> env) {
  command what;
  what.argv = {fs::read_symlink("/proc/self/exe").string(), test_case};
  what.env = std::move(env);
  what.env.push_back("GREENROOM_FAILPOINT=" + failpoint);
  what.env.push_back("PATH=/usr/local/bin:/usr/bin:/bin");
  auto result = run_command(what);
  INFO("at " << failpoint << ": " << result.out);
  REQUIRE_FALSE(result.exit_code);
  REQUIRE(result.signal == SIGKILL);
}

/// For sandboxed_git: in a sandbox where this
/// machine has one, as a session is.
inline const git::session_tools& sandboxed() {
  static const temp_dir dir;
  static const git::session_tools made = [] {
    config settings;
    settings.node.data_dir = dir.path().string();
    settings.sandbox.network = network_mode::none;
    git::session_tools result{nullptr, binary_dir() / "greenroom-git"};
    try {
      result.host = std::make_shared<sandbox::host>(
        sandbox::check_host(settings, binary_dir() / "greenroom-runner"));
    } catch (const std::runtime_error& why) {
      WARN("not in a sandbox: " << why.what());
      settings.sandbox.mode = sandbox_mode::none;
      result.host =
        std::make_shared<sandbox::host>(sandbox::check_host(settings, {}));
    }
    return result;
  }();
  return made;
}

/// The same as the server's own user.
inline git::session_tools unconfined() {
  auto host = std::make_shared<sandbox::host>();
  host->config.mode = sandbox_mode::none;
  return {host, sandboxed().program};
}

/// A bare upstream with some hundred files of all kinds that git knows. Made
/// once; every test gets a copy.
inline const fs::path& seed() {
  static const temp_dir dir;
  static const fs::path made = [] {
    const auto& top = dir.path();
    auto work = top / "work";
    run_git(top, {"init", "-q", "--bare", "-b", "main", "upstream.git"});
    run_git(top, {"clone", "-q", "upstream.git", "work"});
    run_git(work, {"checkout", "-q", "-B", "main"});
    for (int i = 0; i < 150; ++i)
      write(work / ("src/part" + std::to_string(i % 17))
              / ("file" + std::to_string(i) + ".txt"),
            "line " + std::to_string(i) + "\n");
    write(work / "bin/tool", "#!/bin/sh\necho tool\n");
    fs::permissions(work / "bin/tool", fs::perms{0755});
    fs::create_symlink("bin/tool", work / "link");
    fs::create_symlink("/etc/passwd", work / "outward");
    write(work / "Grüße/日本語 and spaces.txt", "unicode\n");
    write(work / "empty", "");
    write(work / ".gitignore", "*.o\nbuild/\n");
    run_git(work, {"add", "-A"});
    run_git(work, {"commit", "-qm", "First"});
    run_git(work, {"tag", "light"});
    run_git(work, {"tag", "-a", "-m", "A tag", "v1.0"});
    run_git(work, {"push", "-q", "origin", "main", "light", "v1.0"});
    run_git(work, {"checkout", "-q", "-b", "feature/x"});
    write(work / "feature", "x\n");
    run_git(work, {"add", "-A"});
    run_git(work, {"commit", "-qm", "Feature"});
    run_git(work, {"push", "-q", "origin", "feature/x"});
    return top / "upstream.git";
  }();
  return made;
}

/// A branch with a commit of so many files, in a bare repository.
inline void add_files(const fs::path& upstream, const std::string& branch,
                      int count) {
  std::string text = "commit refs/heads/" + branch
                     + "\ncommitter Ada <ada@example.org> 1600000000 +0000\n"
                       "data 4\nMany\n";
  for (int i = 0; i < count; ++i) {
    auto content = branch + ' ' + std::to_string(i) + '\n';
    text += "M 644 inline d" + std::to_string(i % 30) + "/f" + std::to_string(i)
            + "\ndata " + std::to_string(content.size()) + '\n' + content
            + '\n';
  }
  auto input = git::memfd(text);
  command what;
  what.argv = {"git", "fast-import", "--quiet"};
  what.cwd = upstream;
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent"};
  what.stdin_fd = input.get();
  auto result = run_command(what);
  INFO(result.err);
  REQUIRE(result.ok());
}

class world {
public:
  world() : upstream(dir.path() / "upstream.git"), mirror(make_mirror()) {
    mirror.fetch();
  }
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world() {
    if (tools.host->config.mode != sandbox_mode::none)
      sandbox::remove_groups(tools.host->groups.open(sid));
  }

  /// A session's checkout of a branch that the upstream has.
  git::checkout_paths session(const std::string& branch) {
    auto commit = mirror.resolve_branch(branch);
    REQUIRE(commit);
    return checkout(branch, *commit);
  }

  /// A session's checkout, the branch standing at `commit`.
  git::checkout_paths checkout(const std::string& branch,
                               const std::string& commit) {
    git::checkout_spec spec;
    spec.paths = {dir.path() / "sessions" / make_id() / "checkout",
                  mirror.path()};
    spec.branch = branch;
    spec.commit = commit;
    spec.upstream_refs = mirror.upstream_refs();
    spec.origin = {upstream.string(), {}, "main"};
    if (tools.host->config.mode != sandbox_mode::none)
      spec.seen_owner = sandbox::user_id;
    git::make_checkout(spec);
    git::install_checkout(spec.paths.checkout, false);
    return spec.paths;
  }

  git::checkin_spec checkin_of(const git::checkout_paths& place,
                               const std::string& branch,
                               const std::string& base) const {
    return {
      mirror, in(place), branch, base, false, user, "Check in from a session"};
  }

  git::rescue_spec rescue_of(const git::checkout_paths& place) const {
    return {mirror, in(place), user};
  }

  /// Git in the session as the server has it.
  git::sandboxed_git in(const git::checkout_paths& place) const {
    return {tools,
            {sid, place.checkout.parent_path(), place.checkout, place.mirror}};
  }

  std::string rescue_ref(const std::string& name) const {
    return "refs/greenroom/rescue/" + sid + '/' + name;
  }

  /// Somebody else's clone of the upstream, on main.
  const fs::path& work() {
    if (work_.empty()) {
      work_ = dir.path() / "work";
      run_git(dir.path(), {"clone", "-q", upstream.string(), work_.string()});
    }
    return work_;
  }

  /// Somebody else's commit on a branch of the upstream.
  std::string move_upstream(const std::string& branch, const std::string& file,
                            const std::string& text = "from somebody else\n") {
    run_git(work(), {"fetch", "-q", "origin"});
    run_git(work(), {"checkout", "-q", "-B", branch, "origin/" + branch});
    write(work() / file, text);
    run_git(work(), {"add", "-A"});
    run_git(work(), {"commit", "-qm", "Somebody else"});
    run_git(work(), {"push", "-q", "origin", branch});
    return run_git(work(), {"rev-parse", "HEAD"});
  }

  std::string upstream_at(const std::string& ref) const {
    auto result = try_git(upstream, {"rev-parse", "--verify", "-q", ref});
    return result.ok() ? result.out.substr(0, 40) : "";
  }

  void check_sound(const fs::path& repository) const {
    auto result = try_git(repository, {"fsck", "--strict", "--full"});
    INFO(result.out << result.err);
    CHECK(result.ok());
    CHECK(result.err.find("error") == std::string::npos);
  }

  temp_dir dir;
  fs::path upstream; // bare
  git::mirror mirror;
  std::string sid = make_id();
  git::session_tools tools = sandboxed();
  git::author user{"Session User", "user@example.org"};

private:
  git::mirror make_mirror() {
    fs::copy(seed(), upstream, fs::copy_options::recursive);
    return git::mirror::open_or_create(dir.path() / "repos/demo.git",
                                       upstream.string());
  }

  fs::path work_;
};

/// A commit whose tree has ten directories in ten directories, and so on, with
/// one file at the end of each way, or none; in the mirror, as a push brings
/// it.
inline std::string bomb(const world& w, int depth,
                        const std::optional<std::string>& text = {}) {
  const auto file = w.dir.path() / "content";
  auto make_tree = [&](const std::string& list) {
    write(file, list);
    command make;
    make.argv = {"sh", "-c", "git mktree <'" + file.string() + '\''};
    make.cwd = w.mirror.path();
    make.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent"};
    auto made = run_command(make);
    REQUIRE(made.ok());
    return made.out.substr(0, 40);
  };
  std::string tree;
  auto entry = "040000 tree " + make_tree("");
  if (text) {
    write(file, *text);
    entry = "100644 blob "
            + run_git(w.mirror.path(), {"hash-object", "-w", file.string()});
  }
  for (int i = 0; i < depth; ++i) {
    std::string list;
    for (int j = 0; j < 10; ++j)
      list += entry + "\td" + std::to_string(j) + '\n';
    tree = make_tree(list);
    entry = "040000 tree " + tree;
  }
  return run_git(w.mirror.path(), {"commit-tree", "-m", "Bomb", tree});
}

} // namespace greenroom::test
