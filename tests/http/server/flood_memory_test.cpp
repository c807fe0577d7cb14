// After a flood of connections, on whatever port, memory is given back.
#include "tests/http/client.hpp"
#include "tests/http/git/git_node.hpp"
#include "tests/http/stand_ins.hpp"
#include "tests/support/eventually.hpp"

#include <catch2/catch.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;
using namespace std::chrono_literals;

namespace {

std::atomic<int> trims = 0;

struct many_descriptors {
  many_descriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before);
    auto wide = before;
    wide.rlim_cur = std::min<rlim_t>(before.rlim_max, 20'000);
    ::setrlimit(RLIMIT_NOFILE, &wide);
  }
  ~many_descriptors() {
    ::setrlimit(RLIMIT_NOFILE, &before);
  }
  rlimit before{};
};

/// Whether memory was given back after connections that have said nothing.
bool gives_back(std::uint16_t port) {
  const auto before = trims.load();
  // A listener that is slow may not have seen the first.
  for (int tries = 0; tries < 5; ++tries) {
    std::vector<std::unique_ptr<http_client>> flood;
    for (int i = 0; i < 250; ++i)
      flood.push_back(std::make_unique<http_client>(port));
    // They are counted once a second.
    flood.back()->has_answer(2s);
    flood.clear();
    if (eventually([&] { return trims > before; }, 10s))
      return true;
  }
  return false;
}

} // namespace

// In place of the system's, which says nothing of itself.
extern "C" int malloc_trim(std::size_t) noexcept {
  ++trims;
  return 1;
}

TEST_CASE("memory is given back after a flood of the API and of previews") {
  many_descriptors now;
  fixture f{[](http::options& o) { o.preview_host = "127.0.0.1"; }};
  CHECK(gives_back(f.port()));
  CHECK(gives_back(f.server->preview_port()));
}

TEST_CASE("memory is given back after a flood of git's own port") {
  many_descriptors now;
  git_node node{{[](http::options& o) { o.git_host = "127.0.0.1"; }, {}}};
  CHECK(gives_back(node.git_port()));
}
