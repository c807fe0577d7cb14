#include "runtime/auth/logins.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;

namespace {

constexpr unix_ms at_login = 1'700'000'000'000;

struct login_fixture {
  key_record key = make_key("ann", {"sessions:read"}, {}, 0).record;
  key_table keys{{key}};
  logins of{"an-administrator's-key"};
  std::string login = of.make(key.id, at_login + 1000);

  const key_record* find(std::string_view text, unix_ms at = at_login) const {
    return of.find(text, keys, at);
  }
};

} // namespace

TEST_CASE("a login stands for its key until its time is over") {
  login_fixture f;
  REQUIRE(f.find(f.login) != nullptr);
  CHECK(f.find(f.login)->id == f.key.id);
  CHECK(f.find(f.login, at_login + 999) != nullptr);
  CHECK(f.find(f.login, at_login + 1000) == nullptr);
}

TEST_CASE("a login ends with its key and with the administrator's") {
  login_fixture f;
  CHECK(f.of.find(f.login, key_table{{}}, at_login) == nullptr);
  CHECK(logins{"another-key"}.find(f.login, f.keys, at_login) == nullptr);
  CHECK(logins{"an-administrator's-key"}.find(f.login, f.keys, at_login)
        != nullptr);
}

TEST_CASE("no byte of a login can be another") {
  login_fixture f;
  for (std::size_t i = 0; i < f.login.size(); ++i) {
    auto forged = f.login;
    forged[i] = forged[i] == '1' ? '2' : '1';
    CHECK(f.find(forged) == nullptr);
    CHECK(f.find(f.login.substr(0, i)) == nullptr);
  }
  CHECK(f.find(f.login + "0") == nullptr);
  CHECK(f.find("..") == nullptr);
  CHECK(f.find("") == nullptr);
}
