// The deliverer of webhooks: what it sends, in which order, and what it makes
// of the answers. Whoever sends is the test.
#include "actors/webhooks/deliverer.hpp"

#include "messages/ids.hpp"
#include "tests/actors/small_node.hpp"

#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <deque>
#include <mutex>
#include <set>
#include <string>

using namespace greenroom;
using greenroom::test::eventually;
using greenroom::test::small_node;

namespace {

struct taken {
  outgoing_request request;
  std::function<void(outgoing_result)> done;

  std::string header(const std::string& name) const {
    for (auto& [key, value] : request.headers)
      if (key == name)
        return value;
    return {};
  }
  void answer(std::uint16_t status) const {
    outgoing_result result;
    result.outcome.status = status;
    if (status != 200)
      result.outcome.error = "the receiver answered " + std::to_string(status);
    done(std::move(result));
  }
};

/// Takes what is posted, until the test answers it.
struct stand_in_sender {
  std::mutex mutex;
  std::deque<taken> posted;
  std::size_t all = 0;

  void post(outgoing_request request,
            std::function<void(outgoing_result)> done) {
    std::lock_guard guard{mutex};
    posted.push_back({std::move(request), std::move(done)});
    ++all;
  }
  taken next() {
    greenroom::test::await("a delivery", [this] { return waiting() != 0; });
    std::lock_guard guard{mutex};
    auto result = std::move(posted.front());
    posted.pop_front();
    return result;
  }
  std::size_t waiting() {
    std::lock_guard guard{mutex};
    return posted.size();
  }
};

struct hook_node : small_node {
  std::shared_ptr<stand_in_sender> sender = std::make_shared<stand_in_sender>();
  webhooks_core deliverer;

  hook_node() {
    begin();
  }
  ~hook_node() {
    end();
  }
  void begin(millis give_up_after = 24 * 3600 * 1000) {
    deliverer_rules rules;
    rules.store = caf::actor_cast<webhook_writer_actor>(context()->store);
    rules.reader = caf::actor_cast<webhook_reader_actor>(context()->reader);
    rules.post = [to = sender](outgoing_request what, auto done) {
      to->post(std::move(what), std::move(done));
    };
    rules.give_up_after = give_up_after;
    rules.keep = 3600 * 1000;
    deliverer =
      system().spawn(greenroom::deliverer, context(), std::move(rules));
  }
  void end() {
    caf::scoped_actor self{system()};
    self->send_exit(deliverer, caf::exit_reason::user_shutdown);
    self->wait_for(deliverer);
    std::lock_guard guard{sender->mutex};
    sender->posted.clear();
    deliverer = webhooks_core{};
  }

  webhook_record add(const std::string& url = "https://example.org/a") {
    create_webhook what;
    what.webhook.id = make_id();
    what.webhook.project_id = "demo";
    what.webhook.url = url;
    what.webhook.created_at = now_ms();
    what.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    return ask<created_webhook>(deliverer, what).webhook;
  }
  session_record stored_session(std::vector<session_webhook> webhooks = {}) {
    session_record session;
    session.id = make_id();
    session.project_id = "demo";
    session.node = "elsewhere"; // no actor of it here
    session.branch = "b-" + session.id;
    session.epoch = session.version = 1;
    session.created_at = session.expires_at = now_ms();
    ask<done>(context()->store,
              insert_session{session, 1000, 0, std::move(webhooks)});
    return session;
  }
  /// One change of the session, which announces this.
  void change(session_record& session,
              event_kind kind = event_kind::session_extended) {
    ++session.version;
    session_event event;
    event.version = session.version;
    event.kind = kind;
    event.time = now_ms();
    ask<done>(context()->store, update_session{session, {event}});
  }
  std::vector<delivery_record> listed(const webhook_record& webhook,
                                      const std::string& state = "") {
    return ask<delivery_page>(deliverer,
                              list_deliveries{"demo", webhook.id, state, 0, ""})
      .deliveries;
  }
  webhook_record look(const webhook_record& webhook) {
    for (auto& one :
         ask<webhook_list>(deliverer, list_webhooks{"demo"}).webhooks)
      if (one.id == webhook.id)
        return one;
    return {};
  }
};

} // namespace

TEST_CASE_METHOD(hook_node, "what a session announces is sent, signed") {
  auto webhook = add();
  auto session = stored_session();
  change(session, event_kind::session_created);
  auto sent = sender->next();
  CHECK(sent.request.to.host == "example.org");
  auto id = sent.header("webhook-id");
  CHECK(is_id(id));
  CHECK(sent.header("webhook-signature").starts_with("v1,"));
  CHECK_FALSE(sent.header("webhook-timestamp").empty());
  CHECK(sent.request.body.starts_with(R"({"type":"session.created",)"));
  CHECK(sent.request.body.find(session.id) != std::string::npos);
  sent.answer(200);
  CHECK(eventually([&] { return listed(webhook, "delivered").size() == 1; }));
  CHECK(listed(webhook).front().id == id);
}

TEST_CASE_METHOD(hook_node, "of a session the next is sent once the one before "
                            "is taken, under the same id until then") {
  auto webhook = add();
  auto session = stored_session();
  change(session, event_kind::session_created);
  change(session, event_kind::session_extended);
  change(session, event_kind::session_ended);
  auto other = stored_session();
  std::string before;
  for (int i = 0; i < 2; ++i) {
    auto sent = sender->next();
    CHECK(sent.request.body.find("session.created") != std::string::npos);
    CHECK((before.empty() || before == sent.header("webhook-id")));
    before = sent.header("webhook-id");
    // Others do not wait for it.
    if (i == 0) {
      change(other, event_kind::session_expiring);
      auto beside = sender->next();
      CHECK(beside.request.body.find("session.expiring") != std::string::npos);
      beside.answer(200);
    }
    sent.answer(i == 0 ? 500 : 200);
  }
  for (std::string type : {"session.extended", "session.ended"}) {
    auto sent = sender->next();
    CHECK(sent.request.body.starts_with(R"({"type":")" + type));
    sent.answer(204);
  }
  CHECK(eventually([&] { return listed(webhook, "delivered").size() == 4; }));
}

TEST_CASE_METHOD(hook_node, "what was under way when the node died is sent "
                            "again, in its order") {
  auto webhook = add();
  auto session = stored_session();
  change(session, event_kind::session_created);
  change(session, event_kind::session_extended);
  auto lost = sender->next().header("webhook-id");
  end();
  restart();
  begin();
  auto again = sender->next();
  CHECK(again.header("webhook-id") == lost);
  CHECK(sender->waiting() == 0);
  again.answer(200);
  auto second = sender->next();
  CHECK(second.request.body.find("session.extended") != std::string::npos);
  second.answer(200);
  CHECK(eventually([&] { return listed(webhook, "delivered").size() == 2; }));
}

TEST_CASE_METHOD(hook_node, "a receiver that is slow gets few at once, and "
                            "takes nobody's turn") {
  auto slow = add("https://slow.example.org/");
  auto quick = add("https://quick.example.org/");
  std::vector<session_record> all;
  for (int i = 0; i < 12; ++i) {
    all.push_back(stored_session());
    change(all.back());
  }
  std::size_t of_slow = 0;
  std::vector<taken> held;
  for (std::size_t of_quick = 0; of_quick < all.size();) {
    auto sent = sender->next();
    if (sent.request.to.host == "quick.example.org") {
      ++of_quick;
      sent.answer(200);
    } else {
      ++of_slow;
      held.push_back(std::move(sent));
    }
  }
  CHECK(of_slow == max_attempts_of_one);
  CHECK(eventually([&] { return listed(quick, "delivered").size() == 12; }));
  CHECK(listed(slow, "pending").size() == 12);
  // All that was held goes on at its own pace.
  std::set<std::string> ids;
  for (auto& one : held) {
    ids.insert(one.header("webhook-id"));
    one.answer(200);
  }
  while (ids.size() < 12) {
    auto sent = sender->next();
    ids.insert(sent.header("webhook-id"));
    sent.answer(200);
  }
  CHECK(eventually([&] { return listed(slow, "delivered").size() == 12; }));
}

TEST_CASE_METHOD(hook_node, "the receivers of sessions take together what one "
                            "receiver may") {
  auto of_project = add("https://project.example.org/");
  const auto own = [](int i) {
    return session_webhook{"https://s" + std::to_string(i) + ".example.org/",
                           "",
                           {},
                           "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"};
  };
  constexpr int sessions = 12;
  std::vector<session_record> all;
  for (int i = 0; i < sessions; ++i) {
    all.push_back(stored_session({own(2 * i), own(2 * i + 1)}));
    change(all.back());
  }
  std::deque<taken> held;
  for (int of_project_sent = 0; of_project_sent < sessions;) {
    auto sent = sender->next();
    if (sent.request.to.host == "project.example.org") {
      CHECK_FALSE(sent.request.of_session);
      ++of_project_sent;
      sent.answer(200);
    } else {
      CHECK(sent.request.of_session);
      held.push_back(std::move(sent));
      CHECK(held.size() <= max_attempts_of_one);
    }
  }
  CHECK(eventually(
    [&] { return listed(of_project, "delivered").size() == sessions; }));
  // Each gets its turn.
  std::set<std::string> hosts;
  while (hosts.size() < 2 * sessions) {
    if (held.empty())
      held.push_back(sender->next());
    hosts.insert(held.front().request.to.host);
    held.front().answer(200);
    held.pop_front();
  }
  CHECK(hosts.size() == 2 * sessions);
}

TEST_CASE_METHOD(hook_node, "a receiver that takes nothing for too long is "
                            "disabled, and the others hear of it") {
  end();
  begin(1500);
  auto broken = add("https://broken.example.org/");
  auto other = add("https://other.example.org/");
  auto session = stored_session();
  change(session);
  bool told = false;
  while (!told) {
    auto sent = sender->next();
    told = sent.request.body.find("webhook.disabled") != std::string::npos;
    auto to_other = sent.request.to.host == "other.example.org";
    CHECK((!told || to_other));
    sent.answer(to_other ? 200 : 503);
  }
  auto now = look(broken);
  CHECK_FALSE(now.enabled);
  CHECK(now.disabled_reason
        == "nothing was delivered for too long; at last: the receiver answered "
           "503");
  CHECK(listed(broken, "failed").size() == 1);
  CHECK(listed(broken).front().attempts >= 2);
  CHECK(look(other).enabled);
  change(session);
  CHECK(sender->next().request.to.host == "other.example.org");
  CHECK(listed(broken).size() == 1);
}

TEST_CASE_METHOD(hook_node, "a test is sent at once, and tells how it went") {
  auto webhook = add();
  caf::scoped_actor self{system()};
  auto test = [&](std::uint16_t status) {
    auto asked = self->request(deliverer, greenroom::test::timeout,
                               test_webhook{"demo", webhook.id});
    auto sent = sender->next();
    CHECK(sent.request.body.find("webhook.test") != std::string::npos);
    sent.answer(status);
    delivery_record result;
    asked.receive([&](const delivery_record& x) { result = x; },
                  [](const caf::error&) {});
    return result;
  };
  auto failed = test(500);
  CHECK(failed.state == delivery_state::failed);
  CHECK(failed.status == 500);
  CHECK(failed.error == "the receiver answered 500");
  CHECK(test(200).state == delivery_state::delivered);
  CHECK(listed(webhook).size() == 2);
  CHECK(refused_by<delivery_record>(deliverer, test_webhook{"demo", make_id()})
        == refusal{errc::not_found, "webhook not found"});
}

TEST_CASE_METHOD(hook_node, "what was delivered can be sent again") {
  auto webhook = add();
  auto session = stored_session();
  change(session);
  auto first = sender->next();
  first.answer(200);
  CHECK(eventually([&] { return listed(webhook, "delivered").size() == 1; }));
  auto id = first.header("webhook-id");
  ask<delivery_page>(deliverer, redeliver{"demo", webhook.id, id});
  auto again = sender->next();
  CHECK(again.header("webhook-id") == id);
  CHECK(again.request.body == first.request.body);
  again.answer(200);
  CHECK(eventually([&] { return listed(webhook, "delivered").size() == 1; }));
}
