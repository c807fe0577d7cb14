#include "tests/http/git/git_node.hpp"

#include "messages/errors.hpp"
#include "messages/type_ids.hpp"
#include "runtime/auth/sha256.hpp"
#include "runtime/base/files.hpp"
#include "runtime/sandbox/host_capabilities.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <fstream>

namespace greenroom::test {

namespace {

caf::behavior session(caf::event_based_actor* self,
                      std::shared_ptr<git_script> script) {
  self->set_down_handler([script](const caf::down_msg&) {
    std::lock_guard lock{script->guard};
    --script->open;
  });
  return {
    [self, script](const open_transfer& what) -> caf::result<transfer_grant> {
      std::lock_guard lock{script->guard};
      if (what.token_hash != sha256_hex(git_token))
        return make_error(errc::unauthorized, "the token is wrong");
      if (!script->refuse_with.empty())
        return make_error(errc::conflict, script->refuse_with);
      script->edges.push_back(what.edge);
      self->monitor(what.edge);
      ++script->open;
      transfer_grant grant;
      grant.session.id = git_sid;
      grant.session.project_id = "demo";
      grant.session.branch = git_branch;
      grant.project.id = "demo";
      return grant;
    },
    [script](const branch_pushed& what) {
      std::lock_guard lock{script->guard};
      script->pushes.push_back(what);
    }};
}

caf::behavior directory(caf::event_based_actor*, caf::actor only) {
  return {[only](const find_session& what) -> caf::result<session_actor> {
    if (what.project_id != "demo" || what.session_id != git_sid)
      return make_error(errc::not_found, "session not found");
    return caf::actor_cast<session_actor>(only);
  }};
}

/// For what the server says to actors that these tests are not about. (CAF
/// 0.17 binds a reference to null for a function without an argument.)
caf::behavior deaf(caf::event_based_actor* self, int) {
  self->set_default_handler(caf::drop);
  return {[](int) {}};
}

/// Made once; every node gets a copy.
const fs::path& seed() {
  static const temp_dir dir;
  static const fs::path made = [] {
    auto& top = dir.path();
    must_git(top, {"init", "-q", "-b", "main", "work"});
    commit_file(top / "work", "README.md", "# Demo\n");
    commit_file(top / "work", "big.txt", std::string(10'000, 'x'));
    commit_file(top / "work", "README.md", "# Demo, again\n");
    must_git(top, {"clone", "-q", "--bare", "work", "seed.git"});
    return top / "seed.git";
  }();
  return made;
}

} // namespace

command_result user_git(const fs::path& cwd, std::vector<std::string> args) {
  command what;
  what.argv = {"git"};
  what.argv.insert(what.argv.end(), args.begin(), args.end());
  what.cwd = cwd;
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin",
              "HOME=/nonexistent",
              "LC_ALL=C",
              "GIT_CONFIG_NOSYSTEM=1",
              "GIT_CONFIG_GLOBAL=/dev/null",
              "GIT_TERMINAL_PROMPT=0",
              "GIT_AUTHOR_NAME=Ada",
              "GIT_AUTHOR_EMAIL=ada@example.org",
              "GIT_COMMITTER_NAME=Ada",
              "GIT_COMMITTER_EMAIL=ada@example.org"};
  return run_command(what);
}

std::string must_git(const fs::path& cwd, std::vector<std::string> args) {
  auto result = user_git(cwd, args);
  INFO("git " << args[0] << ": " << result.err);
  REQUIRE(result.ok());
  if (result.out.ends_with('\n'))
    result.out.pop_back();
  return result.out;
}

void write_text(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file << text;
  REQUIRE(file.flush().good());
}

std::string read_text(const fs::path& path) {
  return read_file(path).value_or("");
}

void commit_file(const fs::path& repo, const std::string& name,
                 const std::string& text) {
  write_text(repo / name, text);
  must_git(repo, {"add", "-A"});
  must_git(repo, {"commit", "-qm", "Write " + name});
}

git_node::git_node(git_node_options options) {
  make_repositories();
  config_.add_message_types<caf::id_block::greenroom>();
  config_.set("scheduler.max-threads", 2u);
  config_.set("scheduler.policy", caf::atom("sharing"));
  system_ = std::make_unique<caf::actor_system>(config_);
  spawn_stand_ins();
  http::options opts;
  opts.port = 0;
  opts.threads = 1;
  opts.data_dir = dir_.path() / "data";
  if (options.change)
    options.change(opts);
  auto nobody = system_->spawn(deaf, 0);
  actors_.push_back(nobody);
  auto log = std::make_shared<spdlog::logger>(
    "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(log_, true));
  server_ = std::make_unique<http::server>(
    opts, http::server_parts{*system_,
                             ring_,
                             caf::actor_cast<directory_actor>(directory_),
                             caf::actor_cast<key_registry_actor>(nobody),
                             caf::actor_cast<store_writer_actor>(nobody),
                             {},
                             {},
                             log,
                             make_host(options.mode)});
  server_->start();
}

git_node::~git_node() {
  server_.reset();
  {
    std::lock_guard lock{script_->guard};
    script_->edges.clear();
  }
  for (auto& one : actors_)
    caf::anon_send_exit(one, caf::exit_reason::kill);
}

void git_node::spawn_stand_ins() {
  actors_.push_back(system_->spawn(session, script_));
  directory_ = system_->spawn(directory, actors_.back());
  actors_.push_back(directory_);
}

std::shared_ptr<const sandbox::host>
git_node::make_host(sandbox_mode mode) const {
  greenroom::config settings;
  settings.node.data_dir = (dir_.path() / "data").string();
  settings.sandbox.mode = mode;
  settings.sandbox.network = network_mode::none;
  return std::make_shared<sandbox::host>(
    sandbox::check_host(settings, "/usr/bin/env"));
}

void git_node::make_repositories() {
  fs::create_directories(home());
  auto data = dir_.path() / "data";
  fs::create_directories(data);
  fs::create_directories(data / "repos");
  fs::copy(seed(), data / "repos/demo.git", fs::copy_options::recursive);
  // As a session's checkout is: its objects are the mirror's.
  fs::create_directories(checkout().parent_path());
  must_git(data,
           {"clone", "-q", "--shared", "repos/demo.git", checkout().string()});
  must_git(checkout(), {"checkout", "-q", "-b", git_branch});
}

fs::path git_node::checkout() const {
  return dir_.path() / "data/sessions" / git_sid / "checkout";
}

std::string git_node::path() {
  return "/git/demo/" + git_sid + ".git";
}

std::string git_node::url(const std::string& token) const {
  return "http://session:" + token + "@127.0.0.1:" + std::to_string(port())
         + path();
}

void git_node::kill_token() {
  std::lock_guard lock{script_->guard};
  for (auto& edge : script_->edges)
    caf::anon_send(edge, token_dead{git_sid});
  script_->edges.clear();
}

void git_node::refuse_transfers(std::string why) {
  std::lock_guard lock{script_->guard};
  script_->refuse_with = std::move(why);
}

std::size_t git_node::open_transfers() {
  std::lock_guard lock{script_->guard};
  return script_->open;
}

std::vector<branch_pushed> git_node::pushes() {
  std::lock_guard lock{script_->guard};
  return script_->pushes;
}

} // namespace greenroom::test
