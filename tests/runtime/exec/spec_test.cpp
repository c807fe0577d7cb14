// What is written down of an exec before it runs.
#include "runtime/base/files.hpp"
#include "runtime/exec/spec.hpp"
#include "runtime/runner/protocol/first_input.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <system_error>

using namespace greenroom;

namespace {

exec_spec request() {
  exec_spec result;
  result.exec_id = "e";
  result.command = "echo \"ü\"";
  result.cwd = "a/b";
  result.env = {{"TOKEN", "secret"}};
  result.timeout = 5;
  result.stdin_open = true;
  result.rows = 24;
  result.cols = 80;
  return result;
}

runner::command_spec command(const exec_spec& wanted) {
  project_record project;
  project.id = "p";
  project.env = {{"TOKEN", "the project's"}, {"MORE", "x"}};
  session_record session;
  session.id = "s";
  return resolve_command(wanted, project, session,
                         {{"/bin/bash", "-c"}, 1000, "/home/greenroom"});
}

} // namespace

TEST_CASE("a command is resolved from all that has a say in it") {
  auto wanted = request();
  wanted.env["GREENROOM_SESSION_ID"] = "another's";
  auto spec = command(wanted);
  CHECK(spec.argv == std::vector<std::string>{"/bin/bash", "-c", "echo \"ü\""});
  CHECK(spec.cwd == "a/b");
  CHECK(spec.env.at("TOKEN") == "secret");
  CHECK(spec.env.at("MORE") == "x");
  CHECK(spec.env.at("HOME") == "/home/greenroom");
  CHECK(spec.env.at("GREENROOM_SESSION_ID") == "s");
  CHECK(spec.timeout == 5);
  CHECK(spec.max_output == 1000);
  CHECK(spec.stdin_open);
  CHECK(spec.rows == 24);
  CHECK(spec.cols == 80);
}

TEST_CASE("one file holds the request and the command") {
  test::temp_dir dir;
  auto place = dir.path() / "exec/e";
  CHECK_FALSE(kept_request(place));
  keep_exec(place, request(), command(request()));
  CHECK(kept_request(place) == request());
  auto text = read_file(place / "spec.json");
  REQUIRE(text);
  CHECK(runner::parse_command_spec(*text).env == command(request()).env);
  // Nobody takes an id for another exec.
  CHECK_THROWS_AS(keep_exec(place, {}, {}), std::system_error);
  CHECK(kept_request(place) == request());
}

TEST_CASE("that a command was sent is remembered") {
  test::temp_dir dir;
  CHECK_FALSE(was_sent(dir.path()));
  CHECK_THROWS_AS(mark_sent(dir.path()), std::system_error);
  keep_exec(dir.path(), request(), command(request()));
  CHECK_FALSE(was_sent(dir.path()));
  mark_sent(dir.path());
  CHECK(was_sent(dir.path()));
  CHECK(kept_request(dir.path()) == request());
}

TEST_CASE("a file that is cut anywhere holds no request") {
  test::temp_dir dir;
  keep_exec(dir.path(), request(), command(request()));
  auto file = dir.path() / "spec.json";
  for (auto size = std::filesystem::file_size(file); size-- > 0;) {
    std::filesystem::resize_file(file, size);
    REQUIRE_FALSE(kept_request(dir.path()));
  }
}

TEST_CASE("what a command is fed at first lies beside it") {
  test::temp_dir dir;
  auto fed = request();
  fed.first_input = std::string(64, 'a');
  fed.input_ends = true;
  auto place = dir.path() / "e";
  keep_exec(place, fed, command(fed), "first");
  CHECK(read_file(place / "stdin") == "first");
  CHECK(kept_request(place) == fed);
  auto spec = runner::parse_command_spec(*read_file(place / "spec.json"));
  CHECK(spec.first_input);
  CHECK(spec.input_ends);
  // All or nothing.
  auto other = dir.path() / "other";
  ensure_dir(other / "spec.json");
  CHECK_THROWS_AS(keep_exec(other, fed, command(fed), "first"),
                  std::system_error);
  CHECK_FALSE(std::filesystem::exists(other / "stdin"));
  CHECK_THROWS_AS(keep_exec(place, fed, command(fed), "second"),
                  std::system_error);
  CHECK(read_file(place / "stdin") == "first");
}

TEST_CASE("a first input is taken once") {
  test::temp_dir dir;
  unique_fd place{::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY)};
  CHECK_FALSE(runner::take_first_input(place.get()));
  write_file_atomic(dir.path() / "stdin", "text", 0600, false);
  auto file = runner::take_first_input(place.get());
  REQUIRE(file);
  char text[8];
  CHECK(::read(file.get(), text, sizeof text) == 4);
  CHECK_FALSE(runner::take_first_input(place.get()));
  // Nothing of somebody else's is.
  std::filesystem::create_symlink("/etc/passwd", dir.path() / "stdin");
  CHECK_THROWS_AS(runner::take_first_input(place.get()), std::system_error);
}

TEST_CASE("a request that an older release wrote does not say what it fed") {
  test::temp_dir dir;
  keep_exec(dir.path(), request(), command(request()));
  auto file = dir.path() / "spec.json";
  auto object = nlohmann::json::parse(*read_file(file));
  object["request"].erase("first_input");
  object["request"].erase("input_ends");
  write_file_atomic(file, object.dump(), 0600, false);
  auto kept = kept_request(dir.path());
  REQUIRE(kept);
  CHECK(kept->first_input == unknown_input);
  kept->first_input.clear();
  CHECK(kept == request());
}
