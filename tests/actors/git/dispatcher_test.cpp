// The dispatcher of git work: who waits for whom.
#include "actors/git/dispatcher.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "messages/type_ids.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/run_command.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"

#include <arpa/inet.h>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <netinet/in.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <limits>
#include <memory>
#include <set>
#include <vector>

using namespace greenroom;

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct test_config : caf::actor_system_config {
  test_config() {
    add_message_types<caf::id_block::greenroom>();
    set("scheduler.max-threads", 2);
    set("scheduler.policy", caf::atom("sharing"));
  }
};

// Connections to it are made and nobody answers, until it goes.
class black_hole {
public:
  black_hole() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket_.get(), raw, size) == 0);
    REQUIRE(::listen(socket_.get(), 64) == 0);
    REQUIRE(::getsockname(socket_.get(), raw, &size) == 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + '/';
  }
  const std::string& url() const {
    return url_;
  }
  /// The first to connect is there.
  void wait_for_somebody() {
    unique_fd somebody{
      ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    REQUIRE(somebody);
    held_ = std::move(somebody);
  }
  void go() {
    held_.reset();
    socket_.reset();
  }

private:
  unique_fd socket_;
  unique_fd held_;
  std::string url_;
};

struct dispatcher {
  explicit dispatcher(std::size_t workers, std::size_t queue = 16)
    : dispatcher(git_limits{workers, queue}) {}

  explicit dispatcher(const git_limits& limits) {
    gate->open_until(std::numeric_limits<millis>::max());
    git({"init", "-q", "-b", "main", "seed"});
    std::ofstream{dir.path() / "seed/file"} << "first\n";
    git({"-C", "seed", "add", "."});
    git({"-C", "seed", "commit", "-q", "-m", "first"});
    git({"clone", "-q", "--bare", "seed", "upstream.git"});
    auto host = std::make_shared<sandbox::host>();
    host->config.mode = sandbox_mode::none;
    git_settings settings{
      dir.path() / "data",
      {host, greenroom::test::binary_dir() / "greenroom-git"},
      {}};
    fs::create_directories(settings.data_dir / "repos");
    actor =
      system.spawn(git_dispatcher, std::make_shared<git_service>(settings),
                   limits, std::shared_ptr<const lease_gate>{gate});
  }
  ~dispatcher() {
    caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
  }

  std::string git(const std::vector<std::string>& args) const {
    command what;
    what.argv = {"git"};
    what.argv.insert(what.argv.end(), args.begin(), args.end());
    what.cwd = dir.path();
    what.env = {"PATH=/usr/bin:/bin",   "GIT_CONFIG_GLOBAL=/dev/null",
                "GIT_AUTHOR_NAME=T",    "GIT_AUTHOR_EMAIL=t@example.org",
                "GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org"};
    auto result = run_command(what);
    INFO(result.err);
    REQUIRE(result.ok());
    return result.out.substr(0, result.out.find_last_not_of('\n') + 1);
  }

  project_record project(const std::string& id, const std::string& repo) const {
    project_record result;
    result.id = id;
    result.repo = repo;
    return result;
  }
  project_record good() const {
    return project("good", (dir.path() / "upstream.git").string());
  }

  /// A session on a new branch, with its checkout.
  session_record session(const std::string& branch) {
    session_record result;
    result.id = make_id();
    result.project_id = "good";
    result.branch = branch;
    result.new_branch = true;
    result.base_commit =
      ask<resolved_branch>(resolve_branch{good(), branch, true, {}}).commit;
    ask<done>(make_checkout{good(), result});
    ask<done>(install_checkout{result.id});
    return result;
  }

  template <class Reply, class Request>
  Reply ask(Request request) {
    Reply result;
    self->request(actor, std::chrono::seconds{30}, std::move(request))
      .receive([&](Reply& reply) { result = std::move(reply); },
               [&](caf::error& error) { FAIL(to_refusal(error).message); });
    return result;
  }
  template <class Reply, class Request>
  refusal refused_by(Request request) {
    refusal result;
    self->request(actor, std::chrono::seconds{30}, std::move(request))
      .receive([&](Reply&) { FAIL("this should have been refused"); },
               [&](caf::error& error) { result = to_refusal(error); });
    return result;
  }

  template <class Request>
  auto send(Request request) {
    return self->request(actor, std::chrono::seconds{60}, std::move(request));
  }

  std::shared_ptr<lease_gate> gate = std::make_shared<lease_gate>();
  test::temp_dir dir;
  test_config config;
  caf::actor_system system{config};
  caf::scoped_actor self{system};
  git_actor actor;
};

// What waits for rescues and merges, and they for it.
find_target about_to_merge(const project_record& project) {
  return {project, {}, std::string(40, 'a')};
}

bool is_one_of(errc what, errc one, errc other) {
  return what == one || what == other;
}

} // namespace

TEST_CASE("a dead upstream holds up its own project only") {
  dispatcher d{2, 3};
  black_hole dead;
  auto lost = d.project("lost", dead.url() + "x.git");
  resolve_branch request{lost, "main", false, {}};
  auto send = [&] {
    return d.self->request(d.actor, std::chrono::seconds{60}, request);
  };
  std::vector<decltype(send())> waiting;
  for (int i = 0; i < 4; ++i)
    waiting.push_back(send());
  dead.wait_for_somebody();
  // One has a worker, and three are all that may wait.
  CHECK(d.refused_by<resolved_branch>(request).code == errc::overloaded);
  auto session = d.session("topic");
  CHECK(d.ask<checkout_tip>(poll_branch{d.good(), session}).commit
        == session.base_commit);
  dead.go();
  for (auto& one : waiting)
    one.receive([](const resolved_branch&) { FAIL("nobody is there"); },
                [](const caf::error& error) {
                  CHECK(to_refusal(error).code == errc::unavailable);
                });
}

TEST_CASE("checkouts that are restored take no thread that others need") {
  dispatcher d{2};
  black_hole dead;
  session_record lost;
  lost.id = make_id();
  lost.project_id = "lost";
  lost.branch = "main";
  restore_checkout request{d.project("lost", dead.url() + "x.git"), lost};
  auto first = d.send(request);
  auto second = d.send(request);
  dead.wait_for_somebody();
  auto session = d.session("topic");
  CHECK_FALSE(session.base_commit.empty());
  dead.go();
  for (auto* one : {&first, &second})
    one->receive([](const restored_checkout&) { FAIL("nobody is there"); },
                 [](const caf::error&) {});
}

TEST_CASE("questions leave room for others while the upstream says nothing") {
  dispatcher d{2, 1};
  auto session = d.session("topic");
  black_hole dead;
  auto project = d.project("lost", dead.url() + "x.git");
  ask_checkout question{project, session, {git_question::state, {}}};
  std::vector<decltype(d.send(question))> asked;
  for (int i = 0; i < 4; ++i)
    asked.push_back(d.send(question));
  for (auto& one : asked)
    one.receive([](const git_answer&) {},
                [](const caf::error& e) {
                  CHECK(to_refusal(e).code != errc::overloaded);
                });
  // One of them still has the upstream looked at, and nobody waits behind it.
  auto other = d.send(resolve_branch{project, "main", false, {}});
  dead.go();
  other.receive([](const resolved_branch&) { FAIL("nobody is there"); },
                [](const caf::error& e) {
                  CHECK(to_refusal(e).code == errc::unavailable);
                });
}

// Its filters are the session's own, and may take as long as they like.
TEST_CASE("a session in which git takes long holds up its own questions only") {
  dispatcher d{3};
  auto slow = d.session("slow");
  auto quick = d.session("quick");
  const auto fifo = d.dir.path() / "fifo";
  const auto gate = d.dir.path() / "gate";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  std::ofstream{gate} << "closed\n";
  const auto top = d.dir.path() / "data/sessions" / slow.id / "checkout";
  d.git({"-C", top.string(), "config", "filter.slow.clean",
         "test -e '" + gate.string() + "' && read x <'" + fifo.string()
           + "'; cat"});
  std::ofstream{top / ".gitattributes"} << "file filter=slow\n";
  std::ofstream{top / "file"} << "other\n";
  ask_checkout question{d.good(), slow, {git_question::diff, {}}};
  std::vector<decltype(d.send(question))> asked;
  for (int i = 0; i < 4; ++i)
    asked.push_back(d.send(question));
  // Once one of them is in the filter.
  unique_fd writer{::open(fifo.c_str(), O_WRONLY | O_CLOEXEC)};
  REQUIRE(writer);
  auto about_quick = d.send(ask_checkout{d.good(), quick, question.what});
  about_quick.receive([](const git_answer&) {},
                      [](const caf::error& e) { FAIL(to_refusal(e).message); });
  CHECK_FALSE(d.session("another").base_commit.empty());
  CHECK(d.ask<checkout_tip>(poll_branch{d.good(), slow}).checked_out);
  fs::remove(gate);
  writer.reset();
  for (auto& one : asked)
    one.receive([](const git_answer&) {},
                [](const caf::error& e) { FAIL(to_refusal(e).message); });
}

TEST_CASE("questions of one project leave a thread to other projects") {
  dispatcher d{2};
  const auto other =
    d.project("other", (d.dir.path() / "upstream.git").string());
  const auto commit =
    d.ask<resolved_branch>(resolve_branch{other, "main", false, {}}).commit;
  const auto gate = d.dir.path() / "gate";
  std::ofstream{gate} << "closed\n";
  std::vector<session_record> slow{d.session("one"), d.session("two")};
  for (const auto& one : slow) {
    const auto fifo = d.dir.path() / one.id;
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    const auto top = d.dir.path() / "data/sessions" / one.id / "checkout";
    d.git({"-C", top.string(), "config", "filter.slow.clean",
           "test -e '" + gate.string() + "' && read x <'" + fifo.string()
             + "'; cat"});
    std::ofstream{top / ".gitattributes"} << "file filter=slow\n";
    std::ofstream{top / "file"} << "other\n";
  }
  std::vector<decltype(d.send(ask_checkout{}))> asked;
  for (const auto& one : slow)
    asked.push_back(
      d.send(ask_checkout{d.good(), one, {git_question::diff, {}}}));
  // Once the first is in its filter, where it stays.
  unique_fd writer{
    ::open((d.dir.path() / slow[0].id).c_str(), O_WRONLY | O_CLOEXEC)};
  REQUIRE(writer);
  d.ask<git_answer>(diff_commits{other, commit, commit});
  fs::remove(gate);
  writer.reset();
  // It has not been ended by its time-out meanwhile.
  for (auto& one : asked)
    one.receive([](const git_answer&) {},
                [](const caf::error& e) { FAIL(to_refusal(e).message); });
}

TEST_CASE("a question to git ends early where another project has none under "
          "way and no thread is left, and says so") {
  git_limits limits{1, 16};
  limits.share = std::chrono::milliseconds{0};
  dispatcher d{limits};
  const auto other =
    d.project("other", (d.dir.path() / "upstream.git").string());
  const auto commit =
    d.ask<resolved_branch>(resolve_branch{other, "main", false, {}}).commit;
  const auto slow = d.session("slow");
  const auto fifo = d.dir.path() / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const auto top = d.dir.path() / "data/sessions" / slow.id / "checkout";
  d.git({"-C", top.string(), "config", "filter.slow.clean",
         "read x <'" + fifo.string() + "'; cat"});
  std::ofstream{top / ".gitattributes"} << "file filter=slow\n";
  std::ofstream{top / "file"} << "other\n";
  auto asked = d.send(ask_checkout{d.good(), slow, {git_question::diff, {}}});
  unique_fd writer{::open(fifo.c_str(), O_WRONLY | O_CLOEXEC)};
  REQUIRE(writer); // it is in its filter, and stays there
  d.ask<git_answer>(diff_commits{other, commit, commit});
  asked.receive([](const git_answer&) { FAIL("its filter never ends"); },
                [](const caf::error& e) {
                  CHECK(to_refusal(e).code == errc::overloaded);
                  CHECK_THAT(to_refusal(e).message,
                             Catch::Contains("other projects wait"));
                });
}

TEST_CASE("a question that has waited in vain is not asked any more") {
  git_limits limits{1, 16};
  limits.for_questions = std::chrono::milliseconds{-1};
  dispatcher d{limits};
  auto session = d.session("topic");
  const auto& commit = session.base_commit;
  CHECK(d.refused_by<git_answer>(
           ask_checkout{d.good(), session, {git_question::diff, {}}})
          .code
        == errc::overloaded);
  CHECK(d.refused_by<git_answer>(diff_commits{d.good(), commit, commit}).code
        == errc::overloaded);
  CHECK(d.refused_by<kept_files_list>(measure_kept{d.good(), {session.id}}).code
        == errc::overloaded);
}

TEST_CASE("a rescue gets its place however much waits for the upstream") {
  dispatcher d{2, 1};
  auto session = d.session("topic");
  black_hole dead;
  auto project = d.project("lost", dead.url() + "x.git");
  auto request = about_to_merge(project);
  auto first = d.send(request);
  auto second = d.send(request);
  dead.wait_for_somebody();
  CHECK(d.refused_by<found_target>(request).code == errc::overloaded);
  auto rescue = d.send(save_rescue{project, session});
  dead.go();
  for (auto* one : {&first, &second})
    one->receive([](const found_target&) { FAIL("nobody is there"); },
                 [](const caf::error&) {});
  // Whatever becomes of it without an upstream.
  rescue.receive(
    [](const saved_rescue&) {},
    [](const caf::error& e) { CHECK(to_refusal(e).code != errc::overloaded); });
}

TEST_CASE("a create does not wait until a session's work is rescued") {
  dispatcher d{1};
  auto session = d.session("topic");
  session.status = session_status::active;
  std::ofstream{d.dir.path() / "data/sessions" / session.id / "checkout/new"}
    << "new\n";
  // The upstream takes what is pushed when it is told to.
  const auto upstream = d.dir.path() / "upstream.git";
  const auto hook = upstream / "hooks/pre-receive";
  REQUIRE(::mkfifo((upstream / "go").c_str(), 0600) == 0);
  fs::create_directories(hook.parent_path());
  std::ofstream{hook} << "#!/bin/sh\n: >began\nread line <go\n";
  fs::permissions(hook, fs::perms::owner_all);
  auto rescue = d.send(save_rescue{d.good(), session});
  test::await("the push to begin",
              [&] { return fs::exists(upstream / "began"); });
  CHECK(
    d.ask<resolved_branch>(resolve_branch{d.good(), "main", false, {}}).commit
    == session.base_commit);
  CHECK(
    d.ask<upstream_refs>(list_upstream{d.good()}).ids.contains("heads/main"));
  std::ofstream{upstream / "go"} << "go\n";
  rescue.receive(
    [](const saved_rescue& x) {
      CHECK(x.rescued.size() == 1);
      CHECK(x.note.empty()); // it was not given up meanwhile
    },
    [](const caf::error& e) { FAIL(to_refusal(e).message); });
}

TEST_CASE("checkpoints of many sessions are all admitted, and take no place "
          "from others") {
  dispatcher d{2, 1};
  black_hole dead;
  auto project = d.project("lost", dead.url() + "x.git");
  auto request = about_to_merge(project);
  auto busy = d.send(request);
  dead.wait_for_somebody();
  std::vector<decltype(d.send(save_checkpoint{}))> all;
  for (int i = 0; i < 4; ++i) {
    session_record session;
    session.id = make_id();
    session.project_id = project.id;
    session.branch = "topic";
    all.push_back(d.send(save_checkpoint{project, session}));
  }
  auto waiting = d.send(request);
  CHECK(d.refused_by<found_target>(request).code == errc::overloaded);
  dead.go();
  for (auto* one : {&busy, &waiting})
    one->receive([](const found_target&) { FAIL("nobody is there"); },
                 [](const caf::error& e) {
                   CHECK(to_refusal(e).code != errc::overloaded);
                 });
  // Whatever becomes of them without an upstream.
  for (auto& one : all)
    one.receive([](const done&) {},
                [](const caf::error& e) {
                  CHECK(to_refusal(e).code != errc::overloaded);
                });
}

TEST_CASE("what nobody waits for any more is not begun, a rescue neither") {
  git_limits limits{1, 16};
  bool in_line = GENERATE(false, true);
  CAPTURE(in_line);
  (in_line ? limits.rescue_for_thread : limits.rescue_for_upstream) =
    std::chrono::milliseconds{0};
  dispatcher d{limits};
  auto session = d.session("topic");
  session.status = session_status::active;
  std::ofstream{d.dir.path() / "data/sessions" / session.id / "checkout/new"}
    << "new\n";
  black_hole dead;
  auto lost = d.project("lost", dead.url() + "x.git");
  auto busy = d.send(about_to_merge(lost));
  dead.wait_for_somebody();
  // It waits for the only thread, or for its project's upstream.
  auto rescue = d.send(save_rescue{in_line ? d.good() : lost, session});
  // Asked after it, and so answered after it has got into the line.
  d.ask<directory_list>(list_directories{});
  dead.go();
  busy.receive([](const found_target&) { FAIL("nobody is there"); },
               [](const caf::error&) {});
  rescue.receive(
    [](const saved_rescue&) { FAIL("it was not to begin"); },
    [](const caf::error& e) {
      CHECK(is_one_of(to_refusal(e).code, errc::unavailable, errc::overloaded));
    });
  CHECK(
    d.git({"-C", "upstream.git", "for-each-ref", "refs/greenroom"}).empty());
  // The queue and the thread are free again.
  CHECK(d.ask<found_target>(about_to_merge(d.good())).tip
        == session.base_commit);
}

TEST_CASE("nothing moves references that has waited while another node may "
          "have had the project") {
  dispatcher d{1};
  auto session = d.session("topic");
  caller by{"key", "Ada", ""};
  auto lost = refusal{errc::unavailable, lost_touch_meanwhile};
  SECTION("and may have it yet") {
    d.gate->open_until(0);
    CHECK(d.refused_by<saved_rescue>(save_rescue{d.good(), session}) == lost);
  }
  SECTION("though it has not any more") {
    black_hole dead;
    auto project = d.project("lost", dead.url() + "x.git");
    auto busy = d.send(about_to_merge(project));
    dead.wait_for_somebody();
    // For its project's upstream, or for the only thread.
    auto waiting = d.send(save_checkin{
      GENERATE(false, true) ? d.good() : project, session, by, "Mine"});
    // Asked after it, and so answered after it has got into the line.
    d.ask<checkout_tip>(poll_branch{d.good(), session});
    d.gate->open_until(0);
    d.gate->open_until(std::numeric_limits<millis>::max());
    dead.go();
    busy.receive([](const found_target&) { FAIL("nobody is there"); },
                 [](const caf::error&) {});
    waiting.receive([](const saved_checkin&) { FAIL("it was not to begin"); },
                    [&](const caf::error& e) { CHECK(to_refusal(e) == lost); });
  }
  d.gate->open_until(std::numeric_limits<millis>::max());
  test::await("the check-in", [&] {
    bool is_saved = false;
    d.send(save_checkin{d.good(), session, by, "Mine"})
      .receive([&](const saved_checkin&) { is_saved = true; },
               [&](const caf::error& e) { CHECK(to_refusal(e) == lost); });
    return is_saved;
  });
}

TEST_CASE("questions are answered while the upstream is away") {
  dispatcher d{2};
  auto session = d.session("topic");
  fs::rename(d.dir.path() / "upstream.git", d.dir.path() / "away.git");
  CHECK(
    d.refused_by<resolved_branch>(resolve_branch{d.good(), "other", false, {}})
      .code
    == errc::unavailable);
  auto top = d.dir.path() / "data/sessions" / session.id / "checkout";
  std::ofstream{top / "new"} << "new\n";
  auto ask = [&](git_question what, const std::string& target = {}) {
    return std::string{
      d.ask<git_answer>(ask_checkout{d.good(), session, {what, target}})
        .text.view()};
  };
  auto state = json::parse(ask(git_question::state));
  CHECK(state
        == json{{"head", session.base_commit},
                {"branch", "topic"},
                {"detached", false},
                {"upstream", "main"},
                {"ahead", 0},
                {"behind", 0},
                {"dirty_files", 1},
                {"operation", nullptr},
                {"unpublished", json::array()}});
  CHECK_THAT(ask(git_question::diff), Catch::Contains("+new\n"));
  CHECK(json::parse(ask(git_question::mergeability))
        == json{{"mergeable", true},
                {"status", "up_to_date"},
                {"files", json::array()},
                {"reason", nullptr},
                {"target", "main"},
                {"target_commit", session.base_commit},
                {"commit", session.base_commit},
                {"dirty_files", 1}});
  CHECK(json::parse(ask(git_question::mergeability, "nope"))
        == json{{"mergeable", false},
                {"status", "no_target"},
                {"files", json::array()},
                {"reason", nullptr},
                {"target", "nope"},
                {"target_commit", nullptr},
                {"commit", session.base_commit},
                {"dirty_files", nullptr}});
  CHECK(d
          .refused_by<git_answer>(ask_checkout{
            d.good(), session, {git_question::mergeability, "--upload-pack=x"}})
          .code
        == errc::bad_request);
  auto tip = d.ask<checkout_tip>(poll_branch{d.good(), session});
  CHECK(tip.commit == session.base_commit);
  CHECK(tip.checked_out);
}

TEST_CASE("a merge is foretold for the target as the upstream has it") {
  dispatcher d{2};
  auto session = d.session("topic");
  std::ofstream{d.dir.path() / "data/sessions" / session.id / "checkout/file"}
    << "mine\n";
  caller by{"key", "Ada", ""};
  d.ask<saved_checkin>(save_checkin{d.good(), session, by, "Mine"});
  std::ofstream{d.dir.path() / "seed/file"} << "theirs\n";
  d.git({"-C", "seed", "commit", "-qam", "theirs"});
  d.git({"-C", "seed", "push", "-q", "../upstream.git", "main"});
  auto theirs = d.git({"-C", "seed", "rev-parse", "HEAD"});
  // A fetch of a moment ago may be believed for some seconds.
  d.ask<found_target>(find_target{d.good(), "main", session.base_commit});
  auto answer = json::parse(
    d.ask<git_answer>(
       ask_checkout{d.good(), session, {git_question::mergeability, {}}})
      .text.view());
  CHECK(answer.at("mergeable") == false);
  CHECK(answer.at("status") == "conflict");
  CHECK(answer.at("files") == json{"file"});
  CHECK(answer.at("target_commit") == theirs);
  CHECK(answer.at("dirty_files") == 0);
}

TEST_CASE("why there can be no merge is told where no file says it") {
  dispatcher d{2};
  auto session = d.session("topic");
  d.git({"-C", "seed", "checkout", "-q", "--orphan", "other"});
  d.git({"-C", "seed", "commit", "-q", "--allow-empty", "-m", "other"});
  d.git({"-C", "seed", "push", "-q", "../upstream.git", "other"});
  d.ask<resolved_branch>(resolve_branch{d.good(), "other"});
  auto answer = json::parse(
    d.ask<git_answer>(
       ask_checkout{d.good(), session, {git_question::mergeability, "other"}})
      .text.view());
  CHECK(answer.at("mergeable") == false);
  CHECK_THAT(answer.at("reason").get<std::string>(),
             Catch::Contains("no history in common"));
}

TEST_CASE("what a session's end rescues is by whose the session was") {
  dispatcher d{1};
  auto session = d.session("topic");
  session.created_by = "key";
  session.author = "Ada Lovelace <ada@example.org>";
  std::ofstream{d.dir.path() / "data/sessions" / session.id / "checkout/mine"}
    << "mine\n";
  auto saved = d.ask<saved_rescue>(save_rescue{d.good(), session});
  REQUIRE(saved.rescued.size() == 1);
  CHECK(d.git({"-C", "upstream.git", "log", "-1", "--format=%an <%ae>",
               saved.rescued[0].ref})
        == "Ada Lovelace <ada@example.org>");
}

TEST_CASE("a check-in is by its key's author, and merged by the approver") {
  dispatcher d{2};
  auto session = d.session("topic");
  auto dir = d.dir.path() / "data/sessions" / session.id;
  std::ofstream{dir / "checkout/mine"} << "mine\n";
  caller by{"key", "Ada", "Ada Lovelace <ada@example.org>"};
  auto saved =
    d.ask<saved_checkin>(save_checkin{d.good(), session, by, "Mine"});
  auto show = [&](const char* format, const std::string& commit) {
    return d.git({"-C", "upstream.git", "log", "-1",
                  std::string{"--format="} + format, commit});
  };
  CHECK(show("%an <%ae>|%s", "topic") == "Ada Lovelace <ada@example.org>|Mine");

  review_record review;
  review.id = make_id();
  review.branch = "topic";
  review.target = "main";
  review.commit = saved.commit;
  d.ask<done>(make_review_checkout{d.good(), review});
  auto home = d.dir.path() / "data/sessions" / review.id / "home";
  CHECK(fs::exists(home / ".gitconfig")); // as sessions have it
  CHECK(fs::is_socket(home.parent_path() / "origin/socket"));
  auto clean = d.dir.path() / "data/sessions" / review.id / "checkout";
  CHECK(fs::exists(clean / "mine"));
  // Again, whatever the command did there.
  std::ofstream{clean / "mine"} << "changed\n";
  std::ofstream{clean / "left"} << "left\n";
  d.ask<done>(make_review_checkout{d.good(), review});
  CHECK(fs::file_size(clean / "mine") == 5);
  CHECK_FALSE(fs::exists(clean / "left"));

  d.git({"-C", "seed", "commit", "-q", "--allow-empty", "-m", "moved"});
  d.git({"-C", "seed", "push", "-q", "../upstream.git", "main"});
  auto target =
    d.ask<found_target>(find_target{d.good(), "main", review.commit});
  CHECK(target.tip == d.git({"-C", "seed", "rev-parse", "HEAD"}));
  CHECK_FALSE(target.has_commit);
  review.base = session.base_commit;
  caller approver{"key2", "Grace", ""};
  auto stale = d.ask<merge_result>(merge_review{d.good(), review, approver});
  CHECK(stale.status == review_status::stale);
  review.base = target.tip;
  auto merged = d.ask<merge_result>(merge_review{d.good(), review, approver});
  CHECK(merged.status == review_status::merged);
  CHECK(show("%an <%ae>|%s|%H", "main")
        == "Grace <key2@greenroom.invalid>|Merge branch 'topic' into main|"
             + merged.commit);
  CHECK(d.ask<found_target>(find_target{d.good(), "main", review.commit})
          .has_commit);
  CHECK_THAT(std::string{d.ask<git_answer>(
                            diff_commits{d.good(), review.base, review.commit})
                           .text.view()},
             Catch::Contains("+mine\n"));

  // Closed directories do not keep what is to go.
  fs::create_directories(dir / "checkout/closed/below");
  fs::permissions(dir / "checkout/closed", fs::perms::none);
  auto listed = [&](bool in_use, unix_ms unchanged_since) {
    auto ids =
      d.ask<directory_list>(list_directories{in_use, unchanged_since}).ids;
    return std::set<std::string>{ids.begin(), ids.end()};
  };
  CHECK(listed(true, 0) == std::set<std::string>{session.id, review.id});
  CHECK(listed(false, 1).empty());
  CHECK(d.refused_by<done>(remove_session_files{session.id}).code
        == errc::conflict);
  for (const auto& id : {session.id, review.id})
    d.ask<done>(remove_checkout{id});
  CHECK(listed(true, 0).empty());
  CHECK(listed(false, 0) == std::set<std::string>{session.id, review.id});
  for (const auto& id : {session.id, review.id})
    d.ask<done>(remove_session_files{id});
  CHECK_FALSE(fs::exists(dir));
  CHECK(fs::is_empty(d.dir.path() / "data/sessions"));
  d.ask<done>(remove_session_files{session.id});
}

TEST_CASE(
  "checkpoints of a project's sessions are saved a few at once, and each "
  "before what was asked for after it") {
  dispatcher d{4};
  std::vector<session_record> sessions;
  for (int i = 0; i < 7; ++i) {
    sessions.push_back(d.session("topic" + std::to_string(i)));
    sessions.back().status = session_status::active;
  }
  // Each push waits there until all may go, and tells how many did.
  const auto seen = d.dir.path() / "seen";
  const auto go = d.dir.path() / "go";
  const auto hook = d.dir.path() / "upstream.git/hooks/pre-receive";
  fs::create_directories(d.dir.path() / "running");
  fs::create_directories(hook.parent_path());
  std::ofstream{hook} << "#!/bin/sh\nPATH=/usr/bin:/bin\ncd '"
                      << d.dir.path().string()
                      << "'\n>running/$$\nls running | wc -l >>seen\n"
                         "until [ -e go ]; do sleep 0.01; done\n"
                         "rm running/$$\n";
  fs::permissions(hook, fs::perms{0755});
  std::vector<decltype(d.send(save_checkpoint{d.good(), sessions[0]}))> saved;
  for (const auto& one : sessions)
    saved.push_back(d.send(save_checkpoint{d.good(), one}));
  auto dropped = d.send(drop_checkpoint{d.good(), sessions.back().id});
  auto counts = [&] {
    std::ifstream in{seen};
    return std::vector<std::size_t>(std::istream_iterator<std::size_t>{in}, {});
  };
  test::await("as many as may be are being pushed",
              [&] { return counts().size() == most_checkpoints_at_once; });
  // Others do not wait for them.
  CHECK(d.ask<checkout_tip>(poll_branch{d.good(), sessions[0]}).commit
        == sessions[0].base_commit);
  std::ofstream{go} << "";
  for (auto& one : saved)
    one.receive([](const done&) {},
                [](const caf::error& e) { FAIL(to_refusal(e).message); });
  dropped.receive([](const done&) {},
                  [](const caf::error& e) { FAIL(to_refusal(e).message); });
  fs::remove(hook);
  CHECK(std::ranges::max(counts()) == most_checkpoints_at_once);
  for (const auto& one : sessions) {
    const auto ref = "refs/greenroom/checkpoints/" + one.id;
    CHECK(d.git({"-C", "upstream.git", "for-each-ref", ref}).empty()
          == (&one == &sessions.back()));
  }
}

TEST_CASE("a checkpoint is the work of a session whose checkout cannot be made "
          "of it") {
  dispatcher d{1};
  auto session = d.session("topic");
  session.status = session_status::active;
  session.created_by = "key";
  session.author = "Ada Lovelace <ada@example.org>";
  auto top = d.dir.path() / "data/sessions" / session.id / "checkout";
  std::ofstream{top / "new"} << "new\n";
  d.ask<done>(save_checkpoint{d.good(), session});
  fs::remove_all(top);
  auto upstream = d.dir.path() / "upstream.git";
  auto has = [&](const std::string& ref) {
    return !d.git({"-C", upstream, "for-each-ref", ref}).empty();
  };
  auto checkpoint = "refs/greenroom/checkpoints/" + session.id;
  auto rescued = "refs/greenroom/rescue/" + session.id + "/tree";
  SECTION("one that this node knows") {}
  SECTION("one that it has to ask for") {
    fs::remove_all(d.dir.path() / "data/repos/good.git/refs/greenroom");
  }
  SECTION("one that it cannot ask for stays") {
    fs::remove_all(d.dir.path() / "data/repos/good.git/refs/greenroom");
    auto away = d.dir.path() / "away.git";
    fs::rename(upstream, away);
    auto saved = d.ask<saved_rescue>(save_rescue{d.good(), session});
    CHECK(saved.rescued.empty());
    CHECK_THAT(saved.note, Catch::Contains(checkpoint));
    fs::rename(away, upstream);
    d.ask<done>(drop_checkpoint{d.good(), session.id});
    CHECK(has(checkpoint));
    return;
  }
  SECTION("one of a session that is over has been saved already") {
    session.status = session_status::ended;
    CHECK(d.ask<saved_rescue>(save_rescue{d.good(), session}).rescued.empty());
    return;
  }
  auto saved = d.ask<saved_rescue>(save_rescue{d.good(), session});
  REQUIRE(saved.rescued.size() == 1);
  CHECK(saved.rescued[0].ref == rescued);
  CHECK(saved.note.empty());
  CHECK(d.git({"-C", upstream, "log", "-1", "--format=%an <%ae>", rescued})
        == "Ada Lovelace <ada@example.org>");
  d.ask<done>(drop_checkpoint{d.good(), session.id});
  CHECK_FALSE(has(checkpoint));
  CHECK(d.git({"-C", upstream, "show", rescued + ":new"}) == "new");
}

TEST_CASE("work that another node has saved since is what is kept of a session "
          "without a checkout") {
  dispatcher d{1};
  auto session = d.session("topic");
  session.status = session_status::active;
  auto top = d.dir.path() / "data/sessions" / session.id / "checkout";
  auto upstream = d.dir.path() / "upstream.git";
  auto mirror = d.dir.path() / "data/repos/good.git";
  auto checkpoint = "refs/greenroom/checkpoints/" + session.id;
  std::ofstream{top / "new"} << "old\n";
  d.ask<done>(save_checkpoint{d.good(), session});
  auto old = d.git({"-C", upstream, "rev-parse", checkpoint});
  std::ofstream{top / "new"} << "newer\n";
  d.ask<done>(save_checkpoint{d.good(), session});
  auto newer = d.git({"-C", upstream, "rev-parse", checkpoint});
  REQUIRE(newer != old);
  // As if this node had never seen the second.
  d.git({"-C", mirror, "update-ref", checkpoint, old});
  fs::remove_all(top);
  auto rescued = "refs/greenroom/rescue/" + session.id + "/tree";
  SECTION("the upstream can be asked") {
    auto saved = d.ask<saved_rescue>(save_rescue{d.good(), session});
    REQUIRE(saved.rescued.size() == 1);
    CHECK(saved.note.empty());
    CHECK(d.git({"-C", upstream, "show", rescued + ":new"}) == "newer");
  }
  SECTION("else it stays there, beside what is known here") {
    auto away = d.dir.path() / "away.git";
    fs::rename(upstream, away);
    auto saved = d.ask<saved_rescue>(save_rescue{d.good(), session});
    CHECK_THAT(saved.note, Catch::Contains(checkpoint));
    REQUIRE(saved.rescued.size() == 1);
    CHECK(d.git({"-C", mirror, "show", rescued + ":new"}) == "old");
    fs::rename(away, upstream);
    CHECK(d.git({"-C", upstream, "rev-parse", checkpoint}) == newer);
  }
}

TEST_CASE("ids that lead elsewhere are refused") {
  dispatcher d{1};
  auto kept = d.dir.path() / "data/repos";
  for (const std::string id : {"..", "../repos", "", "a/b", "."}) {
    CAPTURE(id);
    CHECK(d.refused_by<done>(remove_session_files{id}).code
          == errc::bad_request);
    CHECK(d.refused_by<done>(remove_checkout{id}).code == errc::bad_request);
  }
  CHECK(fs::exists(kept));
}
