// Reviews, over real sockets.
#include "runtime/exec/output/output_log.hpp"
#include "tests/http/asking.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>

using namespace greenroom;
using namespace greenroom::test;
using nlohmann::json;

namespace {

const std::string reviews_path = "/projects/demo/reviews";
const std::string review_id(20, 'r');
const std::string review_path = reviews_path + "/" + review_id;

void store_review(const fixture& f, review_status status) {
  std::lock_guard lock{f.script->guard};
  auto& review = f.script->reviews[review_id];
  review.id = review_id;
  review.project_id = "demo";
  review.session_id = demo_session;
  review.branch = "topic";
  review.target = "main";
  review.commit = std::string(40, 'c');
  review.base = std::string(40, 'b');
  review.status = status;
  review.created_at = 1;
}

void print(const fixture& f, std::string_view text) {
  auto dir = f.files.path() / "sessions" / review_id / "exec" / "review";
  std::filesystem::create_directories(dir);
  unique_fd fd{::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  output_log_writer log{fd.get(), 1 << 20};
  log.append(output_stream::out, {text.data(), text.size()}, 1);
}

} // namespace

TEST_CASE("reviews are listed and read") {
  fixture f;
  CHECK(data_of(get(f, reviews_path))["reviews"].empty());
  store_review(f, review_status::queued);
  auto list = data_of(get(f, reviews_path + "?status=queued"))["reviews"];
  REQUIRE(list.size() == 1);
  auto one = data_of(get(f, review_path));
  CHECK(one == list[0]);
  CHECK(one["status"] == "queued");
  CHECK(one["commit"] == std::string(40, 'c'));
  CHECK(one["base"] == std::string(40, 'b'));
  CHECK(one["output"] == review_path + "/output");
  CHECK(data_of(get(f, reviews_path + "?status=merged"))["reviews"].empty());
  CHECK(get(f, reviews_path + "?status=good").status == 400);
  CHECK(get(f, reviews_path + "/" + std::string(20, 'x')).status == 404);
  CHECK(get(f, reviews_path + "/nope").status == 404);
  auto stranger = f.add_key({"sessions:read"}, {"other"});
  CHECK(call(f.port(), "GET", review_path, stranger).status == 404);
}

TEST_CASE("a review's diff is text") {
  fixture f;
  store_review(f, review_status::queued);
  auto diff = get(f, review_path + "/diff");
  CHECK(diff.headers["content-type"] == "text/plain; charset=utf-8");
  CHECK(diff.body == "diff --git a/y b/y\n");
}

TEST_CASE("a person approves or rejects") {
  fixture f;
  store_review(f, review_status::queued);
  CHECK(post(f, review_path + "/approve", "").status == 200);
  CHECK(post(f, review_path + "/approve", R"({"comment":"good"})").status
        == 200);
  CHECK(post(f, review_path + "/reject", R"({"comment":"no tests"})").status
        == 200);
  REQUIRE(f.script->decisions.size() == 3);
  CHECK(f.script->decisions[0].approve);
  CHECK(f.script->decisions[1].comment == "good");
  CHECK_FALSE(f.script->decisions[2].approve);
  CHECK(f.script->decisions[2].comment == "no tests");
  CHECK(f.script->decisions[2].by.key_id == "admin");
  CHECK(post(f, review_path + "/reject", "{}").status == 400);
  CHECK(post(f, review_path + "/reject", "").status == 400);
  auto reader = f.add_key({"sessions:read"});
  CHECK(call(f.port(), "POST", review_path + "/approve", reader).status == 403);
  CHECK(f.script->decisions.size() == 3);
}

TEST_CASE("what is approved is merged when somebody asks for it") {
  fixture f;
  store_review(f, review_status::approved);
  CHECK(post(f, review_path + "/merge", "").status == 200);
  CHECK(post(f, review_path + "/approve", R"({"merge":true})").status == 200);
  REQUIRE(f.script->decisions.size() == 2);
  CHECK_FALSE(f.script->decisions[0].approve);
  CHECK(f.script->decisions[0].merge);
  CHECK(f.script->decisions[1].approve);
  CHECK(f.script->decisions[1].merge);
  CHECK(post(f, review_path + "/merge", R"({"force":true})").status == 400);
  CHECK(
    post(f, review_path + "/reject", R"({"comment":"x","merge":true})").status
    == 400);
  auto reader = f.add_key({"sessions:read"});
  CHECK(call(f.port(), "POST", review_path + "/merge", reader).status == 403);
}

TEST_CASE("a key does not approve what it has checked in itself") {
  fixture f;
  auto author = f.add_key({"sessions:execute"});
  auto author_id = f.last_key_id();
  auto colleague = f.add_key({"sessions:execute"});
  store_review(f, review_status::queued);
  {
    std::lock_guard lock{f.script->guard};
    f.script->reviews[review_id].created_by = author_id;
  }
  auto refused = call(f.port(), "POST", review_path + "/approve", author);
  CHECK(refused.status == 403);
  CHECK(f.script->decisions.empty());
  // Taking it back is another matter.
  CHECK(call(f.port(), "POST", review_path + "/reject", author,
             R"({"comment":"not yet"})")
          .status
        == 200);
  CHECK(call(f.port(), "POST", review_path + "/approve", colleague).status
        == 200);
  CHECK(f.script->decisions.size() == 2);
  {
    std::lock_guard lock{f.script->guard};
    f.script->reviews[review_id].created_by = "admin";
  }
  CHECK(post(f, review_path + "/approve", "").status == 200);
}

TEST_CASE("what a review printed is served, also while it runs") {
  fixture f{
    [](http::options& o) { o.heartbeat = std::chrono::milliseconds{100}; }};
  store_review(f, review_status::running);
  CHECK(get(f, review_path + "/output").body.empty());
  http_client client{f.port()};
  client.send(
    request_text("GET", review_path + "/output?follow=1", admin_secret));
  CHECK(client.receive_head().status == 200);
  print(f, "all tests pass\n");
  client.read_stream_until("pass\n");
  store_review(f, review_status::approved);
  CHECK(client.read_stream_to_end() == "all tests pass\n");
  CHECK(get(f, review_path + "/output").body == "all tests pass\n");
  CHECK(get(f, review_path + "/output?follow=1").body == "all tests pass\n");
}
