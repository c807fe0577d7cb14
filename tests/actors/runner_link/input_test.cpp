// What waits for a command's standard input, on a pipe of the test's own.
#include "actors/runner_link/input.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

using namespace greenroom;

namespace {

struct fed_pipe {
  fed_pipe() {
    ::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    REQUIRE(::pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }

  std::string read_all() {
    std::string result;
    char buffer[65536];
    for (ssize_t n; (n = ::read(reader.get(), buffer, sizeof buffer)) > 0;)
      result.append(buffer, static_cast<std::size_t>(n));
    return result;
  }

  unique_fd reader;
  unique_fd writer;
  input_channel channel;
};

shared_text text(std::size_t size, char what) {
  return shared_text{std::string(size, what)};
}

} // namespace

TEST_CASE_METHOD(fed_pipe, "what comes before the input is open is written "
                           "once it is, in order") {
  channel.write(1, text(2, 'a'), false);
  CHECK(channel.pump().empty());
  channel.open(std::move(writer));
  channel.write(2, text(2, 'b'), false);
  auto answers = channel.pump();
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].ticket == 1);
  CHECK(answers[1].ticket == 2);
  CHECK(answers[0].problem.empty());
  CHECK(read_all() == "aabb");
  CHECK_FALSE(channel.wants_write());
  CHECK_FALSE(channel.take_eof());
}

TEST_CASE_METHOD(fed_pipe, "what the pipe does not hold waits for its "
                           "reader") {
  channel.open(std::move(writer));
  channel.write(1, text(300'000, 'a'), false);
  channel.write(2, text(1, 'b'), true);
  std::string got;
  std::vector<std::uint64_t> answered;
  for (int turn = 0; turn < 100 && answered.size() < 2; ++turn) {
    for (auto& answer : channel.pump()) {
      CHECK(answer.problem.empty());
      answered.push_back(answer.ticket);
    }
    if (turn == 0)
      CHECK(channel.wants_write());
    got += read_all();
  }
  CHECK(answered == std::vector<std::uint64_t>{1, 2});
  CHECK(got == std::string(300'000, 'a') + 'b');
  // Its end is the runner's to close, too.
  CHECK(channel.take_eof());
  CHECK_FALSE(channel.take_eof());
  CHECK(channel.fd() == -1);
  channel.write(3, text(1, 'c'), false);
  auto late = channel.pump();
  REQUIRE(late.size() == 1);
  CHECK_FALSE(late[0].problem.empty());
}

TEST_CASE_METHOD(fed_pipe, "all who wait hear that the command does not read "
                           "any more") {
  channel.open(std::move(writer));
  channel.write(1, text(200'000, 'a'), false);
  channel.write(2, text(1, 'b'), true);
  CHECK(channel.pump().empty());
  reader.reset();
  auto answers = channel.pump();
  REQUIRE(answers.size() == 2);
  for (auto& answer : answers)
    CHECK(answer.problem
          == "the command does not read its standard input any more");
  CHECK_FALSE(channel.take_eof());
  CHECK(channel.fd() == -1);
}

TEST_CASE("at a terminal an end of input finishes the line before it") {
  unique_fd master{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)};
  REQUIRE(master);
  REQUIRE(::grantpt(master.get()) == 0);
  REQUIRE(::unlockpt(master.get()) == 0);
  unique_fd slave{::open(::ptsname(master.get()),
                         O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)};
  REQUIRE(slave);
  auto type = [](int fd) {
    constexpr char end_of_input = 4; // as the runner types it
    REQUIRE(::write(fd, &end_of_input, 1) == 1);
  };
  auto line = [&slave] {
    char buffer[16];
    auto size = ::read(slave.get(), buffer, sizeof buffer);
    REQUIRE(size >= 0);
    return std::string(buffer, static_cast<std::size_t>(size));
  };
  auto runner_end = ::dup(master.get());
  unique_fd runner{runner_end};
  input_channel channel;
  channel.open(std::move(master));
  channel.write(1, shared_text{"unfinished"}, true);
  CHECK(channel.pump().size() == 1);
  CHECK(channel.take_eof());
  CHECK(line() == "unfinished");
  type(runner.get());
  CHECK(line().empty());
  channel.write(2, shared_text{"finished\n"}, true);
  CHECK(channel.pump().size() == 1);
  CHECK(line() == "finished\n");
  type(runner.get());
  CHECK(line().empty());
  // What somebody else has typed, before this channel was there.
  input_channel next;
  next.open(unique_fd{::dup(runner.get())});
  REQUIRE(::write(runner.get(), "fed", 3) == 3);
  next.write(3, shared_text{std::string{}}, true);
  CHECK(next.pump().size() == 1);
  CHECK(line() == "fed");
  type(runner.get());
  CHECK(line().empty());
}

TEST_CASE_METHOD(fed_pipe, "a pipe has no size") {
  channel.resize(1, 24, 80);
  CHECK(channel.pump().empty());
  channel.open(std::move(writer));
  auto answers = channel.pump();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].problem == "the command has no terminal");
}

TEST_CASE_METHOD(fed_pipe, "an input that is closed before it is open answers "
                           "all, and stays closed") {
  channel.write(1, text(1, 'a'), false);
  channel.resize(2, 24, 80);
  channel.close("gone");
  CHECK(channel.pump().size() == 2);
  channel.open(std::move(writer));
  channel.write(3, text(1, 'b'), false);
  auto answers = channel.pump();
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].problem == "gone");
}
