#include "http/base/limit_reached.hpp"
#include "http/streams/response_registry.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace greenroom;

TEST_CASE("no key has more than half of the connections behind connections") {
  http::stream_shares shares{{100, 0, 6}};
  std::vector<std::shared_ptr<void>> held;
  for (int i = 0; i < 3; ++i)
    held.push_back(shares.take_pair({"greedy"}));
  CHECK_THROWS_AS(shares.take_pair({"greedy"}), http::limit_reached);
  for (int i = 0; i < 3; ++i)
    held.push_back(shares.take_pair({"modest"}));
  // Nobody gets what is not there.
  for (auto key : {"greedy", "third"})
    try {
      shares.take_pair({key});
      FAIL(key);
    } catch (const refused& e) {
      CHECK(e.code() == errc::overloaded);
    }
  held.erase(held.begin());
  held.push_back(shares.take_pair({"greedy"}));
  held.clear();
  for (int i = 0; i < 3; ++i)
    held.push_back(shares.take_pair({"third"}));
  CHECK_THROWS_AS(shares.take_pair({"third"}), http::limit_reached);
}

TEST_CASE("where there is one such connection any key may have it") {
  http::stream_shares shares{{100, 0, 1}};
  CHECK(shares.take_pair({"one"}));
  auto held = shares.take_pair({"other"});
  CHECK_THROWS_AS(shares.take_pair({"one"}), refused);
}

TEST_CASE("who holds too many streams is said by name and id") {
  http::stream_shares shares{{2, 3, 1}};
  auto why_not = [&](const http::stream_owner& owner) {
    try {
      shares.check(owner);
    } catch (const http::limit_reached& e) {
      return std::string{e.what()};
    }
    return std::string{};
  };
  const http::stream_owner ada{"k1", "demo", "Ada"};
  const http::stream_owner admin{"admin", "demo", "admin"};
  shares.add(ada, http::stream_kind::events);
  CHECK(why_not(ada).empty());
  shares.add(ada, http::stream_kind::terminal);
  using Catch::Contains;
  CHECK_THAT(why_not(ada), Contains("key \"Ada\" (k1) has 2 streams open (1 "
                                    "event streams, 1 terminals)"));
  shares.add(admin, http::stream_kind::output);
  CHECK_THAT(why_not(admin),
             Contains("project \"demo\" has 3 streams open (2 of key \"Ada\" "
                      "(k1), 1 of key \"admin\")"));
  shares.remove(ada, http::stream_kind::events);
  CHECK(why_not(admin).empty());
}
