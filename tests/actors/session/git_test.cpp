// Git in a session: tokens, events, and check-ins up to their review.
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include "runtime/auth/sha256.hpp"
#include "runtime/store/sessions.hpp"

#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <condition_variable>
#include <limits>
#include <mutex>
#include <string>

using namespace greenroom;
using greenroom::test::crash;
using greenroom::test::events_of;
using greenroom::test::json_of;
using greenroom::test::on_branch;
using greenroom::test::shell;
using greenroom::test::small_node;

namespace {

constexpr const char* commit_all =
  "echo more >> file.txt; git -c user.name=T -c user.email=t@x.org commit -qam "
  "more && git rev-parse HEAD";

// Stands where git over HTTP would: a transfer that ends when its token dies,
// or when `end` is called.
class edge {
public:
  explicit edge(small_node& node, bool ends = true)
    : handle(node.system().spawn(
      [this](git_edge_actor::pointer self, bool quits) {
        return git_edge_actor::behavior_type{
          [this, quits, self](const token_dead& x) {
            std::lock_guard guard{mutex_};
            told_ = x.session_id;
            changed_.notify_all();
            if (quits)
              self->quit();
          }};
      },
      ends)) {}

  ~edge() {
    end();
  }

  void end() {
    caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);
  }

  std::string wait() {
    std::unique_lock lock{mutex_};
    changed_.wait_for(lock, test::timeout, [this] { return !told_.empty(); });
    return std::exchange(told_, {});
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string told_;

public:
  git_edge_actor handle;
};

struct git_session {
  small_node node;
  session_record session = node.create(on_branch("work"));
  session_actor handle = node.find(session);

  nlohmann::json exec(const std::string& command) {
    return json_of(node.ask<exec_view>(handle, shell(command)));
  }
  nlohmann::json last_event(event_kind kind, std::size_t count) {
    nlohmann::json events;
    test::await("an event of git", [&] {
      events = events_of(node, handle, kind);
      return events.size() >= count;
    });
    CHECK(events.size() == count);
    return events.back()["data"];
  }
  std::string tip(const std::string& branch) {
    auto text = node.git({"-C", "upstream.git", "rev-parse", branch});
    text.pop_back();
    return text;
  }
};

} // namespace

TEST_CASE_METHOD(git_session, "a token lets in until another one is made") {
  edge git{node};
  auto token = node.ask<session_token>(handle, rotate_token{}).token;
  open_transfer request{sha256_hex(token), git.handle};
  auto grant = node.ask<transfer_grant>(handle, request);
  CHECK(grant.session.id == session.id);
  CHECK(grant.project.id == "demo");
  CHECK(node
          .refused_by<transfer_grant>(
            handle, open_transfer{sha256_hex("wrong"), git.handle})
          .code
        == errc::unauthorized);
  auto next = node.ask<session_token>(handle, rotate_token{}).token;
  CHECK(next != token);
  CHECK(git.wait() == session.id);
  CHECK(node.refused_by<transfer_grant>(handle, request).code
        == errc::unauthorized);
  // It is on disk: another actor knows it too.
  handle = crash(node, session);
  edge later{node};
  request = {sha256_hex(next), later.handle};
  node.ask<transfer_grant>(handle, request);
  CHECK(node
          .refused_by<transfer_grant>(
            handle, open_transfer{sha256_hex(token), later.handle})
          .code
        == errc::unauthorized);
  node.ask<terminate_reply>(handle, terminate_session{});
  CHECK(later.wait() == session.id);
  CHECK(node.refused_by<transfer_grant>(handle, request).code
        == errc::unauthorized);
}

TEST_CASE_METHOD(git_session, "an ending waits for a push that is written") {
  edge push{node, false};
  auto token = node.ask<session_token>(handle, rotate_token{}).token;
  node.ask<transfer_grant>(handle,
                           open_transfer{sha256_hex(token), push.handle});
  caf::scoped_actor self{node.system()};
  auto ending =
    self->request(handle, test::timeout, checkin_session{{"k", "K", ""}, true});
  CHECK(push.wait() == session.id);
  // What is asked after it is answered before it.
  for (int i = 0; i < 20; ++i)
    CHECK(nlohmann::json::parse(
            node.ask<session_view>(handle, get_session{}).json.view())["status"]
          == "checking_in");
  auto checkout = node.context()->session_dir(session.id) / "checkout";
  CHECK(std::filesystem::exists(checkout));
  push.end();
  std::string status;
  ending.receive([&](checkin_reply& done) { status = to_string(done.status); },
                 [&](const caf::error& e) { status = to_refusal(e).message; });
  CHECK(status == "ended");
}

TEST_CASE_METHOD(git_session, "a commit in the checkout and a push are "
                              "announced, each once") {
  auto base = session.base_commit;
  auto made = exec(commit_all)["stdout"].get<std::string>();
  made.pop_back();
  auto event = last_event(event_kind::git_committed, 1);
  CHECK(event["old"] == base);
  CHECK(event["new"] == made);
  CHECK(event["by"] == "session");
  CHECK(event["branch"] == "work");
  // What a push has moved is no commit of the session's, also after a crash:
  // the next one begins where the push ended.
  auto checkout = node.context()->session_dir(session.id) / "checkout";
  node.git({"-C", checkout.string(), "reset", "-q", "--hard", base});
  caf::anon_send(handle, branch_pushed{made, base, true});
  auto push = last_event(event_kind::git_pushed, 1);
  CHECK(push["old"] == made);
  CHECK(push["new"] == base);
  CHECK(push["applied"] == true);
  exec("true");
  handle = crash(node, session);
  exec(commit_all);
  CHECK(last_event(event_kind::git_committed, 2)["old"] == base);
}

TEST_CASE_METHOD(git_session, "git's state of a session can be asked for while "
                              "it is there") {
  exec("echo dirty > new.txt");
  auto state =
    nlohmann::json::parse(node.ask<git_answer>(handle, ask_git{}).text.view());
  CHECK(state["branch"] == "work");
  CHECK(state["dirty_files"] == 1);
  node.ask<terminate_reply>(handle, terminate_session{});
  CHECK(node.refused_by<git_answer>(handle, ask_git{})
        == refusal{errc::bad_request, "session is not active"});
}

TEST_CASE_METHOD(git_session, "a check-in queues a review and says so") {
  auto wants_merge = GENERATE(false, true);
  auto made = exec(commit_all);
  checkin_session request;
  request.by = {"key", "Ada", ""};
  request.auto_merge = wants_merge;
  auto reply = node.ask<checkin_reply>(handle, request);
  CHECK(reply.commit + "\n" == made["stdout"]);
  CHECK_FALSE(reply.review_id.empty());
  CHECK(reply.merge == (wants_merge ? "queued" : "not_requested"));
  auto view = nlohmann::json::parse(
    node.ask<session_view>(handle, get_session{}).json.view());
  CHECK(view["commit"] == reply.commit);
  CHECK(view["review_id"] == reply.review_id);
  auto queued = events_of(node, handle, event_kind::review_queued);
  REQUIRE(queued.size() == 1);
  CHECK(queued[0]["data"]["review_id"] == reply.review_id);
  CHECK(queued[0]["data"]["commit"] == reply.commit);
  CHECK(queued[0]["data"]["status"] == "queued");
  // Asked once more, it answers the same; as a new request it is refused.
  node.restart();
  handle = node.find(session);
  CHECK(node.refused_by<checkin_reply>(handle, request)
        == refusal{errc::bad_request, "session is not active"});
  request.repeat = true;
  auto again = node.ask<checkin_reply>(handle, request);
  CHECK(again.status == session_status::ended);
  CHECK(again.commit == reply.commit);
  CHECK(again.review_id == reply.review_id);
  CHECK(again.merge == reply.merge);
}

TEST_CASE_METHOD(git_session, "a check-in that wants it is merged at once") {
  exec(commit_all);
  checkin_session request;
  request.by = {"key", "Ada", ""};
  request.skip_review = request.auto_merge = true;
  auto reply = node.ask<checkin_reply>(handle, request);
  CHECK(reply.merge == "merged");
  CHECK(reply.merge_commit == tip("main"));
  CHECK(node.git({"-C", "upstream.git", "show", "main:file.txt"})
        == "first\nmore\n");
}

TEST_CASE_METHOD(git_session, "a check-in without a review leaves none") {
  exec(commit_all);
  checkin_session request;
  request.by = {"key", "Ada", ""};
  request.skip_review = true;
  auto reply = node.ask<checkin_reply>(handle, request);
  CHECK(reply.review_id.empty());
  CHECK(reply.merge == "not_requested");
  CHECK(reply.commit == tip("work"));
  CHECK(events_of(node, handle, event_kind::review_queued).empty());
}

TEST_CASE_METHOD(git_session, "a repeated termination names the rescue again") {
  exec("echo precious > new.txt");
  auto first = node.ask<terminate_reply>(handle, terminate_session{});
  CHECK_FALSE(first.rescue_refs.empty());
  node.restart();
  handle = node.find(session);
  terminate_session again;
  again.repeat = true;
  CHECK(node.ask<terminate_reply>(handle, again).rescue_refs
        == first.rescue_refs);
  CHECK(node.refused_by<terminate_reply>(handle, terminate_session{}).code
        == errc::bad_request);
}

TEST_CASE_METHOD(git_session, "a check-in that a crash cuts short does what it "
                              "was asked to do") {
  exec(commit_all);
  checkin_session request;
  request.by = {"key", "Ada", "Ada <ada@example.org>"};
  request.skip_review = true;
  request.commit_message = "Say more";
  exec("echo dirty > new.txt");
  caf::scoped_actor self{node.system()};
  self->send(handle, request);
  auto status = [&] {
    return node
      .ask<session_record>(node.context()->reader, load_session{session.id})
      .status;
  };
  test::await("the start of the check-in",
              [&] { return status() != session_status::active; });
  self->send(handle, crash_session{});
  test::await("its end", [&] { return status() == session_status::ended; });
  CHECK(node.git(
          {"-C", "upstream.git", "log", "-1", "--format=%an <%ae> %s", "work"})
        == "Ada <ada@example.org> Say more\n");
  CHECK(node.git({"-C", "upstream.git", "show", "work:new.txt"}) == "dirty\n");
  CHECK(
    node.ask<session_record>(node.context()->reader, load_session{session.id})
      .review_id.empty());
}

TEST_CASE_METHOD(git_session, "a question to git is answered though the "
                              "session's actor crashes meanwhile") {
  exec(
    "echo '*.txt filter=slow' > .gitattributes; git config filter.slow.clean "
    "'touch .git/asked; sleep 5; cat'; touch -d tomorrow "
    "file.txt");
  caf::scoped_actor self{node.system()};
  auto waits = self->request(handle, test::timeout, ask_git{});
  test::await("git at work", [&] {
    return std::filesystem::exists(node.context()->session_dir(session.id)
                                   / "checkout/.git/asked");
  });
  caf::anon_send(handle, crash_session{});
  std::optional<refusal> why;
  waits.receive([](git_answer&) {},
                [&](const caf::error& e) { why = to_refusal(e); });
  REQUIRE(why);
  CHECK(why->code == errc::unavailable); // and not that it took too long
}

TEST_CASE_METHOD(git_session, "a transfer that was let in and could not be "
                              "told so holds up no ending") {
  auto token = node.ask<session_token>(handle, rotate_token{}).token;
  edge push{node};
  node.gate().open_until(0);
  CHECK(node
          .refused_by<transfer_grant>(
            handle, open_transfer{sha256_hex(token), push.handle})
          .code
        == errc::unavailable);
  node.gate().open_until(std::numeric_limits<millis>::max());
  node.ask<terminate_reply>(handle, terminate_session{});
}

TEST_CASE_METHOD(git_session, "an ending waits for the lease, and for the "
                              "store's word on whose the session is") {
  exec("echo mine > mine.txt");
  auto rescued = [this] {
    return node.git(
      {"-C", "upstream.git", "for-each-ref", "refs/greenroom/rescue"});
  };
  edge push{node, false};
  auto token = node.ask<session_token>(handle, rotate_token{}).token;
  node.ask<transfer_grant>(handle,
                           open_transfer{sha256_hex(token), push.handle});
  caf::scoped_actor self{node.system()};
  auto ending = self->request(handle, test::timeout, terminate_session{});
  CHECK(push.wait() == session.id);
  node.gate().open_until(0);
  push.end();
  SECTION("it goes on where nobody has taken it") {
    node.gate().open_until(std::numeric_limits<millis>::max());
    ending.receive(
      [&](const terminate_reply& x) { CHECK(x.rescue_refs.size() == 1); },
      [](const caf::error& e) { FAIL(to_refusal(e).message); });
    CHECK_FALSE(rescued().empty());
  }
  SECTION("it is dropped where another node has it") {
    store::connection db{"sqlite3://greenroom.db", node.context()->data_dir,
                         sync_mode::normal};
    store::take_session(db, session.id, "other").value();
    node.gate().open_until(std::numeric_limits<millis>::max());
    ending.receive([](const terminate_reply&) { FAIL("it has ended"); },
                   [](const caf::error&) {});
    CHECK(rescued().empty());
  }
}
