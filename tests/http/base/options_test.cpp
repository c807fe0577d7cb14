// What the edge makes of a configuration.
#include "http/base/options.hpp"
#include "runtime/config/config.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace std::chrono_literals;

TEST_CASE("a stream waits for its session until another node can have it") {
  config settings;
  CHECK(http::options_from(settings).return_timeout == 12s);
  settings.cluster.listen = endpoint{"127.0.0.1", 7100};
  settings.cluster.timeout = 500;
  CHECK(http::options_from(settings).return_timeout == 12s);
  settings.cluster.timeout = 30'000;
  CHECK(http::options_from(settings).return_timeout == 70s);
}
