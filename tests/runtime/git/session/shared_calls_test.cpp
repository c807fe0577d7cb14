// One call for all who ask for the same at once.
#include "runtime/git/session/shared_calls.hpp"

#include "tests/support/eventually.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <future>
#include <stdexcept>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;

namespace {

// Of calls that wait until they are let go on.
struct held_calls {
  shared_calls<int> calls;
  std::atomic<int> begun = 0;
  std::promise<void> opened;
  std::shared_future<void> gate = opened.get_future().share();

  std::future<int> ask(const std::string& what, bool fails = false) {
    return std::async(std::launch::async, [this, what, fails] {
      return *calls.ask(what, [this, fails] {
        const auto number = ++begun;
        gate.wait_for(timeout);
        if (fails)
          throw std::runtime_error("call " + std::to_string(number));
        return number;
      });
    });
  }
};

} // namespace

TEST_CASE("who asks while a call goes on shares the next one") {
  held_calls at;
  auto first = at.ask("list");
  await("the first call", [&] { return at.begun == 1; });
  std::vector<std::future<int>> others;
  for (int i = 0; i < 5; ++i)
    others.push_back(at.ask("list"));
  await("all of them", [&] { return at.calls.asking("list") == 6; });
  auto another = at.ask("something else");
  await("a call for something else", [&] { return at.begun == 2; });
  at.opened.set_value();
  CHECK(first.get() == 1);
  CHECK(another.get() == 2);
  for (auto& one : others)
    CHECK(one.get() == 3);
  // Nothing is kept for who comes later.
  CHECK(at.calls.asking("list") == 0);
  CHECK(at.ask("list").get() == 4);
}

TEST_CASE("a call that fails does so for all who share it") {
  held_calls at;
  auto first = at.ask("list");
  await("the first call", [&] { return at.begun == 1; });
  std::vector<std::future<int>> others;
  for (int i = 0; i < 3; ++i)
    others.push_back(at.ask("list", true));
  await("all of them", [&] { return at.calls.asking("list") == 4; });
  at.opened.set_value();
  CHECK(first.get() == 1);
  for (auto& one : others)
    CHECK_THROWS_WITH(one.get(), "call 2");
  CHECK(at.begun == 2);
}
