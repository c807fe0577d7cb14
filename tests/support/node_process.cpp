#include "tests/support/node_process.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/exec/orphans.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/traffic.hpp"

#include <algorithm>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace greenroom::test {

namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file << text;
  if (!file.flush())
    throw std::runtime_error("cannot write " + path.string());
}

/// Made once; every node gets copies.
const fs::path& seed() {
  static const temp_dir dir;
  static const fs::path made = [] {
    auto work = dir.path() / "work";
    auto bare = dir.path() / "seed.git";
    run_git(dir.path(), {"init", "-q", "-b", "main", "work"});
    write(work / "README.md", "# Demo\n");
    write(work / "src/main.txt", "one\n");
    run_git(work, {"add", "-A"});
    run_git(work, {"commit", "-qm", "First"});
    run_git(work, {"tag", "v1"});
    run_git(work, {"checkout", "-q", "-b", "topic"});
    write(work / "src/topic.txt", "topic\n");
    run_git(work, {"add", "-A"});
    run_git(work, {"commit", "-qm", "Topic"});
    run_git(work, {"checkout", "-q", "main"});
    run_git(dir.path(), {"clone", "-q", "--bare", "work", "seed.git"});
    return bare;
  }();
  return made;
}

// Of the node that has the sessions, where there are several.
const json home_labels{{"has", "sessions"}};

json project(const std::string& id, const fs::path& repo, unsigned sessions) {
  return {{"id", id},
          {"repo", repo.string()},
          {"default_branch", "main"},
          {"protected_branches", {"main"}},
          {"max_active_sessions", sessions}};
}

} // namespace

std::string run_git(const fs::path& cwd, const std::vector<std::string>& args) {
  command what;
  what.argv = {"git"};
  what.argv.insert(what.argv.end(), args.begin(), args.end());
  what.cwd = cwd;
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent",
              "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1",
              "GIT_CONFIG_GLOBAL=/dev/null",
              // A session's checkout may be another user's.
              "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory",
              "GIT_CONFIG_VALUE_0=*", "GIT_AUTHOR_NAME=Ada",
              "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada",
              "GIT_COMMITTER_EMAIL=ada@example.org"};
  auto result = run_command(what);
  if (!result.ok())
    throw std::runtime_error("git: " + result.err);
  if (result.out.ends_with('\n'))
    result.out.pop_back();
  return result.out;
}

node_process::node_process(node_options options) {
  for (auto name : {"demo.git", "other.git"})
    fs::copy(seed(), dir_.path() / name, fs::copy_options::recursive);
  auto demo = project("demo", upstream(), options.max_active_sessions);
  demo.update(options.project);
  json projects{demo, project("other", dir_.path() / "other.git", 50)};
  const auto count = nodes_of_a_test();
  if (count > 1) {
    cluster_.emplace();
    for (auto& one : projects)
      one["node_labels"] = home_labels;
  }
  write(config_file(),
        json{{"projects", projects}, {"log", {{"level", "debug"}}}}.dump(2));
  for (std::size_t i = 0; i < count; ++i)
    nodes_.push_back(make(i, options));
  start();
}

std::unique_ptr<server_process>
node_process::make(std::size_t index, const node_options& options) const {
  const auto is_home = index == 0;
  const auto is_asked = index + 1 == nodes_of_a_test();
  // Of two nodes the one whose name sorts first dials: so each dials those that
  // are there when it comes, and nobody waits until it is heard of.
  const auto name = is_home ? "test-node" : "node-" + std::to_string(9 - index);
  server_options result;
  result.config_file = config_file();
  result.log_file = dir_.path() / "log";
  result.open_files = options.open_files;
  result.env = options.env;
  result.env.push_back("GREENROOM_FAULTS=" + (dir_.path() / "faults").string());
  auto& set = result.set;
  set = {"node.data_dir=" + data_dir_of(index).string(), "node.name=" + name,
         "http.listen=127.0.0.1:0", "preview.listen=127.0.0.1:0",
         "sandbox.mode="
           + std::string{options.sandboxed ? "bubblewrap" : "none"}};
  if (cluster_) {
    auto more = cluster_->settings_of(name, is_asked);
    set.insert(set.end(), more.begin(), more.end());
    set.push_back(is_home ? "cluster.labels=" + home_labels.dump()
                          : "auth.admin_key_file=" + admin_key_file().string());
  }
  // An address is the one that the clients are given.
  for (auto& setting : options.set)
    if (is_asked || !setting.starts_with("http.listen="))
      set.push_back(setting);
  return std::make_unique<server_process>(std::move(result));
}

node_process::~node_process() {
  try {
    for (auto& node : nodes_)
      node->kill9();
    std::error_code none;
    std::vector<std::string> sessions;
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      for (auto& session :
           fs::directory_iterator{data_dir_of(i) / "sessions", none})
        sessions.push_back(session.path().filename().string());
    kill_orphans(sessions);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "clearing up after a node: %s\n", e.what());
  }
}

void node_process::start() {
  launch();
  await_serving();
}

void node_process::await_serving() {
  home().await_serving();
  admin_key_ = read_file(admin_key_file()).value_or("");
  admin_key_.erase(admin_key_.find_last_not_of('\n') + 1);
  // What is configured belongs to the node that is there first.
  for (auto& node : nodes_)
    if (node->pid() < 0) {
      node->launch();
      node->await_serving();
    }
  if (nodes_.size() > 1)
    await("each node reaches each, and the projects", [this] {
      return std::ranges::all_of(
               nodes_,
               [this](auto& node) {
                 return reaches_all({node->port(), admin_key_});
               })
             && reaches_projects();
    });
}

bool node_process::reaches_all(const http_client& node) const {
  const beside_the_document only_waits;
  auto all = node.get("/nodes").data()["nodes"];
  return all.size() == nodes_.size()
         && std::ranges::all_of(all, [](const json& one) {
              return one["reachable"] == true && one["state"] == "ready";
            });
}

// By what only their owner can say.
bool node_process::reaches_projects() const {
  const beside_the_document only_waits;
  return admin().get("/projects/demo/kept").status != 503
         && admin().get("/projects/other/kept").status != 503;
}

void node_process::inject_faults(const std::string& lines) const {
  auto next = dir_.path() / "faults.next";
  std::ofstream{next} << lines;
  fs::rename(next, dir_.path() / "faults");
}

std::string node_process::git(const std::vector<std::string>& args) const {
  return run_git(upstream(), args);
}

} // namespace greenroom::test
