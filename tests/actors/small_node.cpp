#include "tests/actors/small_node.hpp"

#include "actors/directory.hpp"
#include "actors/disk/log_reader.hpp"
#include "actors/git/dispatcher.hpp"
#include "actors/store/reader.hpp"
#include "actors/store/writer.hpp"
#include "actors/supervisor.hpp"
#include "messages/type_ids.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/disk/disk_reserve.hpp"
#include "runtime/exec/orphans.hpp"
#include "runtime/sandbox/plan.hpp"
#include "runtime/store/migrations.hpp"
#include "runtime/store/projects.hpp"
#include "tests/support/build_paths.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <fstream>
#include <limits>
#include <stdexcept>

namespace greenroom::test {

namespace {

namespace fs = std::filesystem;

struct test_config : caf::actor_system_config {
  test_config() {
    add_message_types<caf::id_block::greenroom>();
    set("scheduler.max-threads", 2);
    set("scheduler.policy", caf::atom("sharing"));
  }
};

using connection_box = std::unique_ptr<store::connection>;

// Stands for the member of a cluster, whom sessions ask nothing.
caf::behavior nobody(caf::event_based_actor*, int) {
  return {[](clock_tick) {}};
}

std::shared_ptr<connection_box> open_store(const fs::path& dir) {
  return std::make_shared<connection_box>(std::make_unique<store::connection>(
    "sqlite3://greenroom.db", dir, sync_mode::normal));
}

} // namespace

std::string small_node::git(const std::vector<std::string>& args) const {
  std::vector<std::string> argv{"git"};
  argv.insert(argv.end(), args.begin(), args.end());
  command what;
  what.argv = argv;
  what.cwd = dir_.path();
  what.env = {"PATH=/usr/bin:/bin", "HOME=" + dir_.path().string()};
  for (std::string who : {"AUTHOR", "COMMITTER"}) {
    what.env.push_back("GIT_" + who + "_NAME=T");
    what.env.push_back("GIT_" + who + "_EMAIL=t@example.org");
  }
  auto done = run_command(what);
  if (done.exit_code != 0)
    throw std::runtime_error("git " + args.front() + ": " + done.err);
  return done.out;
}

small_node::small_node(std::function<void(project_record&)> change,
                       bool clustered)
  : clustered_(clustered), settings_(std::make_unique<test_config>()) {
  rules_.id = "demo";
  rules_.repo = upstream().string();
  rules_.protected_branches = {"main"};
  rules_.max_active_sessions = 50;
  if (change)
    change(rules_);
  git({"init", "-q", "-b", "main", "seed"});
  std::ofstream{dir_.path() / "seed" / "file.txt"} << "first\n";
  git({"-C", "seed", "add", "."});
  git({"-C", "seed", "commit", "-q", "-m", "first"});
  git({"-C", "seed", "branch", "topic"});
  git({"clone", "-q", "--bare", "seed", "upstream.git"});
  start();
}

small_node::~small_node() {
  stop();
  kill_orphans(sessions_);
}

void small_node::start() {
  auto data = dir_.path() / "data";
  fs::create_directories(data / "sessions");
  fs::create_directories(data / "repos");
  auto write_to = open_store(data);
  store::migrate(**write_to);
  store::put_project(**write_to, rules_);

  syncer_ = std::make_unique<fsync_queue>();
  journals_ = std::make_unique<journal::writers>(data, syncer_.get());
  runners_ = std::make_unique<runner_link>(
    runner_link_options{binary_dir() / "greenroom-runner", data, 500});
  system_ = std::make_unique<caf::actor_system>(*settings_);
  auto context = std::make_shared<node_context>();
  context->node = "test";
  gate_->open_until(std::numeric_limits<millis>::max());
  context->gate = gate_;
  context->data_dir = data;
  context->shell = {"/bin/sh", "-c"};
  context->max_concurrent = 2;
  context->max_queued = 4;
  context->runners = runners_.get();
  context->journals = journals_.get();
  auto keep = [this](auto handle) {
    parts_.push_back(caf::actor_cast<caf::actor>(handle));
    return handle;
  };
  context->store = keep(
    system_->spawn<caf::detached>(store_writer, write_to, "test",
                                  static_cast<disk_reserve*>(nullptr), false));
  context->reader = keep(system_->spawn<caf::detached>(
    store_reader, open_store(data), std::optional<node_record>{}));
  if (clustered_)
    context->cluster =
      caf::actor_cast<cluster_member_actor>(keep(system_->spawn(nobody, 0)));
  auto host = std::make_shared<sandbox::host>();
  host->config.mode = sandbox_mode::none;
  git_settings git{data, {host, binary_dir() / "greenroom-git"}, {}};
  context->git =
    keep(system_->spawn(git_dispatcher, std::make_shared<git_service>(git),
                        git_limits{2, 16}, context->gate));
  context->logs = keep(system_->spawn(log_reader, data, 1, 64));
  context_ = context;
  std::vector<project_record> projects{rules_};
  auto supervisor = keep(
    system_->spawn(session_supervisor, context_, projects, revival_report{}));
  supervisor_ = caf::actor_cast<session_supervisor_actor>(supervisor);
  context->directory = keep(system_->spawn(greenroom::directory, context_,
                                           supervisor, std::move(projects)));
  project_ = ask<project_actor>(directory(), find_project{"demo"});
  ask<reconciled>(supervisor_, reconcile{});
}

void small_node::stop() {
  for (auto part = parts_.rbegin(); part != parts_.rend(); ++part)
    caf::anon_send_exit(*part, caf::exit_reason::user_shutdown);
  parts_.clear();
  supervisor_ = session_supervisor_actor{};
  project_ = project_actor{};
  context_.reset();
  system_.reset();
  runners_.reset();
  journals_.reset();
  syncer_.reset();
}

void small_node::restart(const std::function<void()>& meanwhile) {
  stop();
  if (meanwhile)
    meanwhile();
  start();
}

session_record small_node::create(create_session request) {
  request.by = {"key", "Ada"};
  if (request.expires_in == 0)
    request.expires_in = 24 * 3600 * 1000;
  auto session = ask<created_session>(project_, std::move(request)).session;
  sessions_.push_back(session.id);
  return session;
}

session_actor small_node::find(const session_record& session) {
  return ask<session_actor>(supervisor_,
                            find_session{session.project_id, session.id});
}

void small_node::fail(const caf::error& e) {
  auto why = to_refusal(e);
  throw std::runtime_error(std::string{code_name(why.code)} + ": "
                           + why.message);
}

void small_node::fail_undone() {
  throw std::runtime_error("this should have been refused");
}

} // namespace greenroom::test
